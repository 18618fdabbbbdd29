"""gRPC channels: TLS, limits and keepalive as the options say."""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from mxgateway.options import ClientOptions


def channel_maker(options: ClientOptions) -> Callable[[], grpc.aio.Channel]:
    """What makes the gRPC channel of the options, not yet connected; within the event loop that will use it.

    Files are read here.

    Raises:
        OSError: `ca_file`, `client_certificate_file` or `client_key_file` cannot be read.
        ValueError: one of them does not hold what it should.
    """
    settings: list[tuple[str, Any]] = [
        ("grpc.max_send_message_length", options.max_message_bytes),
        ("grpc.max_receive_message_length", options.max_message_bytes),
        # A library reads nothing from the environment; plant networks are not behind a proxy.
        ("grpc.enable_http_proxy", 0),
        # Retries are this library's own decision, call by call.
        ("grpc.enable_retries", 0),
        ("grpc.initial_reconnect_backoff_ms", 200),
        ("grpc.max_reconnect_backoff_ms", 5_000),
        # Channels to one address stay apart, so that closing one client never touches another.
        ("grpc.use_local_subchannel_pool", 1),
    ]
    if options.keepalive_time is not None:
        settings += [
            ("grpc.keepalive_time_ms", round(options.keepalive_time * 1000)),
            ("grpc.keepalive_timeout_ms", round(options.keepalive_timeout * 1000)),
            ("grpc.keepalive_permit_without_calls", 0),
            # gRPC also sends pings of its own, and a keepalive waits for their answers: without this limit, a minute.
            ("grpc.http2.ping_timeout_ms", round(options.keepalive_timeout * 1000)),
        ]
    if options.plaintext:
        return lambda: grpc.aio.insecure_channel(options.endpoint, options=settings)
    if options.server_name_override is not None:
        settings.append(("grpc.ssl_target_name_override", options.server_name_override))
    roots = _system_roots() if options.ca_file is None else _read("ca_file", options.ca_file, _CERTIFICATE)
    key = chain = None
    if options.client_certificate_file is not None and options.client_key_file is not None:
        chain = _read("client_certificate_file", options.client_certificate_file, _CERTIFICATE)
        key = _read("client_key_file", options.client_key_file, _KEY)
        _check_pair(options.client_certificate_file, options.client_key_file)
    credentials = grpc.ssl_channel_credentials(roots, key, chain)
    return lambda: grpc.aio.secure_channel(options.endpoint, credentials, options=settings)


_CERTIFICATE, _KEY = "certificate", "private key"
_BEGINNINGS = {
    _CERTIFICATE: re.compile(rb"-----BEGIN CERTIFICATE-----"),
    _KEY: re.compile(rb"-----BEGIN [A-Z ]*KEY-----"),
}


def _read(option: str, file: str | os.PathLike[str], wanted: str) -> bytes:
    try:
        data = Path(file).read_bytes()
    except OSError as error:
        raise type(error)(error.errno, f"{option} cannot be read: {error.strerror}", str(file)) from error
    if not _BEGINNINGS[wanted].search(data):
        raise ValueError(f"{option} {str(file)!r} holds no PEM {wanted}")
    return data


def _check_pair(certificate_file: str | os.PathLike[str], key_file: str | os.PathLike[str]) -> None:
    """Raises for a pair that no handshake could use, which gRPC would tell as a connection that never comes."""
    try:
        # An empty pass phrase, so that nobody is asked for one on a terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(certificate_file, key_file, password="")
    except (ssl.SSLError, ValueError):
        raise ValueError(
            f"client_key_file {str(key_file)!r} does not belong to client_certificate_file, or has a pass phrase; give "
            "the matching pair, the key without one"
        ) from None


def _system_roots() -> bytes | None:
    """The roots that this machine trusts, as PEM; None (gRPC's own list) where the system names none."""
    certificates = ssl.create_default_context().get_ca_certs(binary_form=True)
    return "".join(map(ssl.DER_cert_to_PEM_cert, certificates)).encode() or None
