"""`mxgateway access-check`."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import click

from mxgateway_contract.commands import COMMANDS, Kind, Touch
from mxgateway_server import wiring
from mxgateway_server.access.constraints import NoLookup, TagLookup
from mxgateway_server.access.explain import explain, needs_lookup
from mxgateway_server.access.records import KeyRecord
from mxgateway_server.access.store import KeyStore
from mxgateway_server.cli.apikey import with_store
from mxgateway_server.cli.options import config_option, load_or_fail, state_option
from mxgateway_server.config.settings import Settings
from mxgateway_server.errors import KeyNotFoundError
from mxgateway_server.galaxy.errors import GalaxySourceError
from mxgateway_server.galaxy.place import find_galaxy
from mxgateway_server.logs import plain

_KINDS: dict[str, Kind] = {
    name: kind for kind, facts in COMMANDS.items() for name in (facts.name.casefold(), facts.method.casefold())
}
_NAMES_NO_TAG = frozenset({Touch.HANDLE, Touch.HANDLES, Touch.NOTHING})


@click.command("access-check")
@config_option
@state_option
@click.option("--key-id", required=True)
@click.option("--command", "command_name", required=True, help="Command kind or method: WRITE, AdviseSupervisory, …")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.argument("tags", nargs=-1)
def access_check(
    config_file: Path | None,
    state_dir: str | None,
    key_id: str,
    command_name: str,
    as_json: bool,
    tags: tuple[str, ...],
) -> None:
    """Say whether a key may send a command on tags, and which rule decides; nothing is sent.

    Asks the key store, and the Galaxy's database where a limit of the key does. Ends with 1 when anything is refused.

    \b
    Example:
      mxgateway access-check --key-id line4-hmi --command Write Tank_001.Level
    """
    settings = load_or_fail(config_file, {"state_dir": state_dir})
    kind = _KINDS.get(command_name.casefold())
    if kind is None:
        raise click.UsageError(f"there is no command {command_name!r}; docs/commands.md lists them")
    if tags and COMMANDS[kind].touches in _NAMES_NO_TAG:
        raise click.UsageError(f"{COMMANDS[kind].method} names no tag: leave the tags out")
    key = with_store(settings, lambda store: _key(store, key_id))
    lookup = _lookup(settings) if tags and needs_lookup(key.constraints, frozenset(key.scopes)) else NoLookup()
    now, is_read_only = time.time_ns(), settings.read_only
    answers = {
        tag: explain(key, kind, tag, lookup, now_ns=now, gateway_is_read_only=is_read_only) for tag in tags or ("",)
    }
    for tag, answer in answers.items():
        if as_json:
            found = {"allowed": answer.is_allowed, "rule": answer.rule, "why": answer.why}
            click.echo(json.dumps({"keyId": key_id, "command": COMMANDS[kind].name, "tag": tag, **found}))
        else:
            words = "allowed" if answer.is_allowed else f"refused by {answer.rule}: {answer.why}"
            click.echo(f"{plain(tag)}\t{words}" if tag else words)
    if not all(answer.is_allowed for answer in answers.values()):
        sys.exit(1)


async def _key(store: KeyStore, key_id: str) -> KeyRecord:
    record = await store.get(key_id)
    if record is None:
        raise KeyNotFoundError(f"there is no key {key_id!r}; see mxgateway apikey list")
    return record


def _lookup(settings: Settings) -> TagLookup:
    from mxgateway_server.galaxy.index import GalaxyIndex
    from mxgateway_server.galaxy.tag_lookup import GalaxyLookup

    place = find_galaxy(settings.galaxy.connection_string, settings.state_path, builds=False)
    if place.file is not None and not place.file.exists():
        raise click.ClickException(f"the Galaxy {place.name} is made at the gateway's first start: start it once")
    source = wiring.galaxy_source(settings, place.source)
    try:
        return GalaxyLookup(GalaxyIndex(source.read_galaxy()))
    except GalaxySourceError as error:
        raise click.ClickException(f"{error.problem}: {error.detail}") from error
    finally:
        source.close()
