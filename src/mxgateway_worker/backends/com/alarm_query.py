"""The query that the alarm consumer wants, as XML, from the expressions of a subscription."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mxgateway_contract import hresults
from mxgateway_protocol.alarms.expressions import AlarmExpression, parse_expression
from mxgateway_protocol.alarms.provider import AlarmSubscription, ProviderError

_REFUSED = re.compile(r"[\s\"'<>&]")
_DISPLAY_MODE = re.compile(r"[A-Za-z]{1,32}")
MOST_URGENT, LEAST_URGENT = 1, 999


def expressions_of(request: AlarmSubscription) -> list[AlarmExpression]:
    """The expressions of a subscription, each in its parts.

    Raises:
        ProviderError: one of them cannot be put into a query.
    """
    return [_expression(text) for text in request.expressions]


def _expression(text: str) -> AlarmExpression:
    found = parse_expression(text)
    if found is None:
        raise _misconfigured(f"the expression {text!r} is none; write \\\\NODE\\Galaxy!AREA")
    # Nothing is escaped: how the consumer reads an escape is not known, and names of areas have no use for them.
    if any(_REFUSED.search(part) for part in found):
        raise _misconfigured(f"the expression {text!r} has a blank, a quote, <, > or & in a name")
    if found.name:
        raise _misconfigured(
            f"the expression {text!r} chooses alarms by name, which no query can; leave {found.name!r} out, "
            "and filter in the alarm calls"
        )
    return found


def query_xml(expressions: Sequence[AlarmExpression], display_mode: str) -> str:
    """The query for all states and priorities.

    Raises:
        ProviderError: `display_mode` is no word.
    """
    if not _DISPLAY_MODE.fullmatch(display_mode):
        raise _misconfigured(f"alarms.display_mode {display_mode!r} is no word such as Summary")
    queries = "".join(
        f"<QUERY><NODE>{each.node}</NODE><PROVIDER>{each.provider}</PROVIDER><GROUP>{each.area}</GROUP></QUERY>"
        for each in expressions
    )
    return (
        f'<QUERIES FROM_PRIORITY="{MOST_URGENT}" TO_PRIORITY="{LEAST_URGENT}" ALARM_STATE="ALL" '
        f'DISPLAY_MODE="{display_mode}">{queries}</QUERIES>'
    )


def _misconfigured(text: str) -> ProviderError:
    return ProviderError(text, hresults.E_INVALIDARG, is_misconfigured=True)
