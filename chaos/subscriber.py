"""A client that only subscribes: the library itself has to bring it through every fault."""

from __future__ import annotations

import asyncio

from chaos.actors import CLOSE, Actor
from chaos.call_oracle import Ending
from chaos.judge import describe, ending_of
from chaos.plan import CALL
from chaos.violations import Journal
from mxgateway import ClientOptions, DataChange, GatewayClient, MxGatewayError, Subscription

_PAUSE = 0.2


class ChangeOracle:
    """Judges the changes of one subscription: sequences go on without a hole unless a gap is told."""

    def __init__(self, actor: str, journal: Journal) -> None:
        self._actor = actor
        self._journal = journal
        self._last = 0
        self._gaps_seen = 0
        self.changes = 0
        self.recovered = 0
        self.replayed = 0

    def change(self, sequence: int, gaps: int, now: float) -> None:
        """A change arrived; `gaps` is how many gaps the subscription has told of by now.

        Args:
            sequence: its worker_sequence; 0 for a value that was read again.
        """
        self.changes += 1
        if not sequence:
            return
        if sequence != self._last + 1:
            if gaps > self._gaps_seen:
                self._gaps_seen += 1
            else:
                self._journal.violation(
                    "lost", self._actor, now, f"change {sequence} came after {self._last}, and no gap was told"
                )
        self._last = sequence


class Subscriber(Actor):
    """An actor whose only call is `client.subscribe`; a subscription never ends by itself."""

    async def run(self) -> None:
        options = ClientOptions(
            endpoint=self.proxy.address,
            api_key=self._api_key,
            plaintext=True,
            connect_timeout=None,
            call_timeout=CALL,
            shutdown_timeout=CLOSE,
            keepalive_time=5.0,
            keepalive_timeout=2.0,
        )
        while not self.stop.is_set():
            async with GatewayClient(options) as client:
                try:
                    await self._follow(client.subscribe(self.role.tags, client_session_name=self.name))
                except MxGatewayError as error:
                    # Only the very first connection may fail; afterwards the subscription looks after itself.
                    self._broken.add("calls")
                    self._broke("subscription", ending_of(error), describe(error))
            await self._pause(_PAUSE)

    async def _follow(self, subscription: Subscription) -> None:
        oracle = ChangeOracle(self.name, self._judge.journal)
        try:
            async with subscription:
                self.counters.sessions += 1
                while not self.stop.is_set():
                    self._look_at(subscription)
                    change = await self._next(subscription)
                    if change is None:
                        continue
                    oracle.change(change.worker_sequence, subscription.gaps, self._judge.now)
                    self._mended("calls")
        except MxGatewayError as error:
            if oracle.changes:
                self._broke("subscription", Ending.UNTYPED, f"its own end: {describe(error)}")
                return
            raise
        finally:
            self.session_id, self.worker_pid = "", 0
            self.counters.events += oracle.changes
            self.counters.gaps += subscription.gaps

    async def _next(self, subscription: Subscription) -> DataChange | None:
        try:
            async with asyncio.timeout(_PAUSE):
                return await anext(subscription)
        except TimeoutError as error:
            if isinstance(error, MxGatewayError):
                raise
            return None

    def _look_at(self, subscription: Subscription) -> None:
        session = subscription._feed.session
        if session is not None and session.session_id != self.session_id:
            self.session_id, self.worker_pid = session.session_id, session.raw.worker_process_id
            self._note(f"session {self.session_id}, worker {self.worker_pid}")
