"""What a Galaxy's connection string means to SQLAlchemy, and what a driver's error most likely means."""

from __future__ import annotations

import re
import socket

import pytest
from sqlalchemy import make_url

from mxgateway_server.galaxy.drivers import effective_url, explained, looks_like_timeout, place_of, without_secrets


def rendered(text: str) -> str:
    return effective_url(text).render_as_string(hide_password=False)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("mssql://mx:p@db1/ZB", "mssql+pytds://mx:p@db1/ZB"),
        ("postgres://mx:p@db1/ZB", "postgresql+psycopg://mx:p@db1/ZB"),
        ("mssql+pytds://mx:p@db1%5CINST/ZB", r"mssql+pytds://mx:p@db1\INST/ZB"),
        ("mssql+pytds://mx:p@db1%5cINST/ZB", r"mssql+pytds://mx:p@db1\INST/ZB"),
        (r"mssql+pytds://mx:p@db1\INST:14330/ZB", "mssql+pytds://mx:p@db1:14330/ZB"),
        ("mssql+pytds://mx:p@db1%5CINST:14330/ZB", "mssql+pytds://mx:p@db1:14330/ZB"),
        ("mssql+pytds://mx:p%40s%2F%25@db1/ZB", "mssql+pytds://mx:p%40s%2F%25@db1/ZB"),
        ("Server=db1,14330;Database=ZB;UID=mx;PWD=p@s", "mssql+pytds://mx:p%40s@db1:14330/ZB"),
        (r"Server=db1\I;Database=ZB;UID=mx;PWD=p", r"mssql+pytds://mx:p@db1\I/ZB"),
        (
            "Server=db1;Database=ZB;Integrated Security=SSPI",
            "mssql+mssqlpython://db1/ZB?Trusted_Connection=yes",
        ),
        (
            "Server=db1;Database=ZB;UID=mx;PWD=p;Encrypt=strict;Trust Server Certificate=yes",
            "mssql+mssqlpython://mx:p@db1/ZB?Encrypt=strict&TrustServerCertificate=yes",
        ),
    ],
)
def test_a_connection_string_means_one_url(text: str, url: str) -> None:
    assert rendered(text) == url


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("sqlserver://mx:Topsecret@db1/ZB", r"names sqlserver.*mssql\+pytds://"),
        ("mysql://mx:Topsecret@db1/ZB", "names mysql"),
        ("mssql+nosuch://mx:Topsecret@db1/ZB", r"driver of mssql\+nosuch is not installed"),
        ("postgresql+asyncpg://mx:Topsecret@db1/ZB", r"write postgresql\+psycopg://"),
        ("sqlite+aiosqlite:///x.db", "write sqlite:///"),
        ("mssql+pytds://mx:Top@secret@db1/ZB", "%40"),
        ("mssql+pytds://mx:Topsecret/ZB", "is no URL"),
        ("jdbc:sqlserver://db1;databaseName=ZB;user=mx;password=Topsecret", "is no URL"),
        ("://mx:Topsecret@db1/ZB", "is no URL"),
    ],
)
def test_what_no_galaxy_is_read_from_is_refused_with_the_remedy(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        effective_url(text)
    assert "secret" not in str(caught.value)


def _after_tries(cause: BaseException) -> TimeoutError:
    # As python-tds raises it: time ran out over what kept it from the server.
    error = TimeoutError()
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("place", "error", "words"),
    [
        ("db1", socket.gaierror(-2, "Name or service not known"), "the name db1 is not known"),
        ("db1", _after_tries(ConnectionRefusedError()), "nothing listens at db1:1433"),
        ("db1:14330", _after_tries(ConnectionRefusedError()), "nothing listens at db1:14330"),
        ("db1:14330", _after_tries(TimeoutError()), "no answer from db1:14330 within 5 s"),
        ("db1:14330", TimeoutError(), "no answer from db1:14330 within 5 s"),
        (r"db1\INST", _after_tries(TimeoutError()), r"SQL Server Browser of db1 \(UDP 1434\).*INST.*db1:PORT"),
        (r"db1\INST", RuntimeError("invalid format"), "SQL Server Browser of db1"),
        (r"db1\INST", ValueError("Instance INST not found on server db1"), "db1 has no instance INST"),
    ],
)
def test_what_keeps_from_the_server_is_told_with_the_remedy(place: str, error: Exception, words: str) -> None:
    url = effective_url(f"mssql+pytds://mx:Topsecret@{place}/ZB")
    text = explained(error, url, 5.0)
    assert text is not None
    assert re.search(words, text), text
    assert "secret" not in text


def test_a_refused_connection_is_no_timeout() -> None:
    assert looks_like_timeout(_after_tries(TimeoutError()))
    assert not looks_like_timeout(_after_tries(ConnectionRefusedError()))


def test_nothing_shown_holds_a_password() -> None:
    url = make_url("postgresql+psycopg://mx:Topsecret@db1/ZB?sslpassword=Othersecret")
    assert "secret" not in without_secrets("could not log in with Topsecret and Othersecret", url)
    assert "secret" not in place_of(url)
