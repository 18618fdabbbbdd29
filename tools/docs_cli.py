"""The CLI reference pages, from the click commands themselves."""

from __future__ import annotations

import inspect
import re
from collections import Counter
from collections.abc import Iterator, Mapping

import click

_GENERATED = "<!-- Made from the commands by python tools/generate_docs.py; do not edit. -->\n"


def cli_page(
    program: str, group: click.Group, intro: str, sections: Mapping[str, Mapping[str, str]] | None = None
) -> str:
    """A page with every command of the group: what it does, how it is called, its options, its examples.

    `sections` order the table of commands by title, as the help of the program does.
    """
    root = click.Context(group, info_name=program)
    commands = list(_walk(group, root))
    common = _common([command for command, _ in commands])
    parts = [f"# {program}\n", f"{_GENERATED}\n{intro}\n", _group_text(group)]
    for title, names in (sections or {"": dict.fromkeys(group.list_commands(root), "")}).items():
        of_section = [each for name in names for each in commands if _path(program, each[1]).split(" ")[0] == name]
        heading = f"**{title}**\n\n" if title else ""
        rows = "\n".join(_index_row(program, each) for each in of_section)
        parts.append(f"{heading}| command | does |\n|---|---|\n{rows}\n")
    if common:
        parts.append("## Common options\n\nMost commands take these; they are not repeated below.\n")
        parts.append(_options_table(list(common.values())))
    for command, context in commands:
        parts.append(_command_text(program, command, context, common))
    return "\n".join(parts)


def _walk(group: click.Group, context: click.Context) -> Iterator[tuple[click.Command, click.Context]]:
    for name in sorted(group.list_commands(context)):
        command = group.get_command(context, name)
        if command is None or command.hidden:
            continue
        inner = click.Context(command, info_name=name, parent=context)
        if isinstance(command, click.Group):
            yield from _walk(command, inner)
        else:
            yield command, inner


def _key(option: click.Option) -> tuple[str, ...]:
    return (*option.opts, *option.secondary_opts, option.help or "")


def _common(commands: list[click.Command]) -> dict[tuple[str, ...], click.Option]:
    """Options that at least half of the commands have in the same words, of those that may be left out."""
    first: dict[tuple[str, ...], click.Option] = {}
    count: Counter[tuple[str, ...]] = Counter()
    for command in commands:
        for option in [each for each in _options(command) if not each.required]:
            first.setdefault(_key(option), option)
            count[_key(option)] += 1
    return {key: option for key, option in first.items() if len(commands) > 15 and count[key] * 2 >= len(commands)}


def _options(command: click.Command) -> list[click.Option]:
    return [each for each in command.params if isinstance(each, click.Option) and not each.hidden]


def _path(program: str, context: click.Context) -> str:
    return context.command_path.removeprefix(f"{program} ")


def _index_row(program: str, entry: tuple[click.Command, click.Context]) -> str:
    command, context = entry
    name = _path(program, context)
    first = (_prose(command.help or "").split("\n\n")[0]).replace("\n", " ")
    return f"| [`{name}`](#{name.replace(' ', '-')}) | {_cell(first)} |"


def _group_text(group: click.Group) -> str:
    return _help(group.help or "")


def _command_text(
    program: str, command: click.Command, context: click.Context, common: dict[tuple[str, ...], click.Option]
) -> str:
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    parts = [f"## {_path(program, context)}\n", _help(command.help or ""), f"```text\n{usage}\n```\n"]
    arguments = [each for each in command.params if isinstance(each, click.Argument)]
    if any(getattr(each, "help", None) for each in arguments):
        parts.append("\n".join(f"- `{each.make_metavar(context)}` {getattr(each, 'help', '')}" for each in arguments))
    own = [option for option in _options(command) if option.required or _key(option) not in common]
    if own:
        parts.append(_options_table(own))
    if command.epilog:
        parts.append(_help(command.epilog))
    return "\n".join(parts)


def _options_table(options: list[click.Option]) -> str:
    rows = []
    for option in options:
        context = click.Context(click.Command("x"))
        names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
        value = "" if option.is_flag or option.count else f" `{option.make_metavar(context)}`"
        text = re.sub(r"\s*\[default: [^\]]*\]", "", option.help or "")
        rows.append(f"| {names}{value.replace('|', chr(92) + '|')} | {_cell(text)} | {_cell(_default(option))} |")
    return "| option | meaning | default |\n|---|---|---|\n" + "\n".join(rows) + "\n"


def _default(option: click.Option) -> str:
    if option.required:
        return "required"
    if named := re.search(r"\[default: ([^\]]*)\]", option.help or ""):
        return f"`{named[1]}`"
    default = option.default
    # click marks "nothing given" by a sentinel of its own.
    if (
        default is None
        or default in (False, "", ())
        or type(default).__name__ in ("Sentinel", "UNSET")
        or option.is_flag
    ):
        return ""
    if callable(default):
        return "computed"
    value = getattr(default, "value", default)
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def _prose(text: str) -> str:
    return text.split("\b")[0].replace("\f", "").strip()


def _help(text: str) -> str:
    """Help as Markdown: paragraphs stay, a block that click must not rewrap becomes a code block."""
    parts = []
    for part in re.split(r"\n\s*\n", inspect.cleandoc(text.replace("\f", ""))):
        block = part.strip("\n")
        if block.lstrip().startswith("\b"):
            lines = [line for line in block.splitlines() if line.strip() != "\b"]
            title = lines.pop(0).strip() if lines and lines[0].rstrip().endswith(":") else ""
            indent = min((len(line) - len(line.lstrip()) for line in lines), default=0)
            body = "\n".join(line[indent:] for line in lines)
            # Lines of JSON are what a command reads, and no commands themselves.
            is_command = title in ("Example:", "Examples:", "") and not body.startswith("{")
            language = "sh" if is_command else "text"
            parts.append(f"{title}\n\n```{language}\n{body}\n```" if title else f"```{language}\n{body}\n```")
        else:
            parts.append(block)
    return "\n\n".join(parts) + "\n"


def _cell(text: str) -> str:
    # A bare <x> would be an HTML tag to a browser.
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
