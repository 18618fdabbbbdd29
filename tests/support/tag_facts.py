"""A few tags as a Galaxy knows them, for limits of keys and names of arrays."""

from __future__ import annotations

from collections.abc import Collection

from mxgateway_server.access.constraints import TagFacts


class Galaxy:
    is_pending = False

    def __init__(self, **facts: TagFacts) -> None:
        self._facts = facts

    def may_be_array(self, reference: str) -> bool:
        return True

    def none_may_be_array(self, references: Collection[str]) -> bool:
        return not any(map(self.may_be_array, references))

    def lookup(self, reference: str) -> TagFacts | None:
        return self._facts.get(reference.partition(".")[0])


GALAXY = Galaxy(
    Mixer=TagFacts(contained_path="Plant/Line1/Mixer", security_classification=1),
    Oven=TagFacts(contained_path="Plant/Line2/Oven", is_array=True, security_classification=4),
    Odd=TagFacts(contained_path="Plant/Line1/Odd"),
)
