"""Which scope a command and a method need, and that none is left out."""

from __future__ import annotations

import pytest

from mxgateway.generated import galaxy_repository_pb2 as gpb
from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_contract.commands import COMMANDS, Scope
from mxgateway_server.access.scopes import (
    ADMIN_ONLY,
    CATALOGUE_VERSION,
    COMMAND_SCOPES,
    RPC_SCOPES,
    allows,
    newer_scopes,
    parse_scopes,
    scopes_of_command,
    scopes_of_rpc,
)

KINDS = [number for number in pb.MxCommandKind.values() if number]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_the_contract_has_a_scope_of_its_own(kind: int) -> None:
    assert scopes_of_command(kind) == frozenset({COMMANDS[pb.MxCommandKind.ValueType(kind)].scope})


def test_writes_need_write_scopes_and_nothing_else_of_the_plant_can_be_written_without() -> None:
    for kind in KINDS:
        name = COMMANDS[pb.MxCommandKind.ValueType(kind)].name
        if "WRITE" in name:
            expected = Scope.INVOKE_SECURE if "SECURED" in name else Scope.INVOKE_WRITE
            assert scopes_of_command(kind) == {expected}


def test_an_unknown_kind_and_an_unknown_method_need_admin() -> None:
    assert scopes_of_command(999) == ADMIN_ONLY
    assert scopes_of_rpc("/x/Y") == ADMIN_ONLY


def test_every_method_of_both_services_is_listed_and_the_list_has_no_other() -> None:
    listed = {method for method in RPC_SCOPES if not method.startswith("/grpc.")}
    existing = {
        f"/{service.full_name}/{method.name}"
        for descriptor in (pb.DESCRIPTOR, gpb.DESCRIPTOR)
        for service in descriptor.services_by_name.values()
        for method in service.methods
    }
    assert listed == existing


def test_a_scope_that_was_taken_out_of_another_is_missed_by_keys_that_did_not_choose_it() -> None:
    assert newer_scopes([Scope.INVOKE_READ], 0) == (Scope.INVOKE_SUPERVISORY,)
    for held, catalogue in (
        ([Scope.INVOKE_READ], CATALOGUE_VERSION),
        ([Scope.INVOKE_READ, Scope.INVOKE_SUPERVISORY], 0),
        ([Scope.EVENTS_READ], 0),
    ):
        assert newer_scopes(held, catalogue) == ()


def test_admin_does_not_imply_the_others() -> None:
    assert not allows({Scope.ADMIN}, COMMAND_SCOPES[pb.MX_COMMAND_KIND_WRITE])


def test_unknown_scopes_are_refused_by_name() -> None:
    assert parse_scopes([" invoke:read", "admin", "admin", ""]) == (Scope.ADMIN, Scope.INVOKE_READ)
    with pytest.raises(ValueError, match="plant:own"):
        parse_scopes(["plant:own"])
