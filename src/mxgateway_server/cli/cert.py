"""`mxgateway cert`: the certificate that the TLS endpoint presents, and the one that clients trust."""

from __future__ import annotations

import datetime
import json
import re
from pathlib import Path
from typing import Any

import click

from mxgateway_contract.private_files import write_private
from mxgateway_server import wiring
from mxgateway_server.access.certificates import rule_of
from mxgateway_server.certificates.authority import thumbprint
from mxgateway_server.certificates.automatic import AutomaticCertificate
from mxgateway_server.certificates.presented import ServerCertificate
from mxgateway_server.certificates.provided import ProvidedCertificate
from mxgateway_server.cli.options import config_option, load_or_fail, state_option
from mxgateway_server.errors import ConfigurationError

_CLIENT_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,63}\Z", re.ASCII)

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def cert() -> None:
    """The certificate of the TLS endpoint.

    Unless tls.certificate_file names one of your own, the gateway keeps a small authority: clients trust the file
    gateway-ca.pem, once and for all, and the certificate that the endpoint presents is renewed by itself.
    """


@cert.command()
@config_option
@state_option
@json_option
@click.option("--pem", is_flag=True, help="Print what clients have to trust, as PEM, and nothing else.")
def show(config_file: Path | None, state_dir: str | None, as_json: bool, pem: bool) -> None:
    """Show the certificate, its end, and the file that clients trust.

    \b
    Examples:
      mxgateway cert show --config gateway.toml
      mxgateway cert show --pem > gateway-ca.pem
    """
    settings = load_or_fail(config_file, {"state_dir": state_dir})
    now = datetime.datetime.now(datetime.UTC)
    tls = settings.tls
    current: ServerCertificate | None
    automatic = None if tls.certificate_file else wiring.automatic_certificate(settings)
    try:
        if automatic is None:
            current = ProvidedCertificate(tls.certificate_file, tls.key_file).load(now)
        else:
            current = automatic.kept()
    except ConfigurationError as error:
        raise click.ClickException(str(error)) from error
    if current is None:
        raise click.ClickException(
            "there is no certificate yet; it is made by the first mxgateway serve, or by mxgateway cert renew"
        )
    if pem:
        click.echo(_read(current.ca_file), nl=False)
        return
    found = _found(current, automatic, now)
    click.echo(json.dumps(found, indent=2) if as_json else _text(found))


@cert.command()
@config_option
@state_option
@json_option
@click.option(
    "--new-authority",
    is_flag=True,
    help="Begin a new authority, because the key of the old one was lost or seen: every client needs its file then.",
)
@click.option("--yes", is_flag=True, help="Do not ask whether a new authority is meant.")
def renew(config_file: Path | None, state_dir: str | None, as_json: bool, new_authority: bool, yes: bool) -> None:
    """Issue a new certificate now; a running gateway takes it up within seconds.

    Clients that trust the authority notice nothing.
    """
    settings = load_or_fail(config_file, {"state_dir": state_dir})
    if settings.tls.certificate_file:
        raise click.ClickException(
            "tls.certificate_file names a certificate of your own: replace that file and tls.key_file; a running "
            "gateway takes them up within seconds"
        )
    automatic = wiring.automatic_certificate(settings)
    if new_authority and not yes:
        click.confirm("Every client will need the new file before it can connect again. Go on?", abort=True, err=True)
    now = datetime.datetime.now(datetime.UTC)
    try:
        current = automatic.renew(now, new_authority=new_authority)
    except ConfigurationError as error:
        raise click.ClickException(str(error)) from error
    found = _found(current, automatic, now)
    click.echo(json.dumps(found, indent=2) if as_json else _text(found))


@cert.command()
@config_option
@state_option
@json_option
@click.argument("name")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    help="Folder for NAME.crt and NAME.key.  [default: the present one]",
)
@click.option("--days", type=click.IntRange(1, 3650), default=365, show_default=True, help="Length of its life.")
def client(config_file: Path | None, state_dir: str | None, as_json: bool, name: str, out: Path, days: int) -> None:
    """Make a certificate that a client shows, signed by the gateway's own authority.

    It lets nobody in by itself: each client needs an API key all the same, which may be bound to the certificate. The
    gateway keeps no copy.

    \b
    Examples:
      mxgateway cert client line4-hmi --out /tmp/line4
      mxgateway apikey change --key-id line4-hmi --certificate-file /tmp/line4/line4-hmi.crt
    """
    settings = load_or_fail(config_file, {"state_dir": state_dir})
    if settings.tls.client_ca_file:
        raise click.ClickException(
            "tls.client_ca_file names an authority of your own: let that one sign the certificates of clients"
        )
    if not _CLIENT_NAME.match(name):
        raise click.UsageError(f"{name!r}: use 1 to 64 letters, digits, dots, hyphens and underscores")
    files = out / f"{name}.crt", out / f"{name}.key"
    for file in files:
        if file.exists():
            raise click.ClickException(f"{file} is there already; remove it, or choose another folder with --out")
    life = datetime.timedelta(days=days)
    try:
        made, chain, key = wiring.automatic_certificate(settings).for_client(
            name, datetime.datetime.now(datetime.UTC), life
        )
        write_private(files[1], key, exclusive=True)
        write_private(files[0], chain, exclusive=True, mode=0o644)
    except ConfigurationError as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"--out {out}: {error.strerror}") from error
    rule = rule_of(chain)
    found = {
        "certificateFile": str(files[0]),
        "keyFile": str(files[1]),
        "rule": rule,
        "notAfter": made.not_valid_after_utc.isoformat(),
    }
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        click.echo(f"{files[0]} and {files[1]}, valid to {found['notAfter'][:10]}\n{rule}")
    if settings.tls.client_certificates == "off":
        click.echo('No client is asked for one: tls.client_certificates is "off".', err=True)


def _found(
    current: ServerCertificate, automatic: AutomaticCertificate | None, now: datetime.datetime
) -> dict[str, Any]:
    found: dict[str, Any] = {
        "source": "files" if automatic is None else "automatic",
        "sha256": current.thumbprint,
        "names": list(current.names),
        "notBefore": current.not_before.isoformat(),
        "notAfter": current.not_after.isoformat(),
        "daysLeft": (current.not_after - now).days,
        "caFile": str(current.ca_file),
    }
    authority = None if automatic is None else automatic.authority_certificate()
    if automatic is not None and authority is not None:
        found["authority"] = {
            "sha256": thumbprint(authority),
            "notAfter": authority.not_valid_after_utc.isoformat(),
            "daysLeft": (authority.not_valid_after_utc - now).days,
        }
        found["earlierAuthorities"] = [
            {"file": str(file), "sha256": thumbprint(earlier), "notAfter": earlier.not_valid_after_utc.isoformat()}
            for file, earlier in automatic.earlier_authorities()
        ]
    return found


def _text(found: dict[str, Any]) -> str:
    origin = "made by the gateway" if found["source"] == "automatic" else "your own"
    lines = [
        f"certificate      {origin}",
        f"  names          {', '.join(found['names'])}",
        f"  valid          {found['notBefore'][:10]} to {found['notAfter'][:10]}, {found['daysLeft']} days left",
        f"  SHA-256        {found['sha256']}",
        f"clients trust    {found['caFile']}",
    ]
    if "authority" in found:
        authority = found["authority"]
        lines.append(f"  valid          to {authority['notAfter'][:10]}, {authority['daysLeft']} days left")
        lines.append(f"  SHA-256        {authority['sha256']}")
    earlier = found.get("earlierAuthorities", ())
    lines.extend(f"  still good     {each['file']}, to {each['notAfter'][:10]}" for each in earlier)
    return "\n".join(lines)


def _read(file: Path) -> str:
    try:
        return file.expanduser().read_text(encoding="ascii")
    except (OSError, ValueError) as error:
        raise click.ClickException(f"{file}: cannot be read: {error}") from error
