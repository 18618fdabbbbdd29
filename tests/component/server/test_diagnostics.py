"""The diagnostics bundle helps, and tells no secret: what stands in settings, keys, variables and log stays home."""

from __future__ import annotations

import asyncio
import json
import stat
import sys
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.support.gateway import fake_settings, live_gateway
from tests.support.waiting import eventually

from mxgateway_server.cli.main import main
from mxgateway_server.control.place import sockets
from mxgateway_server.logs import get_logger
from mxgateway_server.node.bundle import Bundle, suspicion, without_names

SENTINEL = "SENTINELsentinelSENTINEL0123"


def opened(path: Path) -> dict[str, str]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


@pytest.mark.skipif(sys.platform == "win32", reason="a running gateway is asked over a POSIX socket")
async def test_a_bundle_of_a_running_gateway_has_what_helps_and_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    monkeypatch.setenv("MXGATEWAY_API_KEY", SENTINEL)
    config = tmp_path / "gateway.toml"
    config.write_text(
        f'[galaxy]\nconnection_string = "mssql+pytds://sa:{SENTINEL}@host/ZB"\n'
        f'[worker]\nenvironment = {{ VENDOR = "{SENTINEL}" }}\n'
    )
    async with live_gateway(fake_settings(state)) as gateway:
        await eventually(lambda: bool(sockets(state)))
        await gateway.open(client_session_name="night shift")
        log = get_logger("test")
        log.warning("happened", password=SENTINEL, text=f"Bearer {SENTINEL}", url=f"x://u:{SENTINEL}@h/")
        arguments = ["diagnostics", "--state-dir", str(state), "--config", str(config)]
        target = tmp_path / "bundle.zip"
        done = await asyncio.to_thread(CliRunner().invoke, main, [*arguments, "--output", str(target)])
        assert done.exit_code == 0, done.output
        again = await asyncio.to_thread(CliRunner().invoke, main, [*arguments, "--output", str(target)])
        assert (again.exit_code, "there already" in again.stderr) == (1, True)
        parts = opened(target)
        whole = "\n".join(parts.values())
        assert SENTINEL not in whole
        assert gateway.key not in whole
        assert (state / "pepper").read_text().strip() not in whole
        assert "night shift" not in parts["status.json"]
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert json.loads(parts["status.json"])["sessions"][0]["state"] == "ready"
    assert "mxgateway_sessions_open 1.0" in parts["metrics.txt"]
    assert "MXGATEWAY_API_KEY=" in parts["environment.txt"]
    assert json.loads(parts["config.json"])["origins"]["galaxy.connection_string"].endswith("gateway.toml:2")
    told = json.loads(parts["MANIFEST.json"])
    assert {each["name"] for each in told["files"]} == set(parts) - {"MANIFEST.json"}
    assert told["leftOut"] == {}


def test_without_a_gateway_there_is_a_bundle_all_the_same(tmp_path: Path) -> None:
    target = tmp_path / "bundle.zip"
    done = CliRunner().invoke(main, ["diagnostics", "--state-dir", str(tmp_path), "--output", str(target)])
    assert done.exit_code == 0, done.output
    told = json.loads(opened(target)["MANIFEST.json"])
    assert "running gateway" in told["leftOut"]
    assert "config.json" in {each["name"] for each in told["files"]}


def test_a_part_that_fails_or_looks_like_a_secret_is_left_out_and_told() -> None:
    bundle = Bundle()
    bundle.add("broken.json", lambda: 1 / 0)
    bundle.add("pem.txt", lambda: "-----BEGIN EC PRIVATE KEY-----")
    bundle.add("fine.json", lambda: {"password": SENTINEL, "nested": [{"api_key": SENTINEL}], "seen": 3})
    assert set(bundle.left_out) == {"broken.json", "pem.txt"}
    assert json.loads(bundle.parts["fine.json"])["seen"] == 3
    assert SENTINEL.encode() not in bundle.parts["fine.json"]


@pytest.mark.parametrize(
    "text",
    [
        f"key mxgw_line4_{SENTINEL}",
        "-----BEGIN PRIVATE KEY-----",
        f"postgresql://gw:{SENTINEL}@db/keys",
        f"authorization: Bearer {SENTINEL}",
        "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbm5hIn0.c2lnbmF0dXJl",
    ],
)
def test_what_looks_like_a_secret_is_seen(text: str) -> None:
    assert suspicion(text)


def test_names_of_clients_become_numbers_that_stay_the_same() -> None:
    status = {"sessions": [{"name": "a", "ownerKeyId": "k"}, {"name": "b", "ownerKeyId": "k"}], "health": {"name": "x"}}
    found = without_names(status)
    first, second = found["sessions"]
    assert first["ownerKeyId"] == second["ownerKeyId"] != "k"
    assert first["name"] != second["name"]
    assert found["health"] == {"name": "x"}
