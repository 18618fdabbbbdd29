"""The commands of `mxgateway`."""
