"""What OpenSession may ask for, by settings and by the caller's key."""

from __future__ import annotations

from typing import Any

import pytest

from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_server.config.sources import load
from mxgateway_server.errors import InvalidRequestError, PermissionDeniedError
from mxgateway_server.rpc.opening import FILE_OPTIONS, open_options
from mxgateway_server.sessions.options import OpenOptions
from mxgateway_server.workers.launcher import WorkerPlan


def test_another_backend_gets_the_options_that_are_its_own() -> None:
    settings = load(None, {"worker.allowed_backends": ("replay",)})
    plan = WorkerPlan(
        backend="simulator",
        options={"galaxy": "plant.db", "board": "plant.board.db"},
        other_options={"replay": {"file": "monday.csv"}},
    )
    request = pb.OpenSessionRequest(requested_backend="replay", backend_options={})
    found = open_options(request, settings, plan, is_admin=False).plan
    assert (found.backend, dict(found.options)) == ("replay", {"file": "monday.csv"})


def opened(options: dict[str, str], *, is_admin: bool = False, **settings: Any) -> OpenOptions:
    flags = {name.replace("__", "."): value for name, value in settings.items()}
    request = pb.OpenSessionRequest(backend_options=options)
    return open_options(request, load(None, flags), WorkerPlan(backend="simulator"), is_admin=is_admin)


FAULTS = ["fault", "fault.hang_call", "fault.fail_call", "switch.supervisory_skips_security", "anything_new"]


@pytest.mark.parametrize("name", FAULTS)
def test_what_makes_the_backend_misbehave_is_for_admins_and_for_gateways_that_allow_it(name: str) -> None:
    with pytest.raises(InvalidRequestError, match="allow_fault_injection"):
        opened({name: "1"}, is_admin=True)
    with pytest.raises(PermissionDeniedError, match="needs the scope admin"):
        opened({name: "1"}, allow_fault_injection=True)
    assert opened({name: "1"}, is_admin=True, allow_fault_injection=True).options == {name: "1"}


def test_an_option_that_the_operator_lists_is_for_all_but_a_fault_never() -> None:
    listed = ("profile", "switch.buffered_batch", "fault.hang_call")
    settings: dict[str, Any] = {"worker__allowed_backend_options": listed}
    for name in listed[:2]:
        assert opened({name: "x"}, **settings).options == {name: "x"}
    with pytest.raises(PermissionDeniedError):
        opened({"fault.hang_call": "x"}, **settings)


@pytest.mark.parametrize("name", sorted(FILE_OPTIONS))
def test_files_of_the_gateways_machine_are_for_nobody(name: str) -> None:
    with pytest.raises(InvalidRequestError):
        opened({name: "/etc/passwd"}, is_admin=True, allow_fault_injection=True)
