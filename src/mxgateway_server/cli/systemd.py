"""`mxgateway systemd install|remove|status`: the gateway as a service of systemd."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import click

from mxgateway_server.node.unit import DEFAULT_NAME, UNIT_FOLDER, Service, unit_text

name_option = click.option("--name", default=DEFAULT_NAME, show_default=True, help="Name of the service.")
folder_option = click.option(
    "--unit-folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=UNIT_FOLDER,
    show_default=True,
    help="Where the unit file lies.",
)


@click.group()
def systemd() -> None:
    """The gateway as a service of systemd: told when it is ready, watched, and kept from what it never uses."""
    if sys.platform == "win32":
        raise click.ClickException("systemd is Linux's; on Windows: mxgateway service install")


@systemd.command()
@name_option
@folder_option
@click.option("--config", "config_file", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="Settings.")
@click.option("--state-dir", default="", help="State directory.  [default: /var/lib/NAME, made by systemd]")
@click.option("--user", default="mxgateway", show_default=True, help="Account that it runs as.")
@click.option("--print", "only_print", is_flag=True, help="Print the unit file, and change nothing.")
def install(
    name: str, unit_folder: Path, config_file: Path | None, state_dir: str, user: str, only_print: bool
) -> None:
    """Write the unit file, and tell systemd of it. It is started by `systemctl enable --now NAME`.

    Never writes over a unit that is there: remove that one first.
    """
    try:
        made = Service(
            name=name,
            python=sys.executable,
            config="" if config_file is None else str(config_file.absolute()),
            state="" if not state_dir else str(Path(state_dir).absolute()),
            user=user,
        )
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    if only_print:
        click.echo(unit_text(made), nl=False)
        return
    path = unit_folder / f"{name}.service"
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(unit_text(made))
        path.chmod(0o644)
    except FileExistsError:
        raise click.ClickException(f"{path} is there already: mxgateway systemd remove --name {name}") from None
    except OSError as error:
        raise click.ClickException(f"{path}: {error.strerror}; run this as root") from error
    _tell_systemd("daemon-reload")
    click.echo(f"wrote {path}")
    if not _is_account(user):
        click.echo(f"make its account:  useradd --system --user-group --shell /usr/sbin/nologin {user}")
    click.echo(f"start it:          systemctl enable --now {name}")
    click.echo(f"look at it:        systemctl status {name}; journalctl -u {name} -p warning")


@systemd.command()
@name_option
@folder_option
def remove(name: str, unit_folder: Path) -> None:
    """Stop the service and remove its unit file. State, keys and settings stay."""
    path = unit_folder / f"{name}.service"
    if not path.exists():
        raise click.ClickException(f"{path}: there is no such unit")
    _tell_systemd("disable", "--now", name)
    try:
        path.unlink()
    except OSError as error:
        raise click.ClickException(f"{path}: {error.strerror}; run this as root") from error
    _tell_systemd("daemon-reload")
    click.echo(f"removed {path}; the state directory is left as it is")


@systemd.command()
@name_option
@folder_option
def status(name: str, unit_folder: Path) -> None:
    """Say whether the service is installed and runs; exit code 3 when it does not run."""
    path = unit_folder / f"{name}.service"
    if not path.exists():
        click.echo(f"{name}: not installed ({path})")
        raise click.exceptions.Exit(3)
    found = _tell_systemd("is-active", name)
    click.echo(f"{name}: installed, {found or 'and no systemd runs here'}")
    if found != "active":
        raise click.exceptions.Exit(3)


def _tell_systemd(*words: str) -> str:
    """What systemctl says; empty where there is none that runs."""
    program = shutil.which("systemctl")
    if program is None or not os.path.isdir("/run/systemd/system"):
        return ""
    done = subprocess.run([program, *words], capture_output=True, text=True, check=False, timeout=120)  # noqa: S603
    return (done.stdout or done.stderr).strip()


def _is_account(name: str) -> bool:
    import pwd

    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True
