"""What decides whether a command passes, and what becomes of it."""
