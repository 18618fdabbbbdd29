"""`mxgw-py profiles` and `mxgw-py logout`."""

from __future__ import annotations

from pathlib import Path

import click

from mxgateway_cli import profiles
from mxgateway_cli.output import emit, note


@click.command("profiles")
@click.option("--json", "output_json", is_flag=True, help="One JSON document on stdout.")
def list_profiles(output_json: bool) -> None:
    """The gateways that login saved, and where the key of each comes from; never the key.

    \b
    Example:
      mxgw-py profiles
    """
    rows = []
    for name in profiles.names():
        saved = profiles.load(name)
        assert saved is not None
        key = f"file {saved.api_key_file}" if saved.api_key_file else f"variable {saved.api_key_env}"
        if saved.api_key_file is None and saved.api_key_env is None:
            key = "none"
        rows.append({"profile": name, "endpoint": saved.endpoint, "plaintext": saved.plaintext, "keySource": key})
    lines = [
        f"{row['profile']}\t{row['endpoint']}\t{'plaintext' if row['plaintext'] else 'TLS'}\tkey: {row['keySource']}"
        for row in rows
    ]
    emit({"profiles": rows}, output_json, lines or ["there is no profile yet; mxgw-py login makes one"])


@click.command()
@click.option(
    "--profile",
    default=profiles.DEFAULT_PROFILE,
    show_default=True,
    metavar="NAME",
    help="Profile to forget.",
    shell_complete=lambda _ctx, _param, text: [each for each in profiles.names() if each.startswith(text)],
)
def logout(profile: str) -> None:
    """Forgets a profile, and deletes its key when login keeps it. The key itself stays valid: a gateway's
    administrator revokes it.

    \b
    Example:
      mxgw-py logout --profile plant
    """
    saved = profiles.load(profile)
    assert saved is not None
    kept = profiles.kept_key_file(profile)
    profiles.forget(profile, saved)
    if saved.api_key_file is not None and Path(saved.api_key_file) == kept:
        # What login was only told of is somebody else's.
        kept.unlink(missing_ok=True)
    note(f"profile {profile} is forgotten")
