"""Code blocks of Markdown pages, and command lines checked against click."""

from __future__ import annotations

import re
import shlex
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parents[2]
# In a tab a block stands indented.
_FENCE = re.compile(r"^( *)```([\w-]+)?([^\n]*)\n(.*?)^\1```\s*$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """One fenced block.

    Attributes:
        title: the `title="…"` of its fence: such a block is a file, not a step of the page.
    """

    page: Path
    line: int
    language: str
    title: str
    text: str

    @property
    def where(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def pages() -> list[Path]:
    """README, CONTRIBUTING and everything in docs."""
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page."""
    text = page.read_text(encoding="utf-8")
    for match in _FENCE.finditer(text):
        title = re.search(r'title="([^"]*)"', match[3])
        line = text.count("\n", 0, match.start()) + 1
        yield Block(page, line, match[2] or "", title[1] if title else "", textwrap.dedent(match[4]))


def command_lines(block: Block) -> Iterator[list[str]]:
    """The commands of a shell block as words: comments, prompts, variables in front and continuations taken away."""
    text = block.text.replace("\\\n", " ")
    if block.language == "powershell":
        # A backslash is an ordinary character there, and a backtick continues a line.
        text = re.sub(r"^\$env:\w+ = .*$", "", block.text.replace("`\n", " ").replace("\\", "/"), flags=re.MULTILINE)
    for line in text.splitlines():
        if line.strip().startswith("# "):
            continue
        for part in re.split(r"\s(?:\||&&|;)\s", line):
            words = shlex.split(re.split(r"\s[<>] |  # ", part)[0])
            while words and re.fullmatch(r"\w+=.*", words[0]):
                words.pop(0)
            if words:
                yield words


def check_command(program: click.Command, words: list[str]) -> None:
    """Parses a command line as click would, up to the values.

    Raises:
        click.UsageError: no such command or flag, or a required option is missing.
    """
    name, *arguments = words
    context = click.Context(program, info_name=name)
    command = program
    while isinstance(command, click.Group) and arguments and not arguments[0].startswith("-"):
        found = command.get_command(context, arguments[0])
        if found is None:
            raise click.UsageError(f"no such command: {' '.join(words)}")
        command, arguments = found, arguments[1:]
        context = click.Context(command, info_name=command.name, parent=context)
    given, left, order = command.make_parser(context).parse_args(list(arguments))
    if "--help" in arguments or "--version" in arguments:
        return
    seen = {parameter.name for parameter in order if given.get(str(parameter.name)) not in (None, ())}
    missing = [p.name for p in command.params if p.required and p.name not in seen]
    if missing or left:
        raise click.UsageError(f"missing {missing}, left over {left}: {' '.join(words)}")
