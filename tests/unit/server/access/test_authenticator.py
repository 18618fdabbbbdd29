"""Who a caller is: refusals that tell strangers nothing, and how long a checked key is trusted."""

from __future__ import annotations

import asyncio

import pytest
from tests.support.clock import ManualClock
from tests.support.key_store import PEPPER, READ, SECRET

from mxgateway_contract.redaction import redact
from mxgateway_server.access.authenticator import Authenticator
from mxgateway_server.access.records import KeyRecord
from mxgateway_server.access.store import KeyStore
from mxgateway_server.access.throttle import Throttle
from mxgateway_server.errors import AuthenticationError, KeyRefusal


def authenticator(store: KeyStore, clock: ManualClock, failures: int = 100) -> Authenticator:
    return Authenticator(store, PEPPER, clock, Throttle(failures, 5.0), cache_seconds=2.0)


def test_what_is_said_to_strangers_holds_nothing_that_looks_like_a_key() -> None:
    """Logs and clients take out what looks like one, and the sentence would lose a word."""
    text = str(AuthenticationError(KeyRefusal.MISSING_OR_MALFORMED))
    assert "Bearer" in text
    assert redact(text) == text


async def refused(checker: Authenticator, header: str) -> AuthenticationError:
    with pytest.raises(AuthenticationError) as caught:
        await checker.authenticate(header, "10.0.0.1")
    return caught.value


async def test_every_refusal_looks_the_same_to_the_caller_and_differs_for_the_audit(
    store: KeyStore, clock: ManualClock
) -> None:
    raw = await store.create("a", "x", READ)
    await store.create("r", "x", READ)
    revoked = await store.rotate("r")
    await store.revoke("r")
    late = await store.create("l", "x", READ, expires_ns=clock.unix_ns())
    checker = authenticator(store, clock)
    errors = [
        await refused(checker, header)
        for header in (
            "",
            f"Bearer mxgw_nobody_{SECRET}",
            f"Bearer mxgw_a_{SECRET}",
            f"Bearer {revoked}",
            f"Bearer {late}",
        )
    ]
    assert len({str(error) for error in errors}) == 1
    assert [error.kind for error in errors] == [
        "MissingOrMalformedCredentials",
        "KeyNotFound",
        "SecretMismatch",
        "KeyRevoked",
        "KeyExpired",
    ]
    caller = await checker.authenticate(f"Bearer {raw}", "10.0.0.1")
    assert (caller.key_id, caller.is_admin) == ("a", False)


async def test_a_checked_key_is_trusted_for_a_moment_and_forgetting_it_ends_that_at_once(
    store: KeyStore, clock: ManualClock
) -> None:
    raw = f"Bearer {await store.create('a', 'x', READ)}"
    checker = authenticator(store, clock)
    await checker.authenticate(raw, "h")
    await store.revoke("a")
    await checker.authenticate(raw, "h")
    checker.forget("a")
    assert (await refused(checker, raw)).kind == "KeyRevoked"


async def test_a_revocation_by_another_process_is_seen_when_the_moment_is_over(
    store: KeyStore, clock: ManualClock
) -> None:
    raw = f"Bearer {await store.create('a', 'x', READ)}"
    checker = authenticator(store, clock)
    await checker.authenticate(raw, "h")
    await store.revoke("a")
    clock.advance(2.0)
    assert (await refused(checker, raw)).kind == "KeyRevoked"


async def test_a_rotated_secret_is_taken_at_once_although_the_old_one_is_remembered(
    store: KeyStore, clock: ManualClock
) -> None:
    await store.create("a", "x", READ)
    checker = authenticator(store, clock)
    await refused(checker, f"Bearer mxgw_a_{SECRET}")
    new = await store.rotate("a")
    await checker.authenticate(f"Bearer {new}", "other")


async def test_a_key_that_many_calls_show_at_once_is_looked_up_once(
    store: KeyStore, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when it was revoked meanwhile: then each call is refused."""
    raw = f"Bearer {await store.create('many', 'x', READ)}"
    checker = authenticator(store, clock)
    await checker.authenticate(raw, "h")
    looked_up: list[str] = []
    get = store.get

    async def counted(key_id: str) -> KeyRecord | None:
        looked_up.append(key_id)
        return await get(key_id)

    monkeypatch.setattr(store, "get", counted)
    clock.advance(10)
    callers = await asyncio.gather(*(checker.authenticate(raw, "h") for _ in range(50)))
    assert {caller.key_id for caller in callers} == {"many"}
    assert looked_up == ["many"]
    assert checker._checking == {}
    await store.revoke("many")
    clock.advance(10)
    outcomes = await asyncio.gather(*(checker.authenticate(raw, "h") for _ in range(5)), return_exceptions=True)
    assert [getattr(outcome, "kind", outcome) for outcome in outcomes] == ["KeyRevoked"] * 5


async def test_a_remembered_key_opens_nothing_for_another_secret(store: KeyStore, clock: ManualClock) -> None:
    old = await store.create("a", "x", READ)
    checker = authenticator(store, clock)
    await checker.authenticate(f"Bearer {old}", "h")
    assert (await refused(checker, f"Bearer mxgw_a_{SECRET}")).kind == "SecretMismatch"
    new = await store.rotate("a")
    await checker.authenticate(f"Bearer {new}", "h")
    assert (await refused(checker, f"Bearer {old}")).kind == "SecretMismatch"


async def test_success_forgets_earlier_failures(store: KeyStore, clock: ManualClock) -> None:
    raw = f"Bearer {await store.create('a', 'x', READ)}"
    checker = authenticator(store, clock, failures=2)
    for _ in range(5):
        await refused(checker, f"Bearer mxgw_a_{SECRET}")
        await checker.authenticate(raw, "10.0.0.1")


async def test_who_fails_too_often_with_a_key_waits_even_with_the_right_one_and_others_do_not(
    store: KeyStore, clock: ManualClock
) -> None:
    raw = f"Bearer {await store.create('a', 'x', READ)}"
    checker = authenticator(store, clock, failures=2)
    for _ in range(2):
        await refused(checker, f"Bearer mxgw_a_{SECRET}")
    assert (await refused(checker, raw)).kind == "Throttled"
    await checker.authenticate(raw, "10.0.0.2")
    await checker.authenticate(f"Bearer {await store.create('b', 'x', READ)}", "10.0.0.1")
    clock.advance(5.1)
    await checker.authenticate(raw, "10.0.0.1")


async def test_the_last_use_is_collected_and_stored(store: KeyStore, clock: ManualClock) -> None:
    raw = await store.create("a", "x", READ)
    checker = authenticator(store, clock)
    await checker.authenticate(f"Bearer {raw}", "h")
    await store.mark_used(checker.take_used())
    record = await store.get("a")
    assert record is not None
    assert record.last_used_ns == clock.unix_ns()
    assert checker.take_used() == {}


async def test_uses_that_could_not_be_stored_are_stored_later(store: KeyStore, clock: ManualClock) -> None:
    raw = await store.create("a", "x", READ)
    checker = authenticator(store, clock)
    await checker.authenticate(f"Bearer {raw}", "h")
    used = checker.take_used()
    clock.advance(1)
    await checker.authenticate(f"Bearer {raw}", "h")
    later = clock.unix_ns()
    checker.put_back_used({**used, "b": 5})
    assert checker.take_used() == {"a": later, "b": 5}
