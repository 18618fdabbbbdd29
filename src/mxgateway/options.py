"""Options of a client."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field, fields
from typing import TypedDict

from mxgateway.auth import check_api_key
from mxgateway_contract.constants import MAX_MESSAGE_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """When and how a failed call is repeated. Off unless given in ClientOptions.

    Only calls that change nothing are ever repeated (pings, reads of state, Galaxy browse, opening of alarm queries):
    never a write, a subscription, a session's opening, nor any call whose deadline was over.

    Attributes:
        max_attempts: attempts in all, the first included; at least 1.
        initial_delay: seconds before the second attempt; each further delay doubles. The true delay is drawn evenly
            between 0 and that ("full jitter"), but is never shorter than what the gateway asks for (RetryInfo).
        max_delay: longest delay in seconds.
    """

    max_attempts: int = 4
    initial_delay: float = 0.1
    max_delay: float = 5.0

    def __post_init__(self) -> None:
        if self.max_attempts < 1:
            raise ValueError(f"max_attempts is {self.max_attempts}, but at least one attempt is needed")
        if self.initial_delay < 0 or self.max_delay < self.initial_delay:
            raise ValueError("delays need 0 <= initial_delay <= max_delay")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientOptions:
    """How to reach a gateway. Nothing is read from the environment or from files but what is named here.

    Attributes:
        endpoint: `host:port`, without a scheme; IPv6 as `[::1]:5001`.
        api_key: `mxgw_<id>_<secret>`, sent with every call; never part of repr or of any error text.
        plaintext: True for an unencrypted channel. TLS is the default, and nothing else ever switches it off.
        ca_file: PEM file of the certificate authority to trust, for example the gateway's own `gateway-ca.pem`; None
            for the roots of the system.
        client_certificate_file: PEM file of the certificate that this client shows to a gateway which asks for one,
            with what vouches for it behind it; with `client_key_file`. None for no certificate.
        client_key_file: PEM file of its private key, without a pass phrase.
        server_name_override: name to expect in the certificate in place of the endpoint's host, for tests.
        connect_timeout: seconds until `connect` gives up; None connects at the first call instead.
        call_timeout: deadline of a unary call in seconds; None for none.
        stream_timeout: deadline of a stream in seconds; None (default) for none.
        shutdown_timeout: seconds that a closing session or client may take, apart from `call_timeout`.
        max_message_bytes: longest message, both ways.
        keepalive_time: seconds without traffic after which a ping asks whether the gateway is still there; None for
            never. It finds half-open connections that would keep a stream waiting for ever.
        keepalive_timeout: seconds that the answer to it may take.
        retry: repeats failed calls that change nothing; None (default) never repeats.
    """

    endpoint: str
    api_key: str | None = field(default=None, repr=False)
    plaintext: bool = False
    ca_file: str | os.PathLike[str] | None = None
    client_certificate_file: str | os.PathLike[str] | None = None
    client_key_file: str | os.PathLike[str] | None = None
    server_name_override: str | None = None
    connect_timeout: float | None = 10.0
    call_timeout: float | None = 30.0
    stream_timeout: float | None = None
    shutdown_timeout: float = 10.0
    max_message_bytes: int = MAX_MESSAGE_BYTES
    keepalive_time: float | None = 30.0
    keepalive_timeout: float = 10.0
    retry: RetryPolicy | None = None

    def __post_init__(self) -> None:
        check_endpoint(self.endpoint)
        check_api_key(self.api_key)
        for name in ("ca_file", "server_name_override", "client_certificate_file", "client_key_file"):
            if self.plaintext and getattr(self, name) is not None:
                raise ValueError(f"plaintext=True excludes {name}: it is an option of TLS")
            # What an unset variable gives; taken for a path it would be the current folder.
            if getattr(self, name) == "":
                raise ValueError(f"{name} is empty; name one, or leave it out")
        if (self.client_certificate_file is None) != (self.client_key_file is None):
            raise ValueError("client_certificate_file and client_key_file belong together: give both, or neither")
        for name in ("connect_timeout", "call_timeout", "stream_timeout", "keepalive_time"):
            seconds = getattr(self, name)
            if seconds is not None and not (seconds > 0 and math.isfinite(seconds)):
                raise ValueError(f"{name} is {seconds}, but needs to be a positive number of seconds, or None")
        for name in ("shutdown_timeout", "keepalive_timeout", "max_message_bytes"):
            number = getattr(self, name)
            if not (number > 0 and math.isfinite(number)):
                raise ValueError(f"{name} is {number}, but needs to be positive")


class ClientSettings(TypedDict, total=False):
    """The fields of ClientOptions as keywords of `connect`."""

    endpoint: str
    api_key: str | None
    plaintext: bool
    ca_file: str | os.PathLike[str] | None
    client_certificate_file: str | os.PathLike[str] | None
    client_key_file: str | os.PathLike[str] | None
    server_name_override: str | None
    connect_timeout: float | None
    call_timeout: float | None
    stream_timeout: float | None
    shutdown_timeout: float
    max_message_bytes: int
    keepalive_time: float | None
    keepalive_timeout: float
    retry: RetryPolicy | None


def check_endpoint(endpoint: str) -> None:
    """Refuses what is no `host:port`.

    Raises:
        ValueError: a scheme, a missing or impossible port, a missing host.
    """
    if "://" in endpoint:
        raise ValueError(f"endpoint {endpoint!r} has a scheme; give host:port, and plaintext=True for no TLS")
    host, separator, port = endpoint.rpartition(":")
    if not separator or not host or (":" in host and not (host.startswith("[") and host.endswith("]"))):
        raise ValueError(f"endpoint {endpoint!r} is not host:port, for example localhost:5001 or [::1]:5001")
    if not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError(f"endpoint {endpoint!r} has no port between 1 and 65535")


def merge_options(options: ClientOptions | None, settings: ClientSettings) -> ClientOptions:
    """The options of a connect call: one object, or its fields as keywords.

    Raises:
        TypeError: both, neither, an unknown field, or something else than ClientOptions.
    """
    if options is None:
        unknown = sorted(set(settings) - {each.name for each in fields(ClientOptions)})
        if unknown:
            from difflib import get_close_matches

            near = get_close_matches(unknown[0], [each.name for each in fields(ClientOptions)], n=1)
            raise TypeError(f"there is no option {unknown[0]}" + (f"; did you mean {near[0]}?" if near else ""))
        return ClientOptions(**settings)
    if not isinstance(options, ClientOptions):
        raise TypeError(f"options is {type(options).__name__}; give ClientOptions, or endpoint='host:port' by keyword")
    if settings:
        raise TypeError("give either options or its fields as keywords, not both; dataclasses.replace changes options")
    return options
