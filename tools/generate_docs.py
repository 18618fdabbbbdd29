"""Writes the pages of `docs/` that are made from code, or checks that the committed ones are what the code gives."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
DOCS = ROOT / "docs"


def commands_page() -> str:
    """`docs/commands.md`: every command kind, from the catalogue."""
    from mxgateway_contract import hresults
    from mxgateway_contract.commands import COMMANDS
    from mxgateway_contract.status import Category, Source

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
        "<!-- Made from mxgateway_contract.commands by python tools/generate_docs.py; do not edit. -->\n\n"
        "A failure is the HRESULT of the call, or the MXSTATUS_PROXY tuple (success, category, detected by, detail)\n"
        "that comes later with an event or stands in a bulk result.\n\n"
        "| kind | name | group | scope | reply | known failures | behaviour |\n"
        "|---|---|---|---|---|---|---|\n" + "\n".join(rows) + "\n"
    )


def cli_page() -> str:
    """`docs/cli.md`: every command of `mxgw-py`."""
    from mxgateway_cli.main import SECTIONS
    from mxgateway_cli.main import main as group
    from tools.docs_cli import cli_page as page

    intro = (
        "Exit codes: 0 success, 1 failure, 2 wrong usage, 130 interrupted (Ctrl-C), 143 ended by SIGTERM. Ctrl-C,\n"
        "SIGTERM and the end of the terminal are an ordinary end (0) of `watch`, `record`, `tui`, `demo` and the\n"
        "streams: files are closed, the report is printed, the session is closed. Errors go to stderr."
    )
    return page("mxgw-py", group, intro, SECTIONS)


def gateway_cli_page() -> str:
    """`docs/gateway-cli.md`: every command of `mxgateway`."""
    from mxgateway_server.cli.main import main as group
    from tools.docs_cli import cli_page as page

    return page("mxgateway", group, "The gateway's own program: runs it, and keeps its keys and Galaxies.")


def configuration_page() -> str:
    """`docs/configuration.md`: every setting of the gateway."""
    from tools.docs_configuration import configuration_page as page

    return page()


def galaxies_page() -> str:
    """`docs/how-to/galaxies.md`: written by hand but for its marked parts."""
    line = (ROOT / "examples" / "bottling_line" / "line.yaml").read_text(encoding="utf-8")
    return _filled(
        "how-to/galaxies.md",
        line=f'```yaml title="line.yaml"\n{line}```',
    )


def _filled(name: str, **parts: str) -> str:
    """The page with what stands between `<!-- PART -->` and `<!-- /PART -->` replaced."""
    text = (DOCS / name).read_text(encoding="utf-8")
    for part, content in parts.items():
        head, start, rest = text.partition(f"<!-- {part} -->\n")
        _, end, tail = rest.partition(f"<!-- /{part} -->")
        if not start or not end:
            raise ValueError(f"{name} has no part {part}")
        text = f"{head}{start}\n{content}\n\n{end}{tail}"
    return text


def metrics_page() -> str:
    """`docs/metrics.md`: every metric, from the table that they are read by."""
    from tools.docs_metrics import metrics_page as page

    return page()


def log_events_page() -> str:
    """`docs/log-events.md`: every event of the gateway's log, from its source."""
    from tools.docs_log_events import log_events_page as page

    return page()


def grafana_dashboard() -> str:
    """`deploy/grafana/mxgateway.json`: from the same table."""
    from tools.docs_metrics import grafana_dashboard as dashboard

    return dashboard()


PAGES: dict[str, Callable[[], str]] = {
    "commands.md": commands_page,
    "cli.md": cli_page,
    "gateway-cli.md": gateway_cli_page,
    "configuration.md": configuration_page,
    "how-to/galaxies.md": galaxies_page,
    "metrics.md": metrics_page,
    "log-events.md": log_events_page,
    "../deploy/grafana/mxgateway.json": grafana_dashboard,
}


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
