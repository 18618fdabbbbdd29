"""Calls, errors, streams and the life of the background thread."""

from __future__ import annotations

import asyncio
import gc
import signal
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import grpc
import pytest
from tests.support.fake_gateway import Abort, FakeGateway, data_change, failed
from tests.support.waiting import wait_until

import mxgateway
from mxgateway._sync.loop_thread import LOOP, THREAD_NAME
from mxgateway.generated import galaxy_repository_pb2 as galaxy_pb
from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway.sync import GalaxyRepositoryClient, GatewayClient, MxAccessError, MxGatewayError, Session

from .conftest import API_KEY


def background_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == THREAD_NAME]


def connect(gateway: FakeGateway) -> GatewayClient:
    return GatewayClient.connect(endpoint=gateway.endpoint, plaintext=True, api_key=API_KEY)


def test_a_session_works_without_async(gateway: FakeGateway, session: Session) -> None:
    """The way from register to write is plain calls with plain results."""
    server_handle = session.register("test")
    item_handle = session.add_item(server_handle, "TestMachine_001.TestChangingInt")
    session.advise(server_handle, item_handle)
    session.write(server_handle, item_handle, 42)
    assert gateway.commands_of("write")[0].value.int32_value == 42
    assert [result.was_successful for result in session.subscribe_bulk(server_handle, ["A.B", "C.D"])] == [True, True]
    assert session.ping("hello") == "hello"
    assert "A.B" in session.read_bulk(server_handle, ["A.B"])._repr_html_()  # type: ignore[attr-defined]


def test_leaving_the_block_closes_the_session_once(gateway: FakeGateway, client: GatewayClient) -> None:
    """`with` sends one CloseSession, and a later close returns the first reply again."""
    with client.open_session() as session:
        pass
    assert session.closed
    assert session.close().final_state == pb.SESSION_STATE_CLOSED
    assert gateway.calls["CloseSession"] == 1


def test_an_error_is_the_same_object_type_with_its_reply(gateway: FakeGateway, session: Session) -> None:
    """A failure of MXAccess raises the asynchronous library's own class."""
    reply = pb.MxCommandReply(protocol_status=failed(pb.PROTOCOL_STATUS_CODE_MXACCESS_FAILURE), hresult=-2147024809)
    gateway.answer("write", reply)
    with pytest.raises(MxAccessError) as caught:
        session.write(1, 1, 2)
    assert type(caught.value) is mxgateway.MxAccessError
    assert caught.value.hresult == -2147024809


def test_the_wait_can_time_out(gateway: FakeGateway, client: GatewayClient) -> None:
    """A deadline is an error of the call, not of the wait between the threads."""
    gateway.script("OpenSession", "hold")
    with pytest.raises(mxgateway.MxGatewayTimeoutError):
        client.open_session_raw(pb.OpenSessionRequest(), timeout=0.05)


def test_events_come_as_a_plain_iterator(gateway: FakeGateway, session: Session) -> None:
    """`for` takes events in order, and last_worker_sequence is that of the event taken, not of the batch received."""
    batch = pb.MxEventBatch(events=[data_change(2), data_change(3)])
    gateway.events = [data_change(1), batch]
    with session.stream_events() as stream:
        assert next(stream).worker_sequence == 1
        assert next(stream).worker_sequence == 2
        assert stream.last_worker_sequence == 2
        assert [event.worker_sequence for event in next(stream.batches())] == [3]
        assert stream.last_worker_sequence == 3
    wait_until(lambda: gateway.streams_open == 0)
    assert list(stream) == []


def test_an_error_ends_the_iteration(gateway: FakeGateway, session: Session) -> None:
    """The error of a stream is raised once; afterwards the iterator is at its end."""
    gateway.events = [data_change(1), Abort(grpc.StatusCode.UNAVAILABLE, "going away")]
    stream = session.stream_events()
    with pytest.raises(mxgateway.MxGatewayConnectionError):
        list(stream)
    assert list(stream) == []


def test_a_dropped_stream_ends_on_the_gateway(gateway: FakeGateway, session: Session) -> None:
    """`break` out of a loop is enough."""
    gateway.events = [data_change(1)]
    for event in session.stream_events():
        assert event.worker_sequence == 1
        break
    del event
    gc.collect()
    wait_until(lambda: gateway.streams_open == 0)


def test_another_thread_may_cancel_a_stream(gateway: FakeGateway, session: Session) -> None:
    """cancel() ends the iteration of the thread that waits, without an error."""
    stream, taken = session.stream_events(), []
    reader = threading.Thread(target=lambda: taken.extend(stream))
    reader.start()
    wait_until(lambda: gateway.streams_open == 1)
    stream.cancel()
    reader.join(10)
    assert not reader.is_alive()
    assert taken == []


def test_threads_share_one_session(session: Session) -> None:
    """Calls of many threads run at the same time on the one loop."""
    answers: list[str] = []
    threads = [threading.Thread(target=lambda n=n: answers.append(session.ping(str(n)))) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert sorted(answers) == [str(n) for n in range(8)]
    assert len(background_threads()) == 1


def test_an_interrupt_cancels_the_call(gateway: FakeGateway, client: GatewayClient) -> None:
    """Ctrl+C in the waiting thread cancels the call at the gateway and is raised; the client goes on working."""
    gateway.script("OpenSession", "hold")
    main = threading.main_thread().ident
    assert main is not None

    def interrupt() -> None:
        wait_until(lambda: gateway.calls.get("OpenSession", 0) == 1)
        signal.pthread_kill(main, signal.SIGINT)

    helper = threading.Thread(target=interrupt)
    helper.start()
    with pytest.raises(KeyboardInterrupt):
        client.open_session()
    helper.join()
    wait_until(lambda: gateway.cancelled == ["OpenSession"])
    with client.open_session() as session:
        assert session.ping("still") == "still"


def test_what_an_interrupted_call_made_is_closed(gateway: FakeGateway, client: GatewayClient) -> None:
    """A session that the gateway opened although its caller was interrupted is closed again."""
    made: list[object] = []

    async def work() -> object:
        session = await client._async.open_session()
        made.append(session)
        main = threading.main_thread().ident
        assert main is not None
        try:
            signal.pthread_kill(main, signal.SIGINT)
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return session
        raise AssertionError

    with pytest.raises(KeyboardInterrupt):
        LOOP.run(work)
    assert made
    assert gateway.calls["CloseSession"] == 1


def test_a_closed_client_says_so(gateway: FakeGateway) -> None:
    """After close, calls fail as they do asynchronously, and closing again does nothing."""
    client = connect(gateway)
    session = client.open_session()
    client.close()
    client.close()
    assert client.connection_state is mxgateway.ConnectionState.CLOSED
    with pytest.raises(MxGatewayError, match="the client is closed"):
        session.ping()


def test_the_thread_ends_with_the_last_client() -> None:
    """The background thread lives from the first client to the close of the last."""
    options = mxgateway.ClientOptions(endpoint="localhost:1", plaintext=True)
    assert background_threads() == []
    first, second = GatewayClient(options), GalaxyRepositoryClient(options)
    assert len(background_threads()) == 1
    first.close()
    assert len(background_threads()) == 1
    second.close()
    assert background_threads() == []


def test_a_failed_connect_leaves_no_thread() -> None:
    """connect raises the library's error and leaves nothing behind."""
    with pytest.raises(mxgateway.MxGatewayConnectionError):
        GatewayClient.connect(endpoint="127.0.0.1:1", plaintext=True)
    assert background_threads() == []


def test_a_forgotten_client_warns_and_lets_go() -> None:
    """Dropping an open client warns like an open file, closes it, and the thread ends."""
    client = GatewayClient(mxgateway.ClientOptions(endpoint="localhost:1", plaintext=True))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        del client
        gc.collect()
    assert [str(each.message) for each in caught] == ["unclosed GatewayClient"]
    wait_until(lambda: background_threads() == [])


def test_a_call_on_the_background_thread_is_refused() -> None:
    """What would wait for itself raises an error that says what to do."""
    with pytest.raises(RuntimeError, match="background thread"):
        LOOP.call(lambda: LOOP.call(lambda: None))


async def test_it_works_where_a_loop_runs_already() -> None:
    """A notebook has a running loop in its main thread."""
    options = mxgateway.ClientOptions(endpoint="localhost:1", plaintext=True)
    with GatewayClient(options) as client:
        assert client.options is options


def test_a_process_ends_although_a_client_was_left_open(tmp_path: Path) -> None:
    """The end of the interpreter closes what is open; nothing is printed and nothing hangs."""
    script = tmp_path / "forgets.py"
    script.write_text(
        "from mxgateway.sync import GatewayClient, ClientOptions\n"
        "client = GatewayClient(ClientOptions(endpoint='localhost:1', plaintext=True))\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_galaxy_is_browsed_without_async(gateway: FakeGateway) -> None:
    """Nodes expand by plain calls, children keep their identity, and the hierarchy is a plain iterator."""
    gateway.objects = [
        galaxy_pb.GalaxyObject(gobject_id=1, tag_name="Area"),
        galaxy_pb.GalaxyObject(gobject_id=2, tag_name="TestMachine_001", parent_gobject_id=1),
        galaxy_pb.GalaxyObject(gobject_id=3, tag_name="TestMachine_002", parent_gobject_id=1),
    ]
    with GalaxyRepositoryClient.connect(endpoint=gateway.endpoint, plaintext=True, api_key=API_KEY) as galaxy:
        (area,) = galaxy.browse()
        assert [child.name for child in area.expand()] == ["TestMachine_001", "TestMachine_002"]
        first = area.children[0]
        assert area.children[0] is first
        hierarchy = galaxy.iter_hierarchy()
        assert next(hierarchy).tag_name == "Area"
        assert gateway.calls["DiscoverHierarchy"] == 1
        assert [each.tag_name for each in hierarchy] == ["TestMachine_001", "TestMachine_002"]
        assert len(galaxy.discover_hierarchy()) == 3


def test_the_background_loop_is_in_debug_mode_in_each_test(session: Session) -> None:
    """asyncio's debug mode is on for the blocking client's suite too."""

    async def mode() -> bool:
        return asyncio.get_running_loop().get_debug()

    assert LOOP.run(mode)
    assert session.ping("hello") == "hello"
