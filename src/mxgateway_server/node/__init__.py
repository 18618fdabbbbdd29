"""This machine as a node of a plant: its Pythons, its registered MXAccess, and what keeps the two apart."""
