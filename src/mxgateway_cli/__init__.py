"""`mxgw-py`: the gateway's client for terminals and scripts."""
