"""Alarms of the plant: the gateway's one list, and the calls that read and change it."""
