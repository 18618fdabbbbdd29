"""`mxgateway init`: from nothing to a gateway that can be started: settings, state directory, a first key."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from mxgateway_contract.commands import Scope
from mxgateway_contract.private_files import write_private
from mxgateway_server.cli.apikey import with_store
from mxgateway_server.config.commented import commented_toml
from mxgateway_server.config.settings import DEFAULT_LISTEN, default_state_directory
from mxgateway_server.config.sources import load
from mxgateway_server.errors import ConfigurationError
from mxgateway_server.state import make_state_folder, why_not
from mxgateway_worker.backends import BACKENDS, SIMULATED

FILE = "gateway.toml"
_SCOPES = {
    "admin": tuple(map(str, Scope)),
    "reader": (Scope.SESSION_OPEN, Scope.SESSION_CLOSE, Scope.INVOKE_READ, Scope.EVENTS_READ, Scope.METADATA_READ),
}


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=Path())
@click.option("--listen", help="Address of the gateway, HOST:PORT.")
@click.option("--backend", type=click.Choice(sorted(BACKENDS)), help="com in front of a plant; simulator to try it.")
@click.option("--galaxy", help="Galaxy: a shipped one by name, a .db file, a URL or connection string.")
@click.option("--state-dir", help="Directory of keys, certificates and Galaxy files.")
@click.option("--key-id", help="Id of the first key; empty for none.")
@click.option("--key-role", type=click.Choice(sorted(_SCOPES)), help="admin: every scope; reader: reads and watches.")
@click.option("--yes", is_flag=True, help="Ask nothing: take the options and, for the others, the defaults.")
def init(folder: Path, yes: bool, **given: str | None) -> None:
    """Write FOLDER/gateway.toml with every setting in it, make the state directory and a first key.

    Asks for what is not given. Never writes over a file, and makes no key that is there already. The key is shown once.
    """
    file = folder / FILE
    if file.exists():
        raise click.ClickException(f"{file} is there already; change it by hand, or name another folder")
    answers = _Answers(given, yes)
    chosen = {
        "listen": answers.get("listen", "Address to listen on", DEFAULT_LISTEN),
        "worker.backend": answers.get("backend", "Backend (com in front of a plant, simulator to try it)", _backend()),
        "galaxy.connection_string": answers.get("galaxy", "Galaxy (empty for the shipped plant)", ""),
        "state_dir": answers.get("state_dir", "State directory", str(default_state_directory())),
    }
    key_id = answers.get("key_id", "Id of the first key (empty for none)", "admin")
    role = answers.get("key_role", "Role of that key (admin, reader)", "admin") if key_id else ""
    if role and role not in _SCOPES:
        raise click.ClickException(f"there is no role {role}; there are: {', '.join(sorted(_SCOPES))}")
    if not chosen["galaxy.connection_string"]:
        del chosen["galaxy.connection_string"]
    _write(file, chosen)
    _tell(file, chosen, key_id, _make_key(file, key_id, role) if key_id else "")


class _Answers:
    """What the options say, or else whoever sits at the terminal."""

    def __init__(self, given: dict[str, str | None], takes_defaults: bool) -> None:
        self._given = given
        self._takes_defaults = takes_defaults

    def get(self, option: str, question: str, default: str) -> str:
        found = self._given[option]
        if found is not None:
            return found
        if self._takes_defaults:
            return default
        return str(click.prompt(question, default=default, show_default=bool(default), err=True))


def _backend() -> str:
    return "com" if sys.platform == "win32" else "simulator"


def _write(file: Path, chosen: dict[str, str]) -> None:
    try:
        # Judged before anything is made.
        load(None, dict(chosen))
        state = Path(chosen["state_dir"]).expanduser()
        file.parent.mkdir(parents=True, exist_ok=True)
        make_state_folder(state)
        write_private(file, commented_toml(chosen).encode(), exclusive=True)
    except ConfigurationError as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        place = Path(error.filename or file)
        raise click.ClickException(f"{place}: {why_not(error, place)}") from error


def _make_key(file: Path, key_id: str, role: str) -> str:
    settings = load(file, {})

    async def work(store: Any) -> str:
        if any(key.key_id == key_id for key in await store.list_keys()):
            return ""
        return str(await store.create(key_id, key_id, list(_SCOPES[role])))

    return with_store(settings, work)


def _tell(file: Path, chosen: dict[str, str], key_id: str, key: str) -> None:
    click.echo(f"wrote {file}")
    click.echo(f"state directory: {chosen['state_dir']}")
    if key:
        click.echo(f"key {key_id}, shown this once: {key}")
    elif key_id:
        click.echo(f"there is a key {key_id} already; it was left as it is")
    if chosen["worker.backend"] in SIMULATED:
        click.echo('values are SIMULATED: set worker.backend = "com" in front of a plant')
    click.echo("")
    click.echo(f"check it:   mxgateway check-config --config {file} --deep")
    click.echo(f"start it:   mxgateway serve --config {file}")
    if os.name == "posix":
        click.echo(f"as service: mxgateway systemd install --config {file} --state-dir {chosen['state_dir']}")
    click.echo("use it:     mxgw-py login, with its address, the key, and certs/gateway-ca.pem")
