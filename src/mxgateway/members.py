"""Members of enumerations by their numbers, which may be a newer gateway's."""

from __future__ import annotations

from enum import IntEnum
from typing import TypeVar

EnumT = TypeVar("EnumT", bound=IntEnum)


def known(kind: type[EnumT], number: int) -> EnumT:
    """The member of this number; the one of 0 for a number that only a newer gateway knows."""
    members = _MEMBERS[kind]
    return members.get(number, members[0])  # type: ignore[return-value]


class _Members(dict[type[IntEnum], dict[int, IntEnum]]):
    """The members of each kind by number: a look-up costs a tenth of making one of a number."""

    def __missing__(self, kind: type[IntEnum]) -> dict[int, IntEnum]:
        found = self[kind] = {int(member): member for member in kind}
        return found


_MEMBERS = _Members()
