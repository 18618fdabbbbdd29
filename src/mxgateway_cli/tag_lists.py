"""Tags as the user names them: references, globs over the Galaxy, and named lists (`@name`)."""

from __future__ import annotations

import csv
import fnmatch
import io
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mxgateway import AttributeOrigin
from mxgateway_cli import profiles
from mxgateway_cli.tag_files import ListError, TagFile, parse

if TYPE_CHECKING:
    from mxgateway import GalaxyAttribute, GalaxyObject, GalaxyRepositoryClient
    from mxgateway_cli.connection import Connection

COLUMNS = (
    "tag",
    "object",
    "attribute",
    "type",
    "isArray",
    "securityClassification",
    "isHistorized",
    "isAlarm",
    "units",
    "description",
    "origin",
)
MAX_TAGS = 50_000
_QUOTES = "'\"‘’“”"


@dataclass(frozen=True)
class FoundTag:
    """One attribute of the Galaxy."""

    galaxy_object: GalaxyObject
    attribute: GalaxyAttribute

    @property
    def reference(self) -> str:
        return self.attribute.full_tag_reference

    def row(self) -> list[object]:
        """The cells of COLUMNS."""
        each = self.attribute
        return [
            each.full_tag_reference,
            self.galaxy_object.tag_name,
            each.attribute_name,
            each.data_type_name or each.mx_data_type,
            each.is_array,
            each.security_classification,
            each.is_historized,
            each.is_alarm,
            each.engineering_units,
            each.description,
            origin_name(each),
        ]


def is_glob(name: str) -> bool:
    """Whether the text is a pattern and not a reference; `[]` marks an array and is none."""
    return "*" in name or "?" in name


def expand_lists(names: Iterable[str]) -> list[str]:
    """Replaces each `@name` by the tags of that list.

    Raises:
        click.UsageError: no such list, or a name in quotes.
    """
    expanded: list[str] = []
    for name in names:
        if len(name) > 1 and name[0] in _QUOTES and name[-1] in _QUOTES:
            # No name has quotes: a shell has passed them on, as cmd.exe does with single ones.
            raise click.UsageError(f'{name} came with its quotes; this shell takes double quotes: "{name[1:-1]}"')
        if name.startswith("@"):
            file = list_file(name[1:])
            if not file.exists():
                known = f" (there are: {', '.join(f'@{each}' for each in list_names())})" if list_names() else ""
                raise click.UsageError(f"there is no list {name}; mxgw-py tags import {name[1:]} FILE makes it{known}")
            expanded.extend(read_file(file).tags)
        else:
            expanded.append(name)
    return expanded


def origin_name(attribute: GalaxyAttribute) -> str:
    """Where an attribute comes from, in a word; empty where the gateway does not tell."""
    from mxgateway.house import attribute_origin

    origin = attribute_origin(attribute)
    return origin.name.lower().replace("_", "-") if origin else ""


async def find(galaxy: GalaxyRepositoryClient, pattern: str, *, every: bool = False) -> list[FoundTag]:
    """The attributes whose reference fits a pattern; `*` and `?`, case-insensitive.

    A pattern without a dot is one of object names. That, and `*` after the dot, mean the attributes that an engineer
    configured. Any other name after the dot is looked for among all of them, those of extensions (`Alarm1.Acked`) only
    with a dot of its own.

    Args:
        every: all attributes in both cases.
    """
    objects, _, attributes = pattern.partition(".")
    # `[]` is an array's mark here, while fnmatch takes brackets for a set of characters.
    wanted, named = (each.lower().replace("[", "[[]") for each in ((attributes or "*").removesuffix("[]"), objects))
    origins = () if every or wanted != "*" else (AttributeOrigin.CONFIGURED,)
    found = []
    async for each in galaxy.iter_hierarchy(tag_name_glob=objects, attribute_origins=origins):
        if not fnmatch.fnmatchcase(each.tag_name.lower(), named):
            continue
        for attribute in each.attributes:
            name = attribute.attribute_name.lower()
            if fnmatch.fnmatchcase(name, wanted) and (every or wanted == "*" or ("." in name) <= ("." in wanted)):
                found.append(FoundTag(each, attribute))
    return found


async def attributes_of(galaxy: GalaxyRepositoryClient, objects: Sequence[str]) -> list[str]:
    """The references of these objects' own attributes, in the order of the objects; one that is not there has none."""
    wanted = {name.casefold() for name in objects}
    found: dict[str, list[str]] = {}
    glob = objects[0] if len(objects) == 1 else ""
    async for each in galaxy.iter_hierarchy(tag_name_glob=glob, attribute_origins=[AttributeOrigin.CONFIGURED]):
        if each.tag_name.casefold() in wanted:
            found[each.tag_name.casefold()] = [attribute.full_tag_reference for attribute in each.attributes]
    tags = [tag for name in objects for tag in found.get(name.casefold(), ())]
    check_count(len(tags), objects, MAX_TAGS)
    return tags


def resolve_tags(connection: Connection, names: Sequence[str], limit: int, *, every: bool = False) -> list[str]:
    """References for what the user named, in order and each once; globs as `find` takes them.

    Raises:
        click.UsageError: nothing fits, or more than `limit` tags do.
    """
    expanded = expand_lists(names)
    if any(is_glob(name) for name in expanded):

        async def body(galaxy: GalaxyRepositoryClient) -> list[str]:
            tags: list[str] = []
            for name in expanded:
                if is_glob(name):
                    tags.extend(each.reference for each in await find(galaxy, name, every=every))
                else:
                    tags.append(name)
            return tags

        expanded = connection.run_galaxy(body)
    tags = list(dict.fromkeys(expanded))
    check_count(len(tags), names, limit, every=every)
    return tags


def check_count(count: int, names: Sequence[str], limit: int, *, every: bool = True) -> None:
    """Refuses nothing and too much.

    Raises:
        click.UsageError: no tag fits the names, or more than `limit` do.
    """
    if not count:
        wider = "" if every else "; --all looks among built-in attributes, too"
        raise click.UsageError(f"no tag fits {' '.join(names)}; look for names with mxgw-py browse{wider}")
    if count > limit:
        raise click.UsageError(f"{count} tags fit, more than {limit}; narrow the pattern or raise --limit")


def list_file(name: str) -> Path:
    """Where a named list is kept."""
    if not name or not all(character.isalnum() or character in "-_." for character in name) or name.startswith("."):
        raise click.UsageError(f"{name!r} is no name of a list; use letters, digits, '-', '_' and '.'")
    return profiles.profiles_file().parent / "lists" / f"{name}.csv"


def list_names() -> list[str]:
    """The named lists."""
    folder = list_file("any").parent
    return sorted(file.stem for file in folder.glob("*.csv")) if folder.is_dir() else []


def read_file(path: Path) -> TagFile:
    """What a file with tags says.

    Raises:
        click.UsageError: the file is unreadable, or no list of tags.
    """
    try:
        return parse(path.read_bytes())
    except OSError as error:
        raise click.UsageError(f"{path} cannot be read: {error.strerror or error}") from error
    except ListError as error:
        raise click.UsageError(f"{path} is no list of tags: {error}") from error


def save_list(name: str, tags: Sequence[str]) -> Path:
    """Keeps tags as list NAME, in one step."""
    target = list_file(name)
    target.parent.mkdir(parents=True, exist_ok=True)
    text = io.StringIO()
    write_csv(([tag] for tag in tags), text, ["tag"])
    fresh = target.with_name(f".{target.name}.{os.getpid()}.new")
    try:
        fresh.write_text(text.getvalue(), encoding="utf-8", newline="")
        fresh.replace(target)
    finally:
        fresh.unlink(missing_ok=True)
    return target


def write_csv(rows: Iterable[Sequence[object]], file: io.TextIOBase | io.StringIO, header: Sequence[str]) -> None:
    """Writes rows as CSV with `\\n` line ends on every system."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
