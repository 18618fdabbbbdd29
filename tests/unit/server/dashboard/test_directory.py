"""A directory lets in nobody who is not meant, and its certificate is looked at before anything is said."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.certificates import earlier_pair
from tests.support.tcp_server import tcp_server

from mxgateway_server.config.dashboard_sections import LdapSettings
from mxgateway_server.dashboard.people.directories import DirectoryError
from mxgateway_server.dashboard.people.question import Question

ldap3: Any = pytest.importorskip("ldap3")

from mxgateway_server.dashboard.people.directory import LdapDirectory  # noqa: E402

BASE = "DC=plant,DC=example"
PEOPLE = {
    f"CN=Otto Kern,{BASE}": {
        "objectClass": "person",
        "sAMAccountName": "otto",
        "userPassword": "Right 1",
        "displayName": "Otto Kern",
        "memberOf": [f"CN=Operators,OU=Groups,{BASE}", f"CN=All,{BASE}"],
    },
    f"CN=Twin,OU=A,{BASE}": {"objectClass": "person", "sAMAccountName": "twin", "userPassword": "Right 1"},
    f"CN=Twin,OU=B,{BASE}": {"objectClass": "person", "sAMAccountName": "twin", "userPassword": "Right 1"},
    f"CN=svc,{BASE}": {"objectClass": "person", "sAMAccountName": "svc", "userPassword": "account"},
}


@pytest.fixture
def settings(tmp_path: Path) -> LdapSettings:
    password = tmp_path / "password"
    password.write_text("account\n", encoding="utf-8")
    return LdapSettings(
        url="ldaps://d.example", bind_dn=f"CN=svc,{BASE}", bind_password_file=str(password), search_base=BASE
    )


@pytest.fixture
def directory(settings: LdapSettings) -> LdapDirectory:
    server = ldap3.Server("d.example", get_info=ldap3.NONE)
    seed = ldap3.Connection(server, client_strategy=ldap3.MOCK_SYNC)
    for dn, attributes in PEOPLE.items():
        seed.strategy.add_entry(dn, attributes)
    return LdapDirectory(settings, server, ldap3.MOCK_SYNC)


def test_who_knows_his_password_is_let_in_with_his_groups(directory: LdapDirectory) -> None:
    person = directory.person("Otto", "Right 1")
    assert (person.name, person.display_name) == ("otto", "Otto Kern")
    assert person.groups == (f"CN=Operators,OU=Groups,{BASE}", f"CN=All,{BASE}")


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("otto", "wrong"),
        ("otto", ""),
        ("otto", "Right 1\0"),
        ("nobody", "Right 1"),
        ("*", "Right 1"),
        ("*)(uid=*", "Right 1"),
        ("otto)(objectClass=*", "Right 1"),
        ("ot*", "Right 1"),
        ("", "Right 1"),
        ("otto\n", "Right 1"),
        ("otto", "x" * 1025),
    ],
)
def test_everybody_else_is_refused_in_the_same_words(directory: LdapDirectory, name: str, password: str) -> None:
    with pytest.raises(DirectoryError, match="the name or password does not let you in") as refused:
        directory.person(name, password)
    assert refused.value.why == "refused"


def test_a_name_of_two_lets_in_neither(directory: LdapDirectory) -> None:
    with pytest.raises(DirectoryError) as refused:
        directory.person("twin", "Right 1")
    assert refused.value.why == "several"


def test_an_account_that_is_refused_is_no_fault_of_the_person(settings: LdapSettings, directory: LdapDirectory) -> None:
    Path(settings.bind_password_file).write_text("wrong", encoding="utf-8")
    with pytest.raises(DirectoryError) as refused:
        directory.person("otto", "Right 1")
    assert refused.value.why == "account"


def test_a_password_that_has_to_be_changed_is_told(directory: LdapDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    bind = ldap3.Connection.bind

    def refused(connection: Any) -> bool:
        if "Otto" not in str(connection.user):
            return bool(bind(connection))
        connection.result = {"description": "invalidCredentials", "message": "80090308: LdapErr: data 773, v4563"}
        return False

    monkeypatch.setattr(ldap3.Connection, "bind", refused)
    with pytest.raises(DirectoryError, match="has to be changed") as found:
        directory.person("otto", "Right 1")
    assert found.value.why == "expired"


def test_groups_by_way_of_groups_are_asked_for_by_the_escaped_name(
    settings: LdapSettings, directory: LdapDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    search = ldap3.Connection.search

    def answered(connection: Any, base: str, wanted: str, **rest: Any) -> Any:
        if "1.2.840.113556.1.4.1941" not in wanted:
            return search(connection, base, wanted, **rest)
        asked.append(wanted)
        connection.strategy.connection.response = [
            {"type": "searchResEntry", "dn": f"CN=Nested,{BASE}"},
            {"type": "searchResRef", "uri": ["ldap://elsewhere"]},
        ]
        return True

    monkeypatch.setattr(ldap3.Connection, "search", answered)
    directory._options = settings.model_copy(update={"nested_groups": True})
    assert directory.person("otto", "Right 1").groups[-1] == f"CN=Nested,{BASE}"
    assert asked == [f"(&(objectClass=group)(member:1.2.840.113556.1.4.1941:=CN=Otto Kern,{BASE}))"]


async def test_a_directory_with_another_certificate_hears_no_password(tmp_path: Path, settings: LdapSettings) -> None:
    """Of a stranger's authority, and of the right one with another name in it."""
    pairs = []
    for name in ("localhost", "elsewhere.example"):
        folder = tmp_path / name
        folder.mkdir()
        earlier_pair(folder, datetime.datetime.now(datetime.UTC), names=(name,))
        pairs.append((folder / "gateway.crt", folder / "gateway.key"))
    right, wrong = pairs
    heard = b""

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal heard
        with contextlib.suppress(ConnectionError):
            heard += await reader.read()
        writer.close()

    for shown, trusted in ((wrong, right), (wrong, wrong)):
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*shown)
        async with tcp_server(listen, "localhost", context=context) as port:
            changed = settings.model_copy(
                update={"url": f"ldaps://localhost:{port}", "ca_file": str(trusted[0]), "timeout_seconds": 2}
            )
            with pytest.raises(DirectoryError) as refused:
                await asyncio.to_thread(LdapDirectory(changed).person, "otto", "Right 1")
            assert refused.value.why == "unreachable"
    assert heard == b""


@contextlib.contextmanager
def silent_server() -> Iterator[int]:
    """Connections stand, for the system takes them; nobody else does."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_directory_that_is_silent_is_not_waited_for(settings: LdapSettings) -> None:
    with silent_server() as port:
        changed = settings.model_copy(update={"url": f"ldap://127.0.0.1:{port}", "timeout_seconds": 1})
        with pytest.raises(DirectoryError) as refused:
            LdapDirectory(changed).person("otto", "Right 1")
        assert refused.value.why == "unreachable"


@pytest.fixture
def sockets(monkeypatch: pytest.MonkeyPatch) -> list[socket.socket]:
    """Every socket that connects, while another connection to the same directory stands."""
    connecting: list[socket.socket] = []
    connect = socket.socket.connect

    def noted(self: socket.socket, address: Any) -> None:
        connecting.append(self)
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", noted)
    return connecting


def test_what_cannot_be_opened_while_another_stands_is_told_and_left_open_nowhere(
    settings: LdapSettings, sockets: list[socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    """ldap3 notes in its server whether somebody is connected, and takes that for its own connection."""
    noted = socket.socket.connect

    def once(self: socket.socket, address: Any) -> None:
        noted(self, address)
        if len(sockets) > 1:
            raise ConnectionAbortedError("it was given up")

    monkeypatch.setattr(socket.socket, "connect", once)
    with silent_server() as port:
        directory = LdapDirectory(settings.model_copy(update={"url": f"ldap://127.0.0.1:{port}"}))
        question = Question()
        with directory._connection("", "", question):
            with pytest.raises(DirectoryError) as refused:
                directory.person("otto", "Right 1")
            assert (refused.value.why, len(sockets)) == ("unreachable", 2)
            assert "it was given up" in refused.value.cause
            assert sockets[1].fileno() == -1
    assert sockets[0].fileno() == -1


@pytest.mark.parametrize("scheme", ["ldap", "ldaps"])
def test_what_is_given_up_while_it_connects_is_over_when_it_has(
    settings: LdapSettings, sockets: list[socket.socket], monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    """There is nothing yet that could be ended then, and a directory that drips would hold the thread for ever."""
    noted = socket.socket.connect
    question = Question()

    def given_up(self: socket.socket, address: Any) -> None:
        question.give_up()
        noted(self, address)

    monkeypatch.setattr(socket.socket, "connect", given_up)
    with silent_server() as port:
        changed = settings.model_copy(update={"url": f"{scheme}://127.0.0.1:{port}", "timeout_seconds": 60})
        with pytest.raises(DirectoryError) as refused:
            LdapDirectory(changed).person("otto", "Right 1", question)
        assert "took too long as a whole" in refused.value.cause
    assert [each.fileno() for each in sockets] == [-1]
