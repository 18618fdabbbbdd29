"""Passwords of simulated Galaxy users: salted PBKDF2-HMAC-SHA256, compared in constant time."""

from __future__ import annotations

import os

# The `compare_digest` of `hmac`, which would load all of hashlib and OpenSSL for it.
from _operator import _compare_digest
from dataclasses import dataclass

ROUNDS = 60_000
"""Enough for users of a simulated plant; AuthenticateUser blocks the session's executor for the time it takes."""


@dataclass(frozen=True, slots=True, repr=False)
class PasswordHash:
    """What is stored of a password; has no repr, so that it ends up in no log."""

    salt: bytes
    digest: bytes
    rounds: int

    @classmethod
    def of(cls, password: str) -> PasswordHash:
        salt = os.urandom(16)
        return cls(salt, _digest(password, salt, ROUNDS), ROUNDS)

    def matches(self, password: str) -> bool:
        return _compare_digest(self.digest, _digest(password, self.salt, self.rounds))


def _digest(password: str, salt: bytes, rounds: int) -> bytes:
    # Here, because OpenSSL costs every worker 3 ms and 2 MiB, and few ever see a password.
    import hashlib

    return hashlib.pbkdf2_hmac("sha256", password.encode("utf-8", "surrogatepass"), salt, rounds)
