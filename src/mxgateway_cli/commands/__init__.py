"""The commands of `mxgw-py`, one module for each family."""
