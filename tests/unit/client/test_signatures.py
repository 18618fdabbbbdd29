"""Signatures of the public names are those of tests/golden/client_api.txt; a change there is a change for users.

Renew with: python -m tests.unit.client.test_signatures
"""

from __future__ import annotations

import enum
import inspect
from pathlib import Path

import mxgateway

MADE_BY_USERS = ("ClientOptions", "GalaxyRepositoryClient", "GatewayClient", "RetryPolicy")
GOLDEN = Path(__file__).parents[2] / "golden" / "client_api.txt"


def described() -> str:
    """One line for each public function, class, method and property of the package."""
    lines = []
    for name in sorted(mxgateway.__all__):
        public = getattr(mxgateway, name)
        if not inspect.isclass(public):
            lines.append(f"{name}{inspect.signature(public)}" if callable(public) else name)
            continue
        is_generated = ".generated." in public.__module__ or public.__module__.endswith("_pb2")
        bases = "" if is_generated else f"({', '.join(base.__name__ for base in public.__bases__)})"
        lines.append(f"class {name}{bases}")
        if issubclass(public, enum.Enum):
            lines += [f"    {member.name} = {member.value!r}" for member in public]
            continue
        if is_generated:
            continue
        for attribute, member in sorted(inspect.getmembers(public)):
            if attribute.startswith("_") and not (attribute == "__init__" and name in MADE_BY_USERS):
                continue
            if isinstance(inspect.getattr_static(public, attribute), property):
                lines.append(f"    {attribute}: property")
            elif inspect.isfunction(member) or inspect.ismethod(member):
                kind = "async " if inspect.iscoroutinefunction(member) else ""
                lines.append(f"    {kind}{attribute}{inspect.signature(member)}")
    return "\n".join(lines) + "\n"


def test_signatures_are_the_pinned_ones() -> None:
    """Names, parameters, defaults and results of the public API are unchanged."""
    assert described() == GOLDEN.read_text(encoding="utf-8")


if __name__ == "__main__":
    GOLDEN.write_text(described(), encoding="utf-8")
