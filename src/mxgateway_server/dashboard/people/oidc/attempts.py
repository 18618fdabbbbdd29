"""Sign-ins on their way to a provider and back: each is taken up once, by the browser that began it. Pure."""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from mxgateway_server.dashboard.logins import hash_of

MAX_ATTEMPTS = 1000
LIFE_NS = 600 * 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One sign-in on its way.

    Attributes:
        binding_hash: of the cookie of the browser that began it.
        nonce: what the provider has to put into its token.
        verifier: the proof that whoever asks for the token is who began.
        redirect_uri: where the provider sends the browser back to.
        back: the page that was wanted.
        begun_ns: nanoseconds since 1970 UTC.
    """

    binding_hash: str
    nonce: str
    verifier: str
    redirect_uri: str
    back: str
    begun_ns: int


class Attempts:
    """All that are on their way, by the hashes of their states."""

    def __init__(self) -> None:
        self._attempts: dict[str, Attempt] = {}

    def __len__(self) -> int:
        return len(self._attempts)

    def begin(self, state: str, attempt: Attempt) -> None:
        """Notes one; of too many the oldest goes."""
        while len(self._attempts) >= MAX_ATTEMPTS:
            del self._attempts[next(iter(self._attempts))]
        self._attempts[hash_of(state)] = attempt

    def take(self, state: str, binding: str, now_ns: int) -> Attempt | None:
        """The attempt of a state, once, in time, and for the browser that began it."""
        attempt = self._attempts.pop(hash_of(state), None)
        if attempt is None or not hmac.compare_digest(hash_of(binding), attempt.binding_hash):
            return None
        return attempt if 0 <= now_ns - attempt.begun_ns < LIFE_NS else None
