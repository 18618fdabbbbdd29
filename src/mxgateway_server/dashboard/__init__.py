"""The dashboard: what people look at in a browser, on a listener of its own."""
