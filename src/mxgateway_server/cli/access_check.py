"""`mxgateway access-check`."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import click

from mxgateway_contract.commands import COMMANDS, Kind, Touch
from mxgateway_server import wiring
from mxgateway_server.access.constraints import MAX_ALARM_PRIORITY, NoLookup
from mxgateway_server.access.explain import Answer, explain, needs_lookup
from mxgateway_server.access.records import KeyRecord
from mxgateway_server.access.store import KeyStore
from mxgateway_server.alarms.explaining import ALARM_CALLS, AskedAlarm, area_of, explain_alarm, source_of
from mxgateway_server.alarms.galaxy_view import area_path_in
from mxgateway_server.cli.apikey import with_store
from mxgateway_server.cli.options import config_option, load_or_fail, state_option
from mxgateway_server.config.settings import Settings
from mxgateway_server.errors import KeyNotFoundError
from mxgateway_server.galaxy.errors import GalaxySourceError
from mxgateway_server.galaxy.index import GalaxyIndex
from mxgateway_server.galaxy.place import find_galaxy
from mxgateway_server.galaxy.tag_lookup import GalaxyLookup
from mxgateway_server.logs import plain

_KINDS: dict[str, Kind] = {
    name: kind for kind, facts in COMMANDS.items() for name in (facts.name.casefold(), facts.method.casefold())
}
_CALLS = {name.casefold(): name for name in ALARM_CALLS}
_NAMES_NO_TAG = frozenset({Touch.HANDLE, Touch.HANDLES, Touch.NOTHING})


@click.command("access-check")
@config_option
@state_option
@click.option("--key-id", required=True)
@click.option(
    "--command", "command_name", required=True, help="Kind, method or alarm call: WRITE, Advise, AcknowledgeAlarm, …"
)
@click.option(
    "--alarm-priority",
    type=click.IntRange(1, MAX_ALARM_PRIORITY),
    default=1,
    show_default=True,
    help="Priority of the alarms that are asked about.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.argument("tags", nargs=-1)
def access_check(
    config_file: Path | None,
    state_dir: str | None,
    key_id: str,
    command_name: str,
    alarm_priority: int,
    as_json: bool,
    tags: tuple[str, ...],
) -> None:
    """Say whether a key may send a command on tags, and which rule decides; nothing is sent.

    Asks the key store, and the Galaxy's database where a limit of the key does. Ends with 1 when anything is refused.
    The alarm calls take full references of alarms in place of tags.

    \b
    Examples:
      mxgateway access-check --key-id line4-hmi --command Write Tank_001.Level
      mxgateway access-check --key-id line4-hmi --command AcknowledgeAlarm 'Galaxy!Line4.Tank_001.Level.Hi'
    """
    settings = load_or_fail(config_file, {"state_dir": state_dir})
    call = _CALLS.get(command_name.casefold())
    kind = _KINDS.get(command_name.casefold())
    if call is None and kind is None:
        raise click.UsageError(f"there is no command {command_name!r}; docs/commands.md lists them")
    if call is None and kind is not None and tags and COMMANDS[kind].touches in _NAMES_NO_TAG:
        raise click.UsageError(f"{COMMANDS[kind].method} names no tag: leave the tags out")
    key = with_store(settings, lambda store: _key(store, key_id))
    if call is not None:
        name, answers = call, _of_alarms(settings, key, call, tags, alarm_priority)
    else:
        assert kind is not None
        name, answers = COMMANDS[kind].name, _of_tags(settings, key, kind, tags)
    for tag, answer in answers.items():
        if as_json:
            found = {"allowed": answer.is_allowed, "rule": answer.rule, "why": answer.why}
            click.echo(json.dumps({"keyId": key_id, "command": name, "tag": tag, **found}))
        else:
            words = "allowed" if answer.is_allowed else f"refused by {answer.rule}: {answer.why}"
            click.echo(f"{plain(tag)}\t{words}" if tag else words)
    if not all(answer.is_allowed for answer in answers.values()):
        sys.exit(1)


def _of_tags(settings: Settings, key: KeyRecord, kind: Kind, tags: Sequence[str]) -> dict[str, Answer]:
    is_asked = tags and needs_lookup(key.constraints, frozenset(key.scopes))
    lookup = GalaxyLookup(_index(settings)) if is_asked else NoLookup()
    now, is_read_only = time.time_ns(), settings.read_only
    return {
        tag: explain(key, kind, tag, lookup, now_ns=now, gateway_is_read_only=is_read_only) for tag in tags or ("",)
    }


def _of_alarms(
    settings: Settings, key: KeyRecord, call: str, references: Sequence[str], priority: int
) -> dict[str, Answer]:
    limits = key.constraints
    index = _index(settings) if references and (limits.limits_tags or limits.alarm_areas) else None
    lookup = GalaxyLookup(index) if index is not None else NoLookup()
    found: dict[str, Answer] = {}
    for reference in references or ("",):
        asked = None
        if reference:
            try:
                area, source = area_of(reference), source_of(reference)
            except ValueError as error:
                raise click.UsageError(str(error)) from error
            asked = AskedAlarm(source, area_path_in(index, area) if index is not None else (area,), priority)
        now, is_read_only = time.time_ns(), settings.read_only
        found[reference] = explain_alarm(key, call, asked, lookup, now_ns=now, gateway_is_read_only=is_read_only)
    return found


async def _key(store: KeyStore, key_id: str) -> KeyRecord:
    record = await store.get(key_id)
    if record is None:
        raise KeyNotFoundError(f"there is no key {key_id!r}; see mxgateway apikey list")
    return record


def _index(settings: Settings) -> GalaxyIndex:
    place = find_galaxy(settings.galaxy.connection_string, settings.state_path, builds=False)
    if place.file is not None and not place.file.exists():
        raise click.ClickException(f"the Galaxy {place.name} is made at the gateway's first start: start it once")
    source = wiring.galaxy_source(settings, place.source)
    try:
        return GalaxyIndex(source.read_galaxy())
    except GalaxySourceError as error:
        raise click.ClickException(f"{error.problem}: {error.detail}") from error
    finally:
        source.close()
