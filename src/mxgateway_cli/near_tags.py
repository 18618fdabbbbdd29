"""What somebody may have meant by a reference that leads nowhere."""

from __future__ import annotations

import difflib
from collections.abc import AsyncIterator, Iterable

from mxgateway import GalaxyRepositoryClient, MxGatewayNotFoundError
from mxgateway_contract.references import DEFAULT_ATTRIBUTE, spelled_out

_MOST_OBJECTS = 50_000
_MOST_NEAR = 3
_CUTOFF = 0.7


async def hint(galaxy: GalaxyRepositoryClient, tag: str) -> str:
    """A sentence for somebody whose reference leads nowhere; empty when nothing comes near. Raises MxGatewayError."""
    if tag.casefold().startswith("galaxy:"):
        return f"{tag}: Galaxy: before a name is InTouch's; leave it out"
    object_name, _, attribute = spelled_out(tag).partition(".")
    try:
        attributes = [each async for each in _attributes(galaxy, object_name)]
    except MxGatewayNotFoundError:
        return await _near_objects(galaxy, tag, object_name, attribute)
    if not attribute:
        default = f"{object_name}.{DEFAULT_ATTRIBUTE}"
        return f"{tag} alone means {default}; its tags: mxgw-py browse {object_name}"
    found = _near(attribute, attributes)
    if found:
        return _did_you_mean(tag, [f"{object_name}.{each}" for each in found])
    return f"{tag}: {object_name} has no {attribute}; its tags: mxgw-py browse {object_name}"


async def _attributes(galaxy: GalaxyRepositoryClient, object_name: str) -> AsyncIterator[str]:
    async for each in galaxy.iter_hierarchy(root=object_name, max_depth=0):
        for attribute in each.attributes:
            yield attribute.attribute_name


async def _near_objects(galaxy: GalaxyRepositoryClient, tag: str, object_name: str, attribute: str) -> str:
    names: list[str] = []
    async for each in galaxy.iter_hierarchy(include_attributes=False, page_size=5000):
        names.append(each.tag_name)
        if len(names) == _MOST_OBJECTS:
            break
    found = _near(object_name, names)
    return _did_you_mean(tag, [f"{each}.{attribute}" if attribute else each for each in found]) if found else ""


def _near(wanted: str, names: Iterable[str]) -> list[str]:
    by_lower = {name.casefold(): name for name in names}
    found = difflib.get_close_matches(wanted.casefold(), by_lower, n=_MOST_NEAR, cutoff=_CUTOFF)
    return [by_lower[each] for each in found]


def _did_you_mean(tag: str, found: list[str]) -> str:
    return f"{tag}: did you mean {' or '.join(found)}?"
