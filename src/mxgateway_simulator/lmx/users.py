"""Users of a simulated Galaxy, and whether one may write an attribute."""

from __future__ import annotations

from collections.abc import Iterable

from mxgateway_contract import failures
from mxgateway_contract.status import MxStatus
from mxgateway_simulator.classifications import Category as AttributeCategory
from mxgateway_simulator.classifications import Security
from mxgateway_simulator.lmx.items import SUPERVISORY
from mxgateway_simulator.plant.alarms.kinds import KINDS
from mxgateway_simulator.plant.galaxy_file import UserRow
from mxgateway_simulator.plant.tags import Tag
from mxgateway_simulator.switches import Switches

_BY_USER = frozenset({4, 6, 7, 8, 9, 10})
_BY_SUPERVISOR = frozenset({5, 6, 8, 10})
"""MxAttributeCategory numbers whose letters hold U, and S."""

_PERMISSION = {
    Security.Operate: "operate",
    Security.SecuredWrite: "operate",
    Security.VerifiedWrite: "operate",
    Security.Tune: "tune",
    Security.Configure: "configure",
}


class UserDirectory:
    """The users of a Galaxy and its security mode: `none`, `galaxy` or `os-user`."""

    def __init__(self, mode: str, users: Iterable[UserRow]) -> None:
        self.mode = mode
        users = list(users)
        self._by_name = {user.name.casefold(): user for user in users}
        self._by_guid = {_plain_guid(user.guid): user for user in users}

    @property
    def is_on(self) -> bool:
        return self.mode != "none"

    def authenticate(self, name: str, password: str) -> UserRow | None:
        """The user, when name and password belong together; `DOMAIN\\user` and `user@domain` mean `user`."""
        plain = name.rpartition("\\")[2]
        user = self._by_name.get(plain.casefold()) or self._by_name.get(plain.partition("@")[0].casefold())
        if user is None or user.password is None or not user.password.matches(password):
            return None
        return user

    def by_guid(self, guid: str) -> UserRow | None:
        """The user of a GUID, with or without braces, in any case."""
        return self._by_guid.get(_plain_guid(guid))


def _plain_guid(guid: str) -> str:
    return guid.strip().strip("{}").lower()


def refusal(
    directory: UserDirectory, switches: Switches, tag: Tag, advise: int, user: UserRow | None
) -> MxStatus | None:
    """Why a plain write is refused; None when it is not."""
    security = tag.row.security
    if not is_writeable(tag, advise):
        return failures.NOT_WRITEABLE
    if not directory.is_on or (advise == SUPERVISORY and switches.supervisory_skips_security):
        return None
    if security == Security.SecuredWrite:
        return failures.SECURED_NEEDED
    if security == Security.VerifiedWrite:
        return failures.VERIFIED_NEEDED
    if _is_acknowledgement(tag):
        allowed = user is not None and "acknowledge" in user.permissions
        return None if allowed else failures.NO_ACK_PRIVILEGE
    if _may_write(user, security):
        return None
    return failures.WRITE_DENIED._replace(detail=switches.denied_detail)


def secured_refusal(
    directory: UserDirectory, tag: Tag, advise: int, current: UserRow | None, verifier: UserRow | None
) -> MxStatus | None:
    """Why a secured or verified write is refused; None when it is not."""
    security = tag.row.security
    if not is_writeable(tag, advise):
        return failures.NOT_WRITEABLE
    if not directory.is_on:
        return None
    if _is_acknowledgement(tag):
        allowed = current is not None and "acknowledge" in current.permissions
        return None if allowed else failures.NO_ACK_PRIVILEGE
    if not _may_write(current, security):
        return failures.USER_LACKS_RIGHTS
    if security == Security.VerifiedWrite and (
        verifier is None or "verify" not in verifier.permissions or verifier is current
    ):
        return failures.VERIFIER_LACKS_RIGHTS
    return None


def is_writeable(tag: Tag, advise: int) -> bool:
    """Whether the attribute can be written at run time at all, over this kind of connection."""
    row = tag.row
    if row.security == Security.ViewOnly or row.locked:
        return False
    if row.category == AttributeCategory.SystemWriteable:
        return False
    return row.category in (_BY_SUPERVISOR if advise == SUPERVISORY else _BY_USER)


def _may_write(user: UserRow | None, security: int) -> bool:
    if security == Security.FreeAccess:
        return True
    permission = _PERMISSION.get(Security(security)) if 0 <= security <= Security.ViewOnly else None
    return user is not None and permission is not None and permission in user.permissions


def _is_acknowledgement(tag: Tag) -> bool:
    return tag.row.extension in KINDS and tag.row.name.lower().endswith(".ackmsg")
