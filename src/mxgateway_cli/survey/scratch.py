"""The questions that write: to scratch tags only, whose value is put back."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from mxgateway import MxGatewayCommandError, Session, from_mx_value, to_mx_value
from mxgateway_cli.survey.listener import Listener, is_kind, numbers, told
from mxgateway_cli.survey.node import Found, outcome
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

SETTLE_SECONDS = 3.0
COERCIONS: Mapping[str, Any] = {
    "coerce-boolean": True,
    "coerce-text": "7",
    "coerce-number": 2.5,
    "coerce-wide": 1 << 40,
}


class Scratch:
    """One scratch tag.

    Args:
        patience: seconds to wait for its first value.
    """

    def __init__(self, session: Session, listener: Listener, tag: str, patience: float) -> None:
        self._session = session
        self._listener = listener
        self._tag = tag
        self._patience = patience
        self._server = self._item = 0

    async def run(self, *, coerce: bool) -> dict[str, Found]:
        """Writes its own value back, then what `coerce` asks for; in the end it has the value that it had.

        Raises:
            MxGatewayCommandError: it cannot be advised.
        """
        self._server = await self._session.register("mxgw-py site-probe scratch")
        self._item = await self._session.add_item(self._server, self._tag)
        mark = self._listener.mark
        await self._session.advise(self._server, self._item)
        events = await self._listener.wait(self._server, self._item, mark, self._patience, bool)
        answers: dict[str, Found] = {}
        if not events or (events[-1][1].statuses and not events[-1][1].statuses[0].success):
            answers["write-order"] = {"failed": told(events[-1][1]) if events else "no value in time"}
        else:
            before = pb.MxValue()
            before.CopyFrom(events[-1][1].value)
            try:
                answers |= await self._writes(before)
                if coerce:
                    for name, value in COERCIONS.items():
                        answers[name] = await self._coerced(value)
            finally:
                await self._written(before)
        await outcome(self._session.unadvise(self._server, self._item))
        await outcome(self._session.remove_item(self._server, self._item))
        await self._session.unregister(self._server)
        return answers

    async def _written(self, value: pb.MxValue, moment: datetime | None = None) -> tuple[Found, list[pb.MxEvent]]:
        """A write and what followed it."""
        mark = self._listener.mark
        try:
            if moment is None:
                await self._session.write(self._server, self._item, value)
            else:
                await self._session.write2(self._server, self._item, value, moment)
        except MxGatewayCommandError as error:
            return await outcome(_raises(error)), []

        def enough(found: list[tuple[float, pb.MxEvent]]) -> bool:
            kinds = [told(event)["event"] for _, event in found]
            completed = [event for _, event in found if is_kind(event, "OnWriteComplete")]
            failed = bool(completed) and bool(completed[-1].statuses) and not completed[-1].statuses[0].success
            return failed or {"OnWriteComplete", "OnDataChange"} <= set(kinds)

        found = await self._listener.wait(self._server, self._item, mark, SETTLE_SECONDS, enough)
        return {"hresult": "0x00000000"}, [event for _, event in found]

    async def _writes(self, before: pb.MxValue) -> dict[str, Found]:
        found, events = await self._written(before)
        completions = [event for event in events if is_kind(event, "OnWriteComplete")]
        order = {**found, "order": [told(event)["event"] for event in events], "completions": len(completions)}
        status = {
            "vartype": before.variant_type,
            "status": numbers(completions[-1].statuses[0]) if completions and completions[-1].statuses else [],
        }
        moment = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=5)
        answer, echoed = await self._written(before, moment)
        changes = [event for event in echoed if is_kind(event, "OnDataChange")]
        if changes:
            off = changes[-1].source_timestamp.ToDatetime(tzinfo=UTC) - moment
            answer = {**answer, "isWrittenTime": abs(off) < timedelta(seconds=1), "offSeconds": off.total_seconds()}
        return {"write-order": order, "write-status": status, "write-time": answer}

    async def _coerced(self, value: Any) -> Found:
        """What a value of another type becomes. The scratch tag's own values are no secret: they are ours."""
        found, events = await self._written(to_mx_value(value))
        for event in events:
            if is_kind(event, "OnWriteComplete") and event.statuses:
                found["status"] = numbers(event.statuses[0])
            elif is_kind(event, "OnDataChange"):
                found["becomes"] = repr(from_mx_value(event.value))[:40]
                found["vartype"] = event.value.variant_type
        return found


async def _raises(error: Exception) -> None:
    await asyncio.sleep(0)
    raise error
