"""State machines of the gateway: no I/O, no clocks, no tasks. They take events and `now`, and say what to do."""
