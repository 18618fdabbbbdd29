"""The alarms of the simulated plant: what raises them, what becomes of them, and what is told of them."""
