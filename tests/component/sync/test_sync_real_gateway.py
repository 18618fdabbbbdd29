"""The client library without async, against a real gateway with the simulator."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mxgateway._sync.loop_thread import LOOP
from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway.quality import is_good, is_status_failure
from mxgateway.sync import GalaxyRepositoryClient, GatewayClient, MxGatewaySessionError
from mxgateway.testing import LocalGateway

pytestmark = [pytest.mark.shares_processes, pytest.mark.timeout(120)]

MOVING = "TestMachine_001.TestChangingInt"
TARGET = "TestChildObject.TestInt"


@pytest.fixture(scope="module")
def gateway() -> Iterator[LocalGateway]:
    """One gateway with the reference Galaxy, run on the background loop."""
    context = LocalGateway.run("reference")
    run = LOOP.acquire()
    started = LOOP.run(context.__aenter__)
    try:
        yield started
    finally:
        LOOP.run(lambda: context.__aexit__(None, None, None))
        LOOP.release(run)


def test_a_script_browses_subscribes_writes_and_reads(gateway: LocalGateway) -> None:
    """The whole way of a script: find a tag, take its events in order, write, see the completion, read back."""
    with GalaxyRepositoryClient.connect(gateway.options()) as galaxy:
        assert galaxy.test_connection()
        found = galaxy.discover_hierarchy(tag_name_glob="TestChildObject")
        assert TARGET in {attribute.full_tag_reference for each in found for attribute in each.attributes}
    with GatewayClient.connect(gateway.options()) as client, client.open_session() as session:
        server_handle = session.register("script")
        results = session.subscribe_bulk(server_handle, [MOVING, TARGET])
        assert all(result.was_successful for result in results)
        moving, target = (result.item_handle for result in results)
        with session.stream_events() as events:
            seen: dict[int, list[int]] = {moving: [], target: []}
            sequences = []
            while len(seen[moving]) < 2 or not seen[target]:
                event = next(events)
                assert is_good(event.quality)
                seen[event.item_handle].append(event.value.int32_value)
                sequences.append(event.worker_sequence)
            assert sequences == sorted(set(sequences))
            session.write(server_handle, target, 4711)
            completion = next(each for each in events if each.family == pb.MX_EVENT_FAMILY_ON_WRITE_COMPLETE)
            assert not any(is_status_failure(status) for status in completion.statuses)
        (read,) = session.read_bulk(server_handle, [TARGET], timeout_ms=5000)
        assert (read.value.int32_value, read.was_cached) == (4711, True)
        last = events.last_worker_sequence
        with session.stream_events(after_worker_sequence=last) as resumed:
            assert next(resumed).worker_sequence == last + 1


def test_a_session_that_does_not_exist_is_a_session_error(gateway: LocalGateway) -> None:
    """The gateway's errors come in the library's classes."""
    with GatewayClient.connect(gateway.options()) as client, pytest.raises(MxGatewaySessionError):
        client.attach_session("session-" + "0" * 32).ping()


def test_the_tags_of_a_subscription_change(gateway: LocalGateway) -> None:
    """add and remove wait until it is done; what is removed comes no more."""
    with GatewayClient.connect(gateway.options()) as client, client.subscribe([MOVING]) as changes:
        assert next(changes).tag == MOVING
        changes.add([TARGET])
        assert changes.tags == (MOVING, TARGET)
        while next(changes).tag != TARGET:
            pass
        changes.remove([TARGET])
        assert {next(changes).tag for _ in range(2)} == {MOVING}
        assert (changes.lost, changes.new_sessions, changes.last_interruption) == (0, 0, None)
