"""Asks a node the open questions through one session: calls that change nothing, on items of its own."""

from __future__ import annotations

import asyncio
import itertools
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from mxgateway import MxGatewayAuthorizationError, MxGatewayCommandError, Session
from mxgateway_cli.survey.listener import Listener, is_kind, numbers, told
from mxgateway_cli.survey.questions import OK
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

NO_SUCH_OBJECT = "MxGatewayProbe_NoSuchObject.Value"
NO_SUCH_ATTRIBUTE = "MxGatewayProbe_NoSuchAttribute"
NO_SUCH_USER = "{00000000-0000-0000-0000-00000000D0D0}"
NEVER = 1_999_999_999
"""A handle that MXAccess has not given out."""
OPERATION_SECONDS = 3.0
NEAR_SECONDS = 120.0

Found = dict[str, Any]


async def outcome(call: Awaitable[object]) -> Found:
    """The HRESULT of a call, and its statuses where it has some."""
    try:
        await call
    except MxGatewayCommandError as error:
        found: Found = {
            "hresult": f"0x{(error.hresult or 0) & 0xFFFFFFFF:08X}" if error.hresult is not None else "none"
        }
        if error.statuses:
            found["statuses"] = [numbers(status) for status in error.statuses]
        return found
    return {"hresult": OK}


class Survey:
    """The questions that need no write.

    Args:
        tags: references to ask about; the first one is used where one is enough.
        patience: seconds to wait for a first value.
    """

    def __init__(self, session: Session, listener: Listener, tags: Sequence[str], patience: float) -> None:
        self._session = session
        self._listener = listener
        self._tags = tags
        self._patience = patience
        self._now = asyncio.get_running_loop().time
        self.answers: dict[str, Found] = {}
        self.not_asked: dict[str, str] = {}
        self.kinds: dict[str, Found] = {}

    async def ask(self, name: str, question: Callable[[], Awaitable[Found]]) -> None:
        """Notes the answer, or why it could not be asked."""
        try:
            self.answers[name] = await question()
        except MxGatewayAuthorizationError as error:
            self.not_asked[name] = f"the key may not: {error.reason or error.grpc_code}"
        except MxGatewayCommandError as error:
            self.answers[name] = {"failed": await outcome(_raises(error))}

    async def run(self, *, watch: float, many: int) -> None:
        """All of them, one after the other."""
        await self.ask("versions", self._versions)
        await self.ask("register-time", self._register_time)
        self._server = await self._session.register("mxgw-py site-probe")
        await self._values(watch)
        await self._references()
        await self._handles()
        await self._suspend()
        await self.ask("buffered-item", self._buffered)
        await self.ask("user-guid", self._user)
        if many:
            await self.ask("many-items", lambda: self._many(many))
        else:
            self.not_asked["many-items"] = "ask with --many 10000"
        await self._after_unregister()

    # ------------------------------------------------------------------------------------------------- items of its own

    async def added(self, tag: str) -> int:
        return await self._session.add_item(self._server, tag)

    async def advised(self, tag: str) -> tuple[int, list[tuple[float, pb.MxEvent]]]:
        """An item and its callbacks up to the first one that is not pending."""
        item = await self.added(tag)
        mark = self._listener.mark
        await self._session.advise(self._server, item)
        return item, await self._listener.wait(
            self._server, item, mark, self._patience, lambda found: any(not _is_pending(event) for _, event in found)
        )

    async def dropped(self, item: int) -> None:
        """Takes an item back, whatever became of it."""
        await outcome(self._session.unadvise(self._server, item))
        await outcome(self._session.remove_item(self._server, item))

    # -------------------------------------------------------------------------------------------------------- questions

    async def _versions(self) -> Found:
        info = await self._session.worker_info()
        return {
            "backend": info.backend_name,
            "interface": info.mxaccess_interface_version,
            "fileVersion": info.mxaccess_server_version,
            "workerVersion": info.worker_version,
        }

    async def _register_time(self) -> Found:
        taken = {}
        began = self._now()
        server = await self._session.register("mxgw-py site-probe times")
        taken["registerMs"] = _ms(self._now() - began)
        began = self._now()
        await self._session.add_item(server, self._tags[0])
        taken["addItemMs"] = _ms(self._now() - began)
        began = self._now()
        await self._session.unregister(server)
        taken["unregisterMs"] = _ms(self._now() - began)
        return taken

    async def _values(self, watch: float) -> None:
        callbacks, waits, shapes, items = [], [], [], []
        counts: set[int] = set()
        rate_mark = self._listener.mark
        for tag in self._tags:
            began = self._now()
            item, events = await self.advised(tag)
            items.append(item)
            counts.update(len(event.statuses) for _, event in events)
            callbacks.append(len(events))
            if not events:
                self.kinds[tag] = {"answer": "none in time"}
                continue
            moment, event = events[-1]
            waits.append(_ms(moment - began))
            self.kinds[tag] = {**told(event), "dataType": pb.MxDataType.Name(event.value.data_type)}
            if event.value.HasField("array_value"):
                shapes.append([event.value.variant_type, list(event.value.array_value.dimensions)])
        await asyncio.sleep(watch)
        seen = [
            (moment, event) for moment, event in self._listener.events[rate_mark:] if is_kind(event, "OnDataChange")
        ]
        counts.update(len(event.statuses) for _, event in seen)
        # The youngest change of each item is what its time can be compared with.
        ages = [
            round(time.time() - event.source_timestamp.ToNanoseconds() / 1e9 - (self._now() - moment), 1)
            for moment, event in seen
            if event.HasField("source_timestamp") and moment > self._now() - watch
        ]
        for item in items:
            await self.dropped(item)
        self.answers["first-value"] = {"callbacks": max(callbacks), "afterMs": waits}
        self.answers["statuses"] = {"counts": sorted(counts)}
        if shapes:
            self.answers["arrays"] = {"shapes": shapes}
        else:
            self.not_asked["arrays"] = "name a whole array, OBJECT.ATTRIBUTE[]"
        if ages:
            middle = statistics.median(ages)
            self.answers["time-zone"] = {"ageSeconds": middle, "isNearNow": abs(middle) < NEAR_SECONDS}
        else:
            self.not_asked["time-zone"] = f"none of the tags changed within {watch:g} s (--watch)"
        moments = [moment for moment, _ in seen]
        pauses = [late - early for early, late in itertools.pairwise(moments)]
        self.answers["event-rate"] = {
            "events": len(seen),
            "perSecond": round(len(seen) / max(watch, 0.001), 1),
            "longestPauseMs": _ms(max(pauses, default=0.0)),
        }

    async def _references(self) -> None:
        async def failing(reference: str) -> Found:
            item, events = await self.advised(reference)
            await self.dropped(item)
            if not events:
                return {"answer": "none in time"}
            _, event = events[-1]
            return {"status": numbers(event.statuses[0]) if event.statuses else [], "quality": event.quality}

        await self.ask("unknown-object", lambda: failing(NO_SUCH_OBJECT))
        owner = self._tags[0].partition(".")[0]
        await self.ask("unknown-attribute", lambda: failing(f"{owner}.{NO_SUCH_ATTRIBUTE}"))
        array = next((tag for tag in self._tags if tag.endswith("[]")), None)
        if array is None:
            self.not_asked["bare-array"] = "name a whole array, OBJECT.ATTRIBUTE[]"
        else:
            await self.ask("bare-array", lambda: failing(array.removesuffix("[]")))
            if self.answers.get("bare-array", {}).get("status", [0])[0]:
                del self.answers["bare-array"]
                self.not_asked["bare-array"] = "the gateway knows the attribute as an array and completes its name"

    async def _handles(self) -> None:
        session, server, tag = self._session, self._server, self._tags[0]
        await self.ask("bad-server-handle", lambda: outcome(session.add_item(NEVER, tag)))
        await self.ask("bad-item-handle", lambda: outcome(session.advise(server, NEVER)))
        first = await self.added(tag)
        await self.ask("unadvise-unadvised", lambda: outcome(session.unadvise(server, first)))
        second = await self.added(tag)
        self.answers["shared-handle"] = {"isShared": first == second}
        if second != first:
            await self.dropped(second)
        third = await self.added(tag)
        self.answers["handle-reuse"] = {"isReused": third == second != first}
        await self.dropped(first)
        await session.advise(server, third)
        await self.ask("double-advise", lambda: outcome(session.advise(server, third)))
        await self.ask("remove-advised", lambda: outcome(session.remove_item(server, third)))
        await self.dropped(third)

    async def _suspend(self) -> None:
        session = self._session
        idle = await self.added(self._tags[0])
        await self.ask("suspend-unadvised", lambda: self._operation(session.suspend, idle, waits=False))
        await self.dropped(idle)
        item, _ = await self.advised(self._tags[0])
        await self.ask("suspend", lambda: self._operation(session.suspend, item))
        await self.ask("suspend-twice", lambda: self._operation(session.suspend, item, waits=False))
        await self.ask("activate", lambda: self._operation(session.activate, item))
        await self.dropped(item)

    async def _operation(
        self, call: Callable[[int, int], Awaitable[pb.MxStatusProxy]], item: int, *, waits: bool = True
    ) -> Found:
        mark = self._listener.mark
        try:
            found: Found = {"status": numbers(await call(self._server, item))}
        except MxGatewayCommandError as error:
            # The call succeeds, and its status is a failure.
            if not error.statuses:
                raise
            found = {"status": numbers(error.statuses[0])}
        if not waits:
            return found

        def enough(events: list[tuple[float, pb.MxEvent]]) -> bool:
            return {"OperationComplete", "OnDataChange"} <= {told(event)["event"] for _, event in events}

        events = await self._listener.wait(self._server, item, mark, OPERATION_SECONDS, enough)
        for _, event in events:
            if is_kind(event, "OperationComplete"):
                found["operationComplete"] = numbers(event.statuses[0]) if event.statuses else []
            elif is_kind(event, "OnDataChange"):
                found["quality"] = event.quality
        return {**found, "events": [told(event)["event"] for _, event in events]}

    async def _buffered(self) -> Found:
        mark = self._listener.mark
        item = await self._session.add_buffered_item(self._server, self._tags[0], "")
        events = await self._listener.wait(self._server, item, mark, OPERATION_SECONDS, lambda found: len(found) > 2)
        await self.dropped(item)
        shapes = [
            {
                **told(event),
                "times": len(event.on_buffered_data_change.timestamp_values.timestamp_values.values),
                "isArray": event.value.HasField("array_value"),
            }
            for _, event in events[:3]
        ]
        return {"events": shapes, "count": len(events)}

    async def _user(self) -> Found:
        return await outcome(self._session.archestra_user_to_id(self._server, NO_SUCH_USER))

    async def _many(self, many: int) -> Found:
        """In bulks of a thousand; all of the first tag, so that the plant's side stays small."""
        taken: Found = {"items": many}
        handles: list[int] = []
        tags = [self._tags[0]] * 1000

        async def step(name: str, work: Callable[[int], Awaitable[object]]) -> None:
            began = self._now()
            for start in range(0, many, 1000):
                await work(start)
            taken[name] = _ms(self._now() - began)

        async def add(start: int) -> None:
            results = await self._session.add_item_bulk(self._server, tags[: many - start])
            handles.extend(result.item_handle for result in results)

        await step("addItemMs", add)
        await step("adviseMs", lambda at: self._session.advise_item_bulk(self._server, handles[at : at + 1000]))
        await step("unAdviseMs", lambda at: self._session.unadvise_item_bulk(self._server, handles[at : at + 1000]))
        await step("removeItemMs", lambda at: self._session.remove_item_bulk(self._server, handles[at : at + 1000]))
        return taken

    async def _after_unregister(self) -> None:
        server = self._server
        await self._session.unregister(server)
        await self.ask("after-unregister", lambda: outcome(self._session.add_item(server, self._tags[0])))


def _is_pending(event: pb.MxEvent) -> bool:
    """Whether a callback only says that the value is still to come."""
    return bool(event.statuses) and event.statuses[0].raw_category == 1


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)


async def _raises(error: Exception) -> None:
    raise error
