"""What only a real node can tell, asked through a gateway: `mxgw-py site-probe`."""
