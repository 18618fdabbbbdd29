"""Logins end in time, by what is known of them, and links let in once."""

from __future__ import annotations

import pytest

from mxgateway_server.dashboard.logins import (
    MAX_LINKS,
    MAX_LOGINS,
    KeyPart,
    LoginBook,
    LoginTimes,
    from_json,
    to_json,
)

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND
KEY = KeyPart(key_id="ops", created_ns=1, secret_id="s1")
TIMES = LoginTimes(login=8 * 3600, idle=1800, screen=30 * 86400, link=120)


@pytest.fixture
def book() -> LoginBook:
    return LoginBook(TIMES)


def test_a_login_is_found_by_its_token_and_keeps_only_a_hash(book: LoginBook) -> None:
    login = book.begin("token", KEY, "10.0.0.1", START)
    assert book.find("token", START) == login
    assert book.find("tokeN", START) is None
    assert "token" not in repr(to_json(book.logins)).replace("tokenHash", "")


def test_who_does_nothing_is_signed_out_and_who_does_something_is_not(book: LoginBook) -> None:
    login = book.begin("token", KEY, "", START)
    assert book.find("token", START + 1799 * SECOND)
    assert book.find("token", START + 1800 * SECOND) is None
    book.use(login, START + 1000 * SECOND)
    assert book.find("token", START + 2799 * SECOND)


def test_a_login_ends_however_much_it_is_used(book: LoginBook) -> None:
    login = book.begin("token", KEY, "", START)
    for second in range(0, 8 * 3600, 600):
        book.use(login, START + second * SECOND)
    assert book.find("token", START + (8 * 3600 - 1) * SECOND)
    assert book.find("token", START + 8 * 3600 * SECOND) is None


def test_a_screen_has_no_idle_limit(book: LoginBook) -> None:
    book.begin("token", KEY, "", START, "screen", "hall 3")
    assert book.find("token", START + 29 * 86400 * SECOND)
    assert book.find("token", START + 30 * 86400 * SECOND) is None


def test_a_clock_that_was_set_back_makes_no_login_longer(book: LoginBook) -> None:
    book.begin("token", KEY, "", START)
    assert book.find("token", START - 30 * SECOND), "a small step is no theft"
    assert book.find("token", START - 3600 * SECOND) is None


def test_signing_out_ends_one_login_and_everywhere_all_of_the_key(book: LoginBook) -> None:
    other = KeyPart(key_id="other", created_ns=1, secret_id="s")
    first = book.begin("one", KEY, "", START)
    book.begin("two", KEY, "", START)
    book.begin("three", other, "", START)
    book.end(first)
    assert (book.find("one", START), len(book)) == (None, 2)
    assert book.end_all("ops") == 1
    assert book.find("three", START)


def test_a_link_lets_in_once_and_not_late(book: LoginBook) -> None:
    book.offer("ticket", KEY, START)
    link = book.take("ticket", START + 119 * SECOND)
    assert link is not None
    assert link.key == KEY
    assert book.take("ticket", START) is None
    book.offer("late", KEY, START)
    assert book.take("late", START + 120 * SECOND) is None
    assert book.take("never", START) is None


def test_memory_is_bounded(book: LoginBook) -> None:
    for number in range(MAX_LOGINS + 10):
        book.begin(str(number), KEY, "", START + number)
        book.offer(str(number), KEY, START)
    assert len(book) == MAX_LOGINS
    assert book.find("0", START + MAX_LOGINS) is None
    assert sum(book.take(str(number), START) is not None for number in range(MAX_LOGINS + 10)) == MAX_LINKS


def test_logins_survive_being_stored(book: LoginBook) -> None:
    book.begin("token", KEY, "10.0.0.1", START)
    book.begin("wall", KEY, "10.0.0.2", START, "screen", "hall 3")
    again = LoginBook(TIMES, from_json(to_json(book.logins)))
    assert again.logins == book.logins
    assert again.find("token", START)


def test_only_what_is_worth_storing_counts_as_a_change(book: LoginBook) -> None:
    login = book.begin("token", KEY, "", START)
    before = book.version
    book.use(login, START + SECOND)
    assert book.version == before
    book.use(login, START + 60 * SECOND)
    assert book.version == before + 1
