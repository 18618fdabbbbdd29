"""The console script `mxgateway`: one module for each of its commands."""
