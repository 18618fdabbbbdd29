"""Settings are shown as valid JSON, and nothing in them that is secret by name or form."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxgateway_server.config.settings import Settings
from mxgateway_server.config.shown import shown, shown_text
from mxgateway_server.config.sources import load

PASSWORDS = [
    "Topsecret",
    'Top"secret',
    "Top@secret",
    "Top%40secret",
    "Top/secret",
    "Top:secret",
    "Top secret",
    "Top;secret",
]


@pytest.mark.parametrize("password", PASSWORDS)
@pytest.mark.parametrize(
    "form",
    [
        "mssql+pytds://mx:{}@db1/ZB",
        "postgresql+psycopg://mx:{}@db1:5432/ZB?sslmode=require",
        "postgresql+psycopg://db1/ZB?password={}",
        "postgresql+psycopg://db1/ZB;password={}",
        "mssql+pyodbc://?odbc_connect=Driver=X;UID=mx;PWD={}",
        "Server=db1;Database=ZB;User ID=mx;Password={}",
        "Server=db1;Database=ZB;User ID=mx;Password={};Encrypt=yes",
        "Driver={{X}};UID=mx;PWD={{{}}}",
        "mx:{}@db1/ZB",
        "jdbc:sqlserver://db1;user=mx;password={}",
        "password={}",
    ],
)
def test_no_form_of_a_connection_string_shows_its_password(form: str, password: str) -> None:
    text = form.format(password)
    settings = Settings(galaxy={"connection_string": text})  # type: ignore[arg-type]
    tree = json.loads(json.dumps(shown(settings)))
    assert tree["galaxy"]["connection_string"]
    written = "\n".join(_values(tree))
    for word in ("Top", "secret"):
        assert word not in written.replace("[redacted]", "")


def _values(tree: Any) -> Iterator[str]:
    """Everything that stands there but the names of the settings."""
    if isinstance(tree, dict | list):
        for each in tree.values() if isinstance(tree, dict) else tree:
            yield from _values(each)
    else:
        yield json.dumps(tree)


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("mssql+pytds://mx:Topsecret@db1:1433/ZB", "mssql+pytds://mx:[redacted]@db1:1433/ZB"),
        ("mssql+pytds://mx:p@db1%5CINST/ZB?cafile=a.pem", "mssql+pytds://mx:[redacted]@db1%5CINST/ZB?cafile=a.pem"),
        ("mssql+pytds://mx@db1/ZB", "mssql+pytds://mx@db1/ZB"),
        ("sqlite:///plant.db", "sqlite:///plant.db"),
        ("plant", "plant"),
        ("/var/lib/plant=1.db", "/var/lib/plant=1.db"),
        (r"C:\Galaxies\plant.db", r"C:\Galaxies\plant.db"),
    ],
)
def test_what_is_not_secret_is_shown(text: str, seen: str) -> None:
    assert shown_text("connection_string", text) == seen


def test_options_and_arguments_that_are_called_like_secrets_are_not_shown() -> None:
    settings = load(
        None,
        {
            "worker.backend_options": {"profile": "test", "password": "Topsecret", "api_key": "Topsecret"},
            "worker.environment": {"ANY": "Topsecret"},
            "worker.command": ["worker", "--password", "Topsecret", "--token=Topsecret", "-v"],
        },
    )
    tree = shown(settings)
    assert tree["worker"]["backend_options"] == {"profile": "test", "password": "[redacted]", "api_key": "[redacted]"}
    assert tree["worker"]["environment"] == {"ANY": "[redacted]"}
    assert tree["worker"]["command"] == ["worker", "--password", "[redacted]", "--token=[redacted]", "-v"]


def test_names_of_files_are_shown() -> None:
    assert shown(load(None, {"authentication.pepper_file": "/p"}))["authentication"]["pepper_file"] == "/p"


def test_settings_do_not_show_them_by_themselves_either() -> None:
    settings = load(
        None,
        {
            "galaxy.connection_string": "mssql://mx:Topsecret@db1/ZB",
            "authentication.database": "postgresql+asyncpg://mx:Topsecret@db1/k",
            "worker.backend_options": {"password": "Topsecret"},
        },
    )
    assert "Topsecret" not in repr(settings)
    assert "Topsecret" not in str(settings)


@given(st.text(alphabet='ab@:/;="\\%?&{} ', min_size=1, max_size=20))
def test_a_password_of_any_characters_is_not_shown(password: str) -> None:
    hidden = "Z".join(password)  # a letter that nothing else has
    if "Z" in hidden:
        for form in ("mssql+pytds://mx:{}@db1/ZB", "Server=db1;User ID=mx;Password={}"):
            seen = shown_text("connection_string", form.replace("ZB", "x").format(hidden))
            assert "Z" not in seen
