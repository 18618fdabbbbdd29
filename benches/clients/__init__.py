"""Every client's own benches beside the floor of its language, in one run against one gateway; see `run.py`."""
