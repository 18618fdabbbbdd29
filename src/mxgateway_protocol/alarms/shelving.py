"""AlarmShelveCmd: the text that shelves an alarm when it is written."""

from __future__ import annotations


def shelve_command(hours: float, reason: str) -> str:
    """The text of a command. Quotes of both kinds in one reason cannot be written: the double ones become single."""
    quote = "'" if "'" not in reason else '"'
    return f"Duration={hours:g};Reason={quote}{reason.replace(quote, chr(39))}{quote}"
