"""A seeded storm of faults over a real gateway, judged by an oracle. `make chaos`, or `python -m chaos --help`."""
