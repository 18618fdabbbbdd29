"""`mxgateway pepper …`: the secrets that API keys are hashed with, replaced one by another."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from mxgateway_server import places
from mxgateway_server.access.pepper_store import PepperUse
from mxgateway_server.access.peppers import PepperFile
from mxgateway_server.access.store import KeyStore
from mxgateway_server.cli.apikey import json_option, with_store
from mxgateway_server.cli.options import config_option, load_or_fail, state_option
from mxgateway_server.config.settings import Settings

_SHOWN = 8


@click.group()
def pepper() -> None:
    """Replace the secret that API keys are hashed with.

    A key store without its peppers is worth nothing to a thief, nor to you: back up both, apart from each other. To
    replace a pepper, `add` a new one: new keys are hashed with it at once, each older key when it is shown the next
    time. When `list` shows no key at the old one any more, `retire` it.
    """


@pepper.command(name="list")
@config_option
@state_option
@json_option
def list_peppers(config_file: Path | None, state_dir: str | None, as_json: bool) -> None:
    """List the peppers by their ids, and the keys that each was used for; never a pepper itself."""
    settings = load_or_fail(config_file, {"state_dir": state_dir})
    uses = with_store(settings, lambda store: store.pepper_uses(), needs_all_peppers=False)
    if as_json:
        click.echo(json.dumps([_describe(use) for use in uses]))
        return
    for use in uses:
        state = "newest" if use.is_newest else "older" if use.is_here else "MISSING" if use.pepper_id else "not known"
        click.echo(f"{use.pepper_id or '-':16}  {state:9}  {len(use.key_ids)} keys{_named(use.key_ids)}")


@pepper.command()
@config_option
@state_option
@json_option
def add(config_file: Path | None, state_dir: str | None, as_json: bool) -> None:
    """Make a new pepper, for all keys from now on; running gateways take it up within a second."""
    settings = load_or_fail(config_file, {"state_dir": state_dir})
    file = _file(settings)

    async def work(store: KeyStore) -> str:
        file.add()
        await store.take_new_pepper()
        return store.peppers.newest.pepper_id

    pepper_id = with_store(settings, work)
    if as_json:
        click.echo(json.dumps({"pepperId": pepper_id, "file": str(file.path)}))
    else:
        click.echo(f"{pepper_id} is the newest; back up {file.path} anew")


@pepper.command()
@config_option
@state_option
@click.option(
    "--pepper-id", "pepper_ids", multiple=True, help="Which, as list shows them; all that no key needs without it."
)
@json_option
def retire(config_file: Path | None, state_dir: str | None, pepper_ids: tuple[str, ...], as_json: bool) -> None:
    """Remove older peppers that no key needs any more; revoked keys do not count."""
    settings = load_or_fail(config_file, {"state_dir": state_dir})
    file = _file(settings)

    async def work(store: KeyStore) -> list[str]:
        uses = await store.pepper_uses()
        gone = _unneeded(uses, pepper_ids)
        if gone:
            file.retire(frozenset(gone))
            await store.note_retired(gone)
        return gone

    gone = with_store(settings, work)
    if as_json:
        click.echo(json.dumps({"retired": gone, "file": str(file.path)}))
    else:
        click.echo(f"retired: {', '.join(gone)}" if gone else "there is no pepper that could be retired")


def _unneeded(uses: list[PepperUse], wanted: tuple[str, ...]) -> list[str]:
    unnoted = next((use.key_ids for use in uses if not use.pepper_id), ())
    if unnoted:
        raise click.ClickException(
            f"of {len(unnoted)} keys nobody has noted with which pepper they were made{_named(unnoted)}: they are of "
            "an earlier version and were not shown since; use each once, or revoke those that nobody uses"
        )
    here = {use.pepper_id: use for use in uses if use.is_here}
    for pepper_id in wanted:
        use = here.get(pepper_id)
        if use is None:
            raise click.ClickException(f"there is no pepper {pepper_id}; see mxgateway pepper list")
        if use.is_newest:
            raise click.ClickException(f"{pepper_id} is the newest: say mxgateway pepper add first")
        if use.key_ids:
            raise click.ClickException(
                f"{pepper_id} is still needed by {len(use.key_ids)} keys{_named(use.key_ids)}: each is done with it "
                "once it is shown to a running gateway; rotate or revoke those that nobody uses"
            )
    unneeded = [use.pepper_id for use in here.values() if not use.is_newest and not use.key_ids]
    return [pepper_id for pepper_id in unneeded if not wanted or pepper_id in wanted]


def _file(settings: Settings) -> PepperFile:
    source = places.pepper_source(settings)
    if isinstance(source, PepperFile):
        return source
    raise click.ClickException(
        "authentication.pepper_variable is set, and only you can change that variable: put a new pepper (openssl rand "
        "-base64 32) and a blank before what it has, or take an older one out, and restart the gateway"
    )


def _describe(use: PepperUse) -> dict[str, Any]:
    return {
        "pepperId": use.pepper_id,
        "isNewest": use.is_newest,
        "isHere": use.is_here,
        "keyIds": list(use.key_ids),
    }


def _named(key_ids: tuple[str, ...]) -> str:
    more = len(key_ids) - _SHOWN
    return f" ({', '.join(key_ids[:_SHOWN])}{f' and {more} more' if more > 0 else ''})" if key_ids else ""
