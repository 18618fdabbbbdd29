"""gRPC channels: TLS, limits and keepalive as the options say."""

from __future__ import annotations

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
        OSError: `ca_file` cannot be read.
        ValueError: `ca_file` holds no certificate.
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
    roots = _read_roots(Path(options.ca_file)) if options.ca_file is not None else _system_roots()
    return lambda: grpc.aio.secure_channel(options.endpoint, grpc.ssl_channel_credentials(roots), options=settings)


def _read_roots(ca_file: Path) -> bytes:
    try:
        roots = ca_file.read_bytes()
    except OSError as error:
        raise type(error)(error.errno, f"ca_file cannot be read: {error.strerror}", str(ca_file)) from error
    if b"-----BEGIN CERTIFICATE-----" not in roots:
        raise ValueError(f"ca_file {str(ca_file)!r} holds no PEM certificate")
    return roots


def _system_roots() -> bytes | None:
    """The roots that this machine trusts, as PEM; None (gRPC's own list) where the system names none."""
    certificates = ssl.create_default_context().get_ca_certs(binary_form=True)
    return "".join(map(ssl.DER_cert_to_PEM_cert, certificates)).encode() or None
