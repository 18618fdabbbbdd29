"""The alarm monitor's decisions: what happens to the worker that it listens to, and what becomes of the list.

It is told what happened and the time, and answers what is to be done. `now` is a monotonic time in seconds, `now_ns`
the time of day.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from mxgateway_server.alarms.backoff import BackOff
from mxgateway_server.alarms.book import AlarmBook
from mxgateway_server.alarms.feed import AlarmFeed
from mxgateway_server.alarms.model import Alarm, Change, Origin, Provider, Report, Snapshot
from mxgateway_server.alarms.notes import NoteBoard
from mxgateway_server.alarms.observing import AlarmObserver
from mxgateway_server.alarms.telling import MonitorState, ProviderStatus, Reason, ToldStatus
from mxgateway_server.alarms.trust import ManagerTrust


class Open:
    """Start a worker and subscribe."""


class Resubscribe:
    """Subscribe again, this time with the alarm manager."""


class AskSnapshot:
    """Ask the worker for its whole list."""


@dataclass(frozen=True, slots=True)
class Close:
    """End the worker."""

    reason: Reason


Action = Open | Resubscribe | AskSnapshot | Close


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorTimes:
    """Seconds.

    Attributes:
        reconcile: between two comparisons of the list with the worker's.
        first_snapshot: how long a fresh worker may take for its list.
        catch_up: how long a snapshot waits for the events that it contains already.
        retry_misconfigured: between two tries when somebody has to mend something first.
        retry_manager: until an alarm manager that ended its workers is tried again, for the first time.
        unconfirmed: how long a list of which something may be missing waits for a provider's.
    """

    reconcile: float = 30.0
    first_snapshot: float = 30.0
    catch_up: float = 5.0
    retry_misconfigured: float = 60.0
    retry_manager: float = 300.0
    unconfirmed: float = 15.0


@dataclass(slots=True)
class MonitorCounters:
    """What happened so far.

    Attributes:
        reopened: workers started after the first.
        reconciled: comparisons with the worker's list.
        failed_snapshots: lists that did not come.
        truncated_snapshots: lists that were not whole.
        switches: how often another provider came to speak, by the one before, the one after and why.
    """

    reopened: int = 0
    reconciled: int = 0
    failed_snapshots: int = 0
    truncated_snapshots: int = 0
    switches: Counter[tuple[Provider, Provider, Reason]] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True, kw_only=True)
class Speaker:
    """Who tells the alarms in the worker, and why he does.

    Attributes:
        provider: NONE when nobody does.
        is_forced: the settings ask for this one.
        text: the reason in words.
    """

    provider: Provider = Provider.NONE
    is_forced: bool = False
    reason: Reason = Reason.NONE
    text: str = ""
    hresult: int | None = None


@dataclass(slots=True)
class _Run:
    """What is known of the present worker.

    Attributes:
        origin: of what the next comparison finds.
        seen: number of its last event.
        floor: events up to this number are in a list that was met; what comes of them later tells nothing.
        speaker: who speaks in it, once it has said so.
        since_ask: its reports since it was asked for its list.
        held: a list that has to wait for events which are on their way.
        failures: lists in a row that did not come.
        uses_manager: whether its subscription is with the alarm manager.
        avoids_manager: whether it is without, since that ended workers before this one.
    """

    since: float
    origin: Origin = Origin.RESTART
    seen: int = 0
    floor: int = 0
    speaker: Speaker | None = None
    has_met: bool = False
    is_subscribed: bool = False
    is_asking: bool = False
    is_outdated: bool = False
    since_ask: list[tuple[int, Report]] = field(default_factory=list)
    held: Snapshot | None = None
    held_until: float = 0.0
    failures: int = 0
    uses_manager: bool = False
    avoids_manager: bool = False

    @property
    def is_silent(self) -> bool:
        """Whether the worker says that no provider answers."""
        return self.speaker is not None and self.speaker.provider is Provider.NONE


_MOST_FAILED_SNAPSHOTS = 3
_SOON = 1.0


class AlarmMonitor:
    """One list, from one worker after the other.

    Args:
        chance: a number from 0 to 1, for the spread of the waits.
        observers: told of everything, in this order.
        is_deployed: whether the object of an alarm that is missing is still there.
        is_forced: whether the settings say which provider is to speak.
        losses: workers lost within ten minutes after which the alarm manager is avoided.
        is_restored: whether the book has the list of an earlier run, be it an empty one.
        is_complete: whether nothing may be missing from that list: the earlier run ended in order.
    """

    def __init__(
        self,
        book: AlarmBook,
        feed: AlarmFeed,
        notes: NoteBoard,
        times: MonitorTimes,
        chance: Callable[[], float],
        observers: Sequence[AlarmObserver] = (),
        is_deployed: Callable[[Alarm], bool] = lambda _: True,
        *,
        is_forced: bool = False,
        is_restored: bool = False,
        is_complete: bool = True,
        losses: int = 3,
    ) -> None:
        self.book = book
        self.feed = feed
        self.counters = MonitorCounters()
        self.has_list = is_restored
        # What came last before a crash may be missing: readers would take it for ended. So a provider is waited for.
        self._is_unconfirmed = is_restored and not is_complete
        self._shows_from: float | None = None
        self.last_reconcile_ns = 0
        self.status = ProviderStatus(state=MonitorState.STARTING)
        self._observers = tuple(observers)
        self.notes = notes
        self._times = times
        self._backoff = BackOff(chance)
        self.trust = ManagerTrust(losses, times.retry_manager)
        self._is_deployed = is_deployed
        self._is_forced = is_forced
        self._run: _Run | None = None
        self._has_opened = False
        self._retry_at: float | None = 0.0
        self._ask_at = 0.0
        self._is_partial = False
        self._speaker = Speaker()

    @property
    def shows_list(self) -> bool:
        """Whether there is a list that readers may have."""
        return self.has_list and not self._is_unconfirmed

    # ---------------------------------------------------------------------------------------------------- what happened

    def opened(self, now: float, now_ns: int) -> None:
        """A worker is there; it is to be subscribed."""
        self.counters.reopened += self._has_opened
        self._has_opened = True
        self._run = _Run(now)
        self._ask_at = 0.0
        self._tell(MonitorState.SYNCING, now_ns)

    def uses_manager(self, now: float, *, has_attributes: bool) -> bool:
        """Whether the subscription that comes now is to be with the alarm manager.

        Args:
            has_attributes: whether there are any to speak in its place.
        """
        run, trust = self._run, self.trust
        if run is None or self._is_forced:
            return True
        if trust.is_due(now) or (trust.is_avoided and not has_attributes):
            trust.begin_trial(now)
        run.avoids_manager = trust.is_avoided
        run.uses_manager = not run.avoids_manager
        return run.uses_manager

    def subscribed(self, now: float = 0.0) -> list[Action]:
        """The worker has begun; its list comes next, and has its time from now on: a large plant took some before."""
        if self._run is None:
            return []
        self._run.is_subscribed = True
        self._run.since = max(self._run.since, now)
        return self._ask(self._run)

    def lost(
        self,
        reason: Reason,
        text: str,
        now: float,
        now_ns: int,
        hresult: int | None = None,
        *,
        is_from_outside: bool = False,
    ) -> list[Action]:
        """The worker is gone, or cannot be used; nothing of the list is over because of that.

        Args:
            is_from_outside: somebody ended it, so that the alarm manager is not to blame.
        """
        run, self._run = self._run, None
        if run is not None and run.uses_manager and reason is Reason.WORKER_LOST and not is_from_outside:
            self.trust.worker_lost(text, now)
        is_lasting = reason is Reason.MISCONFIGURED
        wait = self._backoff.failed(now)
        self._retry_at = now + (self._times.retry_misconfigured if is_lasting else wait)
        self._speaker = Speaker(reason=reason, text=text, hresult=hresult)
        self._tell(MonitorState.FAILED if is_lasting else MonitorState.LOST, now_ns)
        return [Close(reason)] if run is not None else []

    def reported(
        self, reports: Sequence[tuple[int, Report | None]], now: float, now_ns: int
    ) -> tuple[list[Change], list[Action]]:
        """Takes the worker's events in order.

        Args:
            reports: each with its number; None for an event that says nothing about an alarm.
        """
        run = self._run
        if run is None:
            return [], []
        changes: list[Change] = []
        for number, report in reports:
            if number != run.seen + 1:
                text = f"event {number} came after {run.seen}"
                return changes, self.lost(Reason.EVENTS_LOST, text, now, now_ns)
            run.seen = number
            if report is None or number <= run.floor:
                continue
            if run.is_asking or not run.has_met:
                run.since_ask.append((number, report))
            # Before the first list there is nothing that an event could change.
            if run.has_met:
                changes += self._publish(self.book.report(report, now_ns))
        if run.held is not None and run.seen >= run.held.as_of:
            changes += self._meet(run, run.held, now, now_ns)
        return changes, []

    def switched(self, speaker: Speaker, now_ns: int) -> list[Action]:
        """Another provider speaks in the worker, or none does."""
        run = self._run
        if run is None:
            return []
        was_silent = run.is_silent
        if run.avoids_manager and speaker.provider is Provider.SUBTAG:
            # The worker was told to; it is no wish of the settings.
            speaker = replace(speaker, is_forced=False, reason=Reason.WORKER_LOST, text=self.trust.text)
        self._speaker = run.speaker = speaker
        if run.has_met:
            run.origin = Origin.SWITCH
        if run.is_silent:
            if run.held is not None:
                run.held, run.is_asking = None, False
            self._tell(MonitorState.LOST, now_ns)
            return []
        # After a silence the list is good again once it was compared.
        is_good = run.has_met and not was_silent
        self._tell(self._good_state() if is_good else MonitorState.SYNCING, now_ns)
        return self._ask(run)

    def snapshot(self, snapshot: Snapshot, now: float, now_ns: int) -> tuple[list[Change], list[Action]]:
        """The worker's whole list came."""
        run = self._run
        if run is None:
            return [], []
        run.failures = 0
        self.trust.is_well(now)
        if run.is_outdated or run.is_silent:
            # Asked for before the provider was switched: only the next one counts.
            run.is_asking = run.is_outdated = False
            return [], [] if run.is_silent else self._ask(run)
        if snapshot.provider is Provider.NONE:
            return [], self.snapshot_failed("no provider answers", now, now_ns)
        if snapshot.as_of > run.seen:
            # It knows more than has come so far. Told one by one that is worth more than found by comparison.
            run.held, run.held_until = snapshot, now + self._times.catch_up
            return [], []
        return self._meet(run, snapshot, now, now_ns), []

    def snapshot_failed(self, text: str, now: float, now_ns: int) -> list[Action]:
        """The worker's list did not come: the gateway's stays as it is."""
        run = self._run
        if run is None:
            return []
        self.counters.failed_snapshots += 1
        run.is_asking = run.is_outdated = False
        run.failures += not run.is_silent
        is_urgent = not run.has_met or run.origin is not Origin.RECONCILE
        self._ask_at = now + (_SOON if is_urgent else self._times.reconcile)
        if run.failures >= _MOST_FAILED_SNAPSHOTS:
            return self.lost(Reason.NO_SNAPSHOT, text, now, now_ns)
        return []

    def tick(self, now: float, now_ns: int) -> tuple[list[Change], list[Action]]:
        """Time passed."""
        if self._is_unconfirmed:
            # Without any provider it is better than nothing, and told as uncertain.
            self._shows_from = self._shows_from or now + self._times.unconfirmed
            self._is_unconfirmed = now < self._shows_from
        run = self._run
        if run is None:
            if self._retry_at is None or now < self._retry_at:
                return [], []
            self._retry_at = None
            return [], [Open()]
        if run.held is not None and now >= run.held_until:
            # What it contains and has not come is found by comparison, and dropped when it comes.
            return self._meet(run, run.held, now, now_ns), []
        is_late = run.is_subscribed and now - run.since >= self._times.first_snapshot
        if is_late and not run.has_met and not run.is_silent:
            return [], self.lost(Reason.NO_SNAPSHOT, "the worker told no list in time", now, now_ns)
        if run.avoids_manager and run.is_subscribed and self.trust.is_due(now):
            self.trust.begin_trial(now)
            run.avoids_manager = run.is_subscribed = False
            return [], [Resubscribe()]
        if now >= self._ask_at and run.is_subscribed and not run.is_asking and not run.is_silent:
            return [], self._ask(run)
        return [], []

    def reconcile_soon(self) -> None:
        """Compares the lists at the next tick."""
        self._ask_at = 0.0

    # ---------------------------------------------------------------------------------------------------------- details

    def _ask(self, run: _Run) -> list[Action]:
        if run.held is not None:
            # What is asked for now has all that it waits for.
            run.held, run.is_asking = None, False
        if run.is_asking:
            run.is_outdated = True
            return []
        run.is_asking = True
        if run.has_met:
            run.since_ask.clear()
        return [AskSnapshot()]

    def _meet(self, run: _Run, snapshot: Snapshot, now: float, now_ns: int) -> list[Change]:
        later = [report for number, report in run.since_ask if number > snapshot.as_of]
        is_first = not run.has_met
        origin, run.origin = run.origin, Origin.RECONCILE
        run.held, run.is_asking, run.has_met = None, False, True
        run.since_ask.clear()
        run.floor = max(run.floor, snapshot.as_of)
        self.counters.reconciled += 1
        self.counters.truncated_snapshots += snapshot.is_truncated
        self._ask_at = now + self._times.reconcile
        self.last_reconcile_ns = now_ns
        changes: list[Change] = []
        if self.has_list:
            # What was told since the list was made has been told in full, and is newer.
            newer = frozenset() if is_first else frozenset(report.alarm.key for report in later)
            changes += self._publish(self.book.meet(snapshot, origin, now_ns, self._is_deployed, newer))
        else:
            self.book.adopt(snapshot)
            for observer in self._observers:
                observer.adopted(self.book.cut(), self.book.log.newest)
        self._is_partial = snapshot.is_truncated and (self._is_partial or not self.has_list)
        self.has_list, self._is_unconfirmed = True, False
        if is_first:
            for report in later:
                changes += self._publish(self.book.report(report, now_ns))
        speaker = run.speaker or Speaker(reason=Reason.STARTED, is_forced=self._is_forced)
        self._speaker = replace(speaker, provider=snapshot.provider)
        self._backoff.succeeded(now)
        self._tell(self._good_state(), now_ns)
        return changes

    def _publish(self, changes: list[Change]) -> list[Change]:
        for change in changes:
            for observer in self._observers:
                observer.changed(change)
        return changes

    def _good_state(self) -> MonitorState:
        is_degraded = self._speaker.provider is Provider.SUBTAG and not self._speaker.is_forced
        return MonitorState.DEGRADED if is_degraded else MonitorState.LIVE

    def _tell(self, state: MonitorState, now_ns: int) -> None:
        speaker, before = self._speaker, self.status
        is_good = state in (MonitorState.LIVE, MonitorState.DEGRADED)
        status = ProviderStatus(
            state=state,
            provider=speaker.provider if is_good else Provider.NONE,
            is_degraded=state is MonitorState.DEGRADED,
            is_forced=speaker.is_forced,
            is_uncertain=not is_good or self._is_partial,
            reason=speaker.reason,
            text=speaker.text,
            hresult=speaker.hresult,
            since_ns=now_ns,
        )
        is_news = not status.says_the_same(before)
        if state is before.state and not is_news:
            status = replace(status, since_ns=before.since_ns)
        self.status = status
        if status.provider is not before.provider:
            self.counters.switches[before.provider, status.provider, status.reason] += 1
        if is_news or state is not before.state:
            for observer in self._observers:
                observer.status_changed(status)
        # On the way back nothing is told: readers learn of it when it is there.
        if is_news and state not in (MonitorState.STARTING, MonitorState.SYNCING):
            self.notes.add(self.book.log.newest, ToldStatus(status))
