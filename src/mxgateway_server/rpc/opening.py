"""From OpenSessionRequest to what the session manager takes."""

from __future__ import annotations

import re

from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_server.config.settings import Settings
from mxgateway_server.errors import InvalidRequestError, PermissionDeniedError
from mxgateway_server.sessions.options import OpenOptions
from mxgateway_server.workers.launcher import WorkerPlan

MAX_NAME_CHARACTERS = 200
MAX_OPTIONS = 32
MAX_OPTION_CHARACTERS = 1000
# Options may travel on the worker's command line as name=value.
_OPTION_NAME = re.compile(r"[A-Za-z][\w.-]{0,63}\Z", re.ASCII)
# Options that name files of the gateway's machine; a caller never sets them.
FILE_OPTIONS = frozenset({"galaxy", "board", "file", "path"})
"""Options of backends that name files: callers may never set them."""


def open_options(
    request: pb.OpenSessionRequest, settings: Settings, plan: WorkerPlan, *, is_admin: bool
) -> OpenOptions:
    """What the caller asked for, checked.

    Args:
        is_admin: whether the caller's key has the scope `admin`, which faults and switches need here as they do as
            commands.

    Raises:
        InvalidRequestError: names the field and the setting that would allow it.
        PermissionDeniedError: an option makes the backend misbehave, and the key may not do that.
    """
    if len(request.client_session_name) > MAX_NAME_CHARACTERS or not request.client_session_name.isprintable():
        raise InvalidRequestError(f"client_session_name may have {MAX_NAME_CHARACTERS} printable characters")
    timeout = settings.sessions.default_command_timeout_seconds
    if request.HasField("command_timeout"):
        timeout = request.command_timeout.ToNanoseconds() / 1e9
        if timeout <= 0:
            raise InvalidRequestError("command_timeout must be more than 0")
        timeout = min(timeout, settings.sessions.max_command_timeout_seconds)
    backend = request.requested_backend or plan.backend
    is_default = backend == plan.backend
    if not is_default:
        if backend not in settings.worker.allowed_backends:
            raise InvalidRequestError(
                f"requested_backend {backend[:40]!r} is not offered here; leave it empty for {plan.backend} "
                "(setting worker.allowed_backends)"
            )
        plan = plan.for_backend(backend)
    options = dict(request.backend_options)
    if len(options) > MAX_OPTIONS:
        raise InvalidRequestError(f"backend_options has more than {MAX_OPTIONS} entries")
    for name, value in options.items():
        if not _OPTION_NAME.match(name):
            raise InvalidRequestError(f"backend_options[{name[:40]!r}] is no name: letters, digits, `.`, `_` and `-`")
        if len(value) > MAX_OPTION_CHARACTERS or not value.isprintable():
            raise InvalidRequestError(
                f"backend_options[{name!r}] may have {MAX_OPTION_CHARACTERS} printable characters"
            )
        is_allowed = name in settings.worker.allowed_backend_options
        is_fault = name.partition(".")[0] == "fault"
        if not is_allowed and not (settings.allow_fault_injection and name not in FILE_OPTIONS):
            raise InvalidRequestError(
                f"backend_options[{name[:40]!r}] may not be set here (settings worker.allowed_backend_options and "
                "allow_fault_injection)"
            )
        if (is_fault or not is_allowed) and not is_admin:
            # As a command it would need that, too.
            raise PermissionDeniedError(
                f"backend_options[{name[:40]!r}] makes the backend behave otherwise, and needs the scope admin"
            )
    if request.backpressure_policy not in pb.BackpressurePolicy.values():
        raise InvalidRequestError(f"backpressure_policy {request.backpressure_policy} is unknown")
    return OpenOptions(
        plan=plan,
        uses_default_plan=is_default,
        command_timeout=timeout,
        name=request.client_session_name,
        policy=request.backpressure_policy,
        options=options,
        is_kept=request.keep_when_disconnected,
    )
