"""A bulk command does for each entry what the single command does, in order, and tells each outcome apart."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from tests.support.clock import ManualClock
from tests.support.direct_executor import DirectSession

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_simulator.backend import SimulatorBackend
from mxgateway_simulator.faults import Faults

SEQUENCES = 60
TAGS = (
    *(
        "TestChildObject.TestInt",
        "testchildobject.testint",
        "TestChildObject.TestString",
        "TestChildObject.TestIntArray",
    ),
    *("TestMachine_001.TestAlarm002", "Nope.Nope", "", "TestChildObject.ClassSecuredWrite"),
)
BY_NAME = ("add_item_bulk", "subscribe_bulk")
BY_HANDLE = ("advise_item_bulk", "un_advise_item_bulk", "remove_item_bulk", "unsubscribe_bulk")
WRITES = ("write_bulk", "write2_bulk", "write_secured_bulk", "write_secured2_bulk")
SINGLES = {
    "add_item_bulk": ("add_item",),
    "subscribe_bulk": ("add_item", "advise"),
    "advise_item_bulk": ("advise",),
    "un_advise_item_bulk": ("un_advise",),
    "remove_item_bulk": ("remove_item",),
    "unsubscribe_bulk": ("un_advise", "remove_item"),
    "write_bulk": ("write",),
    "write2_bulk": ("write2",),
    "write_secured_bulk": ("write_secured",),
    "write_secured2_bulk": ("write_secured2",),
}
INVALID = -2147024809


def values() -> list[pb.MxValue]:
    return [
        pb.MxValue(int32_value=3),
        pb.MxValue(string_value="12"),
        pb.MxValue(string_value="twelve"),
        pb.MxValue(is_null=True),
        pb.MxValue(double_value=float("nan")),
        pb.MxValue(array_value=pb.MxArray(int32_values=pb.Int32Array(values=[1, 2]))),
    ]


class Twins:
    """Two sessions on plants of their own that are told the same, one in bulk and one entry by entry."""

    def __init__(self, galaxy: Path, place: Path, chance: random.Random) -> None:
        clock = ManualClock()
        self.chance = chance
        self.bulk, self.single = (
            DirectSession(
                SimulatorBackend(
                    galaxy=galaxy, board=place / name, profile="test", switches={}, faults=Faults(), clock=clock
                ),
                clock=clock,
            )
            for name in ("bulk.db", "single.db")
        )
        for session in (self.bulk, self.single):
            session.call("register", client_name="twin")
        self.highest = 0

    def play(self) -> None:
        for _ in range(12):
            name = self.chance.choice((*BY_NAME, *BY_NAME, *BY_HANDLE, *WRITES, *WRITES, "authenticate"))
            server = self.chance.choice((1, 1, 1, 1, 1, 2))
            if name == "authenticate":
                for session in (self.bulk, self.single):
                    session.call("authenticate_user", server_handle=1, verify_user="a", verify_user_password="b")
            else:
                self.step(name, server)
            if self.chance.random() < 0.7:
                assert self.events(self.bulk) == self.events(self.single)

    @staticmethod
    def events(session: DirectSession) -> list[tuple[object, ...]]:
        return [
            (event.family, event.item_handle, event.value, event.quality, *(status.detail for status in event.statuses))
            for event in session.pump()
        ]

    def step(self, name: str, server: int) -> None:
        count = self.chance.randrange(5)
        if name in BY_NAME:
            entries: list[dict[str, object]] = [{"item_definition": self.chance.choice(TAGS)} for _ in range(count)]
            fields: dict[str, object] = {"tag_addresses": [entry["item_definition"] for entry in entries]}
        elif name in BY_HANDLE:
            entries = [{"item_handle": self.chance.randint(0, self.highest + 1)} for _ in range(count)]
            fields = {"item_handles": [entry["item_handle"] for entry in entries]}
        else:
            entries = [self.entry(name) for _ in range(count)]
            fields = {"entries": entries}
        reply = self.bulk.call(name, server_handle=server, **fields)
        assert reply.protocol_status.code == pb.PROTOCOL_STATUS_CODE_OK
        results = getattr(reply, name).results
        assert len(results) == count
        for entry, result in zip(entries, results, strict=True):
            self.compare(name, server, entry, result)

    def entry(self, name: str) -> dict[str, object]:
        entry: dict[str, object] = {"item_handle": self.chance.randint(0, self.highest + 1)}
        if self.chance.random() < 0.95:
            entry["value"] = self.chance.choice(values())
        if "2" in name:
            entry["timestamp_value"] = self.chance.choice([*values()[1:3], pb.MxValue(string_value="2026-01-01")])
        users = ("current_user_id", "verifier_user_id") if "secured" in name else ("user_id",)
        return entry | {user: self.chance.choice((0, 1, 2)) for user in users}

    def compare(
        self, name: str, server: int, entry: dict[str, object], result: pb.SubscribeResult | pb.BulkWriteResult
    ) -> None:
        """Carries out one entry by single commands: it ends as the entry of the bulk command did."""
        reply = pb.MxCommandReply()
        fields = dict(entry)
        for single in SINGLES[name]:
            reply = self.single.call(single, server_handle=server, **fields)
            if reply.protocol_status.code != pb.PROTOCOL_STATUS_CODE_OK:
                break
            if single == "add_item":
                self.highest = max(self.highest, reply.add_item.item_handle)
                assert result.item_handle == reply.add_item.item_handle
                fields = {"item_handle": reply.add_item.item_handle}
        succeeded = reply.protocol_status.code == pb.PROTOCOL_STATUS_CODE_OK
        assert (result.server_handle, result.was_successful) == (server, succeeded)
        assert bool(result.error_message) == (not succeeded)
        if not succeeded:
            assert result.HasField("hresult") == reply.HasField("hresult")
            assert result.hresult == reply.hresult


@pytest.mark.parametrize("seed", range(4))
def test_a_bulk_command_is_the_sum_of_its_singles(contract_galaxy: Path, tmp_path: Path, seed: int) -> None:
    """Outcomes, handles, HRESULTs and events are the same, whatever the order and whatever fails."""
    chance = random.Random(seed)
    for number in range(SEQUENCES // 4):
        place = tmp_path / str(number)
        place.mkdir()
        twins = Twins(contract_galaxy, place, chance)
        twins.play()
        twins.bulk.backend.close()
        twins.single.backend.close()
