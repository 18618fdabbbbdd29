"""What the limits of keys ask of the Galaxy."""

from __future__ import annotations

from collections.abc import Collection

from mxgateway_server.access.constraints import TagFacts
from mxgateway_server.galaxy.component import GalaxyComponent
from mxgateway_server.galaxy.index import GalaxyIndex


class GalaxyLookup:
    """The Galaxy's answers as the constraints want them; `galaxy` is the component, or an index of it."""

    def __init__(self, galaxy: GalaxyComponent | GalaxyIndex) -> None:
        self._galaxy = galaxy

    @property
    def is_pending(self) -> bool:
        return not self._galaxy.is_loaded

    def may_be_array(self, reference: str) -> bool:
        return self._galaxy.may_be_array(reference)

    def none_may_be_array(self, references: Collection[str]) -> bool:
        return self._galaxy.none_may_be_array(references)

    def lookup(self, reference: str) -> TagFacts | None:
        facts = self._galaxy.lookup(reference)
        if facts is None:
            return None
        attribute = facts.attribute
        return TagFacts(
            contained_path=facts.contained_path,
            is_array=attribute.is_array,
            security_classification=attribute.security_classification,
            full_reference=facts.full_tag_reference,
        )
