"""A write by name, as it was asked for on the command line: type, user, and who signs."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

import click

from mxgateway import MxAccessError, MxGatewayError, Session, WriteOutcome
from mxgateway_cli.output import ask_secret
from mxgateway_cli.value_parsing import parse_like, parse_value
from mxgateway_contract.status import Detail
from mxgateway_contract.variants import DataType

# An event of COM has a VARIANT and no data type: an enumeration comes as a whole number, a duration as a number.
_TOLD_BY_NO_VALUE = (DataType.QUALIFIED_ENUM, DataType.ELAPSED_TIME)
_AT_ONCE_MS = 1000


@dataclass(frozen=True)
class Signer:
    """A person who signs a write."""

    name: str
    password: str = field(repr=False)


def read_password(user: str, variable: str | None, flag: str) -> str:
    """A person's password: of an environment variable, or asked for; never from the command line.

    Raises:
        click.UsageError: the variable is not set, or there is no terminal to ask on.
    """
    if variable is None:
        return ask_secret(f"password of {user}", flag)
    if variable not in os.environ:
        raise click.UsageError(f"the environment variable {variable} ({flag}) is not set")
    return os.environ[variable]


@dataclass(frozen=True)
class TagWrite:
    """One value for one tag.

    Attributes:
        text: the value as it was typed.
        type_name: what `--type` said; None for the tag's own type.
        operator: who signs a secured write; None for a write without signature.
        verifier: who verifies it; None for the operator again.
    """

    tag: str
    text: str
    type_name: str | None = None
    server_handle: int | None = None
    user_id: int = 0
    supervisory: bool = False
    operator: Signer | None = None
    verifier: Signer | None = None

    async def run(self, session: Session, timeout: float) -> WriteOutcome:
        """Writes and waits for the outcome.

        Raises:
            click.BadParameter: the text is no value of the tag's type.
            MxGatewayError
        """
        # What is wrong whatever the tag's type is, is told before anything is sent.
        ready = parse_value(self.text, self.type_name, "VALUE") if self.type_name is not None else None
        handle, user_id, verifier_id = self.server_handle, self.user_id, None
        if self.operator is not None:
            # The ids of users belong to the server handle that they were asked for with.
            handle = handle if handle is not None else await session.register("mxgw-py write")
            user_id = await session.authenticate_user(handle, self.operator.name, self.operator.password)
            verifier_id = user_id
            if self.verifier is not None:
                verifier_id = await session.authenticate_user(handle, self.verifier.name, self.verifier.password)

        async def write(data_type: int) -> WriteOutcome:
            return await session.write_and_confirm(
                self.tag,
                lambda before: ready if ready is not None else parse_like(self.text, before.value, data_type=data_type),
                server_handle=handle,
                user_id=user_id,
                verifier_id=verifier_id,
                supervisory=self.supervisory,
                timeout=timeout,
            )

        try:
            return await write(0)
        except click.BadParameter:
            # Nothing has been sent. What the value did not tell, the attribute may.
            data_type = await self._data_type(session)
            if data_type not in _TOLD_BY_NO_VALUE:
                raise
        return await write(data_type)

    async def _data_type(self, session: Session) -> int:
        """The attribute's data type as the Galaxy numbers it, which is a property of it; 0 where it is not told."""
        try:
            handle = await session.register("mxgw-py write")
            try:
                (result,) = await session.read_bulk(handle, [f"{self.tag}.Type"], timeout_ms=_AT_ONCE_MS)
            finally:
                await session.unregister(handle)
        except MxGatewayError:
            # A key may write without reading.
            return 0
        return result.value.int32_value if result.was_successful else 0


def signature_hint(error: MxAccessError, wanted: TagWrite) -> str:
    """How to sign, where a write was refused because nobody did; empty otherwise."""
    details = {status.detail for status in error.statuses}
    if Detail.VERIFIED_WRITE in details and wanted.verifier is None:
        return f"{wanted.tag} wants two signatures: say --user NAME --verifier ANOTHER; passwords are asked for"
    if Detail.SECURED_WRITE in details and wanted.operator is None:
        return f"{wanted.tag} wants a signature: say --user NAME; the password is asked for"
    return ""
