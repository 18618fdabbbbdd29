"""What keys see of alarms, as the Galaxy changes."""

from __future__ import annotations

from dataclasses import dataclass

from tests.unit.server.alarms.alarm_parts import alarm

from mxgateway_server.access.constraints import Constraints, TagFacts
from mxgateway_server.alarms import rights as rights_module
from mxgateway_server.alarms.rights import AlarmRights


class Moving:
    """A Galaxy in which the tank moves from one line to another."""

    is_pending = False
    path = "Plant/Line1"

    def may_be_array(self, reference: str) -> bool:
        return False

    def none_may_be_array(self, references: object) -> bool:
        return True

    def lookup(self, reference: str) -> TagFacts | None:
        return TagFacts(contained_path=self.path, security_classification=1, full_reference=reference)


@dataclass
class Holder:
    """A caller, as far as rights look at one."""

    constraints: Constraints


def test_a_viewer_that_a_stream_still_has_is_judged_anew_however_many_others_came() -> None:
    galaxy = Moving()
    rights = AlarmRights(galaxy)
    viewer = rights.viewer(Holder(Constraints(read_subtrees=("Plant/Line1",))))  # type: ignore[arg-type]
    assert viewer.sees(alarm("Tank.Hi"))
    for number in range(rights_module._MOST_VIEWERS + 5):
        rights.viewer(Holder(Constraints(read_subtrees=(f"Other{number}",))))  # type: ignore[arg-type]
    galaxy.path = "Plant/Line2"
    rights.forget()
    assert not viewer.sees(alarm("Tank.Hi"))


def test_limits_on_areas_and_priority_are_looked_at_each_time() -> None:
    limits = Constraints(alarm_areas=("Line?",), alarm_min_priority=300)
    viewer = AlarmRights(Moving()).viewer(Holder(limits))  # type: ignore[arg-type]
    assert viewer.least_urgent == 300
    assert viewer.sees(alarm("Tank.Hi", priority=300))
    assert not viewer.sees(alarm("Tank.Hi", priority=301))
    assert viewer.sees_source(alarm("Tank.Hi").source)
    other = AlarmRights(Moving()).viewer(Holder(Constraints(alarm_areas=("Pack*",))))  # type: ignore[arg-type]
    assert not other.sees_source(alarm("Tank.Hi").source)
    assert viewer.number != other.number != 0
