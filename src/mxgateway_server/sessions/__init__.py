"""Sessions at work: the state machines of `core` joined to worker processes."""
