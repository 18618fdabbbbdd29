"""The worker's alarms: watches the providers, tells what changes, and answers the alarm commands.

Everything happens on the executor thread: the polls are turns of its pump, so that no timer ever calls into COM from
elsewhere. A turn never raises, and no storm of alarms ends a session.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from mxgateway_protocol.alarms.provider import AlarmProvider, PollResult, ProviderError
from mxgateway_protocol.alarms.records import AlarmRecord
from mxgateway_protocol.clock import Clock
from mxgateway_protocol.errors import BackendLostError, MxComError
from mxgateway_worker.alarms.attribute_provider import AttributeProvider
from mxgateway_worker.alarms.attribute_values import Watched
from mxgateway_worker.alarms.changes import Change
from mxgateway_worker.alarms.differ import AlarmDiffer
from mxgateway_worker.alarms.failover import FailoverPolicy, Failure, Reason, Speaker, Switch
from mxgateway_worker.alarms.handover import handed_over
from mxgateway_worker.alarms.messages import mode_changed_event, transition_event
from mxgateway_worker.alarms.orders import AlarmOrder, PollFigures
from mxgateway_worker.alarms.outbox import AlarmOutbox
from mxgateway_worker.event_queue import EventQueue

logger = logging.getLogger(__name__)

SLOWEST_POLL = 10.0
"""Seconds after which a poll counts as failed, though it answered in the end; but for the first, which has all to
read."""
_SHARE_OF_TIME = 4
_LONGEST_REST = 10.0
"""Seconds that commands get at most after a poll that was slow: else a first list of a minute would blind a worker for
three."""
_AFTER_ACK = 0.02
_WAITING_FOR_ROOM = 0.01
_ITEM_KEY = -1
_NEVER = float("inf")


@dataclass(slots=True)
class _Open:
    """A subscription under way."""

    order: AlarmOrder
    policy: FailoverPolicy
    manager: AlarmDiffer = field(default_factory=AlarmDiffer)
    by_attributes: AlarmDiffer = field(default_factory=AlarmDiffer)
    is_subscribed: bool = False
    poll_due: float = 0.0
    # Of the alarm manager's last answer, if that was cut.
    answered: frozenset[str] | None = None


class AlarmService:
    """The alarms of one worker.

    Args:
        provider: makes the consumer of the alarm manager; None where there is none.
        attributes: watches alarms by their attributes.
        session_id: of the events, at any time.
        check_thread: refuses every thread but the executor's.
    """

    def __init__(
        self,
        provider: Callable[[], AlarmProvider] | None,
        attributes: AttributeProvider,
        events: EventQueue,
        clock: Clock,
        session_id: Callable[[], str],
        check_thread: Callable[[], None],
    ) -> None:
        self._make_provider = provider
        self._provider: AlarmProvider | None = None
        self.attributes = attributes
        self._events = events
        self._clock = clock
        self._session_id = session_id
        self._check_thread = check_thread
        self._open: _Open | None = None
        self.outbox = AlarmOutbox()
        self.figures = PollFigures()
        # Alarms take the smaller part of the queue, so that it never overflows for them.
        self._room = events.capacity // 2

    @property
    def is_open(self) -> bool:
        return self._open is not None

    @property
    def provider(self) -> AlarmProvider | None:
        """The alarm manager's consumer while alarms are subscribed."""
        self._check_thread()
        return self._provider

    @property
    def policy(self) -> FailoverPolicy | None:
        return self._open.policy if self._open is not None else None

    def last_sequence(self) -> int:
        """Sequence of the last event that has been told, or is in the queue."""
        return self._events.last_sequence()

    # --------------------------------------------------------------------------------------------------- subscribing

    def subscribe(self, order: AlarmOrder) -> None:
        """Begins, or for the same expressions only takes over the rest: watch list, interval, failover.

        Raises:
            ProviderError: the subscription can never work.
            MxComError: the attributes cannot be watched.
        """
        self._check_thread()
        before = self._open
        if (
            before is not None
            and before.order.subscription == order.subscription
            and before.order.forced == order.forced
        ):
            before.order = order
            before.policy.use(order.failover)
            self._watch(before, order.watch)
            return
        self.close()
        # Even its making may be what ends a worker: with the attributes alone there is none.
        makes = self._make_provider if order.forced is not Speaker.ATTRIBUTES else None
        self._provider = makes() if makes is not None else None
        opened = _Open(order, FailoverPolicy(order.failover, order.forced))
        self._open = opened
        try:
            self._watch(opened, order.watch)
            self._poll(opened, is_first=True)
        except (ProviderError, MxComError):
            self.close()
            raise

    def _watch(self, opened: _Open, targets: Sequence[Watched]) -> None:
        opened.policy.has_attributes = opened.policy.has_attributes and bool(targets)
        self.attributes.watch(targets)

    def close(self) -> None:
        """Ends the subscription; nothing to do when there is none. Never raises."""
        self._check_thread()
        self.attributes.close()
        if self._provider is not None:
            self._provider.close()
            self._provider = None
        self._open = None
        self.outbox = AlarmOutbox()
        self.figures = PollFigures()

    # ---------------------------------------------------------------------------------------------------------- turns

    def turn(self) -> float:
        """What is due, in the pump's turn; seconds until the next is wanted.

        Raises:
            BackendLostError: the backend is gone.
        """
        opened = self._open
        if opened is None:
            return _NEVER
        self._check_thread()
        try:
            self._take_attributes(opened)
            if self._clock.monotonic() >= opened.poll_due:
                self._poll(opened)
            self.flush()
        except BackendLostError:
            raise
        except Exception:
            # A storm, a record nobody thought of: whatever it is, the session goes on and the next turn tries again.
            logger.exception("a turn of the alarms failed")
            opened.poll_due = self._clock.monotonic() + opened.order.poll_interval
        if len(self.outbox):
            return _WAITING_FOR_ROOM
        if self.attributes.is_adding:
            return 0.0
        return max(0.0, opened.poll_due - self._clock.monotonic())

    def poll_soon(self) -> None:
        """An acknowledgement or the like was made: its effect is looked for at once."""
        opened = self._open
        if opened is not None:
            opened.poll_due = min(opened.poll_due, self._clock.monotonic() + _AFTER_ACK)

    def flush(self) -> None:
        """Tells what waits, as far as the event queue has room."""
        if len(self.outbox):
            self.outbox.flush(self._room - self._events.depth, self._tell, self._tell_switch)

    def _tell(self, change: Change, speaker: Speaker) -> None:
        self._events.put(transition_event(self._session_id(), change, speaker, self._clock.unix_ns()), _ITEM_KEY, False)

    def _tell_switch(self, switch: Switch, at_ns: int) -> None:
        self._events.put(mode_changed_event(self._session_id(), switch, at_ns, self._clock.unix_ns()), _ITEM_KEY, False)

    # ---------------------------------------------------------------------------------------------------- alarm manager

    def _poll(self, opened: _Open, *, is_first: bool = False) -> None:
        policy, clock = opened.policy, self._clock
        if not policy.polls_alarm_manager:
            opened.poll_due = _NEVER
            return
        began = clock.monotonic()
        try:
            result = self._polled(opened)
        except ProviderError as error:
            if is_first and error.is_misconfigured:
                raise
            switch = policy.failed(_failure(error, opened.is_subscribed))
        else:
            duration = self.figures.last_duration = clock.monotonic() - began
            switch = self._taken(opened, result, duration)
        if switch is not None:
            self._turn_to(opened, switch)
        wait = policy.probe_interval if policy.is_probing else opened.order.poll_interval
        # A poll holds commands up: it gets a quarter of the time at most.
        spent = clock.monotonic() - began
        opened.poll_due = began + max(wait, spent + min((_SHARE_OF_TIME - 1) * spent, _LONGEST_REST))

    def _polled(self, opened: _Open) -> PollResult:
        """Asks the alarm manager.

        Raises:
            ProviderError: it does not answer.
        """
        provider = self._provider
        if provider is None:
            raise ProviderError("this worker has no alarm manager")
        if not opened.is_subscribed:
            provider.subscribe(opened.order.subscription)
            opened.is_subscribed = True
            opened.manager.forget()
        return provider.poll(self._clock.unix_ns())

    def _taken(self, opened: _Open, result: PollResult, duration: float) -> Switch | None:
        """Takes an answer in; a change of the speaker, if it brings one."""
        policy = opened.policy
        now_ns = self._clock.unix_ns()
        is_first = not opened.manager.has_list
        changes = opened.manager.take(result, now_ns)
        for note in opened.manager.take_notes():
            logger.warning("%s", note)
        self.figures.is_truncated = result.is_truncated
        opened.answered = result.answered
        if policy.speaker is Speaker.ALARM_MANAGER:
            self._keep(changes, opened.manager)
        # The first list of a large plant on a slow machine takes its time, and is a list all the same.
        if duration > SLOWEST_POLL and not is_first:
            return policy.failed(Failure(Reason.POLL_TOO_SLOW, f"a poll of the alarm manager took {duration:.1f} s"))
        self.figures.last_success_ns = now_ns
        return policy.answered()

    def _keep(self, changes: Sequence[Change], differ: AlarmDiffer) -> None:
        for change in changes:
            self.outbox.add(change)
        for record in differ.adopted:
            self.outbox.adopt(record)

    def _turn_to(self, opened: _Open, switch: Switch) -> None:
        logger.info("alarms: %s reason=%s", switch.speaker.name.lower(), switch.text)
        alarms: Mapping[str, AlarmRecord] | None = None
        if switch.speaker is Speaker.ALARM_MANAGER:
            alarms = self._of_manager(opened)
        elif switch.speaker is Speaker.ATTRIBUTES:
            alarms = opened.by_attributes.alarms
        self.outbox.turn(switch, alarms, self._clock.unix_ns())

    def _of_manager(self, opened: _Open) -> Mapping[str, AlarmRecord]:
        manager = opened.manager
        if opened.answered is not None and opened.policy.has_attributes:
            attributes = opened.by_attributes.alarms
            manager.take_over(handed_over(manager.alarms, opened.answered, attributes, self.attributes.knows))
        return manager.alarms

    # ------------------------------------------------------------------------------------------------------ attributes

    def _take_attributes(self, opened: _Open) -> None:
        if not self.attributes.has_work:
            return
        result = self.attributes.turn()
        policy = opened.policy
        differ = opened.by_attributes
        changes = differ.take(result, self._clock.unix_ns())
        if not policy.has_attributes:
            # Until every attribute has told its first value there is no list that could be told.
            if not self.attributes.is_ready:
                return
            policy.has_attributes = True
        if policy.speaker is Speaker.ATTRIBUTES:
            self._keep(changes, differ)
        switch = policy.attributes_given()
        if switch is not None:
            self._turn_to(opened, switch)

    def acknowledged(self, note: Callable[[AlarmDiffer], None]) -> None:
        """Tells both comparisons of an acknowledgement that this worker made."""
        if self._open is not None:
            note(self._open.manager)
            note(self._open.by_attributes)


def _failure(error: ProviderError, is_subscribed: bool) -> Failure:
    if error.is_misconfigured:
        reason = Reason.MISCONFIGURED
    elif not is_subscribed:
        reason = Reason.SUBSCRIBE_FAILED
    else:
        reason = Reason.BROKEN_RECORDS if error.is_broken_answer else Reason.POLL_FAILED
    return Failure(reason, str(error), error.hresult)
