"""What became of a write is in the audit as MXAccess tells it, whichever way the write took."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from tests.support.gateway import LiveGateway, command, fake_settings, live_gateway, open_store
from tests.support.waiting import eventually

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_server.access.records import AuditRecord
from mxgateway_simulator.building.builder import build_galaxy
from mxgateway_simulator.building.description_reader import read_description

INT, NAME = "TestChildObject.TestInt", "TestChildObject.Tagname"


@pytest.fixture(scope="module")
def galaxy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("galaxy") / "reference.db"
    build_galaxy(read_description("reference"), path)
    return path


@dataclass
class Plant:
    """A session with advised items."""

    gateway: LiveGateway
    session: str
    server: int
    items: dict[str, int]

    async def invoke(self, kind: str, **payload: Any) -> pb.MxCommandReply:
        return await self.gateway.invoke(self.session, kind, server_handle=self.server, **payload)

    async def audit(self, count: int) -> list[AuditRecord]:
        """Records of writes and logins, once there are so many."""
        found: list[AuditRecord] = []
        store = await open_store(self.gateway.settings)
        try:
            while len(found) < count:
                found = [record for record in await store.read_audit(limit=1000) if record.event != "key-created"]
        finally:
            await store.close()
        return found


def settings_of(tmp_path: Path, galaxy: Path, **flags: Any) -> Any:
    return fake_settings(
        tmp_path,
        worker__backend="simulator",
        worker__command=(),
        worker__backend_options={"profile": "test"},
        galaxy__connection_string=str(galaxy),
        **flags,
    )


async def plant_of(gateway: LiveGateway) -> Plant:
    session = await gateway.open()
    server = (await gateway.invoke(session, "REGISTER", client_name="test")).register.server_handle
    plant = Plant(gateway, session, server, {})
    for tag in (INT, NAME):
        item = (await plant.invoke("ADD_ITEM", item_definition=tag)).add_item.item_handle
        await plant.invoke("ADVISE", item_handle=item)
        plant.items[tag] = item
    await eventually(lambda: gateway.session(session).events_received >= 2)
    return plant


@pytest.fixture
async def plant(tmp_path: Path, galaxy: Path) -> AsyncIterator[Plant]:
    async with live_gateway(settings_of(tmp_path, galaxy)) as gateway:
        yield await plant_of(gateway)


EXPECTED = [
    ("write", INT, "accepted"),
    ("write-completed", INT, "ok"),
    ("write", NAME, "accepted"),
    ("write-completed", NAME, "operational_error-1007"),
    ("write", INT, "accepted"),
    ("write-completed", INT, "software_error-1005"),
]
WRITES = [
    (INT, pb.MxValue(int32_value=5)),
    (NAME, pb.MxValue(string_value="SENTINEL")),
    (INT, pb.MxValue(string_value="x")),
]


def told(records: list[AuditRecord]) -> list[tuple[str, str, str]]:
    return sorted((record.event, record.target, record.outcome) for record in records)


async def test_one_by_one(plant: Plant) -> None:
    for tag, value in WRITES:
        await plant.invoke("WRITE", item_handle=plant.items[tag], value=value)
    records = await plant.audit(6)
    assert told(records) == sorted(EXPECTED)
    # The two records of one write belong to one call.
    assert len({record.correlation_id for record in records}) == 3
    (refused,) = (record for record in records if record.outcome == "operational_error-1007")
    assert refused.details["detail"] == "the attribute cannot be written"
    assert "SENTINEL" not in repr(records)


async def test_in_bulk(plant: Plant) -> None:
    entries = [pb.WriteBulkEntry(item_handle=plant.items[tag], value=value) for tag, value in WRITES]
    await plant.invoke("WRITE_BULK", entries=entries)
    assert told(await plant.audit(6)) == sorted(EXPECTED)


async def test_on_a_command_stream(plant: Plant) -> None:
    call = plant.gateway.stub.InvokeStream(metadata=plant.gateway.auth)
    commands = [
        pb.MxStreamCommand(
            correlation_id=f"order-{number}",
            command=command("WRITE", server_handle=plant.server, item_handle=plant.items[tag], value=value),
        )
        for number, (tag, value) in enumerate(WRITES)
    ]
    await call.write(pb.MxCommandBatch(session_id=plant.session, commands=commands))
    records = await plant.audit(6)
    assert told(records) == sorted(EXPECTED)
    assert {record.correlation_id for record in records} == {"order-0", "order-1", "order-2"}
    call.cancel()


async def test_a_write_that_is_not_taken_waits_for_no_completion(plant: Plant) -> None:
    await plant.invoke("WRITE", item_handle=9999, value=pb.MxValue(string_value="x"))
    await plant.invoke("WRITE", item_handle=plant.items[INT], value=pb.MxValue(int32_value=7))
    assert [record.outcome for record in await plant.audit(3)] == ["mxaccess_failure", "accepted", "ok"]


async def test_a_completion_that_is_drained_by_hand_is_on_record_too(tmp_path: Path, galaxy: Path) -> None:
    async with live_gateway(settings_of(tmp_path, galaxy)) as gateway:
        plant = await plant_of(gateway)
        for _ in range(20):
            await plant.invoke("WRITE", item_handle=plant.items[NAME], value=pb.MxValue(string_value="x"))
            await gateway.invoke(plant.session, "DRAIN_EVENTS", max_events=1000)
        assert {record.outcome for record in (await plant.audit(40))} == {"accepted", "operational_error-1007"}


async def test_who_logged_in_is_on_record_and_never_the_password(plant: Plant) -> None:
    await plant.invoke("AUTHENTICATE_USER", verify_user="operator7", verify_user_password="SENTINEL-PASSWORD")
    (record,) = await plant.audit(1)
    assert (record.event, record.details["user"]) == ("command", "operator7")
    assert "SENTINEL-PASSWORD" not in repr(record)


async def test_values_are_on_record_where_settings_ask_for_them(tmp_path: Path, galaxy: Path) -> None:
    async with live_gateway(settings_of(tmp_path, galaxy, authentication__audit_values=True)) as gateway:
        plant = await plant_of(gateway)
        for tag, value in (WRITES[0], (NAME, pb.MxValue(string_value="x" * 1000))):
            await plant.invoke("WRITE", item_handle=plant.items[tag], value=value)
        values = [record.details["value"] for record in await plant.audit(4) if record.event == "write"]
        assert (values[0], len(values[1])) == ("5", 201)


@pytest.mark.parametrize("rule", ["deny_writes", "go_on"])
async def test_what_cannot_be_recorded_is_not_written_unless_settings_say_so(
    tmp_path: Path, galaxy: Path, rule: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mxgateway_server.access.audit.DENY_AFTER_SECONDS", 0.0)
    async with live_gateway(settings_of(tmp_path, galaxy, authentication__when_audit_fails=rule)) as gateway:
        plant = await plant_of(gateway)

        async def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        write = {"item_handle": plant.items[INT], "value": pb.MxValue(int32_value=8)}
        with monkeypatch.context() as patch:
            patch.setattr("mxgateway_server.access.store.KeyStore.record", full)
            await plant.invoke("WRITE", **write)
            await eventually(lambda: gateway.status().audit.failures > 0)
            if rule == "go_on":
                await plant.invoke("WRITE", **write)
            else:
                with pytest.raises(grpc.aio.AioRpcError, match="cannot record") as caught:
                    await plant.invoke("WRITE", **write)
                assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            # Reading goes on either way.
            await plant.invoke("READ_BULK", tag_addresses=[INT])
        await eventually(lambda: gateway.status().audit.failures == 0)
        await plant.invoke("WRITE", **write)
        assert gateway.status().audit.lost == 0
