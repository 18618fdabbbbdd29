"""The chain through the audit: each record's link is made from its contents and the link before, with a secret key.

Whoever changes, removes, adds or moves a record in the database without that key breaks the chain at that place. A cut
off end is found by the store's note of the head, and an old copy of the whole by a head that was noted elsewhere.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

GENESIS = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in the chain, vouched for by the key.

    Attributes:
        record_id: id of the record there; 0 before the first.
        link: its link.
        count: records in the chain up to there, those that were let go included.
    """

    record_id: int = 0
    link: str = GENESIS
    count: int = 0


class ChainKey:
    """Makes links and marks.

    Args:
        secret: known to the gateways that share a store, and not to the database.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def __repr__(self) -> str:
        return "ChainKey(...)"

    def link(self, before: str, record_id: int, contents: Mapping[str, Any]) -> str:
        """The link of a record, as hexadecimal digits."""
        text = json.dumps([record_id, contents], sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return self._digest(f"record\n{before}\n{text}")

    def seal(self, name: str, mark: Mark) -> str:
        """A mark as text that cannot be made without the key."""
        text = f"{mark.record_id}:{mark.count}:{mark.link}"
        return f"{text}:{self._digest(f'{name}{chr(10)}{text}')}"

    def open(self, name: str, sealed: str) -> Mark | None:
        """The mark that was sealed under this name; None for one that was changed. An empty one is the beginning."""
        if not sealed:
            return Mark()
        text, _, proof = sealed.rpartition(":")
        if not hmac.compare_digest(proof, self._digest(f"{name}\n{text}")):
            return None
        record_id, count, link = text.split(":")
        return Mark(int(record_id), link, int(count))

    def _digest(self, text: str) -> str:
        return hmac.digest(self._secret, text.encode(), hashlib.sha256).hex()


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with the audit.

    Attributes:
        record_id: at which record; 0 for the audit as a whole.
    """

    record_id: int
    text: str


class ChainCheck:
    """Follows the chain from its anchor through every record to its head; records in, findings out.

    Args:
        key: that the links were made with.
        anchor: where the chain begins; None when that note was changed.
        head: where it ends; None likewise.
        noted: link of a head that was noted elsewhere at an earlier time; '' for none.
    """

    def __init__(self, key: ChainKey, anchor: Mark | None, head: Mark | None, noted: str = "") -> None:
        self._key = key
        self._head = head
        self.findings: list[Finding] = []
        if anchor is None:
            self.findings.append(Finding(0, "the note of what was let go for its age was changed"))
        if head is None:
            self.findings.append(Finding(0, "the note of the audit's end was changed"))
        self.last = anchor or Mark()
        self.unchained = 0
        self.records = 0
        self._noted = noted
        self._has_noted = not noted or noted == self.last.link

    def take(self, record_id: int, contents: Mapping[str, Any], link: str | None) -> None:
        """The next record, in the order of ids."""
        self.records += 1
        if link is None:
            if self.last.record_id:
                self.findings.append(Finding(record_id, "it has no link, and records before it have: it was added"))
            else:
                self.unchained += 1
            return
        if link != self._key.link(self.last.link, record_id, contents):
            self.findings.append(Finding(record_id, "it was changed, or one before it was removed, added or moved"))
        # From here on each record is judged by the one before, so that one change is one finding.
        self.last = Mark(record_id, link, self.last.count + 1)
        self._has_noted = self._has_noted or link == self._noted

    def finish(self) -> list[Finding]:
        """What is wrong; nothing when every record is as it was written."""
        head, last = self._head, self.last
        if head is not None and (head.link, head.count) != (last.link, last.count):
            missing = head.count - last.count
            text = f"{missing} records are missing up to its end" if missing > 0 else "it does not end where it should"
            self.findings.append(Finding(last.record_id, text))
        if not self._has_noted:
            self.findings.append(
                Finding(0, "the head that was noted elsewhere is not in it: it is an older or other copy")
            )
        return self.findings


def contents_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """What of a stored record its link is made from."""
    names = (
        "at_ns",
        "event",
        "key_id",
        "remote_address",
        "session_id",
        "correlation_id",
        "target",
        "outcome",
        "details",
    )
    found = {name: record[name] for name in names}
    # Of records that name nobody, the link is what it was before there were actors.
    found |= {name: record[name] for name in ("actor", "origin") if record.get(name)}
    return found
