"""API keys, who calls, audit, certificates."""
