"""Output and input in the encodings that shells and systems have: nothing that was done looks like a failure."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from typing import Any

import click
import pytest
from tests.support.fake_gateway import FakeGateway, data_change, write_complete
from tests.unit.cli.conftest import Cli

from mxgateway import to_mx_value
from mxgateway.generated import galaxy_repository_pb2 as galaxy_pb
from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_cli.commands.batch import END_OF_RECORD
from mxgateway_cli.main import COMMANDS, main
from mxgateway_cli.value_parsing import parse_value
from mxgateway_server.cli.main import main as server

TEXT = "温度 → 5 °C"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(params=["cp1252", "cp437", "ascii", "koi8-r", "shift_jis", "utf-8"])
def piped(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, cli: Cli) -> Run:
    """Runs a command whose stdout and stderr are pipes in an encoding; gives exit code and what came out of them."""

    def run(*arguments: str) -> tuple[int, str, str]:
        pipes = [io.TextIOWrapper(io.BytesIO(), encoding=request.param, errors="strict") for _ in range(2)]
        with monkeypatch.context() as patched:
            patched.setattr(sys, "stdout", pipes[0])
            patched.setattr(sys, "stderr", pipes[1])
            code = main.execute([arguments[0], "--endpoint", cli.endpoint, "--plaintext", *arguments[1:]])
        for pipe in pipes:
            pipe.flush()
        # click takes ASCII for a system that is not set up, and writes UTF-8.
        encoding = "utf-8" if request.param == "ascii" else request.param
        out, err = (pipe.buffer.getvalue().decode(encoding) for pipe in pipes)  # type: ignore[attr-defined]
        return code, out, err

    return run


@pytest.fixture(autouse=True)
def plant(gateway: FakeGateway) -> None:
    """A string tag and an object that no code page of the West can spell."""
    gateway.events = [data_change(1, value=to_mx_value(TEXT)), write_complete(2, 1)]
    reply = pb.MxCommandReply(protocol_status=pb.ProtocolStatus(code=pb.PROTOCOL_STATUS_CODE_OK), hresult=0)
    reply.read_bulk.results.add(tag_address="O.A", was_successful=True, value=to_mx_value(TEXT), quality=192)
    gateway.answer("read_bulk", reply)
    gateway.objects = [
        galaxy_pb.GalaxyObject(
            gobject_id=1,
            tag_name="温度",
            browse_name="温度",
            attributes=[galaxy_pb.GalaxyAttribute(attribute_name="值", full_tag_reference="温度.值")],
        )
    ]


def test_a_write_that_took_is_a_success(gateway: FakeGateway, piped: Run) -> None:
    """Whatever can be shown of the outcome, the exit code is that of the write."""
    code, out, err = piped("write", "O.A", TEXT)
    assert (code, err) == (0, "")
    assert "complete" in out
    assert gateway.commands_of("write")[0].value.string_value == TEXT


@pytest.mark.parametrize(
    "arguments",
    [
        ("read", "O.A"),
        ("read", "O.A", "--json"),
        ("watch", "O.A", "--max-events", "1"),
        ("watch", "O.A", "--max-events", "1", "--json"),
        ("stream-events", "--session-id", "s", "--max-events", "1"),
        ("browse",),
        ("browse", "--attributes"),
        ("galaxy-browse",),
        ("galaxy-discover",),
        ("read-bulk", "--session-id", "s", "--server-handle", "1", "--items", "O.A"),
    ],
)
def test_results_come_out(piped: Run, arguments: tuple[str, ...]) -> None:
    code, out, _ = piped(*arguments)
    assert code == 0
    assert out


@pytest.mark.parametrize("name", ["read", "no-such-…"])
def test_errors_come_out(piped: Run, name: str) -> None:
    """Also those about what was typed in letters that the pipe does not have."""
    code, _, err = piped(name, "--温度")
    assert code == 2
    assert "No such" in err


def test_what_was_escaped_can_be_written_back(piped: Run) -> None:
    """A script reads a value through such a pipe, and writes what it got."""
    _, out, _ = piped("read", "O.A")
    shown = out.split("\t")[1]
    assert parse_value(shown, "string") == to_mx_value(TEXT)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_help_comes_out(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = io.TextIOWrapper(io.BytesIO(), encoding="cp437", errors="strict")
    monkeypatch.setattr(sys, "stdout", pipe)
    assert main.execute([name, "--help"]) == 0


def test_the_gateways_own_help_comes_out(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="strict")
    monkeypatch.setattr(sys, "stdout", pipe)
    monkeypatch.setattr(server, "help", "… ● 温")
    with pytest.raises(SystemExit) as ended:
        server.main(["--help"])
    assert ended.value.code == 0


def test_a_write_is_done_when_its_result_cannot_be_shown(
    gateway: FakeGateway, cli: Cli, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A full disk behind stdout is told on stderr; the write has taken all the same."""

    def full(text: Any = "", err: bool = False, **_options: Any) -> None:
        if not err:
            raise OSError(28, "No space left on device")
        sys.stderr.write(f"{text}\n")

    monkeypatch.setattr(click, "echo", full)
    outcome = cli("write", "O.A", TEXT)
    assert outcome.code == 0
    assert "No space left" in outcome.err


@pytest.mark.parametrize(
    "given",
    [
        b"\xef\xbb\xbfversion --json\nversion --json\n",
        "version --json\r\nversion --json\r\n".encode("utf-16"),
        b"\xfe\xff" + "version --json\nversion --json\n".encode("utf-16-be"),
        b"version --json\nversion --json\n",
    ],
    ids=["utf-8 with a mark", "utf-16", "utf-16 big", "plain"],
)
def test_a_batch_may_begin_with_a_byte_order_mark(offline: Cli, monkeypatch: pytest.MonkeyPatch, given: bytes) -> None:
    """Editors and shells of Windows write one."""
    stdin = io.TextIOWrapper(io.BufferedReader(io.BytesIO(given)), encoding="utf-8")  # type: ignore[arg-type]
    monkeypatch.setattr(sys, "stdin", stdin)
    outcome = offline.bare("batch")
    documents = outcome.out.split(END_OF_RECORD + "\n")[:-1]
    assert [json.loads(each)["name"] for each in documents] == ["mxgw-py", "mxgw-py"]


def test_a_line_of_a_batch_in_another_encoding_fails_alone(offline: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    given = b"version\nwrite A.B K\xfchlung\nversion\n"
    stdin = io.TextIOWrapper(io.BufferedReader(io.BytesIO(given)), encoding="utf-8")  # type: ignore[arg-type]
    monkeypatch.setattr(sys, "stdin", stdin)
    first, second, third, _ = offline.bare("batch").out.split(END_OF_RECORD + "\n")
    assert first == third
    assert "UTF-8" in json.loads(second)["error"]
