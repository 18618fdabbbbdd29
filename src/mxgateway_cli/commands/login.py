"""`mxgw-py login`."""

from __future__ import annotations

import os
from pathlib import Path

import click

from mxgateway import GatewayClient
from mxgateway_cli import profiles
from mxgateway_cli.connection import DEFAULT_PLAINTEXT_ENDPOINT, DEFAULT_TLS_ENDPOINT, Connection, resolve
from mxgateway_cli.output import ask, ask_secret, emit
from mxgateway_contract.private_files import write_private


@click.command()
@click.option("--endpoint", metavar="HOST:PORT", help="Gateway; asked for when not given.")
@click.option("--ca-file", type=click.Path(exists=True, dir_okay=False), help="PEM file to trust.")
@click.option(
    "--client-cert", type=click.Path(exists=True, dir_okay=False), help="PEM file of this client's certificate."
)
@click.option("--client-key", type=click.Path(exists=True, dir_okay=False), help="PEM file of its private key.")
@click.option("--server-name-override", metavar="NAME", help="Name to expect in the certificate (tests).")
@click.option("--plaintext", is_flag=True, help="Unencrypted channel, for this profile alone.")
@click.option("--api-key-env", metavar="VARIABLE", help="Remember that the key is in this environment variable.")
@click.option(
    "--api-key-file", type=click.Path(exists=True, dir_okay=False), help="Remember that the key is in this file."
)
@click.option("--profile", metavar="NAME", help=f"Name to save as.  [default: {profiles.DEFAULT_PROFILE}]")
@click.option("--no-check", is_flag=True, help="Save without connecting.")
@click.option("--json", "output_json", is_flag=True, help="One JSON document on stdout.")
def login(
    endpoint: str | None,
    ca_file: str | None,
    client_cert: str | None,
    client_key: str | None,
    server_name_override: str | None,
    plaintext: bool,
    api_key_env: str | None,
    api_key_file: str | None,
    profile: str | None,
    no_check: bool,
    output_json: bool,
) -> None:
    """Saves where a gateway is and where its key comes from, so that other commands need no options.

    Without --api-key-env and --api-key-file the key is asked for, and kept in a file that only you can read. Without
    --endpoint the gateway, its certificate and the name of the profile are asked for, too.

    \b
    Examples:
      mxgw-py login
      mxgw-py login --endpoint gateway:5001 --ca-file gateway-ca.pem
      mxgw-py login --endpoint gateway:5001 --api-key-env MXGATEWAY_API_KEY --profile plant
    """
    if api_key_env is not None and api_key_file is not None:
        raise click.UsageError("give either --api-key-env or --api-key-file")
    if endpoint is None:
        endpoint, ca_file, profile = _ask_where(plaintext, ca_file, profile)
    profile = profile or profiles.DEFAULT_PROFILE
    key: str | None = None
    if api_key_env is None and api_key_file is None:
        key = ask_secret("API key", "--api-key-env or --api-key-file")
        target = profiles.kept_key_file(profile)
    elif api_key_file is not None:
        key, target = profiles.read_key_file(Path(api_key_file)), Path(api_key_file).resolve()
    else:
        key, target = os.environ.get(str(api_key_env)), None
    if not no_check:
        resolved = resolve(
            endpoint,
            key,
            plaintext=plaintext,
            ca_file=ca_file,
            client_cert=client_cert,
            client_key=client_key,
            server_name_override=server_name_override,
        )
        Connection(resolved.options, timeout=30.0, output_json=output_json).run(_check)
    if api_key_env is None and api_key_file is None and target is not None:
        write_private(target, f"{key}\n")
    saved = profiles.Profile(
        endpoint=endpoint,
        plaintext=plaintext,
        ca_file=_absolute(ca_file),
        client_certificate_file=_absolute(client_cert),
        client_key_file=_absolute(client_key),
        server_name_override=server_name_override,
        api_key_env=api_key_env,
        api_key_file=str(target) if target is not None else None,
    )
    path = profiles.save(profile, saved)
    emit({"profile": profile, "endpoint": endpoint, "file": str(path)}, output_json, f"profile {profile} in {path}")


def _absolute(file: str | None) -> str | None:
    return str(Path(file).resolve()) if file else None


def _ask_where(plaintext: bool, ca_file: str | None, profile: str | None) -> tuple[str, str | None, str]:
    """Asks for the gateway, the certificate to trust, and the name of the profile, as far as they are not given.

    Raises:
        click.UsageError: there is no terminal to ask on.
    """
    endpoint = ask(
        "Gateway (HOST:PORT)", "--endpoint", DEFAULT_PLAINTEXT_ENDPOINT if plaintext else DEFAULT_TLS_ENDPOINT
    )
    if ca_file is None and not plaintext:
        text = ask("File of the certificate to trust (empty for those that this system trusts)", "--ca-file", "")
        ca_file = text or None
    return endpoint, ca_file, profile or ask("Name of the profile", "--profile", profiles.DEFAULT_PROFILE)


async def _check(client: GatewayClient) -> None:
    """Whether the gateway takes the key: asks for a session that cannot exist."""
    from mxgateway import MxGatewayAuthorizationError, MxGatewayCommandError, MxGatewaySessionError

    try:
        await client.attach_session("session-" + "0" * 32).state()
    except (MxGatewaySessionError, MxGatewayAuthorizationError, MxGatewayCommandError):
        # The key was known; what it may do is not the question here.
        return
