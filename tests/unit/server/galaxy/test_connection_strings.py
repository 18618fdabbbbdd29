"""Connection strings of ADO.NET and ODBC are taken over exactly, or refused without a word of what they hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxgateway_server.galaxy.connection_strings import (
    ConnectionStringError,
    SqlServerLogin,
    is_connection_string,
    parse_connection_string,
)

ODBC = "Driver={ODBC Driver 17 for SQL Server};"


@pytest.mark.parametrize(
    ("text", "login"),
    [
        (
            "Data Source=db1;Initial Catalog=ZB;User ID=mx;Password=Topsecret",
            SqlServerLogin("db1", "", None, "ZB", "mx", "Topsecret"),
        ),
        (
            r"Server=db1\SQLEXPRESS;Database=ZB;Integrated Security=SSPI",
            SqlServerLogin("db1", "SQLEXPRESS", None, "ZB", "", ""),
        ),
        ("server = tcp:db1,14330 ; DATABASE=ZB; uid=mx; pwd=x;", SqlServerLogin("db1", "", 14330, "ZB", "mx", "x")),
        (r"Server=db1\X,14330;Database=ZB;UID=mx;PWD=x", SqlServerLogin("db1", "", 14330, "ZB", "mx", "x")),
        ("Server=(local);Database=ZB;Trusted_Connection=yes", SqlServerLogin("localhost", "", None, "ZB", "", "")),
        (
            "Server=.;Database=ZB;Trusted_Connection=yes;UID=mx;PWD=x",
            SqlServerLogin("localhost", "", None, "ZB", "", ""),
        ),
        (
            "Server=db1;Database=ZB;User ID=mx;Password='To;p''\"s';Encrypt=True;TrustServerCertificate=true",
            SqlServerLogin("db1", "", None, "ZB", "mx", "To;p'\"s", "yes", True),
        ),
        (
            'Server=db1;Database=ZB;User ID=mx;Password="a""b=c";Encrypt=Optional',
            SqlServerLogin("db1", "", None, "ZB", "mx", 'a"b=c', "no"),
        ),
        (
            ODBC + "Server=db1;Port=1500;Database=ZB;UID=mx;PWD={a;}}b}",
            SqlServerLogin("db1", "", 1500, "ZB", "mx", "a;}b"),
        ),
        (ODBC + "Server=db1;Database=ZB;UID=mx;PWD='a\"", SqlServerLogin("db1", "", None, "ZB", "mx", "'a\"")),
        (
            "Driver={ODBC Driver 18 for SQL Server};Server=db1;Database=ZB;UID=mx;PWD=x",
            SqlServerLogin("db1", "", None, "ZB", "mx", "x", "yes"),
        ),
        (
            "Driver={ODBC Driver 18 for SQL Server};Server=db1;Database=ZB;UID=mx;PWD=x;Encrypt=no",
            SqlServerLogin("db1", "", None, "ZB", "mx", "x", "no"),
        ),
        (
            "Provider=MSOLEDBSQL.1;Data Source=db1;Initial Catalog=ZB;User ID=mx;Password=x;Connect Timeout=3;App=y",
            SqlServerLogin("db1", "", None, "ZB", "mx", "x"),
        ),
    ],
)
def test_what_is_said_is_taken_over(text: str, login: SqlServerLogin) -> None:
    assert is_connection_string(text)
    assert parse_connection_string(text) == login
    assert login.password == "" or login.password not in repr(login).replace(login.user, "")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Server=db1;Database=ZB", "names no login"),
        ("Server=db1;User ID=mx;Password=Topsecret", "names no database"),
        ("Database=ZB;User ID=mx;Password=Topsecret", "names no server"),
        ("Server=db1:1433;Database=ZB;User ID=mx;Password=Topsecret", "HOST,PORT"),
        ("Server=db1,x;Database=ZB;User ID=mx;Password=Topsecret", "port"),
        (r"Server=np:\\db1\pipe\sql\query;Database=ZB;User ID=mx;Password=Topsecret", "tcp"),
        (r"Server=(localdb)\v11;Database=ZB;Integrated Security=true", "LocalDB"),
        ("Server=db1;Database=ZB;User ID=mx;Password=To;psecret", "quoted"),
        ("Server=db1;Database=ZB;User ID=mx;Password=To;p=Topsecret", "keyword that is not known"),
        ("Server=db1;Database=ZB;User ID=mx;Password='Topsecret", "quoted"),
        ("Server=db1;Database=ZB;User ID=mx;Password={Topsecret}", "quoted"),
        ("Server=db1;Database=ZB;User ID=mx;Password=Topsecret;PWD=Topsecret", "twice"),
        ("Server=db1;Database=ZB;User ID=mx;Password=Topsecret;Encrypt=Topsecret", "encrypt takes"),
        ("Server=db1;Database=ZB;Authentication=ActiveDirectoryDefault;Password=Topsecret", "authentication"),
        ("DSN=plant;UID=mx;PWD=Topsecret", "dsn"),
        ("host=db1 dbname=ZB user=mx password=Topsecret", "host"),
        ("Driver={PostgreSQL};Server=db1;Database=ZB;UID=mx;PWD=Topsecret", "driver"),
        ("Driver={Topsecret};Server=db1;Database=ZB;UID=mx;PWD=x", "driver"),
    ],
)
def test_what_is_not_exact_is_refused_with_the_remedy_and_without_the_secret(text: str, words: str) -> None:
    assert is_connection_string(text)
    with pytest.raises(ConnectionStringError, match=words) as caught:
        parse_connection_string(text)
    assert "mssql+pytds://user:password@host/ZB" in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["plant", "plant.db", "/a=b/plant.db", r"C:\plant.db", "mssql+pytds://u:p=1;2@h/ZB", "sqlite:///a;b=c.db", ""],
)
def test_names_paths_and_urls_are_no_connection_strings(text: str) -> None:
    assert not is_connection_string(text)


@given(st.text(min_size=1).filter(lambda text: text.strip() == text))
def test_any_password_comes_through_when_it_is_quoted(password: str) -> None:
    quoted = '"' + password.replace('"', '""') + '"'
    braces = "{" + password.replace("}", "}}") + "}"
    assert parse_connection_string(f"Server=h;Database=ZB;UID=mx;PWD={quoted};Encrypt=no").password == password
    assert parse_connection_string(f"{ODBC}Server=h;Database=ZB;UID=mx;PWD={braces};Encrypt=no").password == password


@given(st.text())
def test_any_text_is_taken_over_or_refused_without_what_it_holds(text: str) -> None:
    for written in (text, f"Server=h;Database=ZB;UID=mx;PWD=Topsecret{text};x=1"):
        if is_connection_string(written):
            try:
                parse_connection_string(written)
            except ConnectionStringError as error:
                assert "Topsecret" not in str(error)  # noqa: PT017
