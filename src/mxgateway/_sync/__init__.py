"""What `mxgateway.sync` is made of."""
