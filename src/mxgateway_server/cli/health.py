"""`mxgateway health`: what a running gateway says of itself, for containers, scripts and people."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

import click
import grpc
from cryptography import x509
from grpc_health.v1 import health_pb2, health_pb2_grpc

from mxgateway_server import wiring
from mxgateway_server.certificates.authority import names_of
from mxgateway_server.cli.options import config_option, load_or_fail, state_option
from mxgateway_server.config.addresses import split_address
from mxgateway_server.config.settings import Settings
from mxgateway_server.errors import ConfigurationError
from mxgateway_server.health.watcher import READY

_LOOPBACK = {4: "127.0.0.1", 6: "::1"}


@dataclass(frozen=True, slots=True)
class _Trust:
    roots: bytes
    name: str


@dataclass(frozen=True, slots=True)
class _Target:
    address: str
    trust: _Trust | None


@click.command()
@config_option
@state_option
@click.option("--ready", is_flag=True, help="Ask whether new clients are welcome, not whether calls are answered.")
@click.option("--service", default="", metavar="NAME", help="Ask of one gRPC service, such as mxgateway.live.")
@click.option("--timeout", type=click.FloatRange(0.1, 60.0), default=5.0, show_default=True, help="Seconds.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def health(
    config_file: Path | None, state_dir: str | None, ready: bool, service: str, timeout: float, as_json: bool
) -> None:
    """Ask the gateway of these settings, on this machine, how it is.

    Exit code 0: it serves. 1: it does not, or it does not answer. The check needs no key. What is wrong stands in the
    gateway's log, as readiness_changed with a remedy.

    \b
    Examples:
      mxgateway health --config gateway.toml
      mxgateway health --ready --json
    """
    # What gRPC writes itself is about the same failures, in words for its developers.
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    settings = load_or_fail(config_file, {"state_dir": state_dir})
    try:
        target = _target(settings)
    except ConfigurationError as error:
        raise click.ClickException(str(error)) from error
    asked = READY if ready else service
    word = _ask(target, asked, timeout)
    if as_json:
        click.echo(json.dumps({"address": target.address, "service": asked, "status": word}))
    else:
        click.echo(f"{target.address}{f' {asked}' if asked else ''}: {word}")
    if word != "SERVING":
        raise click.exceptions.Exit(1)


def _target(settings: Settings) -> _Target:
    setting, address = ("listen_plaintext", settings.listen_plaintext)
    if not address:
        setting, address = ("listen", settings.listen)
    if not address:
        raise ConfigurationError("neither listen nor listen_plaintext is set, so there is nothing to ask")
    host, port = split_address(address)
    if port == 0:
        raise ConfigurationError(f"{setting} = {address} takes any free port, so nobody knows where to ask; set one")
    host = _reachable(host)
    return _Target(
        f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
        None if setting == "listen_plaintext" else _trust(settings),
    )


def _reachable(host: str) -> str:
    """The host, or loopback of the same family where it stands for every address of this machine."""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    return _LOOPBACK[address.version] if address.is_unspecified else host


def _trust(settings: Settings) -> _Trust:
    file = settings.tls.certificate_file
    if not file:
        kept = wiring.automatic_certificate(settings).kept()
        if kept is None:
            raise ConfigurationError(
                f"{settings.state_path} has no certificate, so no gateway has run with these settings (state_dir)"
            )
        return _Trust(kept.ca_file.read_bytes(), kept.names[0])
    try:
        chain = Path(file).read_bytes()
        return _Trust(chain, names_of(x509.load_pem_x509_certificate(chain))[0])
    except (OSError, ValueError, IndexError) as error:
        raise ConfigurationError(f"tls.certificate_file {file} cannot be used: {error}") from error


def _ask(target: _Target, service: str, timeout: float) -> str:
    with _channel(target) as channel:
        try:
            stub = health_pb2_grpc.HealthStub(channel)
            answer = stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=timeout)
        except grpc.RpcError as error:
            return _why(error, service)
    return str(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))


def _channel(target: _Target) -> grpc.Channel:
    if target.trust is None:
        return grpc.insecure_channel(target.address)
    # Whatever name it is asked under here, the certificate has to be the one that the settings name.
    options = (("grpc.ssl_target_name_override", target.trust.name),)
    return grpc.secure_channel(target.address, grpc.ssl_channel_credentials(target.trust.roots), options)


def _why(error: grpc.RpcError, service: str) -> str:
    code = error.code()
    if code is grpc.StatusCode.NOT_FOUND:
        return f"the gateway has no health service {service!r}"
    if "CERTIFICATE_VERIFY_FAILED" in str(error.details()):
        return "another gateway answers, with a certificate that is not of these settings"
    if code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
        return "no answer"
    return str(code.name)
