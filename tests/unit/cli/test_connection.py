"""Where the gateway is and which key is used: flags, profiles, defaults, and what excludes what."""

from __future__ import annotations

import asyncio
import io
import json
import stat
import sys
from pathlib import Path
from typing import Any

import click
import grpc
import pytest
from tests.support.fake_gateway import Abort, FakeGateway, data_change, ok
from tests.unit.cli.conftest import API_KEY, Cli

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_cli import profiles
from mxgateway_cli.commands.batch import END_OF_RECORD
from mxgateway_cli.connection import resolve
from mxgateway_contract.private_files import write_private

unix = pytest.mark.skipif(sys.platform == "win32", reason="rights of files as on Unix")


def test_tls_is_the_default() -> None:
    """Without flags the channel is TLS, also to localhost; plaintext only by its flag, with a port of its own."""
    assert (resolve().options.plaintext, resolve().options.endpoint) == (False, "localhost:5001")
    assert not resolve(endpoint="localhost:5000").options.plaintext
    assert not resolve(endpoint="127.0.0.1:5000", tls=True).options.plaintext
    plaintext = resolve(plaintext=True).options
    assert (plaintext.plaintext, plaintext.endpoint) == (True, "localhost:5000")


@pytest.mark.parametrize(
    "flags",
    [
        ("--tls", "--plaintext"),
        ("--plaintext", "--ca-file", "x.pem"),
        ("--plaintext", "--server-name-override", "x"),
        ("--plaintext", "--client-cert", "x", "--client-key", "x"),
        ("--client-cert", __file__),
        ("--client-cert", __file__, "--client-key", "/no/such"),
        ("--api-key", "a", "--api-key-env", "B"),
        ("--api-key-env", "NOT_SET_ANYWHERE"),
        ("--ca-file", "does-not-exist.pem"),
        ("--endpoint", "http://localhost:5000"),
        ("--endpoint", "localhost"),
        ("--timeout", "0"),
        ("--profile", "missing"),
    ],
)
def test_contradictions_are_usage_errors(offline: Cli, flags: tuple[str, ...]) -> None:
    """Flags that exclude each other or cannot work end with 2 before anything is sent."""
    assert offline.bare("session-state", "--session-id", "x", *flags).code == 2


def test_key_in_a_wrong_form_is_not_shown(offline: Cli) -> None:
    """The error about a key that cannot travel in a header does not contain it."""
    outcome = offline.bare("session-state", "--session-id", "x", "--api-key", "secret\u00e9key")
    assert outcome.code == 2
    assert "secret" not in outcome.err


def test_environment_is_read_only_when_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """MXGATEWAY_API_KEY counts only with --api-key-env."""
    monkeypatch.setenv("MXGATEWAY_API_KEY", API_KEY)
    assert resolve().options.api_key is None
    chosen = resolve(api_key_env="MXGATEWAY_API_KEY")
    assert chosen.options.api_key == API_KEY
    assert "MXGATEWAY_API_KEY" in chosen.key_source


def test_shutdown_timeout_reaches_the_options(gateway: FakeGateway, cli: Cli) -> None:
    """--shutdown-timeout bounds closing: a gateway that does not answer CloseSession ends the command in that time."""
    gateway.script("CloseSession", "hold")
    outcome = cli("close-session", "--session-id", "x", "--shutdown-timeout", "0.2")
    assert outcome.code == 1
    assert "DEADLINE_EXCEEDED" in outcome.err


def test_timeout_bounds_the_command(gateway: FakeGateway, cli: Cli) -> None:
    """--timeout ends a call that hangs, with a text that names the flag or the deadline."""
    gateway.script("Invoke", "hold")
    outcome = cli("session-state", "--session-id", "x", "--timeout", "0.2")
    assert outcome.code == 1
    assert "--timeout" in outcome.err or "DEADLINE_EXCEEDED" in outcome.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("bench-read-bulk", "--duration-seconds", "2.3", "--warmup-seconds", "0"),
        ("bench-stream-events", "--duration-seconds", "2.3", "--warmup-seconds", "0", "--bulk-size", "1"),
        ("stream-events", "--session-id", "x", "--duration", "2.3"),
        ("watch", "A.B", "--duration", "2.3"),
        ("record", "A.B", "--duration", "2.3", "--output", "FILE"),
        ("galaxy-watch", "--duration", "2.3"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_timeout_does_not_bound_what_streams_or_measures(
    gateway: FakeGateway, cli: Cli, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    """Such a command runs longer than --timeout, which is for its single calls, and ends with 0."""

    def answer(request: pb.MxCommandRequest) -> Any:
        # A bench that measures no event fails by that.
        for index in range(100):
            asyncio.get_running_loop().call_later(index * 0.02, gateway.put, data_change(index + 1))
        return gateway.reply(request)

    if arguments[0] == "bench-stream-events":
        gateway.answer("subscribe_bulk", answer)
    named = [str(tmp_path / "out.csv") if each == "FILE" else each for each in arguments]
    outcome = cli(*named, "--timeout", "2")
    assert outcome.code == 0, outcome.err


def test_login_saves_a_profile_that_works(gateway: FakeGateway, cli: Cli) -> None:
    """login checks the gateway, keeps the key in an owner-only file, and other commands then need no options."""
    key_file = profiles.profiles_file().parent / "k"
    write_private(key_file, API_KEY + "\n")
    saved = cli("login", "--api-key-file", str(key_file), "--json")
    assert saved.code == 0, saved.err
    assert API_KEY not in saved.out
    gateway.metadata.clear()
    assert cli.bare("session-state", "--session-id", "x").code == 0
    assert gateway.metadata[0]["authorization"] == f"Bearer {API_KEY}"


@unix
def test_profile_files_are_for_the_owner_alone(gateway: FakeGateway, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """The profile and its key have mode 600, and the key is asked for without echo and not in the profile itself."""
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr(click, "prompt", lambda *_args, **_kwargs: API_KEY)
    assert cli("login", "--profile", "plant").code == 0
    folder = profiles.profiles_file().parent
    for path in (profiles.profiles_file(), folder / "plant.key"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert API_KEY not in profiles.profiles_file().read_text()
    assert json.loads(profiles.profiles_file().read_text())["plant"]["api_key_file"].endswith("plant.key")


def test_profiles_are_listed_and_forgotten(offline: Cli, tmp_path: Path) -> None:
    """A key that login keeps goes with its profile, one in somebody's own file stays; no list shows a key."""
    kept, own = profiles.kept_key_file("plant"), tmp_path / "own-key"
    for file in (kept, own):
        write_private(file, API_KEY + "\n")
    assert "mxgw-py login makes one" in offline.bare("profiles").out
    profiles.save("plant", profiles.Profile("gateway:5001", api_key_file=str(kept)))
    profiles.save("pilot", profiles.Profile("gateway:5000", plaintext=True, api_key_file=str(own)))
    profiles.save("third", profiles.Profile("gateway:5000", api_key_env="K"))
    lines = offline.bare("profiles").out.splitlines()
    assert lines[0] == f"pilot\tgateway:5000\tplaintext\tkey: file {own}"
    assert lines[2] == "third\tgateway:5000\tTLS\tkey: variable K"
    assert API_KEY not in offline.bare("profiles", "--json").out
    assert offline.bare("logout", "--profile", "plant").code == 0
    assert offline.bare("logout", "--profile", "pilot").code == 0
    assert (kept.exists(), own.exists(), profiles.names()) == (False, True, ["third"])
    outcome = offline.bare("logout")
    assert (outcome.code, "there is no profile 'default'" in outcome.err) == (2, True)
    outcome = offline.bare("logout", "--profile", "plant")
    assert (outcome.code, "(there are: third)" in outcome.err) == (2, True)


def test_login_without_options_asks_for_all_by_name(
    gateway: FakeGateway, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gateway, certificate, name of the profile and key, in this order; without a terminal it says what to give."""
    asked: list[str] = []
    answers = iter([cli.endpoint, "plant", API_KEY])

    def answer(text: str, **_: object) -> str:
        asked.append(text)
        return next(answers)

    outcome = cli.bare("login", "--plaintext")
    assert (outcome.code, "--endpoint" in outcome.err) == (2, True)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr(click, "prompt", answer)
    outcome = cli.bare("login", "--plaintext")
    assert outcome.code == 0, outcome.err
    assert asked == ["Gateway (HOST:PORT)", "Name of the profile", "API key"]
    assert profiles.load("plant") is not None


def test_a_variable_that_a_profile_names_is_told_with_the_profile(
    offline: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Next morning, in a new terminal: who gave no --api-key-env is not told of one, but of the profile that did."""
    monkeypatch.delenv("SOME_KEY", raising=False)
    profiles.save("default", profiles.Profile("gateway:5001", api_key_env="SOME_KEY"))
    profiles.save("plant", profiles.Profile("gateway:5001", api_key_env="SOME_KEY"))
    for given, name in (((), "default"), (("--profile", "plant"), "plant")):
        outcome = offline.bare("ping", "--session-id", "x", *given)
        assert outcome.code == 2
        assert f"SOME_KEY (named by profile '{name}') is not set" in outcome.err
        assert f"mxgw-py login --endpoint gateway:5001 --profile {name}" in outcome.err
    outcome = offline.bare("ping", "--session-id", "x", "--api-key-env", "SOME_KEY")
    assert "SOME_KEY (--api-key-env) is not set; set it to the API key" in outcome.err


def test_a_key_that_is_refused_is_told_with_where_it_came_from(
    gateway: FakeGateway, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With several sources of keys the question is which one was taken; the key itself is never shown."""
    monkeypatch.setenv("SOME_KEY", API_KEY)
    for given, source in (
        ((), "no key was given"),
        (("--api-key", API_KEY), "the key came from --api-key:"),
        (("--api-key-env", "SOME_KEY"), "the key came from environment variable SOME_KEY:"),
    ):
        gateway.script("OpenSession", Abort(grpc.StatusCode.UNAUTHENTICATED, "a valid API key is needed"))
        outcome = cli("read", "A.B", *given)
        assert outcome.code == 1
        assert source in outcome.err
        assert API_KEY not in outcome.err


@unix
def test_profile_that_others_can_read_is_refused(offline: Cli) -> None:
    """A profile file with rights for others is a usage error that says what to do."""
    path = profiles.save("default", profiles.Profile("localhost:1"))
    path.chmod(0o644)
    outcome = offline.bare("session-state", "--session-id", "x")
    assert outcome.code == 2
    assert "chmod 600" in outcome.err


def test_key_of_the_default_profile_stays_with_its_gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    """An explicit --endpoint leaves the default profile aside, so its key never goes to another gateway."""
    monkeypatch.setenv("K", API_KEY)
    profiles.save("default", profiles.Profile("gateway:5001", api_key_env="K"))
    assert resolve().options.api_key == API_KEY
    assert resolve(endpoint="other:5001").options.api_key is None
    assert resolve(plaintext=True).options.api_key is None


def test_profile_file_can_be_named(tmp_path: Path) -> None:
    """--profile takes a file that ends in .json."""
    path = profiles.save("default", profiles.Profile("gateway:7001"), tmp_path / "joined.json")
    assert resolve(profile=str(path)).options.endpoint == "gateway:7001"


def test_batch_runs_lines_until_the_end(gateway: FakeGateway, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """batch runs each line, marks the end of each, turns failures into JSON, and goes on until the end of input."""
    at = f"--endpoint {cli.endpoint} --plaintext"
    lines = f"version --json\n\nping --session-id s --message 'a b' {at}\nadvise --session-id s {at}\n'unbalanced\n"
    monkeypatch.setattr("sys.stdin", io.StringIO(lines))
    outcome = cli.bare("batch")
    assert (outcome.code, outcome.err) == (0, "")
    records = outcome.out.split(END_OF_RECORD + "\n")
    assert len(records) == 6
    assert json.loads(records[0])["name"] == "mxgw-py"
    assert records[1] == ""
    assert records[2] == "a b\n"
    for failed in records[3:5]:
        assert json.loads(failed)["type"] == "error"


def test_a_line_of_a_batch_has_one_document(gateway: FakeGateway, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """A result that tells of a failed part is not followed by an error: scripts parse what stands before the mark."""
    reply = pb.MxCommandReply(protocol_status=ok())
    reply.read_bulk.results.add(tag_address="A.B", error_message="no such tag")
    gateway.answer("read_bulk", reply)
    monkeypatch.setattr("sys.stdin", io.StringIO(f"read A.B --json --endpoint {cli.endpoint} --plaintext\n"))
    (record, rest) = cli.bare("batch").out.split(END_OF_RECORD + "\n")
    assert rest == ""
    assert json.loads(record)["results"][0]["errorMessage"] == "no such tag"


def test_profiles_complete_by_name(offline: Cli) -> None:
    """Shell completion of --profile offers the saved names, and an unknown one is met with them."""
    profiles.save("plant", profiles.Profile("localhost:1"))
    profiles.save("pilot", profiles.Profile("localhost:1"))
    assert profiles.names() == ["pilot", "plant"]
    outcome = offline.bare("ping", "--session-id", "x", "--profile", "plnt")
    assert outcome.code == 2
    assert "(there are: pilot, plant)" in outcome.err


def test_a_profile_of_a_short_life_takes_a_free_name_and_goes_without_a_trace(offline: Cli, tmp_path: Path) -> None:
    """What a user saved is never replaced; what a killed program left behind is."""
    ca_file = tmp_path / "ca.pem"
    ca_file.touch()
    mine = profiles.Profile("gateway:1", ca_file=str(ca_file))
    short = profiles.Profile("localhost:2", ca_file=str(ca_file), api_key_file="k")
    profiles.save("demo", mine)
    assert profiles.save_temporary("demo", short) == "demo-2"
    profiles.forget("demo", short)
    assert profiles.load("demo") == mine, "it stands under another name"
    profiles.forget("demo-2", short)
    assert profiles.names() == ["demo"]
    profiles.forget("demo", mine)
    assert not profiles.profiles_file().exists()
    profiles.save("demo", profiles.Profile("localhost:3", ca_file=str(tmp_path / "gone.pem")))
    assert profiles.save_temporary("demo", short) == "demo"
