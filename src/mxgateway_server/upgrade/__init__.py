"""The gateway replaces itself by another version of its program, and keeps its workers and sessions (Linux)."""

VARIABLE = "MXGATEWAY_UPGRADE"
"""Variable in which one program tells the next what it leaves."""
