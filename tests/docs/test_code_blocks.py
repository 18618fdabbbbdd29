"""What the documentation shows is what works: Python blocks run, command lines parse, files are valid."""

from __future__ import annotations

import ast
import asyncio
import configparser
import inspect
import json
import os
import re
import signal
import subprocess
import sys
import tomllib
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.code_blocks import ROOT, Block, blocks, check_command, command_lines, pages
from tests.support.shared_gateway import environment

from mxgateway import GatewayClient
from mxgateway.testing import LocalGateway
from mxgateway_cli.main import main as mxgw_py
from mxgateway_server.cli.main import main as mxgateway

pytestmark = pytest.mark.shares_processes

ALL = [block for page in pages() for block in blocks(page)]
PYTHON = [block for block in ALL if block.language == "python"]
SHELL = [block for block in ALL if block.language in ("sh", "powershell", "console")]
PROGRAMS = [block for block in PYTHON if "asyncio.run(" in block.text and not block.title]
STEPS = [block for block in PYTHON if block not in PROGRAMS and not block.title]
PAGES_WITH_STEPS = sorted({block.page for block in STEPS})
# A fragment that would go on for ever is stopped after so many lines of output.
ENOUGH = 3

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
VERSION = PROJECT["version"]

# Programs that are not ours; what follows them is not checked.
FOREIGN = {
    *("journalctl", "source", "export", "curl", "git", "eval", "cd", "tee", "python3"),
    *("systemctl", "useradd", "userdel", "install", "rm"),
    # PowerShell and Windows
    *("py", "sc.exe", "icacls", "Invoke-RestMethod", "New-Item", "Remove-Item", "Activate.ps1"),
}


class EnoughSeenError(Exception):
    """The fragment has printed what there is to see."""


def fill_in(text: str, gateway: LocalGateway) -> str:
    """The block with the placeholders of the documentation replaced by the gateway's."""
    text = text.replace("localhost:5001", gateway.endpoint).replace("<key>", gateway.api_key)
    return text.replace("<gateway-ca.pem>", str(gateway.ca_file).replace("\\", "/"))


@pytest.mark.parametrize("block", PYTHON, ids=lambda block: block.where)
def test_python_blocks_compile(block: Block) -> None:
    compile(block.text, block.where, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES_WITH_STEPS, ids=lambda page: page.name)
async def test_the_steps_of_a_page_run_in_order(
    page: Path, gateway: LocalGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MXGATEWAY_ENDPOINT", "MXGATEWAY_API_KEY", "MXGATEWAY_CA_FILE"):
        monkeypatch.setenv(name, environment(gateway)[name])
    printed: list[str] = []

    def show(*values: object, **_: Any) -> None:
        printed.append(" ".join(map(str, values)))
        if len(printed) == ENOUGH and "async for" in running.text:
            raise EnoughSeenError

    async with (
        asyncio.timeout(40),
        await GatewayClient.connect(
            endpoint=gateway.endpoint, api_key=gateway.api_key, ca_file=gateway.ca_file
        ) as client,
    ):
        names: dict[str, Any] = {
            "client": client,
            "endpoint": gateway.endpoint,
            "api_key": gateway.api_key,
            "ca_file": str(gateway.ca_file),
            "print": show,
        }
        for running in (block for block in STEPS if block.page == page):
            printed.clear()
            code = compile(fill_in(running.text, gateway), running.where, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            try:
                result = eval(code, names)
                if inspect.isawaitable(result):
                    await result
            except EnoughSeenError:
                pass
            assert not [line for line in printed if gateway.api_key in line], f"{running.where} shows the key"


@pytest.mark.slow
@pytest.mark.parametrize("block", PROGRAMS, ids=lambda block: block.where)
def test_the_programs_of_the_documentation_run(block: Block, gateway: LocalGateway, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(fill_in(block.text, gateway), encoding="utf-8")
    with subprocess.Popen(
        [sys.executable, "-u", str(program)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        lines = [process.stdout.readline() for _ in range(2)]
        process.send_signal(signal.SIGINT)
        errors = process.stderr.read()
    assert all(lines), errors
    assert process.returncode in (0, -signal.SIGINT, 130, 1)
    assert process.returncode == 0 or "KeyboardInterrupt" in errors, errors


def program_of(words: list[str]) -> list[str]:
    """The command without `sudo`, and its program without the folder that it stands in."""
    while words and words[0] == "sudo":
        words = words[3:] if words[1] == "-u" else words[1:]
    first = words[0].rpartition("/")[2] if "/" in words[0] else words[0]
    return [first.removesuffix(".exe") if first.startswith("mx") else first, *words[1:]]


def check_pip(words: list[str]) -> None:
    """Extras and files that a pip line names exist."""
    known = set(
        tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    )
    for word in words:
        found = re.search(r"(?:mxaccess[-_]gateway\S*|^\.)\[([\w,]+)\]", word)
        assert not found or set(found[1].split(",")) <= known, f"no such extra: {word}"
        if word.endswith(".txt"):
            assert (ROOT / word).is_file(), word
        if wheel := re.search(r"mxaccess_gateway-([\d.]+)-py3", word):
            assert wheel[1] == VERSION, f"the version is {VERSION}: {word}"


@pytest.mark.parametrize("block", SHELL, ids=lambda block: block.where)
def test_command_lines_parse(block: Block) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for words in map(program_of, command_lines(block)):
        match words:
            case ["mxgw-py", *_]:
                check_command(mxgw_py, words)
            case ["mxgateway", *_]:
                check_command(mxgateway, words)
            case ["make", *rest]:
                assert {word for word in rest if "=" not in word} <= targets, words
            case ["python", "-m", "mxgateway_cli", *rest]:
                check_command(mxgw_py, ["mxgw-py", *rest])
            case ["python", "-m", "mxgateway_server", *rest]:
                check_command(mxgateway, ["mxgateway", *rest])
            case ["python", "-m", "pytest", *paths]:
                assert [path for path in paths if "/" in path and not (ROOT / path).exists()] == []
            case ["python", script, *_]:
                assert (ROOT / script).is_file(), words
            case ["pip", *rest]:
                check_pip(rest)
            case [program, *_]:
                assert program in FOREIGN, f"{block.where}: what is {program}?"


def test_globs_and_texts_stand_in_double_quotes() -> None:
    """Every shell takes them; cmd.exe hands single ones on to the program. Only a `!` wants single ones, in bash."""
    lines = [(block.where, line) for block in SHELL for line in block.text.splitlines()]
    single = [f"{where}: {line}" for where, line in lines if "'" in line and "!" not in line]
    assert single == []


def test_every_tab_for_one_system_has_one_for_another() -> None:
    """Who reads a page on Windows finds its line, and nobody finds a tab alone."""
    lonely = []
    for page in pages():
        groups = re.split(r"\n(?!=== |    |\n)", page.read_text(encoding="utf-8"))
        for group in groups:
            titles = re.findall(r'^=== "([^"]+)"', group, re.MULTILINE)
            # Other tabs are of other choices, as how people sign in.
            systems = {word for title in titles for word in re.findall("Linux|macOS|Windows", title)}
            if systems and not ("Windows" in systems and len(systems) > 1):
                lonely.append(f"{page.name}: {titles}")
    assert lonely == []


def test_the_site_names_the_version() -> None:
    assert f"{VERSION} ·" in yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["copyright"]


@pytest.mark.parametrize("block", [b for b in ALL if b.title.endswith("gateway.toml")], ids=lambda b: b.where)
def test_the_configuration_shown_is_accepted(block: Block, tmp_path: Path) -> None:
    from mxgateway_server.config.sources import load

    file = tmp_path / "gateway.toml"
    file.write_text(block.text, encoding="utf-8")
    load(file)


@pytest.mark.parametrize(
    "block", [b for b in ALL if b.language in ("toml", "ini", "xml", "json", "yaml")], ids=lambda b: b.where
)
def test_files_shown_are_well_formed(block: Block) -> None:
    match block.language:
        case "toml":
            tomllib.loads(block.text)
        case "ini":
            configparser.ConfigParser(interpolation=None).read_string(block.text)
        case "xml":
            ElementTree.fromstring(block.text)
        case "json":
            json.loads(block.text)
        case "yaml":
            yaml.safe_load(block.text)


def test_the_readme_has_both_commands_and_an_example() -> None:
    readme = list(blocks(ROOT / "README.md"))
    commands = [words for block in readme if block.language == "sh" for words in command_lines(block)]
    assert ["make", "demo"] in commands
    assert ["make", "test"] in commands
    assert [block for block in PROGRAMS if block.page.name == "README.md"]


def test_no_page_names_a_path_of_one_machine() -> None:
    home = os.path.expanduser("~")
    texts = {page: page.read_text(encoding="utf-8") for page in pages()}
    assert [page.name for page, text in texts.items() if f"{home}/" in text or str(ROOT) in text] == []
