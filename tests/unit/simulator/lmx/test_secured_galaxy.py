"""The shipped Galaxy `secured`: every refusal of security can be met in it, as its notes promise."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.simulator.conftest import MakeSession
from tests.unit.simulator.plant_session import Completion, PlantSession, i4, text

from mxgateway_simulator.building.builder import build_galaxy
from mxgateway_simulator.building.description_reader import read_description
from mxgateway_simulator.classifications import Security

OK, DENIED, READ_ONLY = (-1, 0, 5, 0), (0, 6, 5, 1008), (0, 5, 5, 1007)
SIGNATURE, TWO_SIGNATURES = (0, 6, 5, 1012), (0, 6, 5, 1013)
NO_RIGHTS, NO_VERIFIER = (0, 6, 5, 1016), (0, 6, 5, 1017)
RIGHTS = {
    "viewer": set(), "operator1": {"Operate"}, "technician": {"Operate", "Tune"},
    "engineer": {"Operate", "Tune", "Configure"}, "supervisor": {"Operate", "Tune"}, "verifier": set(),
    "admin": {"Operate", "Tune", "Configure"},
}  # fmt: skip
USERS = list(RIGHTS)


@pytest.fixture(scope="session")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("secured") / "secured.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mxgateway_simulator.passwords.ROUNDS", 1000)
        build_galaxy(read_description("secured"), path)
    return path


@pytest.fixture
def session(make_session: MakeSession, secured: Path) -> PlantSession:
    return make_session(secured)


def user(session: PlantSession, name: str) -> int:
    return session.backend.authenticate_user(1, name, name)


def plain(session: PlantSession, reference: str, name: str) -> tuple[int, ...]:
    return session.outcome(session.advised(f"Classes.{reference}"), i4(1), user(session, name))


@pytest.mark.parametrize("classification", [security.name for security in Security])
@pytest.mark.parametrize("name", USERS)
def test_a_plain_write_of_each_classification_by_each_user(
    session: PlantSession, classification: str, name: str
) -> None:
    expected = {
        "FreeAccess": OK, "ViewOnly": READ_ONLY, "SecuredWrite": SIGNATURE, "VerifiedWrite": TWO_SIGNATURES,
    }.get(classification, OK if classification in RIGHTS[name] else DENIED)  # fmt: skip
    assert plain(session, classification, name) == expected


@pytest.mark.parametrize("name", USERS)
@pytest.mark.parametrize("second", ["verifier", "supervisor", "operator2", "viewer"])
def test_signatures(session: PlantSession, name: str, second: str) -> None:
    """The first has to be one who may operate, the second another one who may verify."""
    signers = (user(session, name), user(session, second))
    done = []
    for reference in ("Classes.SecuredWrite", "Classes.VerifiedWrite"):
        handle = session.advised(reference)
        session.backend.write_secured(1, handle, *signers, i4(1))
        done += [tuple(event.status) for event in session.advance(0.1) if isinstance(event, Completion)]
    may = "Operate" in RIGHTS[name]
    verifies = second in ("verifier", "supervisor") and second != name
    assert done == [OK if may else NO_RIGHTS, OK if may and verifies else NO_VERIFIER if may else NO_RIGHTS]


@pytest.mark.parametrize(("name", "may"), [("operator1", True), ("viewer", False), ("verifier", False)])
def test_acknowledging_wants_the_right_to(session: PlantSession, name: str, may: bool) -> None:
    handle = session.advised("Classes.Arming.AckMsg")
    assert session.outcome(handle, text("seen"), user(session, name))[3] == (0 if may else 1014)


def test_what_no_user_may_write(session: PlantSession) -> None:
    for reference in ("Calculated", "SupervisoryOnly", "Locked"):
        assert plain(session, reference, "admin") == READ_ONLY
