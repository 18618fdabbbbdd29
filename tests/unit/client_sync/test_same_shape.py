"""The blocking library has every name of the asynchronous one, with the same parameters."""

import inspect
import re

import pytest
from tools.generate_sync import stale

import mxgateway
import mxgateway.sync

RENAMED = {"aclose": "close", "__aiter__": "__iter__", "__anext__": "__next__"}
RENAMED |= {"__aenter__": "__enter__", "__aexit__": "__exit__"}
CLASSES = [
    name
    for name in mxgateway.__all__
    if inspect.isclass(getattr(mxgateway, name))
    and any(
        inspect.iscoroutinefunction(member) or inspect.isasyncgenfunction(member) or attribute == "__anext__"
        for attribute, member in inspect.getmembers(getattr(mxgateway, name))
    )
]


def public(cls: type) -> dict[str, object]:
    """Public attributes, and the protocols of `with` and `for`."""
    names = {name for base in cls.__mro__ if base is not object for name in vars(base)}
    return {name: inspect.getattr_static(cls, name) for name in names if not name.startswith("_") or name in RENAMED}


def test_the_committed_code_is_what_generation_gives() -> None:
    """A method added to the asynchronous library reaches `mxgateway.sync`: run tools/generate_sync.py."""
    assert stale() == []


def test_every_public_name_is_there() -> None:
    """`mxgateway.sync` exports the names of `mxgateway`, and errors and values are the very same objects."""
    assert mxgateway.sync.__all__ == mxgateway.__all__
    different = [n for n in mxgateway.__all__ if getattr(mxgateway, n) is not getattr(mxgateway.sync, n)]
    assert sorted(different) == sorted(CLASSES)


def test_the_asynchronous_classes_are_found() -> None:
    """The search of this test sees the classes that it is about."""
    assert set(CLASSES) >= {"BrowseNode", "EventStream", "GalaxyRepositoryClient", "GatewayClient", "Session"}


@pytest.mark.parametrize("name", CLASSES)
def test_a_class_has_every_member_of_its_asynchronous_one(name: str) -> None:
    """No public method, property or protocol is missing."""
    blocking = public(getattr(mxgateway.sync, name)) | {
        each: None for each in RENAMED.values() if hasattr(getattr(mxgateway.sync, name), each)
    }
    assert {RENAMED.get(each, each) for each in public(getattr(mxgateway, name))} - blocking.keys() == set()


@pytest.mark.parametrize("name", CLASSES)
def test_a_method_has_the_parameters_of_its_asynchronous_one(name: str) -> None:
    """Names, kinds, defaults and types of parameters are the same, and the type of the result is what is awaited."""
    asynchronous, blocking = getattr(mxgateway, name), getattr(mxgateway.sync, name)
    differences = []
    for member, value in public(asynchronous).items():
        if member.startswith("__"):
            continue
        twin = inspect.getattr_static(blocking, RENAMED.get(member, member), None)
        if isinstance(value, property):
            assert isinstance(twin, property), member
            value, twin = value.fget, twin.fget
        if not callable(getattr(value, "__func__", value)):
            continue
        wanted = inspect.signature(getattr(value, "__func__", value))
        got = inspect.signature(getattr(twin, "__func__", twin))
        wanted_parameters = [
            p.replace(annotation=p.annotation if i else p.empty) for i, p in enumerate(wanted.parameters.values())
        ]
        result = re.sub(r"\bAsyncIterator\b", "Iterator", str(wanted.return_annotation))
        result = re.sub(r"^Opening\[(.*)\]$", r"\1", result)
        if wanted_parameters != list(got.parameters.values()) or result != str(got.return_annotation):
            differences.append(f"{member}: {got}, but asynchronously {wanted}")
    assert differences == []


@pytest.mark.parametrize("name", CLASSES)
def test_docstrings_speak_of_the_blocking_form(name: str) -> None:
    """Nobody who reads `mxgateway.sync` is told to write `async with` or to await."""
    cls = getattr(mxgateway.sync, name)
    texts = [cls.__doc__, *(inspect.getdoc(inspect.getattr_static(cls, each)) for each in vars(cls))]
    asynchronous = re.compile(r"async (with|for|iterator)|\bawait(ed)?\b")
    assert [text for text in texts if asynchronous.search(text or "")] == []
