"""The gateway: sessions of worker processes behind gRPC."""

__version__ = "0.1.0"
