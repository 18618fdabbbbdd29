"""Writes the pages of `docs/` that are made from code, or checks that the committed ones are what the code gives."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"


def commands_page() -> str:
    """`docs/commands.md`: every command kind, from the catalogue."""
    from mxgateway_protocol import hresults
    from mxgateway_protocol.commands import COMMANDS
    from mxgateway_protocol.status import Category, Source

    rows = []
    for command in COMMANDS.values():
        failures = [f"`{hresults.text(h)}`" for h in command.hresults]
        failures += [
            f"({s.success}, {Category(s.category).name.title().replace('_', '')}, "
            f"{Source(s.detected_by).name.title().replace('_', '')}, {s.detail})"
            for s in command.statuses
        ]
        anchor = command.section.lower().replace(" ", "-")
        rows.append(
            f"| {command.kind} | `{command.name}` | {command.group} | `{command.scope}` | "
            f"{f'`{command.reply}`' if command.reply else 'bare'} | {'<br>'.join(failures) or '–'} | "
            f"[{command.section}](mxaccess.md#{anchor}) |"
        )
    return (
        "# Command kinds\n\n"
        "Made from the catalogue in `mxgateway_protocol.commands` by `python tools/generate_docs.py`; do not edit.\n\n"
        "A failure is the HRESULT of the call, or the MXSTATUS_PROXY tuple (success, category, detected by, detail)\n"
        "that comes later with an event or stands in a bulk result.\n\n"
        "| kind | name | group | scope | reply | known failures | behaviour |\n"
        "|---|---|---|---|---|---|---|\n" + "\n".join(rows) + "\n"
    )


PAGES: dict[str, Callable[[], str]] = {"commands.md": commands_page}


def stale() -> list[str]:
    """Names of pages whose committed text is not what the code gives."""
    return [
        name
        for name, page in PAGES.items()
        if not (DOCS / name).exists() or (DOCS / name).read_text(encoding="utf-8") != page()
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail when a page is stale")
    if parser.parse_args().check:
        if names := stale():
            print(f"stale: {', '.join(names)}; run python tools/generate_docs.py", file=sys.stderr)
            return 1
        return 0
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
