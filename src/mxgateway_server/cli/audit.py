"""`mxgateway audit …`: who did what, what became of it, and whether the record is as it was written."""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from mxgateway_server.access.audit_store import AuditReport
from mxgateway_server.access.records import AuditQuery, AuditRecord
from mxgateway_server.access.store import KeyStore
from mxgateway_server.cli.apikey import audit_json, json_option, moment, with_store
from mxgateway_server.cli.options import config_option, load_or_fail, state_option
from mxgateway_server.logs import plain

FOLLOW_SECONDS = 0.5


def filter_options(command: Any) -> Any:
    """The options that choose records."""
    for option in reversed(
        (
            click.option("--key-id", help="Of this key."),
            click.option("--actor", help="Done by this one: key:line4, cli:root, …"),
            click.option("--event", help="Of this kind: write, write-completed, command, denied, key-created, …"),
            click.option("--tag", help="Of tags that fit this glob, such as Tank_*.PV."),
            click.option("--session-id", help="Of this session."),
            click.option("--correlation-id", help="Of this call or command."),
            click.option("--outcome", help="With this outcome: ok, accepted, failed, security_error-1012, …"),
            click.option("--since", help="From this ISO 8601 time on, or so long back, such as 1h."),
            click.option("--until", help="Before this time, likewise."),
        )
    ):
        command = option(command)
    return command


@click.group()
def audit() -> None:
    """The audit: life of keys, refusals, writes and what became of them.

    Records can only be added. Each is tied to all before it by a secret of the gateway, so `verify` finds what another
    hand has changed, removed or added in the database.
    """


@audit.command()
@config_option
@state_option
@filter_options
@click.option(
    "--limit", type=click.IntRange(1, 1_000_000), default=100, show_default=True, help="The youngest so many."
)
@json_option
def query(config_file: Path | None, state_dir: str | None, limit: int, as_json: bool, **filters: str | None) -> None:
    """Show the records that fit, oldest first; as JSON one to a line.

    \b
    Examples:
      mxgateway audit query --tag "Tank_*.SP" --since 24h
      mxgateway audit query --event write-completed --outcome security_error-1012 --json
    """
    settings = load_or_fail(config_file, {"state_dir": state_dir})
    wanted = replace(_query(filters), limit=limit)
    for record in with_store(settings, lambda store: store.audit.read(wanted)):
        _show(record, as_json)


@audit.command()
@config_option
@state_option
@filter_options
@click.option(
    "--lines", type=click.IntRange(0, 10_000), default=10, show_default=True, help="Begin with the last so many."
)
@click.option("--follow/--no-follow", default=True, show_default=True, help="Wait for more until Ctrl-C.")
@json_option
def tail(
    config_file: Path | None,
    state_dir: str | None,
    lines: int,
    follow: bool,
    as_json: bool,
    **filters: str | None,
) -> None:
    """Show the last records that fit, and each that comes."""
    settings = load_or_fail(config_file, {"state_dir": state_dir})
    wanted = _query(filters)

    async def work(store: KeyStore) -> None:
        newest = await store.audit.newest_id()
        records = await store.audit.read(replace(wanted, limit=lines)) if lines else []
        while True:
            for record in records:
                _show(record, as_json)
                newest = max(newest, record.record_id)
            if not follow:
                return
            await asyncio.sleep(FOLLOW_SECONDS)
            records = await store.audit.read(replace(wanted, after_id=newest, limit=10_000))

    with contextlib.suppress(KeyboardInterrupt):
        with_store(settings, work)


@audit.command()
@config_option
@state_option
@click.option("--head", default="", help="A head that was noted before: it has to be in the chain.")
@json_option
def verify(config_file: Path | None, state_dir: str | None, head: str, as_json: bool) -> None:
    """Check that every record is as it was written, and none is missing; exit code 3 when not.

    Note the head that it prints somewhere else than on this machine: given back as --head, it tells an older copy that
    was put in place of the whole.
    """
    settings = load_or_fail(config_file, {"state_dir": state_dir})
    report = with_store(settings, lambda store: store.audit.verify(head))
    if as_json:
        click.echo(json.dumps(_report(report), indent=2))
    else:
        old = (
            f", {report.unchained} of them of an earlier version, which nothing vouches for" if report.unchained else ""
        )
        click.echo(f"{report.records} records{old}")
        click.echo(f"head: {report.head or 'none yet'}")
        for finding in report.findings:
            place = f"record {finding.record_id}" if finding.record_id else "the audit"
            click.echo(f"{place}: {finding.text}", err=True)
        click.echo("not as it was written" if report.findings else "as it was written")
    if report.findings:
        raise click.exceptions.Exit(3)


def _query(filters: dict[str, str | None]) -> AuditQuery:
    since, until = filters["since"], filters["until"]
    return AuditQuery(
        key_id=filters["key_id"],
        actor=filters["actor"],
        event=filters["event"],
        tag=filters["tag"],
        session_id=filters["session_id"],
        correlation_id=filters["correlation_id"],
        outcome=filters["outcome"],
        since_ns=moment("--since", since, back=True) or 0,
        until_ns=moment("--until", until, back=True),
    )


def _show(record: AuditRecord, as_json: bool) -> None:
    data = audit_json(record)
    if as_json:
        click.echo(json.dumps(data))
        return
    words = [
        data["at"],
        record.event,
        record.actor or record.key_id or "-",
        record.key_id if record.key_id and not record.actor.endswith(f":{record.key_id}") else "",
        record.outcome,
        record.target,
        record.remote_address,
        " ".join(f"{name}={value}" for name, value in record.details.items()),
    ]
    # Targets are what callers sent, and must not move the terminal.
    click.echo("  ".join(plain(str(word)) for word in words if word))


def _report(report: AuditReport) -> dict[str, Any]:
    return {
        "records": report.records,
        "unchained": report.unchained,
        "head": report.head,
        "ok": not report.findings,
        "findings": [{"recordId": finding.record_id, "text": finding.text} for finding in report.findings],
    }
