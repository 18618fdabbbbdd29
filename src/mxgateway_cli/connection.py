"""Options that every command which talks to a gateway has, and running its asynchronous part."""

from __future__ import annotations

import asyncio
import functools
import os
from collections.abc import Awaitable, Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from mxgateway import ClientOptions, MxGatewayAuthenticationError, MxGatewayError
from mxgateway.house import redact
from mxgateway_cli import interrupts, profiles
from mxgateway_cli.failures import CommandFailure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mxgateway import GalaxyRepositoryClient, GatewayClient

T = TypeVar("T")

DEFAULT_TLS_ENDPOINT = "localhost:5001"
DEFAULT_PLAINTEXT_ENDPOINT = "localhost:5000"
DEFAULT_TIMEOUT = 30.0
DEFAULT_SHUTDOWN_TIMEOUT = 10.0

HINT_SECONDS = 5.0
"""How long a command goes on looking for what a wrong reference may have meant."""

_MOST_HINTS = 5

_ENDPOINT_NAMES = (
    "endpoint",
    "api_key",
    "api_key_env",
    "plaintext",
    "tls",
    "ca_file",
    "client_cert",
    "client_key",
    "server_name_override",
    "profile",
)


@dataclass(frozen=True)
class Connection:
    """The gateway that a command talks to.

    Attributes:
        options: for the clients.
        timeout: seconds that the command as a whole may take; None for a long-running one.
        asked_timeout: what `--timeout` says, None when it was not given.
        output_json: whether one JSON document is wanted.
        key_source: where the key comes from, for reports that must not show the key; empty without a key.
    """

    options: ClientOptions
    timeout: float | None
    output_json: bool
    key_source: str = ""
    asked_timeout: float | None = None

    def run(self, body: Callable[[GatewayClient], Awaitable[T]]) -> T:
        """Connects, runs the body with the client, and closes."""
        from mxgateway import GatewayClient

        async def connected() -> T:
            async with await GatewayClient.connect(self.options) as client:
                return await body(client)

        return self._run(connected)

    def run_galaxy(self, body: Callable[[GalaxyRepositoryClient], Awaitable[T]]) -> T:
        """`run` for the Galaxy service."""
        from mxgateway import GalaxyRepositoryClient

        async def connected() -> T:
            async with await GalaxyRepositoryClient.connect(self.options) as galaxy:
                return await body(galaxy)

        return self._run(connected)

    def hints(self, tags: Sequence[str]) -> list[str]:
        """What was meant by references that lead nowhere, as far as the Galaxy tells within a few seconds."""
        from mxgateway_cli.near_tags import hint

        async def body(galaxy: GalaxyRepositoryClient) -> list[str]:
            return [text for tag in tags[:_MOST_HINTS] if (text := await hint(galaxy, tag))]

        try:
            return replace(self, timeout=HINT_SECONDS).run_galaxy(body)
        except CommandFailure:
            # A key may read tags without reading the Galaxy: then there is no hint.
            return []

    def _run(self, work: Callable[[], Awaitable[T]]) -> T:
        async def bounded() -> T:
            async with asyncio.timeout(self.timeout):
                return await work()

        with readable_failures(self.options.api_key, self.timeout, self.key_source):
            return interrupts.run(bounded())

    def unbounded(self) -> Connection:
        """The same for a command that runs until it is stopped."""
        return replace(self, timeout=None)


@contextmanager
def readable_failures(api_key: str | None = None, timeout: float | None = None, key_source: str = "") -> Iterator[None]:
    """Turns what can go wrong into a text for the user, without the key and without a traceback."""
    try:
        yield
    except MxGatewayAuthenticationError as error:
        # Of metadata and Bearer speaks the gateway to programs; at a command line a key has a source.
        whence = f"the key came from {key_source}" if key_source else "no key was given"
        remedy = "--api-key-env VARIABLE gives one, mxgw-py login keeps one"
        raise CommandFailure(f"{redact(str(error), api_key)}; {whence}: {remedy}") from error
    except MxGatewayError as error:
        raise CommandFailure(redact(str(error), api_key)) from error
    except BaseExceptionGroup as group:
        # A task group wraps what one of its tasks raised.
        first = group.exceptions[0]
        if isinstance(first, MxGatewayError | OSError | ValueError):
            raise CommandFailure(redact(str(first), api_key)) from group
        raise
    except TimeoutError as error:
        limit = f" within {timeout:g} s (--timeout)" if timeout else " in time"
        raise CommandFailure(f"the command did not end{limit}") from error
    except BrokenPipeError:
        raise
    except (OSError, ValueError) as error:
        raise CommandFailure(redact(str(error), api_key)) from error


def endpoint_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say where the gateway is and which key to use."""
    for option in reversed(
        (
            click.option("--endpoint", metavar="HOST:PORT", help="Gateway; localhost:5001, or :5000 with --plaintext."),
            click.option("--api-key", metavar="KEY", help="API key; other users can see it, prefer --api-key-env."),
            click.option("--api-key-env", metavar="VARIABLE", help="Environment variable that holds the API key."),
            click.option("--plaintext", is_flag=True, help="Unencrypted channel. Never chosen by itself."),
            click.option("--tls", is_flag=True, help="TLS, which is the default."),
            click.option(
                "--ca-file", type=click.Path(dir_okay=False), help="PEM file of the certificate authority to trust."
            ),
            click.option(
                "--client-cert",
                type=click.Path(dir_okay=False),
                help="PEM file of this client's certificate, where the gateway asks for one.",
            ),
            click.option("--client-key", type=click.Path(dir_okay=False), help="PEM file of its private key."),
            click.option("--server-name-override", metavar="NAME", help="Name to expect in the certificate (tests)."),
            click.option(
                "--profile",
                metavar="NAME",
                help="Profile of mxgw-py login, or a profile file (.json).",
                shell_complete=lambda _ctx, _param, text: [each for each in profiles.names() if each.startswith(text)],
            ),
        )
    ):
        command = option(command)
    return command


def connected(*, long_running: bool = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Gives a command the connection options and a Connection as its first argument.

    Args:
        long_running: the command streams or measures: `--timeout` bounds its single calls only, or what the command
            says itself.
    """

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(command)
        def wrapped(
            timeout: float | None = None,
            shutdown_timeout: float = DEFAULT_SHUTDOWN_TIMEOUT,
            output_json: bool = False,
            **given: Any,
        ) -> Any:
            resolved = resolve(**{name: given.pop(name) for name in _ENDPOINT_NAMES})
            limit = timeout or DEFAULT_TIMEOUT
            connection = Connection(
                options=replace(resolved.options, call_timeout=limit, shutdown_timeout=shutdown_timeout),
                timeout=None if long_running else limit,
                output_json=output_json,
                key_source=resolved.key_source,
                asked_timeout=timeout,
            )
            return command(connection, **given)

        return endpoint_options(_call_options(wrapped, long_running))

    return decorate


def _call_options(command: Callable[..., Any], long_running: bool) -> Callable[..., Any]:
    """The limits of time, and the form of the output."""
    seconds, scope = click.FloatRange(min=0, min_open=True), "" if long_running else " and of the command as a whole"
    for option in reversed(
        (
            click.option(
                "--timeout",
                type=seconds,
                metavar="SECONDS",
                help=f"Limit of each call{scope}.  [default: {DEFAULT_TIMEOUT:g}]",
            ),
            click.option(
                "--shutdown-timeout",
                type=seconds,
                default=DEFAULT_SHUTDOWN_TIMEOUT,
                show_default=True,
                metavar="SECONDS",
                help="Limit of closing.",
            ),
            click.option("--json", "output_json", is_flag=True, help="One JSON document on stdout."),
        )
    ):
        command = option(command)
    return command


@dataclass(frozen=True)
class ResolvedOptions:
    """Options from flags and profile, and where the key came from."""

    options: ClientOptions
    key_source: str


def resolve(
    endpoint: str | None = None,
    api_key: str | None = None,
    api_key_env: str | None = None,
    plaintext: bool = False,
    tls: bool = False,
    ca_file: str | None = None,
    client_cert: str | None = None,
    client_key: str | None = None,
    server_name_override: str | None = None,
    profile: str | None = None,
) -> ResolvedOptions:
    """The options of a client from flags, then the profile, then the defaults.

    The default profile counts only when no endpoint is given: its key never goes to another gateway than its own.

    Raises:
        click.UsageError: contradictory flags, a variable that is not set, a profile that cannot be used.
    """
    has_tls_options = bool(ca_file or client_cert or client_key or server_name_override)
    _refuse_contradictions(api_key, api_key_env, plaintext, tls, has_tls_options)
    saved = profiles.load(profile) if profile is not None or (endpoint is None and not plaintext) else None
    key, source = _key(api_key, api_key_env, saved, profile or profiles.DEFAULT_PROFILE)
    if saved is not None:
        plaintext = plaintext or (saved.plaintext and not tls)
        endpoint = endpoint or saved.endpoint
    if saved is not None and not plaintext:
        ca_file = ca_file or saved.ca_file
        if not (client_cert or client_key):
            client_cert, client_key = saved.client_certificate_file, saved.client_key_file
        server_name_override = server_name_override or saved.server_name_override
    try:
        for name, file in (("--ca-file", ca_file), ("--client-cert", client_cert), ("--client-key", client_key)):
            if file and not Path(file).is_file():
                raise ValueError(f"{name} {file} does not exist")
        if bool(client_cert) != bool(client_key):
            raise ValueError("--client-cert and --client-key belong together: give both, or neither")
        options = ClientOptions(
            endpoint=endpoint or (DEFAULT_PLAINTEXT_ENDPOINT if plaintext else DEFAULT_TLS_ENDPOINT),
            api_key=key,
            plaintext=plaintext,
            ca_file=ca_file,
            client_certificate_file=client_cert,
            client_key_file=client_key,
            server_name_override=server_name_override,
        )
    except ValueError as error:
        raise click.UsageError(redact(str(error), key)) from error
    return ResolvedOptions(options, source)


def _refuse_contradictions(
    api_key: str | None, api_key_env: str | None, plaintext: bool, tls: bool, has_tls_options: bool
) -> None:
    if plaintext and tls:
        raise click.UsageError("--plaintext and --tls exclude each other")
    if plaintext and has_tls_options:
        raise click.UsageError(
            "--ca-file, --client-cert, --client-key and --server-name-override are TLS options; they exclude "
            "--plaintext"
        )
    if api_key is not None and api_key_env is not None:
        raise click.UsageError("give either --api-key or --api-key-env")


def _key(
    api_key: str | None, api_key_env: str | None, saved: profiles.Profile | None, profile: str
) -> tuple[str | None, str]:
    if api_key is not None:
        return api_key, "--api-key"
    whose = "--api-key-env"
    if api_key_env is None and saved is not None:
        whose = f"named by profile {profile!r}"
        if saved.api_key_file is not None:
            return profiles.read_key_file(Path(saved.api_key_file)), f"file {saved.api_key_file}"
        api_key_env = saved.api_key_env
    if api_key_env is None:
        return None, ""
    key = os.environ.get(api_key_env)
    if not key:
        remedy = "set it to the API key"
        if saved is not None and whose != "--api-key-env":
            remedy += (
                f", or let mxgw-py login --endpoint {saved.endpoint} --profile {profile} ask for the key and keep it"
            )
        raise click.UsageError(f"the environment variable {api_key_env} ({whose}) is not set; {remedy}")
    return key, f"environment variable {api_key_env}"
