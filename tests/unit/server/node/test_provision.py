"""Laying a 32-bit Python's packages."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.support.fake_node import PYTHON, FakeNode, about, program

from mxgateway_server.errors import ConfigurationError
from mxgateway_server.node.facts import FileFacts, Run
from mxgateway_server.node.provision import WORKER_PACKAGES, Provisioned, choose, provision

OTHER = "C:\\py64\\python.exe"


class Pip:
    """Lays a file in place of packages."""

    def __init__(self, failure: str = "") -> None:
        self.calls: list[list[str]] = []
        self.failure = failure

    def __call__(self, arguments: Sequence[str]) -> None:
        self.calls.append(list(arguments))
        if self.failure:
            raise ConfigurationError(self.failure)
        Path(arguments[list(arguments).index("--target") + 1], "google.py").write_text("")


def lay(node: FakeNode, target: Path, pip: Pip, **given: object) -> Provisioned:
    chosen: dict[str, object] = {"python": PYTHON, "embeddable": None, "wheels": "", "registered": (), **given}
    return provision(node, target, pip=pip, **chosen)  # type: ignore[arg-type]


def test_packages_are_laid_for_the_other_processor_and_the_settings_printed(tmp_path: Path) -> None:
    pip = Pip()
    made = lay(FakeNode(), tmp_path, pip)
    assert {path.name for path in (tmp_path / "packages").iterdir()} == {*WORKER_PACKAGES, "google.py"}
    assert (tmp_path / "packages" / "mxgateway_worker" / "backends" / "com" / "backend.py").is_file()
    assert not list(tmp_path.rglob("__pycache__"))
    (call,) = pip.calls
    assert call[call.index("--platform") + 1] == "win32"
    assert call[call.index("--python-version") + 1] == "3.13"
    assert "--only-binary=:all:" in call
    assert made.settings().splitlines() == [
        "[worker]", 'backend = "com"', f"com_python = '{PYTHON}'", f"com_packages = '{tmp_path / 'packages'}'"
    ]  # fmt: skip
    assert json.loads((tmp_path / "worker32.json").read_text())["comPython"] == PYTHON


def test_without_a_network_wheels_come_from_a_folder(tmp_path: Path) -> None:
    pip = Pip()
    lay(FakeNode(), tmp_path, pip, wheels="D:\\wheels")
    assert "--no-index" in pip.calls[0]
    assert pip.calls[0][pip.calls[0].index("--find-links") + 1] == "D:\\wheels"


def test_it_works_again_over_an_older_one_and_a_failure_leaves_that(tmp_path: Path) -> None:
    lay(FakeNode(), tmp_path, Pip())
    (tmp_path / "packages" / "old.txt").write_text("")
    with pytest.raises(ConfigurationError, match="no wheel"):
        lay(FakeNode(), tmp_path, Pip("no wheel"))
    assert (tmp_path / "packages" / "old.txt").exists()
    lay(FakeNode(), tmp_path, Pip())
    assert not (tmp_path / "packages" / "old.txt").exists()
    assert {path.name for path in tmp_path.iterdir()} == {"packages", "worker32.json"}


def test_the_first_registered_interpreter_that_will_do_is_taken() -> None:
    node = FakeNode()
    node.files[OTHER] = FileFacts(program(0x8664), 9)
    assert choose(node, "", [OTHER, "C:\\gone.exe", PYTHON]) == PYTHON


@pytest.mark.parametrize(
    ("files", "python", "text"),
    [
        ({}, Run(0, about()), "there is no such file"),
        ({PYTHON: FileFacts(program(0x8664), 9)}, Run(0, about()), "64-bit"),
        ({PYTHON: FileFacts(b"", 0)}, Run(0, about()), "alias"),
        ({PYTHON: FileFacts(b"", 9, "denied")}, Run(0, about()), "denied"),
        ({PYTHON: FileFacts(program(), 9)}, Run(1), "does not run"),
        ({PYTHON: FileFacts(program(), 9)}, Run(0, "hello"), "does not run"),
        ({PYTHON: FileFacts(program(), 9)}, Run(0, about(version=[3, 9, 0])), "older than 3.11"),
    ],
)
def test_what_will_not_do_is_refused_by_name(files: dict[str, FileFacts], python: Run, text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        choose(FakeNode(files=files, python=python), PYTHON, ())
    with pytest.raises(ConfigurationError, match="Windows x86"):
        choose(FakeNode(files=files, python=python), "", [PYTHON])


def test_an_embeddable_python_is_unpacked_and_finds_the_packages_itself(tmp_path: Path) -> None:
    """Its ._pth file switches PYTHONPATH off, so the packages are named in it."""
    archive = tmp_path / "embed.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("python.exe", program())
        packed.writestr("python313._pth", "python313.zip\n.\n")
    home = tmp_path / "state" / "python"
    node = FakeNode()
    for folder in (home, home.with_name("python.new")):
        node.files[str(folder / "python.exe")] = FileFacts(program(), 9)
    made = lay(node, tmp_path / "state", Pip(), python="", embeddable=archive)
    assert (home / "python313._pth").read_text() == "python313.zip\n.\n..\\packages\n"
    assert (made.com_python, made.com_packages) == (str(home / "python.exe"), "")
    assert "com_packages" not in made.settings()


@pytest.mark.parametrize("content", [b"no zip", None])
def test_an_archive_that_is_none_is_told(tmp_path: Path, content: bytes | None) -> None:
    archive = tmp_path / "embed.zip"
    if content is None:
        with zipfile.ZipFile(archive, "w") as packed:
            packed.writestr("readme.txt", "x")
    else:
        archive.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"embed\.zip"):
        lay(FakeNode(), tmp_path / "state", Pip(), python="", embeddable=archive)


@pytest.mark.parametrize("what", ["packages", "python"])
def test_what_running_workers_hold_is_left_as_it_is_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """Windows renames no folder in which a program has a file open."""
    archive = tmp_path / "embed.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("python.exe", program())
        packed.writestr("python313._pth", "python313.zip\n.\n")
    target = tmp_path / "state"
    node = FakeNode()
    for folder in ("python", "python.new"):
        node.files[str(target / folder / "python.exe")] = FileFacts(program(), 9)
    given: dict[str, object] = {"python": "", "embeddable": archive}
    lay(node, target, Pip(), **given)
    (target / what / "in-use.dll").write_text("")
    rename = Path.rename

    def refuse(self: Path, to: Path) -> Path:
        if self == target / what:
            raise PermissionError(13, "Access is denied")
        return rename(self, to)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(ConfigurationError, match=rf"{what} cannot be replaced .*Stop the gateway"):
        lay(node, target, Pip(), **given)
    assert (target / what / "in-use.dll").exists()
    assert {path.name for path in target.iterdir()} == {"packages", "python", "worker32.json"}


def test_a_python_that_does_not_find_the_worker_is_told(tmp_path: Path) -> None:
    def on_run(arguments: tuple[str, ...], variables: dict[str, str]) -> Run | None:
        return Run(0, about(missing="google").replace('"worker"', '"other"')) if variables else None

    with pytest.raises(ConfigurationError, match="does not find the worker"):
        lay(FakeNode(on_run=on_run), tmp_path, Pip())
