"""The gateway over HTTP, for those who run it: health and metrics, on a listener of its own in the gateway's loop."""
