"""The alarms' past, in a file of its own."""
