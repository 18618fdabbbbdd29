"""The conformance suite of all clients; see README.md."""
