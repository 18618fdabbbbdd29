"""`mxgateway apikey …`: API keys and the audit."""

from __future__ import annotations

import asyncio
import datetime
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import click

from mxgateway_server import places
from mxgateway_server.access.actors import acting, console_actor
from mxgateway_server.access.certificates import rule_of
from mxgateway_server.access.constraints import MAX_ALARM_PRIORITY, Constraints
from mxgateway_server.access.records import AuditRecord, KeyRecord
from mxgateway_server.access.scopes import Scope
from mxgateway_server.access.store import KeyStore
from mxgateway_server.cli import key_table
from mxgateway_server.cli.options import config_option, load_or_fail, state_option
from mxgateway_server.config.settings import Settings
from mxgateway_server.errors import GatewayError, KeyNotFoundError, KeyRefusal
from mxgateway_server.logs import plain

T = TypeVar("T")

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_DURATION = re.compile(r"(\d+)([smhdw])\Z")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def with_store(settings: Settings, work: Callable[[KeyStore], Awaitable[T]], *, needs_all_peppers: bool = True) -> T:
    """Does work on the key store; whatever goes wrong is one line that says which store it was.

    Args:
        needs_all_peppers: False for what is done when the pepper of some keys is lost.
    """
    from sqlalchemy.exc import SQLAlchemyError

    from mxgateway_protocol.clock import SystemClock

    async def run() -> T:
        store = await KeyStore.open(
            places.key_store(settings),
            places.pepper_source(settings),
            SystemClock(),
            needs_all_peppers=needs_all_peppers,
        )
        try:
            with acting(console_actor()):
                return await work(store)
        except (SQLAlchemyError, OSError) as error:
            raise click.ClickException(store.problem(error)) from error
        except KeyNotFoundError as error:
            raise click.ClickException(f"{error} (looked in {store.name})") from error
        finally:
            await store.close()

    try:
        return asyncio.run(run())
    except (GatewayError, ValueError) as error:
        raise click.ClickException(str(error)) from error


_LIMITS = {
    "read_subtree": "read_subtrees",
    "write_subtree": "write_subtrees",
    "read_tag": "read_tag_globs",
    "write_tag": "write_tag_globs",
    "browse_subtree": "browse_subtrees",
    "alarm_area": "alarm_areas",
}
_LIMIT_OPTIONS = (
    click.option("--read-subtree", multiple=True, help="Contained path or glob that may be read; repeatable."),
    click.option("--write-subtree", multiple=True, help="Contained path or glob that may be written; repeatable."),
    click.option("--read-tag", multiple=True, help="Glob of tags that may be read; repeatable."),
    click.option("--write-tag", multiple=True, help="Glob of tags that may be written; repeatable."),
    click.option("--browse-subtree", multiple=True, help="Contained path or glob that may be browsed; repeatable."),
    click.option(
        "--alarm-area", multiple=True, help="Area or glob whose alarms, and those in it, are seen; repeatable."
    ),
    click.option(
        "--alarm-min-priority",
        type=click.IntRange(1, MAX_ALARM_PRIORITY),
        help="Least urgent priority of the alarms that are seen: 250 shows 1 (most urgent) to 250.",
    ),
    click.option(
        "--max-write-classification", type=click.IntRange(0, 6), help="Highest security classification to write."
    ),
    click.option(
        "--read-only/--not-read-only", default=None, help="Change nothing in the plant: beats all scopes and limits."
    ),
)


_CERTIFICATE_OPTIONS = (
    click.option(
        "--certificate",
        metavar="RULE",
        help="Client certificate without which the key is refused: sha256:FINGERPRINT, or subject:CN=…,O=….",
    ),
    click.option(
        "--certificate-file",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="The same, by the certificate itself (PEM).",
    ),
)


def certificate_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that bind a key to a client certificate."""
    for option in reversed(_CERTIFICATE_OPTIONS):
        command = option(command)
    return command


def _rule(certificate: str | None, certificate_file: Path | None) -> str | None:
    if certificate_file is None:
        return certificate
    if certificate is not None:
        raise click.UsageError("give either --certificate or --certificate-file")
    try:
        return rule_of(certificate_file.read_bytes())
    except (OSError, ValueError):
        raise click.ClickException(f"--certificate-file {certificate_file}: no certificate in PEM") from None


def limit_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that limit what a key may touch."""
    for option in reversed(_LIMIT_OPTIONS):
        command = option(command)
    return command


def _limits(given: dict[str, Any]) -> dict[str, Any]:
    """The limits that were given, by the names of `Constraints`."""
    found = {_LIMITS.get(name, name): value for name, value in given.items()}
    return {name: value for name, value in found.items() if value not in (None, ())}


@click.group()
def apikey() -> None:
    """Make, list and end API keys; read the audit."""


@apikey.command()
@config_option
@state_option
@click.option("--key-id", required=True, help="Public part of the key: letters, digits, dots, hyphens.")
@click.option("--display-name", default="", help="For people.")
@click.option("--scopes", required=True, help=f"Comma-separated: {', '.join(Scope)}; or all-but-admin, or all.")
@click.option("--expires", help="End of validity: an ISO 8601 time, or a duration such as 90d.")
@click.option("--not-before", help="Begin of validity, likewise.")
@certificate_options
@limit_options
@json_option
def create(
    config_file: Path | None,
    state_dir: str | None,
    key_id: str,
    display_name: str,
    scopes: str,
    expires: str | None,
    not_before: str | None,
    certificate: str | None,
    certificate_file: Path | None,
    as_json: bool,
    **limits: Any,
) -> None:
    """Make a key; its raw form is printed once and never again."""
    settings = load_or_fail(config_file, {"state_dir": state_dir})
    wanted, rule = _scopes(scopes), _rule(certificate, certificate_file)

    async def work(store: KeyStore) -> tuple[str, KeyRecord, str]:
        constraints = Constraints(**_limits(limits))
        constraints.check_new()
        raw = await store.create(
            key_id,
            display_name or key_id,
            wanted,
            constraints,
            not_before_ns=moment("--not-before", not_before),
            expires_ns=moment("--expires", expires),
            certificate=rule or "",
        )
        record = await store.get(key_id)
        assert record is not None
        return raw, record, store.name

    raw, record, place = with_store(settings, work)
    if as_json:
        click.echo(json.dumps({**_describe(record), "apiKey": raw, "store": place}))
    else:
        click.echo(raw)
        click.echo(f"Keep it safe: it cannot be shown again. It is for gateways that use {place}.", err=True)


@apikey.command(name="list")
@config_option
@state_option
@json_option
def list_keys(config_file: Path | None, state_dir: str | None, as_json: bool) -> None:
    """List keys with their state, end, last use, scopes and limits; never a secret."""
    settings = load_or_fail(config_file, {"state_dir": state_dir})
    records = with_store(settings, lambda store: store.list_keys(), needs_all_peppers=False)
    if as_json:
        click.echo(json.dumps([_describe(record) for record in records]))
        return
    for line in key_table.lines([_describe(record) for record in records]):
        click.echo(line)
    lacking = [record.key_id for record in records if record.revoked_ns is None and record.newer_scopes]
    if lacking:
        click.echo(
            f"Note: {', '.join(lacking)}: made when invoke:read included AdviseSupervisory, which needs "
            "invoke:supervisory now and is refused to them. Say mxgateway apikey change --scopes with all scopes that "
            "a key is to have, with it or without; then this note is gone.",
            err=True,
        )


@apikey.command()
@config_option
@state_option
@click.option("--key-id", required=True)
@json_option
def show(config_file: Path | None, state_dir: str | None, key_id: str, as_json: bool) -> None:
    """Show what a key may do, its limits and its times; never its secret."""
    settings = load_or_fail(config_file, {"state_dir": state_dir})
    _tell_key(with_store(settings, lambda store: _existing(store, key_id), needs_all_peppers=False), as_json)


@apikey.command()
@config_option
@state_option
@click.option("--key-id", required=True)
@click.option("--display-name", help="For people.")
@click.option("--scopes", help="Those that take the place of the present ones, as with create.")
@click.option("--expires", help="New end of validity: an ISO 8601 time, or a duration such as 90d.")
@certificate_options
@click.option("--no-certificate", is_flag=True, help="Bind it to no client certificate any more.")
@limit_options
@click.option(
    "--clear", multiple=True, type=click.Choice([field.name for field in fields(Constraints)]), help="Limit to drop."
)
@json_option
def change(
    config_file: Path | None,
    state_dir: str | None,
    key_id: str,
    display_name: str | None,
    scopes: str | None,
    expires: str | None,
    certificate: str | None,
    certificate_file: Path | None,
    no_certificate: bool,
    clear: tuple[str, ...],
    as_json: bool,
    **limits: Any,
) -> None:
    """Change what a key may do; its secret stays.

    A limit that is given takes the place of the present one of its name, the others stay. Running gateways go by it
    within a second: streams of the key end, and come back with the new rights.
    """
    settings = load_or_fail(config_file, {"state_dir": state_dir})
    given, rule = _limits(limits), _rule(certificate, certificate_file)
    if no_certificate:
        if rule is not None:
            raise click.UsageError("--no-certificate and a certificate exclude each other")
        rule = ""
    if not (given or clear or expires or any(each is not None for each in (scopes, display_name, rule))):
        raise click.UsageError(
            "nothing to change: give --scopes, a limit, --clear, --expires, --certificate or --display-name"
        )

    async def work(store: KeyStore) -> KeyRecord:
        record = await _existing(store, key_id)
        kept = {name: value for name, value in record.constraints.to_json().items() if name not in clear}
        constraints = Constraints.from_json({**kept, **given})
        constraints.check_new()
        return await store.change(
            key_id,
            scopes=None if scopes is None else _scopes(scopes),
            constraints=constraints,
            display_name=display_name,
            expires_ns=moment("--expires", expires),
            certificate=rule,
        )

    _tell_key(with_store(settings, work), as_json)


async def _existing(store: KeyStore, key_id: str) -> KeyRecord:
    record = await store.get(key_id)
    if record is None:
        raise KeyNotFoundError(f"there is no key {key_id!r}; see mxgateway apikey list")
    return record


def _tell_key(record: KeyRecord, as_json: bool) -> None:
    data = _describe(record)
    if as_json:
        click.echo(json.dumps(data))
        return
    limits = {
        name: ", ".join(map(str, value)) if isinstance(value, list) else value
        for name, value in data.pop("constraints").items()
    }
    for name in ("scopes", "newerScopes"):
        data[name] = ", ".join(data[name])
    for name, value in {**data, **limits}.items():
        if value not in (None, ""):
            click.echo(f"{name}: {plain(str(value))}")


@apikey.command()
@config_option
@state_option
@click.option("--key-id", required=True)
@json_option
def revoke(config_file: Path | None, state_dir: str | None, key_id: str, as_json: bool) -> None:
    """End a key for good; running gateways refuse it within seconds."""
    settings = load_or_fail(config_file, {"state_dir": state_dir})
    changed = with_store(settings, lambda store: store.revoke(key_id), needs_all_peppers=False)
    _tell(as_json, {"keyId": key_id, "revoked": True, "changed": changed}, f"{key_id} is revoked")


@apikey.command()
@config_option
@state_option
@click.option("--key-id", required=True)
@json_option
def rotate(config_file: Path | None, state_dir: str | None, key_id: str, as_json: bool) -> None:
    """Give a key a new secret; the old one is void."""
    settings = load_or_fail(config_file, {"state_dir": state_dir})
    raw = with_store(settings, lambda store: store.rotate(key_id), needs_all_peppers=False)
    _tell(as_json, {"keyId": key_id, "apiKey": raw}, raw)


@apikey.command()
@config_option
@state_option
@click.option("--key-id", required=True)
@json_option
def delete(config_file: Path | None, state_dir: str | None, key_id: str, as_json: bool) -> None:
    """Remove a revoked key."""
    settings = load_or_fail(config_file, {"state_dir": state_dir})
    with_store(settings, lambda store: store.delete(key_id), needs_all_peppers=False)
    _tell(as_json, {"keyId": key_id, "deleted": True}, f"{key_id} is deleted")


@apikey.command()
@config_option
@state_option
@click.option("--key-id", help="Of this key only.")
@click.option("--event", help="Of this event only, such as denied or write.")
@click.option("--since", help="From this ISO 8601 time on, or so long back, such as 1h.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True)
@json_option
def audit(
    config_file: Path | None,
    state_dir: str | None,
    key_id: str | None,
    event: str | None,
    since: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """Show who did what: key life, refusals, writes (never a value)."""
    settings = load_or_fail(config_file, {"state_dir": state_dir})
    since_ns = moment("--since", since, back=True) or 0
    records = with_store(
        settings, lambda store: store.read_audit(key_id=key_id, event=event, since_ns=since_ns, limit=limit)
    )
    if as_json:
        click.echo(json.dumps([audit_json(record) for record in records]))
        return
    for record in records:
        data = audit_json(record)
        words = [data["at"], record.event, record.key_id or "-", record.outcome, record.target, record.remote_address]
        # Targets are what callers sent, and must not move the terminal.
        click.echo("  ".join(plain(word) for word in words if word))


def _scopes(text: str) -> list[str]:
    if text == "all":
        return [str(scope) for scope in Scope]
    if text == "all-but-admin":
        return [str(scope) for scope in Scope if scope is not Scope.ADMIN]
    return text.split(",")


def moment(flag: str, text: str | None, *, back: bool = False) -> int | None:
    if not text:
        return None
    now = datetime.datetime.now(datetime.UTC)
    match = _DURATION.match(text)
    far = click.ClickException(f"{flag} {text}: beyond the years 1678 to 2261; leave it out where there is no limit")
    if match:
        try:
            delta = datetime.timedelta(seconds=int(match[1]) * _UNITS[match[2]])
            moment = now - delta if back else now + delta
        except (OverflowError, ValueError):
            raise far from None
    else:
        try:
            moment = datetime.datetime.fromisoformat(text)
        except ValueError:
            raise click.ClickException(
                f"{flag} {text}: write a time such as 2031-01-31T00:00:00Z, or a duration such as 90d"
            ) from None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=datetime.UTC)
    # Nanoseconds in 64 bits, as the store keeps them.
    if not 1678 <= moment.year <= 2261:
        raise far
    return int(moment.timestamp()) * 1_000_000_000


def _iso(unix_ns: int | None) -> str | None:
    if unix_ns is None:
        return None
    return datetime.datetime.fromtimestamp(unix_ns / 1e9, datetime.UTC).isoformat(timespec="seconds")


def _describe(record: KeyRecord) -> dict[str, Any]:
    now_ns = int(datetime.datetime.now(datetime.UTC).timestamp() * 1e9)
    states = {
        None: "active",
        KeyRefusal.REVOKED: "revoked",
        KeyRefusal.EXPIRED: "expired",
        KeyRefusal.NOT_YET_VALID: "not-yet-valid",
    }
    return {
        "keyId": record.key_id,
        "displayName": record.display_name,
        "state": states[record.refusal(now_ns)],
        "scopes": [str(scope) for scope in record.scopes],
        "newerScopes": [str(scope) for scope in record.newer_scopes],
        "certificate": record.certificate,
        "constraints": record.constraints.to_json(),
        "created": _iso(record.created_ns),
        "notBefore": _iso(record.not_before_ns),
        "expires": _iso(record.expires_ns),
        "lastUsed": _iso(record.last_used_ns),
        "revoked": _iso(record.revoked_ns),
    }


def audit_json(record: AuditRecord) -> dict[str, Any]:
    return {
        "at": _iso(record.at_ns),
        "event": record.event,
        "actor": record.actor,
        "origin": record.origin,
        "keyId": record.key_id,
        "remoteAddress": record.remote_address,
        "sessionId": record.session_id,
        "correlationId": record.correlation_id,
        "target": record.target,
        "outcome": record.outcome,
        "details": record.details,
    }


def _tell(as_json: bool, data: dict[str, Any], text: str) -> None:
    click.echo(json.dumps(data) if as_json else text)
