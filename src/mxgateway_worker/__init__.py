"""One process per session: it owns the backend on one thread and talks to the gateway over its pipe."""

__version__ = "0.1.0"
