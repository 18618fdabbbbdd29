"""The gateway itself as a Windows process, with COM workers: what a plant's node runs, as far as Wine is Windows."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.support.waiting import eventually, wait_until
from tests.wine.conftest import ROOT, winpath
from tests.wine.windows_gateway import WindowsGateway

from mxgateway import GatewayClient, MxGatewayError, MxGatewaySessionError, Session
from mxgateway_server import __version__

pytestmark = [pytest.mark.shares_processes, pytest.mark.slow, pytest.mark.timeout(240)]

TAG = "TestChildObject.TestInt"
MOVING = "TestMachine_001.TestChangingInt"


@pytest.fixture(scope="module")
def gateway(galaxy: Path, plant_table: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WindowsGateway]:
    running = WindowsGateway(tmp_path_factory.mktemp("windows-gateway"), galaxy, plant_table)
    running.start()
    try:
        yield running
    finally:
        if running.process is not None and running.process.poll() is None:
            # In order, with its pooled worker still there.
            assert running.stop() == 0, "\n".join(running.log)


@pytest.fixture
async def client(gateway: WindowsGateway) -> AsyncIterator[GatewayClient]:
    async with asyncio.timeout(120), await GatewayClient.connect(gateway.options) as connected:
        yield connected


@pytest.fixture
async def session(client: GatewayClient) -> AsyncIterator[Session]:
    async with await client.open_session(client_session_name="on Windows") as opened:
        yield opened


async def test_a_plant_is_served_over_tls_with_keys(client: GatewayClient, session: Session) -> None:
    """TLS, a key, a pooled worker on the other Python, the Galaxy, a read, a write, a subscription."""
    info = await session.worker_info()
    assert info.worker_version == __version__
    assert info.mxaccess_interface_version == 5
    assert info.mxaccess_server_path.endswith("lmxsim.dll")
    server = await session.register("windows")
    item = await session.add_item(server, TAG)
    await session.advise(server, item)
    (before,) = await session.read_bulk(server, [TAG])
    assert before.was_successful
    values = []
    async with client.subscribe([MOVING, TAG]) as changes:
        await changes.write(TAG, 271828)
        async for change in changes:
            values.append((change.tag, change.value))
            if (TAG, 271828) in values and len(values) >= 5:
                break
    moving = [value for tag, value in values if tag == MOVING]
    assert moving == sorted(moving)


async def ping_on(session: Session) -> None:
    for _ in range(10_000):
        await session.ping("alive?")


async def test_a_hang_and_a_crash_cost_their_own_sessions_and_are_told_apart(
    client: GatewayClient, session: Session
) -> None:
    """The hang is found by the heartbeats; the crash is named by the NTSTATUS with which the process ended."""
    hanging = await client.open_session(client_session_name="hangs")
    crashing = await client.open_session(client_session_name="crashes")
    server = await hanging.register("hang")
    await hanging.inject_fault("hang_call", {"method": "add_item", "seconds": "600"})
    await crashing.register("crash")

    async def hang() -> str:
        with pytest.raises(MxGatewayError):
            await hanging.add_item(server, TAG)
        with pytest.raises(MxGatewaySessionError) as caught:
            await hanging.ping("gone")
        return str(caught.value)

    async def crash() -> str:
        await crashing.inject_fault("access_violation", {"where": "thread"})
        with pytest.raises(MxGatewayError) as caught:
            await ping_on(crashing)
        return str(caught.value)

    hung, crashed = await asyncio.gather(hang(), crash())
    assert "hangs" in hung
    assert "0xC0000005, access violation" in crashed, crashed
    assert await session.ping("still here") == "still here"
    await hanging.close()
    await crashing.close()


RIGHTS = """
import sys
from pathlib import Path
from mxgateway_contract.windows_rights import _set_rights, others
folder = Path(sys.argv[1])
for path in (folder, *sorted(folder.rglob("*"))):
    print(path.name, others(str(path)))
"""
OPEN = """
import sys
from pathlib import Path
from mxgateway_contract.windows_rights import _set_rights
from mxgateway_server.errors import ConfigurationError
from mxgateway_server.state import prepare_state, require_private
state = Path(sys.argv[1])
prepare_state(state)
_set_rights(str(state), "D:(A;OICI;FA;;;WD)")
(state / "pepper").write_text("x")
_set_rights(str(state / "pepper"), "D:(A;;FR;;;WD)(A;;FA;;;OW)")
for check in (lambda: prepare_state(state), lambda: require_private("authentication.pepper_file", state / "pepper")):
    try:
        check()
    except ConfigurationError as error:
        print(error)
"""


def test_what_is_secret_can_be_read_by_its_owner_only(gateway: WindowsGateway) -> None:
    """State directory, key store, pepper, TLS keys: by their access lists, as Windows reads them.

    Wine hands nothing down from a folder to what is made in it, so each must be private by itself.
    """
    told = dict(line.split(" ", 1) for line in gateway.python("-c", RIGHTS, winpath(gateway.state)).splitlines())
    secret = {"state", "keys.db", "pepper", "certs", "gateway-ca.key", "gateway-server.pem"}
    assert {name: told.get(name) for name in secret} == dict.fromkeys(secret, "[]")


def test_what_is_open_to_others_is_refused_with_the_line_that_closes_it(
    gateway: WindowsGateway, tmp_path: Path
) -> None:
    state, pepper = gateway.python("-c", OPEN, winpath(tmp_path / "state")).splitlines()
    assert "Everyone may write in it" in state
    assert "icacls" in state
    assert "authentication.pepper_file" in pepper
    assert "Everyone may read it" in pepper
    assert "(OI)(CI)" not in pepper


def test_doctor_finds_a_healthy_node(gateway: WindowsGateway) -> None:
    """By Windows' own registry with its two views, its access lists, and a start of the other Python."""
    told = gateway.json("doctor", "--json", "--probe-tag", TAG, *gateway.settings_arguments())
    assert {one["check"]: one["level"] for one in told["findings"]} == {
        "operating system": "ok",
        "gateway": "ok",
        "worker's Python": "ok",
        "MXAccess": "ok",
        "activation": "ok",
        "first value": "ok",
        "state directory": "ok",
        "Galaxy database": "ok",
        # It is a file, and the ports are the running gateway's own.
        "clocks": "skipped",
        "ports": "skipped",
    }, told


JOB = """
import subprocess, sys, time
from mxgateway_server.workers.job_object import JobObject
GRANDCHILD = "import time; print('up', flush=True); time.sleep(600)"
CHILD = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {GRANDCHILD!r}])"
job = JobObject()
children = []
for _ in range(2):
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, **job.spawn_options()
    )
    job.adopt(child.pid)
    assert child.stdout.readline().strip() == b"up"
    children.append(child)
one, other = children
job.kill(one.pid)
# The pipe ends with the last process that holds it, which is the grandchild.
assert one.stdout.read() == b"" and one.wait(10) == 1
assert other.poll() is None
job.close()
assert other.stdout.read() == b"" and other.wait(10) is not None
print("ended")
"""


def test_what_a_worker_has_started_ends_with_it(gateway: WindowsGateway) -> None:
    """A job inside the gateway's job: one worker's end takes its own children, the gateway's end takes all."""
    assert "ended" in gateway.python("-c", JOB)


MEMORY = """
import ctypes, subprocess, sys
from mxgateway_server.workers.job_object import JobObject
CHILD = '''
import sys
sys.stdin.readline()
try:
    held = bytearray(400 << 20)
except MemoryError:
    print("refused")
else:
    held[:: 4096] = b"x" * len(held[:: 4096])
    print("held")
'''
job = JobObject(memory=100 << 20)
child = subprocess.Popen(
    [sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **job.spawn_options()
)
job.adopt(child.pid)
told = child.communicate("go\\n")[0].strip()
print(told, "on", "Wine" if hasattr(ctypes.WinDLL("ntdll"), "wine_get_version") else "Windows")
job.close()
"""


def test_a_job_takes_the_limit_of_a_workers_memory(gateway: WindowsGateway) -> None:
    """Windows holds it. Wine takes it and does not, so there this shows the call alone (docs: what is proven where)."""
    assert gateway.python("-c", MEMORY).strip() in ("refused on Windows", "held on Wine")


BREAK = """
import signal, sys
from mxgateway_server.cli.main import main

class Ready:
    def write(self, text):
        if '"ready"' in text:
            signal.raise_signal(signal.SIGBREAK)

    def flush(self):
        pass

arguments = sys.argv[1:]
told, sys.stdout = sys.stdout, Ready()
try:
    main(arguments)
except SystemExit as end:
    print("ended", end.code, file=told)
"""


def test_ctrl_break_ends_it_in_order(gateway: WindowsGateway, tmp_path: Path) -> None:
    """As a service manager for console programs ends one. Wine's consoles deliver no events, so it is raised inside."""
    assert gateway.python("-c", BREAK, *gateway.serve_arguments(tmp_path / "other")).strip() == "ended 0"


async def test_killing_the_gateway_leaves_no_worker(galaxy: Path, plant_table: Path, tmp_path: Path) -> None:
    """At any moment: with a session, a pooled worker and one that is just starting."""
    doomed = WindowsGateway(tmp_path, galaxy, plant_table)
    doomed.start()
    assert doomed.process is not None
    async with await GatewayClient.connect(doomed.options) as client:
        await client.open_session()
        await eventually(lambda: len(doomed.workers()) == 2)
        doomed.process.send_signal(signal.SIGKILL)
        await asyncio.to_thread(doomed.wait)
        assert doomed.processes() == {}


def test_it_runs_as_a_service(galaxy: Path, plant_table: Path, tmp_path: Path) -> None:
    """Installed, started, running, ended in order and removed, by Wine's own service manager."""
    gateway = WindowsGateway(tmp_path, galaxy, plant_table)
    # The service manager hands on no PYTHONPATH of ours.
    found_by = Path(os.environ["WPY64EXE"]).parent / "Lib" / "site-packages" / "gateway-under-test.pth"
    found_by.write_text(winpath(ROOT / "src"))
    config = tmp_path / "service.toml"
    galaxy_line = f"[galaxy]\nconnection_string = '{winpath(galaxy)}'\n"
    config.write_text('listen = "localhost:0"\n' + galaxy_line + "[worker]\nbackend = 'simulator'\npool_size = 0\n")
    name = f"mxgw-{tmp_path.name}"

    def service(command: str, *more: str) -> str:
        return gateway.python("-m", "mxgateway_server", "service", command, "--name", name, *more)

    def state() -> str:
        script = "import sys\nfrom mxgateway_server.node.windows_service import status\nprint(status(sys.argv[1]))"
        return gateway.python("-c", script, name)

    try:
        service("install", "--config", winpath(config), "--state-dir", winpath(gateway.state))
        service("start")
        log = gateway.state / "service.log"
        # A look at the log first: each question to the service manager is a start of Python.
        wait_until(lambda: log.exists() and "listening" in log.read_text(), 60, lambda: f"no gateway: {state()}")
        wait_until(lambda: "RUNNING" in state(), 30, log.read_text)
        service("remove")
        assert state().strip() == "None"
        assert "Traceback" not in log.read_text()
    finally:
        found_by.unlink()
