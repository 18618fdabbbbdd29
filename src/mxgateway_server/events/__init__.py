"""The way of an event through the gateway: chunks of bytes, ring, hub, subscribers, delivery."""
