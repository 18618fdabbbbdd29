"""What `mxgateway doctor` says of the ways by which people sign in: what is wrong there, and one remedy for it."""

from __future__ import annotations

import asyncio
import datetime
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest
from tests.support.certificates import earlier_pair
from tests.support.tcp_server import tcp_server

from mxgateway_server.config.settings import Settings
from mxgateway_server.config.sources import load
from mxgateway_server.node.facts import DoorFacts

ldap3: Any = pytest.importorskip("ldap3")
pytest.importorskip("authlib")

from tests.support.oidc import scripted_provider  # noqa: E402

from mxgateway_server.dashboard.people import looking  # noqa: E402
from mxgateway_server.dashboard.people.directory import LdapDirectory  # noqa: E402
from mxgateway_server.dashboard.people.looking import look_at_doors  # noqa: E402

BASE = "DC=plant,DC=example"
ACCOUNT = f"CN=svc,{BASE}"


def closed_port() -> int:
    with socket.create_server(("localhost", 0)) as free:
        return int(free.getsockname()[1])


def settings(tmp_path: Path, **values: Any) -> Settings:
    (tmp_path / "password").write_text("account", encoding="utf-8")
    told = {f"dashboard.{name.replace('__', '.')}": value for name, value in values.items()}
    return load(None, {"state_dir": str(tmp_path), "dashboard.roles": {"g": "viewer"}, **told})


def ldap_settings(tmp_path: Path, **changes: Any) -> Settings:
    usual = {
        "ldap__url": "ldaps://localhost",
        "ldap__bind_dn": ACCOUNT,
        "ldap__bind_password_file": str(tmp_path / "password"),
        "ldap__search_base": BASE,
        "ldap__timeout_seconds": 2,
    }
    return settings(tmp_path, **usual | changes)


@pytest.fixture
def plant(monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory with the plant and the account that looks people up."""
    server = ldap3.Server("localhost", get_info=ldap3.NONE)
    seed = ldap3.Connection(server, client_strategy=ldap3.MOCK_SYNC)
    seed.strategy.add_entry(BASE, {"objectClass": "domain"})
    seed.strategy.add_entry(ACCOUNT, {"objectClass": "person", "userPassword": "account"})
    monkeypatch.setattr(
        looking, "directory_of", lambda told: LdapDirectory(told.dashboard.ldap, server, ldap3.MOCK_SYNC)
    )


def only(found: list[DoorFacts]) -> DoorFacts:
    (one,) = found
    return one


def test_where_only_keys_let_in_nothing_is_asked(tmp_path: Path) -> None:
    assert look_at_doors(load(None, {"state_dir": str(tmp_path)})) == []


@pytest.mark.usefixtures("plant")
def test_a_directory_that_lets_people_in_needs_nothing(tmp_path: Path) -> None:
    found = only(look_at_doors(ldap_settings(tmp_path)))
    assert (found.door, found.remedy) == ("sign-in by LDAP", "")
    assert ACCOUNT in found.found


@pytest.mark.usefixtures("plant")
def test_an_account_that_is_refused_and_a_base_that_is_not_there(tmp_path: Path) -> None:
    elsewhere = only(look_at_doors(ldap_settings(tmp_path, ldap__search_base="OU=Nobody,DC=plant,DC=example")))
    assert "search_base" in elsewhere.remedy
    wrong = ldap_settings(tmp_path)
    (tmp_path / "password").write_text("wrong", encoding="utf-8")
    refused = only(look_at_doors(wrong))
    assert "invalidCredentials" in refused.found
    assert "bind_dn" in refused.remedy
    assert "wrong" not in refused.found


def test_a_directory_that_does_not_answer_and_a_secret_that_is_not_there(tmp_path: Path) -> None:
    away = only(look_at_doors(ldap_settings(tmp_path, ldap__url=f"ldaps://localhost:{closed_port()}")))
    assert "dashboard.ldap.url" in away.remedy
    unset = only(look_at_doors(ldap_settings(tmp_path, ldap__bind_password_file=str(tmp_path / "none"))))
    assert "cannot be read" in unset.found
    assert unset.remedy.startswith("write the secret into it")


async def test_a_certificate_of_a_stranger_is_called_so(tmp_path: Path) -> None:
    earlier_pair(tmp_path, datetime.datetime.now(datetime.UTC), names=("localhost",))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "gateway.crt", tmp_path / "gateway.key")

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with tcp_server(silent, "localhost", context=context) as port:
        both = ldap_settings(
            tmp_path,
            ldap__url=f"ldaps://localhost:{port}",
            oidc__issuer=f"https://localhost:{port}",
            oidc__client_id="gateway",
        )
        found = await asyncio.to_thread(look_at_doors, both)
    assert ["dashboard.oidc.ca_file" in found[0].remedy, "dashboard.ldap.ca_file" in found[1].remedy] == [True, True]


async def test_a_provider_is_asked_for_its_discovery_document_and_its_keys(tmp_path: Path) -> None:
    async with scripted_provider() as provider:
        told = settings(tmp_path, oidc__issuer=provider.url, oidc__client_id="gateway")
        good = only(await asyncio.to_thread(look_at_doors, told))
        assert (good.remedy, "1 key" in good.found) == ("", True)
        provider.metadata = {"issuer": "https://another.example"}
        other = only(await asyncio.to_thread(look_at_doors, told))
        assert "to the letter" in other.remedy
        provider.is_down = True
        down = only(await asyncio.to_thread(look_at_doors, told))
        assert ("status 502" in down.found, "dashboard.oidc.issuer" in down.remedy) == (True, True)
    away = settings(tmp_path, oidc__issuer=f"http://localhost:{closed_port()}", oidc__client_id="gateway")
    assert "firewall" in only(await asyncio.to_thread(look_at_doors, away)).remedy
