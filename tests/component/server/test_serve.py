"""`mxgateway serve` as a process: TLS, announcement, health, orderly and disorderly ends. No worker is ever left."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import psutil
import pytest
import structlog
from click.testing import CliRunner, Result
from cryptography import x509
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tests.support.certificates import presented
from tests.support.fleeting import command_line, lives
from tests.support.gateway import ROOT
from tests.support.waiting import eventually, wait_until

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway.generated import mxaccess_gateway_pb2_grpc as pb_grpc
from mxgateway_server.certificates.authority import thumbprint
from mxgateway_server.cli.main import main
from mxgateway_server.errors import ConfigurationError
from mxgateway_server.state import prepare_state

serve = importlib.import_module("mxgateway_server.cli.serve")

CONFIG = """
[worker]
command = ["{python}", "-m", "tests.support.fake_worker"]
working_directory = "{root}"
backend = "fake"
pool_size = {pool}
shutdown_timeout_seconds = {shutdown}
terminate_timeout_seconds = 30.0
allowed_backend_options = ["start"]
[galaxy]
connection_string = "{state}/empty.db"
"""


def mxgateway(*arguments: str) -> Result:
    """A command of `mxgateway`, in this process."""
    return CliRunner().invoke(main, arguments, env={"MXGATEWAY_CONFIG": None})


# Tests that run under nohup hand on that it is ignored, and a gateway keeps to that. Said in the new process itself:
# code between fork and exec would run gRPC's fork handlers, which abort the child at times.
HEARING_HANGUPS = (
    "import runpy, signal, sys; signal.signal(signal.SIGHUP, signal.SIG_DFL); sys.argv[0] = 'mxgateway'; "
    "runpy.run_module('mxgateway_server', run_name='__main__')"
)


class Served:
    """A gateway process and a client of it."""

    def __init__(
        self, state: Path, *flags: str, pool: int = 1, shutdown: float = 5.0, listen: str = "localhost:0"
    ) -> None:
        self.state = state
        (state / "empty.db").touch()
        config = state / "gateway.toml"
        config.write_text(CONFIG.format(python=sys.executable, root=ROOT, pool=pool, shutdown=shutdown, state=state))
        created = mxgateway("apikey", "create", "--state-dir", str(state), "--key-id", "k", "--scopes", "all", "--json")
        self.key = json.loads(created.stdout)["apiKey"]
        self.log = (state / "log.txt").open("w+")
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-c", HEARING_HANGUPS, "serve", "--announce", "--stop-on-stdin-close"),
                *("--config", str(config), "--state-dir", str(state), "--listen", listen, *flags),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
            cwd=ROOT,
        )
        assert self.process.stdout is not None
        self.ready: dict[str, Any] = json.loads(self.process.stdout.readline() or "{}")

    @property
    def auth(self) -> tuple[tuple[str, str], ...]:
        return (("authorization", f"Bearer {self.key}"),)

    def channel(self) -> grpc.Channel:
        endpoint = self.ready["endpoints"][0]
        credentials = grpc.ssl_channel_credentials(Path(endpoint["caFile"]).read_bytes())
        return grpc.secure_channel(endpoint["address"], credentials)

    def workers(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def text(self) -> str:
        self.log.seek(0)
        return self.log.read()

    def end(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait(20)
        for stream in (self.process.stdin, self.process.stdout, self.log):
            if stream is not None:
                stream.close()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    gateway = Served(tmp_path)
    yield gateway
    gateway.end()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    gateway = Served(tmp_path_factory.mktemp("gateway"), pool=0)
    yield gateway
    gateway.end()


def open_session(gateway: Served, channel: grpc.Channel, **request: Any) -> Any:
    stub = pb_grpc.MxAccessGatewayStub(channel)  # type: ignore[no-untyped-call]
    return stub.OpenSession(pb.OpenSessionRequest(**request), metadata=gateway.auth)


def gone(processes: list[psutil.Process]) -> None:
    def all_gone() -> bool:
        return not [process for process in processes if lives(process)]

    wait_until(all_gone, 10, lambda: f"left behind: {processes}")


@pytest.mark.shares_processes
def test_tls_with_the_announced_ca_file_serves_and_a_stranger_ca_does_not(shared: Served) -> None:
    endpoint = shared.ready["endpoints"][0]
    assert (shared.ready["event"], shared.ready["pid"], endpoint["tls"]) == ("ready", shared.process.pid, True)
    with shared.channel() as channel:
        assert open_session(shared, channel).backend_name == "fake"
        health = health_pb2_grpc.HealthStub(channel)
        answer = health.Check(health_pb2.HealthCheckRequest(service="mxaccess_gateway.v1.MxAccessGateway"))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    with grpc.secure_channel(endpoint["address"], grpc.ssl_channel_credentials()) as channel:
        with pytest.raises(grpc.RpcError) as caught:
            open_session(shared, channel)
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE


@pytest.mark.shares_processes
def test_its_health_is_asked_by_a_command(shared: Served, tmp_path: Path) -> None:
    """For containers and scripts: over TLS, without a key, 0 when it serves and 1 when it does not answer."""
    address = shared.ready["endpoints"][0]["address"]
    config = tmp_path / "asked.toml"

    def asked(*arguments: str, listen: str = address) -> Result:
        text = f'listen = "{listen}"\nstate_dir = "{shared.state}"\n[worker]\nbackend = "simulator"\n'
        config.write_text(text, encoding="utf-8")
        return mxgateway("health", "--config", str(config), *arguments)

    for arguments, service in (((), ""), (("--ready",), "mxgateway.ready")):
        answer = asked(*arguments, "--json")
        assert answer.exit_code == 0, answer.output
        assert json.loads(answer.stdout) == {"address": address, "service": service, "status": "SERVING"}
    port = address.rpartition(":")[2]
    everywhere = asked(listen=f"0.0.0.0:{port}")
    assert (everywhere.exit_code, everywhere.output) == (0, f"127.0.0.1:{port}: SERVING\n")
    unknown = asked("--service", "mxgateway.nothing")
    assert (unknown.exit_code, "no health service 'mxgateway.nothing'" in unknown.stdout) == (1, True)
    nobody = asked("--timeout", "2", listen="localhost:1")
    assert (nobody.exit_code, nobody.stdout) == (1, "localhost:1: no answer\n")
    config.write_text(f'listen = "{address}"\nstate_dir = "{tmp_path}"\n', encoding="utf-8")
    mxgateway("cert", "renew", "--config", str(config))
    stranger = mxgateway("health", "--config", str(config))
    assert (stranger.exit_code, "another gateway answers" in stranger.output) == (1, True)
    refused = asked(listen="localhost:0")
    assert refused.exit_code == 1
    assert "listen = localhost:0 takes any free port" in refused.output


@pytest.mark.parametrize("how", ["SIGTERM", "SIGINT", "stdin"])
def test_asked_to_stop_it_ends_in_order_with_code_0_and_without_workers(served: Served, how: str) -> None:
    with served.channel() as channel:
        session = open_session(served, channel).session_id
        stub = pb_grpc.MxAccessGatewayStub(channel)  # type: ignore[no-untyped-call]
        stream = stub.StreamEvents(pb.StreamEventsRequest(session_id=session), metadata=served.auth)
        stream.initial_metadata()
        workers = served.workers()
        assert workers
        if how == "stdin":
            assert served.process.stdin is not None
            served.process.stdin.close()
        else:
            served.process.send_signal(getattr(signal, how))
        with pytest.raises(grpc.RpcError) as caught:
            next(stream)
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
    assert served.process.wait(20) == 0
    gone(workers)
    assert "gateway_stopped" in served.text()
    assert "event_loop_lag" in served.text()


def certificate_of(gateway: Served) -> x509.Certificate:
    endpoint = gateway.ready["endpoints"][0]
    return presented(endpoint["address"].replace("localhost", "127.0.0.1"), Path(endpoint["caFile"]))


def test_sighup_takes_up_a_renewed_certificate_and_sessions_go_on(served: Served, tmp_path: Path) -> None:
    before = certificate_of(served)
    with served.channel() as channel:
        session = open_session(served, channel).session_id
        stub = pb_grpc.MxAccessGatewayStub(channel)  # type: ignore[no-untyped-call]
        stream = stub.StreamEvents(pb.StreamEventsRequest(session_id=session), metadata=served.auth)
        stream.initial_metadata()
        renewed = mxgateway("cert", "renew", "--state-dir", str(tmp_path), "--json")
        assert renewed.exit_code == 0, renewed.output
        served.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "certificate_reloaded" in served.text())
        after = certificate_of(served)
        assert after.serial_number != before.serial_number
        assert thumbprint(after) == json.loads(renewed.stdout)["sha256"]
        closed = stub.CloseSession(pb.CloseSessionRequest(session_id=session), metadata=served.auth)
        assert closed.final_state == pb.SESSION_STATE_CLOSED
    assert served.process.poll() is None


@pytest.mark.parametrize(("is_in_a_terminal", "expected"), [(True, ["stop"]), (False, ["reload"])])
async def test_a_hangup_ends_what_runs_in_a_terminal(
    is_in_a_terminal: bool, expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve, "_is_in_a_terminal", lambda: is_in_a_terminal)
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    done: list[str] = []
    remove = serve._install_signals(
        lambda: done.append("stop"), lambda: done.append("reload"), lambda: done.append("upgrade")
    )
    try:
        os.kill(os.getpid(), signal.SIGHUP)
        await eventually(lambda: done == expected)
        os.kill(os.getpid(), signal.SIGUSR2)
        await eventually(lambda: done == [*expected, "upgrade"])
    finally:
        remove()
        signal.signal(signal.SIGHUP, before)


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_the_state_directory_is_its_owners_and_an_open_one_is_told_of(tmp_path: Path) -> None:
    made = tmp_path / "a" / "state"
    prepare_state(made)
    assert made.stat().st_mode & 0o777 == 0o700
    for mode, expected in ((0o700, 0), (0o750, 1), (0o755, 1)):
        made.chmod(mode)
        with structlog.testing.capture_logs() as lines:
            prepare_state(made)
        assert [line["event"] for line in lines] == ["state_directory_is_open"] * expected
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match=r"state_dir .*; choose a directory that the gateway may write"):
        prepare_state(tmp_path / "file" / "state")


def test_git_takes_nothing_of_a_new_state_directory_and_one_that_was_there_is_left_alone(tmp_path: Path) -> None:
    prepare_state(tmp_path / "new")
    assert (tmp_path / "new" / ".gitignore").read_text() == "*\n"
    (tmp_path / "old").mkdir(mode=0o700)
    prepare_state(tmp_path / "old")
    assert list((tmp_path / "old").iterdir()) == []


def test_killed_it_leaves_no_worker_behind(served: Served) -> None:
    with served.channel() as channel:
        open_session(served, channel)
        workers = served.workers()
        assert workers
        served.process.kill()
        served.process.wait(20)
        gone(workers)


def test_a_second_signal_ends_workers_that_do_not_want_to(tmp_path: Path) -> None:
    gateway = Served(tmp_path, pool=0, shutdown=60.0)
    try:
        with gateway.channel() as channel:
            open_session(gateway, channel, backend_options={"start": "ignore_shutdown"})
            workers = gateway.workers()
            gateway.process.send_signal(signal.SIGTERM)
            wait_until(lambda: "gateway_stopping" in gateway.text())
            gateway.process.send_signal(signal.SIGTERM)
            assert gateway.process.wait(20) == 0
            gone(workers)
            assert "gateway_stopping_now" in gateway.text()
    finally:
        gateway.end()


@pytest.mark.shares_processes
def test_the_key_is_in_no_log_and_on_no_command_line(shared: Served) -> None:
    with shared.channel() as channel:
        open_session(shared, channel)
        lines = [command_line(process) for process in shared.workers()]
    assert any("--session-id" in line for line in lines)
    secret = shared.key.split("_", 2)[2]
    assert secret not in shared.text()
    assert not [line for line in lines if "nonce" in line.lower() or secret in line]


@pytest.mark.shares_processes
def test_a_port_in_use_is_told_by_setting(shared: Served, tmp_path: Path) -> None:
    address = shared.ready["endpoints"][0]["address"]
    (tmp_path / "second").mkdir()
    second = Served(tmp_path / "second", listen=address)
    try:
        assert second.process.wait(20) == 1
        assert f"listen = {address} cannot be bound" in second.text()
    finally:
        second.end()


def test_keys_are_managed_from_the_command_line(tmp_path: Path) -> None:
    state = ("--state-dir", str(tmp_path))
    created = mxgateway(
        "apikey", "create", *state, "--key-id", "a", "--scopes", "invoke:read", "--expires", "90d", "--json"
    )
    assert json.loads(created.stdout)["apiKey"].startswith("mxgw_a_")
    listed = mxgateway("apikey", "list", *state, "--json")
    assert json.loads(listed.stdout)[0]["state"] == "active"
    assert "mxgw_" not in listed.stdout
    refused = mxgateway("apikey", "create", *state, "--key-id", "b", "--scopes", "everything")
    assert refused.exit_code == 1
    assert "unknown scope" in refused.stderr
    assert mxgateway("apikey", "revoke", *state, "--key-id", "a").exit_code == 0
    again = mxgateway("apikey", "rotate", *state, "--key-id", "a")
    assert (again.exit_code, "revoked" in again.stderr) == (1, True)
    audit = mxgateway("apikey", "audit", *state, "--json")
    assert [record["event"] for record in json.loads(audit.stdout)] == ["key-created", "key-revoked"]


def test_settings_can_be_checked_without_starting(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.toml", tmp_path / "bad.toml"
    # Any free port: that of the default may be another gateway's on the machine that tests.
    good.write_text('listen = "localhost:0"\n[sessions]\nmax_sessions = 5\n')
    bad.write_text("[sessions]\nmax_sessions = -5\n")
    assert mxgateway("check-config", "--config", str(good)).exit_code == 0
    refused = mxgateway("check-config", "--config", str(bad))
    assert refused.exit_code == 1
    assert "sessions.max_sessions" in refused.stderr
    assert "Traceback" not in refused.stderr
