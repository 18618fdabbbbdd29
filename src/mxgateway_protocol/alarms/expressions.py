"""Expressions that say whose alarms are wanted: `\\\\NODE\\Provider!Area`, as the product writes them."""

from __future__ import annotations

import re
from typing import NamedTuple

_EXPRESSION = re.compile(
    r"\\{0,2}(?:(?P<node>[^\\!]*)\\)?(?P<provider>[^\\!\s]+)!(?P<area>[^!\s]+)(?:!(?P<name>[^!\s]+))?"
)


class AlarmExpression(NamedTuple):
    """One expression.

    Attributes:
        node: computer of the provider; empty for this one.
        area: `*` for all.
        name: names of alarms, with `*` at the beginning or the end; empty for all.
    """

    node: str
    provider: str
    area: str
    name: str = ""


def parse_expression(text: str) -> AlarmExpression | None:
    """The parts of an expression; None for what is none."""
    match = _EXPRESSION.fullmatch(text)
    return None if match is None else AlarmExpression(*(part or "" for part in match.groups()))
