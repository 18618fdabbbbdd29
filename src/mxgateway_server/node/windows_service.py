"""Windows' service manager through ctypes: to be hosted by it, and to install, remove and look at a service."""

from __future__ import annotations

import contextlib
import ctypes
import queue
from collections.abc import Callable, Iterator
from ctypes import c_int, c_uint32, c_void_p, c_wchar_p
from dataclasses import dataclass
from typing import Any

from mxgateway_server.node.service_host import Asked, Happening
from mxgateway_server.node.service_life import MOST_STOP_SECONDS, State, Told

# WinDLL and WINFUNCTYPE exist on Windows only; the module itself has to import everywhere.
_ctypes: Any = ctypes

_ALL_ACCESS, _CREATE_SERVICE, _CONNECT = 0xF01FF, 0x0002, 0x0001
_OWN_PROCESS, _AUTO_START, _ERROR_NORMAL, _STOP = 0x10, 2, 1, 1
_RESTART = 1
_DESCRIPTION, _FAILURE_ACTIONS, _DELAYED, _FAILURE_FLAG, _PRESHUTDOWN = 1, 2, 3, 4, 7
_RESTART_DELAYS_MS = (2_000, 10_000, 60_000)
_A_DAY = 86_400
_NO_SUCH_SERVICE = 1060
DESCRIPTION = "Serves MXAccess tags over gRPC."


class _Status(ctypes.Structure):
    _fields_ = tuple(
        (name, c_uint32) for name in ("type", "state", "accepts", "exit_code", "specific", "checkpoint", "wait_hint")
    )


class _Action(ctypes.Structure):
    _fields_ = (("kind", c_uint32), ("delay_ms", c_uint32))


class _FailureActions(ctypes.Structure):
    _fields_ = (
        ("reset_seconds", c_uint32),
        ("reboot_message", c_wchar_p),
        ("command", c_wchar_p),
        ("count", c_uint32),
        ("actions", c_void_p),
    )


class _Entry(ctypes.Structure):
    _fields_ = (("name", c_wchar_p), ("main", c_void_p))


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """A service as the manager knows it.

    Attributes:
        exit_code: of Windows, or of the gateway where it is the gateway's own.
    """

    state: State
    exit_code: int


def _api() -> Any:
    library = _ctypes.WinDLL("advapi32", use_last_error=True)
    declared: dict[str, tuple[Any, tuple[Any, ...]]] = {
        "OpenSCManagerW": (c_void_p, (c_wchar_p, c_wchar_p, c_uint32)),
        "OpenServiceW": (c_void_p, (c_void_p, c_wchar_p, c_uint32)),
        "CreateServiceW": (
            c_void_p,
            (
                *(c_void_p, c_wchar_p, c_wchar_p, c_uint32, c_uint32, c_uint32, c_uint32),
                *(c_wchar_p, c_wchar_p, c_void_p, c_wchar_p, c_wchar_p, c_wchar_p),
            ),
        ),
        "ChangeServiceConfig2W": (c_int, (c_void_p, c_uint32, c_void_p)),
        "DeleteService": (c_int, (c_void_p,)),
        "StartServiceW": (c_int, (c_void_p, c_uint32, c_void_p)),
        "ControlService": (c_int, (c_void_p, c_uint32, c_void_p)),
        "QueryServiceStatus": (c_int, (c_void_p, c_void_p)),
        "CloseServiceHandle": (c_int, (c_void_p,)),
        "StartServiceCtrlDispatcherW": (c_int, (c_void_p,)),
        "RegisterServiceCtrlHandlerExW": (c_void_p, (c_wchar_p, c_void_p, c_void_p)),
        "SetServiceStatus": (c_int, (c_void_p, c_void_p)),
    }
    for name, (result, arguments) in declared.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def _failed(what: str) -> OSError:
    code = _ctypes.get_last_error()
    error: OSError = _ctypes.WinError(code, f"{what}: {_ctypes.FormatError(code).strip()} (error {code})")
    return error


@contextlib.contextmanager
def _manager(api: Any, access: int) -> Iterator[Any]:
    handle = api.OpenSCManagerW(None, None, access)
    if not handle:
        raise _failed("opening the service manager")
    try:
        yield handle
    finally:
        api.CloseServiceHandle(handle)


@contextlib.contextmanager
def _service(api: Any, name: str) -> Iterator[Any]:
    """The service, or None where there is none of this name."""
    with _manager(api, _CONNECT) as manager:
        handle = api.OpenServiceW(manager, name, _ALL_ACCESS)
        if not handle:
            if _ctypes.get_last_error() != _NO_SUCH_SERVICE:
                raise _failed(f"opening the service {name}")
            yield None
            return
        try:
            yield handle
        finally:
            api.CloseServiceHandle(handle)


def install(name: str, command: str, account: str) -> list[str]:
    """Makes the service, started with Windows a little after the others, and started again when it fails.

    Args:
        command: its command line, quoted.
        account: that it runs as; `NT SERVICE\\\\NAME` needs no password.

    Returns:
        What of the details Windows did not take.

    Raises:
        OSError: the service could not be made.
    """
    api = _api()
    with _manager(api, _CREATE_SERVICE) as manager:
        service = api.CreateServiceW(
            *(manager, name, name, _ALL_ACCESS, _OWN_PROCESS, _AUTO_START, _ERROR_NORMAL),
            *(command, None, None, None, account, None),
        )
        if not service:
            raise _failed(f"making the service {name}")
        try:
            actions = (_Action * len(_RESTART_DELAYS_MS))(*[_Action(_RESTART, delay) for delay in _RESTART_DELAYS_MS])
            details: tuple[tuple[str, int, Any], ...] = (
                ("description", _DESCRIPTION, c_wchar_p(DESCRIPTION)),
                ("delayed start", _DELAYED, c_int(1)),
                (
                    "restart after a failure",
                    _FAILURE_ACTIONS,
                    _FailureActions(_A_DAY, None, None, len(actions), ctypes.addressof(actions)),
                ),
                ("restart after an exit that is no crash", _FAILURE_FLAG, c_int(1)),
                ("time to end when Windows shuts down", _PRESHUTDOWN, c_uint32(MOST_STOP_SECONDS * 1000)),
            )
            return [
                what
                for what, level, detail in details
                if not api.ChangeServiceConfig2W(service, level, ctypes.byref(detail))
            ]
        finally:
            api.CloseServiceHandle(service)


def status(name: str) -> ServiceStatus | None:
    """What the manager says of the service; None where there is none.

    Raises:
        OSError: it does not say.
    """
    api = _api()
    with _service(api, name) as service:
        if service is None:
            return None
        found = _Status()
        if not api.QueryServiceStatus(service, ctypes.byref(found)):
            raise _failed(f"asking for the service {name}")
        known = {int(state) for state in State}
        state = State(found.state) if found.state in known else State.START_PENDING
        return ServiceStatus(state, int(found.specific or found.exit_code))


def start(name: str) -> bool:
    """Starts the service; False where there is none.

    Raises:
        OSError: Windows did not start it.
    """
    api = _api()
    with _service(api, name) as service:
        if service is None:
            return False
        if not api.StartServiceW(service, 0, None):
            raise _failed(f"starting the service {name}")
        return True


def ask_to_stop(name: str) -> None:
    """Asks the service to end; nothing where it does not run."""
    api = _api()
    with _service(api, name) as service:
        if service is not None:
            api.ControlService(service, _STOP, ctypes.byref(_Status()))


def remove(name: str) -> bool:
    """Takes the service out of the manager; False where there is none.

    Raises:
        OSError: it stays.
    """
    api = _api()
    with _service(api, name) as service:
        if service is None:
            return False
        if not api.DeleteService(service):
            raise _failed(f"removing the service {name}")
        return True


class _Teller:
    """Tells Windows of the service."""

    def __init__(self, api: Any, handle: int) -> None:
        self._api = api
        self._handle = handle

    def tell(self, told: Told) -> None:
        status_of = _Status(
            *(_OWN_PROCESS, told.state, told.accepts, told.exit_code, told.specific, told.checkpoint),
            told.wait_hint_ms,
        )
        self._api.SetServiceStatus(self._handle, ctypes.byref(status_of))


def dispatch(name: str, run: Callable[[_Teller, queue.SimpleQueue[Happening]], Told]) -> None:
    """Gives this process to the service manager until the service is over. On the main thread, soon after its start.

    Args:
        run: hosts the gateway; on a thread of Windows'.

    Raises:
        OSError: this process was not started by the service manager.
    """
    api = _api()
    happenings: queue.SimpleQueue[Happening] = queue.SimpleQueue()

    def handler(control: int, kind: int, data: int, context: int) -> int:
        happenings.put(Asked(control))
        return 0

    handler_type = _ctypes.WINFUNCTYPE(c_uint32, c_uint32, c_uint32, c_void_p, c_void_p)
    main_type = _ctypes.WINFUNCTYPE(None, c_uint32, c_void_p)
    kept_handler = handler_type(handler)

    def main(count: int, arguments: int) -> None:
        handle = api.RegisterServiceCtrlHandlerExW(name, ctypes.cast(kept_handler, c_void_p), None)
        if handle:
            run(_Teller(api, handle), happenings)

    kept_main = main_type(main)
    table = (_Entry * 2)(_Entry(name, ctypes.cast(kept_main, c_void_p).value), _Entry(None, None))
    if not api.StartServiceCtrlDispatcherW(table):
        raise _failed("speaking to the service manager")
