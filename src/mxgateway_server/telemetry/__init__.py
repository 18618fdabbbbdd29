"""How the gateway itself is doing."""
