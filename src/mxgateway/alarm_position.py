"""A place in the gateway's log of alarms, to go on after."""

from __future__ import annotations

import re
from typing import NamedTuple

from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

_TEXT = re.compile(r"([0-9A-Za-z_-]{1,64}):([0-9]{1,20})(?::([0-9a-fA-F]{1,16}))?")
_MOST = 2**64 - 1


class AlarmPosition(NamedTuple):
    """After which change of the gateway's log a feed can go on; its text, `EPOCH:SEQUENCE`, can be kept in a file.

    Attributes:
        epoch: names the log; another one means that the numbers began anew.
        sequence: of the last change.
        filter_hash: of the filter and the rights that it was taken under: under others the gateway tells a gap. 0 for
            the whole log.
    """

    epoch: str
    sequence: int
    filter_hash: int = 0

    def __str__(self) -> str:
        under = f":{self.filter_hash:x}" if self.filter_hash else ""
        return f"{self.epoch}:{self.sequence}{under}"

    @classmethod
    def parse(cls, text: str) -> AlarmPosition:
        """The position of this text.

        Raises:
            ValueError: it is none.
        """
        found = _TEXT.fullmatch(text.strip())
        if found is None or int(found[2]) > _MOST:
            raise ValueError(f"{text!r} is no position; one is EPOCH:SEQUENCE, as a feed's `position` prints it")
        return cls(found[1], int(found[2]), int(found[3] or "0", 16))


def position_of(message: pb.AlarmPosition) -> AlarmPosition:
    """The position of a generated message."""
    return AlarmPosition(message.epoch, message.sequence, message.filter_hash)


def position_message(position: AlarmPosition | tuple[str, int]) -> pb.AlarmPosition:
    """The generated message of a position.

    Raises:
        ValueError: a number that no log has.
    """
    found = AlarmPosition(*position)
    if not 0 <= found.sequence <= _MOST:
        raise ValueError(f"sequence {found.sequence}: changes are numbered from 0 to 2^64 - 1")
    return pb.AlarmPosition(epoch=found.epoch, sequence=found.sequence, filter_hash=found.filter_hash)
