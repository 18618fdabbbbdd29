"""The public gRPC services: thin handlers over sessions, security and the Galaxy."""
