"""What the page on troubleshooting quotes is what the programs say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.support.code_blocks import ROOT

from mxgateway_server.cli.main import main

PAGE = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("toml", "arguments", "quoted"),
    [
        (None, ["--config", "missing.toml"], "no such file"),
        ("listen =", [], "not TOML"),
        ("[sesions]", [], "no such setting"),
        ("listen = ''", [], "nothing to listen on"),
        ("[tls]\ncertificate_file = 'a.pem'", [], "set tls.certificate_file and tls.key_file together"),
        ("listen_plaintext = '0.0.0.0:1'", [], "would carry API keys in clear"),
        ("[worker]\nheartbeat_grace_seconds = 5", [], "every idle worker would count as hung"),
        ("listen = '0.0.0.0:1'\n[authentication]\nmode = 'disabled'", [], "needs loopback addresses"),
    ],
)
def test_wrong_settings_are_said_as_quoted(toml: str | None, arguments: list[str], quoted: str, tmp_path: Path) -> None:
    if toml is not None:
        (tmp_path / "gateway.toml").write_text(toml, encoding="utf-8")
        arguments = ["--config", str(tmp_path / "gateway.toml")]
    result = CliRunner().invoke(main, ["check-config", *arguments])
    assert result.exit_code == 1
    assert quoted in result.output
    assert f"`{quoted}`" in PAGE


@pytest.mark.parametrize(
    ("arguments", "quoted"),
    [
        (["--galaxy", "nosuch"], "give a file, or one of reference, plant"),
        (["--galaxy", "missing.db"], "build it with mxgateway galaxy build"),
        (["--galaxy", "mssql+pytds://host/ZB"], "needs a Galaxy in an SQLite file"),
    ],
)
def test_what_stops_a_start_is_said_as_quoted(arguments: list[str], quoted: str, tmp_path: Path) -> None:
    flags = ["--state-dir", str(tmp_path), "--listen", "localhost:0", *arguments]
    result = CliRunner().invoke(main, ["serve", *flags])
    assert result.exit_code == 1
    assert quoted in result.output
    assert f"`{quoted}`" in PAGE


def test_the_lines_of_the_log_that_the_page_explains_are_written() -> None:
    section = PAGE.partition("## Lines of the gateway's log")[2]
    first_cells = re.findall(r"^\| (`[^|]+) \|", section, re.MULTILINE)
    explained = set(re.findall(r"`(\w+)`", " ".join(first_cells)))
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "src" / "mxgateway_server").rglob("*.py"))
    assert len(explained) >= 10
    assert {event for event in explained if f'"{event}"' not in sources} == set()
