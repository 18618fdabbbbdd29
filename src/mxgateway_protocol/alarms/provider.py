"""The seam between a worker and what tells it of alarms, apart from that to LMXProxy.

A provider is the alarm manager's consumer, its model in the simulator, or the worker's own reading of attributes. All
calls come from the executor thread, as those of a backend.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from mxgateway_contract import hresults
from mxgateway_protocol.alarms.records import AlarmRecord


class ProviderError(Exception):
    """A provider does not answer as it should.

    Attributes:
        hresult: signed 32-bit HRESULT; None when the failure is none of COM.
        is_broken_answer: it answered, but with something that is no list of alarms.
        is_misconfigured: asking again does not help: an expression, a zone or a date order is wrong.
    """

    def __init__(
        self,
        message: str,
        hresult: int | None = None,
        *,
        is_broken_answer: bool = False,
        is_misconfigured: bool = False,
    ) -> None:
        self.hresult = hresult
        self.is_broken_answer = is_broken_answer
        self.is_misconfigured = is_misconfigured
        super().__init__(message if hresult is None else f"{message}: {hresults.text(hresult)}")


class AlarmSubscription(NamedTuple):
    """What a worker asks a provider for.

    Attributes:
        expressions: such as `\\\\NODE\\Galaxy!Area`.
        max_records: how many records one poll asks for at first.
        display_mode: DISPLAY_MODE of the query.
        time_zone: zone of the times in the records, as in the IANA database; empty for this machine's.
        date_order: `mdy`, `dmy`, `ymd`, or empty to find out.
    """

    expressions: Sequence[str]
    max_records: int = 1000
    display_mode: str = "Summary"
    time_zone: str = ""
    date_order: str = ""


class PollResult(NamedTuple):
    """What has become of the list since the poll before.

    Attributes:
        fresh: records that are new or differ.
        gone: records that are not in the list any more, each as it was; none when the list is cut.
        total: records in the list.
        is_truncated: the provider has more than it gave: what is missing has not ended.
        is_reread: the times of records that were known already are read in another way from now on.
        answered: keys of the alarms that a cut list holds; None for a whole one.
    """

    fresh: Sequence[AlarmRecord]
    gone: Sequence[AlarmRecord]
    total: int
    is_truncated: bool = False
    is_reread: bool = False
    answered: frozenset[str] | None = None


class Operator(NamedTuple):
    """Who acknowledges or shelves."""

    user: str = ""
    node: str = ""
    domain: str = ""
    full_name: str = ""


class AlarmName(NamedTuple):
    """Names one alarm for a provider.

    Attributes:
        source: object and attribute.
    """

    name: str
    provider: str
    group: str
    source: str = ""


class Answer(NamedTuple):
    """What a provider's call returned.

    Attributes:
        native_status: 0 when it was taken.
        text: what the provider says in words.
    """

    native_status: int
    text: str = ""


NOT_FOR_THIS_PROVIDER = Answer(-1, "not known for this provider")


class AlarmProvider(Protocol):
    """Tells of alarms when it is polled, and takes acknowledgements."""

    def subscribe(self, request: AlarmSubscription) -> None:
        """Begins; called again after `close`, and with other expressions.

        Raises:
            ProviderError: it cannot.
        """

    def poll(self, now_ns: int) -> PollResult:
        """What has changed since the poll before; after `subscribe` everything.

        Raises:
            ProviderError: it does not answer; nothing is known of what has changed.
        """

    def acknowledge(self, alarm: AlarmName, comment: str, operator: Operator) -> Answer:
        """Acknowledges the present occurrence.

        Raises:
            ProviderError: the call itself failed.
        """

    def dismiss(self, alarm: AlarmName, operator: Operator) -> Answer:
        """Ends the latching of an alarm.

        Raises:
            ProviderError: as above.
        """

    def shelve(self, alarm: AlarmName, hours: float, reason: str, operator: Operator) -> Answer:
        """Shelves an alarm, or ends that with 0 hours.

        Raises:
            ProviderError: as above.
        """

    def close(self) -> None:
        """Ends it; may be called at any time, more than once, and never raises."""


@runtime_checkable
class OffersAlarms(Protocol):
    """A backend beside which there is an alarm manager."""

    def alarm_provider(self) -> AlarmProvider:
        """The consumer of the alarm manager; called once after `open`, on the executor thread."""
