"""Users, classifications and categories: who may write what."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.simulator.conftest import MakeSession
from tests.unit.simulator.plant_session import Completion, PlantSession, i4, text

from mxgateway_contract import hresults
from mxgateway_protocol.errors import MxComError
from mxgateway_protocol.variants import Variant
from mxgateway_simulator.building.builder import build_galaxy
from mxgateway_simulator.building.description_reader import parse_description

GALAXY = """
galaxy: Secured
security: galaxy
roles:
  Operators: [operate, acknowledge]
  Supervisors: [operate, tune, verify]
  Engineers: [configure]
users:
  operator: {password: operator-password, roles: [Operators], guid: 3f2504e0-4f89-41d3-9a0c-0305e82c3301}
  other: {password: other-password, roles: [Operators]}
  supervisor: {password: supervisor-password, roles: [Supervisors]}
  engineer: {password: engineer-password, roles: [Engineers]}
  guest: {password: guest-password}
  locked: {roles: [Operators]}
templates:
  $T:
    attributes:
      Free: {type: Integer, security: FreeAccess}
      Operate: {type: Integer, security: Operate}
      Secured: {type: Integer, security: SecuredWrite}
      Verified: {type: Integer, security: VerifiedWrite}
      Tune: {type: Integer, security: Tune}
      Configure: {type: Integer, security: Configure}
      ViewOnly: {type: Integer, security: ViewOnly}
      Calculated: {type: Integer, category: Calculated}
      UserOnly: {type: Integer, category: Writeable_U}
      SupervisoryOnly: {type: Integer, category: Writeable_S}
      Fixed: {type: Integer, locked: true}
      Alarm: {type: Boolean, value: true, alarm: true}
instances:
  P: {template: $WinPlatform}
  E: {template: $AppEngine, host: P}
  O: {template: $T, host: E}
"""

WRONG_PAIRS = [("operator", "secret-1"), ("nobody", "secret-2"), ("locked", ""), ("guest", "")]
OK, DENIED, NOT_WRITEABLE = (-1, 0, 5, 0), (0, 6, 5, 1008), (0, 5, 5, 1007)


@pytest.fixture(scope="session")
def secured_galaxy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("galaxy") / "secured.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mxgateway_simulator.passwords.ROUNDS", 1000)
        build_galaxy(parse_description(GALAXY, "secured.yaml"), path)
    return path


@pytest.fixture
def secured(make_session: MakeSession, secured_galaxy: Path) -> PlantSession:
    return make_session(secured_galaxy)


def login(session: PlantSession, user: str) -> int:
    return session.backend.authenticate_user(1, user, f"{user}-password") if user else 0


@pytest.mark.parametrize(
    ("attribute", "user", "expected"),
    [
        ("Free", "", OK),
        ("Operate", "", DENIED),
        ("Operate", "guest", DENIED),
        ("Operate", "operator", OK),
        ("Secured", "operator", (0, 6, 5, 1012)),
        ("Verified", "operator", (0, 6, 5, 1013)),
        ("Tune", "operator", DENIED),
        ("Tune", "supervisor", OK),
        ("Configure", "supervisor", DENIED),
        ("Configure", "engineer", OK),
        ("ViewOnly", "supervisor", NOT_WRITEABLE),
        ("Calculated", "supervisor", NOT_WRITEABLE),
        ("UserOnly", "operator", OK),
        ("SupervisoryOnly", "operator", NOT_WRITEABLE),
        ("Fixed", "operator", NOT_WRITEABLE),
    ],
)
def test_plain_writes_follow_the_classification(
    secured: PlantSession, attribute: str, user: str, expected: tuple[int, ...]
) -> None:
    """Each classification and category answers a plain write of a user connection as documented."""
    handle = secured.advised(f"O.{attribute}")
    assert secured.outcome(handle, i4(1), login(secured, user)) == expected


@pytest.mark.parametrize(
    ("attribute", "expected"),
    [
        ("Operate", OK),
        ("Secured", OK),
        ("Verified", OK),
        ("ViewOnly", NOT_WRITEABLE),
        ("UserOnly", NOT_WRITEABLE),
        ("SupervisoryOnly", OK),
    ],
)
def test_supervisory_writes_pass_the_classification_but_not_the_category(
    secured: PlantSession, attribute: str, expected: tuple[int, ...]
) -> None:
    """A supervisory connection needs no user, yet cannot write what is not writeable."""
    handle = secured.advised(f"O.{attribute}", supervisory=True)
    assert secured.outcome(handle, i4(1)) == expected


@pytest.mark.parametrize(
    ("attribute", "current", "verifier", "expected"),
    [
        ("Secured", "operator", "operator", OK),
        ("Secured", "guest", "guest", (0, 6, 5, 1016)),
        ("Verified", "operator", "supervisor", OK),
        ("Verified", "operator", "other", (0, 6, 5, 1017)),
        ("Verified", "supervisor", "supervisor", (0, 6, 5, 1017)),
        ("Verified", "guest", "supervisor", (0, 6, 5, 1016)),
        ("ViewOnly", "operator", "supervisor", NOT_WRITEABLE),
        ("Operate", "operator", "operator", OK),
    ],
)
def test_secured_and_verified_writes(
    secured: PlantSession, attribute: str, current: str, verifier: str, expected: tuple[int, ...]
) -> None:
    """A verified write needs a second user who may verify; a secured one is signed by one."""
    handle = secured.advised(f"O.{attribute}")
    secured.backend.write_secured(1, handle, login(secured, current), login(secured, verifier), i4(1))
    (done,) = [event for event in secured.pump() if isinstance(event, Completion)]
    assert tuple(done.status) == expected


def test_write_secured_without_any_user_is_refused_at_once(secured: PlantSession) -> None:
    """0x80004021 while nobody was authenticated on the server handle; but a bad handle is told first."""
    handle = secured.advised("O.Secured")
    with pytest.raises(MxComError) as caught:
        secured.backend.write_secured(1, handle, 1, 1, i4(1))
    assert caught.value.hresult == hresults.E_SECURED_WRITE_REFUSED
    with pytest.raises(MxComError) as caught:
        secured.backend.write_secured(1, 77, 1, 1, i4(1))
    assert caught.value.hresult == hresults.E_INVALIDARG


@pytest.mark.parametrize("name", ["operator", "OPERATOR", "PLANT\\operator", "operator@plant.example"])
def test_users_are_known_by_any_spelling(secured: PlantSession, name: str) -> None:
    """Names compare without case, with or without a domain."""
    assert secured.backend.authenticate_user(1, name, "operator-password") == 1


@pytest.mark.parametrize(
    ("name", "password"), [("operator", "secret-1"), ("nobody", "secret-2"), ("locked", ""), ("guest", "")]
)
def test_a_wrong_pair_is_e_invalidarg(secured: PlantSession, name: str, password: str) -> None:
    """Neither text nor repr of the error holds the password."""
    with pytest.raises(MxComError) as caught:
        secured.backend.authenticate_user(1, name, password)
    assert caught.value.hresult == hresults.E_INVALIDARG
    assert not password or password not in repr(caught.value)


def test_user_ids_belong_to_their_server_handle(secured: PlantSession) -> None:
    """Ids count from 1 on each handle, one user keeps one id, and another handle's id is nobody."""
    assert [login(secured, name) for name in ("operator", "supervisor", "operator")] == [1, 2, 1]
    other = secured.backend.register("other")
    handle = secured.backend.add_item(other, "O.Operate")
    secured.backend.advise(other, handle)
    secured.pump()
    secured.backend.write(other, handle, i4(1), 1)
    (done,) = secured.pump()
    assert tuple(done.status) == DENIED


@pytest.mark.parametrize("guid", ["3f2504e0-4f89-41d3-9a0c-0305e82c3301", "{3F2504E0-4F89-41D3-9A0C-0305E82C3301}"])
def test_a_guid_gives_the_user_without_password(secured: PlantSession, guid: str) -> None:
    """With or without braces, in any case; an unknown one is E_INVALIDARG."""
    user = secured.backend.archestra_user_to_id(1, guid)
    assert secured.outcome(secured.advised("O.Operate"), i4(1), user) == OK
    with pytest.raises(MxComError):
        secured.backend.archestra_user_to_id(1, "{00000000-0000-0000-0000-000000000000}")


def test_acknowledging_needs_its_own_permission(secured: PlantSession) -> None:
    """Detail 1014 for a user without it; operators have it."""
    handle = secured.advised("O.Alarm.AckMsg")
    assert secured.outcome(handle, text("no"), login(secured, "supervisor")) == (0, 6, 5, 1014)
    assert secured.outcome(handle, text("yes"), login(secured, "operator")) == OK
    assert secured.read("O.Alarm.Acked").value is True


def test_acknowledging_twice_fails_by_switch(make_session: MakeSession, secured_galaxy: Path) -> None:
    """With ack_again=fails an acknowledged alarm answers detail 1015."""
    session = make_session(secured_galaxy, switches={"ack_again": "fails"})
    handle = session.advised("O.Alarm.AckMsg", supervisory=True)
    assert session.outcome(handle, text("one")) == OK
    assert session.outcome(handle, text("two")) == (0, 5, 5, 1015)


def test_with_security_off_anybody_is_user_one(session: PlantSession) -> None:
    """Security off: any name and password give 1, classifications do not count, ViewOnly stays closed."""
    assert session.backend.authenticate_user(1, "anybody", "anything") == 1
    assert session.backend.archestra_user_to_id(1, "no guid at all") == 1
    assert session.outcome(session.advised("TestChildObject.ClassVerifiedWrite"), i4(1)) == OK
    assert session.outcome(session.advised("TestChildObject.ClassViewOnly"), i4(1)) == NOT_WRITEABLE


def test_denials_may_say_1016_by_switch(make_session: MakeSession, secured_galaxy: Path) -> None:
    """Switch denied_detail decides between the two details that sources name."""
    session = make_session(secured_galaxy, switches={"denied_detail": "1016"})
    assert session.outcome(session.advised("O.Operate"), i4(1)) == (0, 6, 5, 1016)


def test_values_out_of_range_are_refused(session: PlantSession) -> None:
    """A configured range is kept: operational error 1004."""
    handle = session.advised("TestChildObject.RangedValue")
    assert session.outcome(handle, i4(101)) == (0, 5, 5, 1004)
    assert session.outcome(handle, i4(100)) == OK
    assert session.read("TestChildObject.RangedValue").value == 100


def test_passwords_reach_no_sink(
    secured: PlantSession, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """A sentinel password is in no log, no output, no error, no repr of what the backend holds."""
    caplog.set_level("DEBUG")
    with pytest.raises(MxComError) as caught:
        secured.backend.authenticate_user(1, "operator", "Sentinel-99")
    secured.backend.authenticate_user(1, "operator", "operator-password")
    output = capfd.readouterr()
    held = repr(vars(secured.backend)) + repr(secured.backend._lmx._servers) + repr(caught.value)
    for sink in (caplog.text, output.out, output.err, held, str(caught.value)):
        assert "Sentinel-99" not in sink
        assert "operator-password" not in sink
    assert isinstance(i4(1), Variant)
