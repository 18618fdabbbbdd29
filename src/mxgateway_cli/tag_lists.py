"""Tags as the user names them: references, globs over the Galaxy, and named lists (`@name`)."""

from __future__ import annotations

import csv
import fnmatch
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mxgateway_cli import profiles

if TYPE_CHECKING:
    from mxgateway import GalaxyAttribute, GalaxyObject, GalaxyRepositoryClient
    from mxgateway_cli.connection import Connection

COLUMNS = ("tag", "object", "attribute", "type", "isArray", "securityClassification", "isHistorized", "isAlarm")
MAX_TAGS = 50_000


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
        ]


def is_glob(name: str) -> bool:
    """Whether the text is a pattern and not a reference; `[]` marks an array and is none."""
    return "*" in name or "?" in name


def expand_lists(names: Iterable[str]) -> list[str]:
    """Replaces each `@name` by the tags of that list.

    Raises:
        click.UsageError: no such list.
    """
    expanded: list[str] = []
    for name in names:
        if name.startswith("@"):
            file = list_file(name[1:])
            if not file.exists():
                raise click.UsageError(f"there is no list {name}; mxgw-py tags import {name[1:]} FILE makes it")
            expanded.extend(read_list(file))
        else:
            expanded.append(name)
    return expanded


async def find(galaxy: GalaxyRepositoryClient, pattern: str) -> list[FoundTag]:
    """The attributes whose reference fits a pattern; `*` and `?`, case-insensitive.

    A pattern without a dot is one of object names and means all their attributes.
    """
    objects, _, _ = pattern.partition(".")
    wanted = pattern if "." in pattern else f"{pattern}.*"
    # `[]` is an array's mark here, while fnmatch takes brackets for a set of characters.
    wanted = wanted.replace("[", "[[]").lower()
    found = []
    async for each in galaxy.iter_hierarchy(tag_name_glob=objects):
        for attribute in each.attributes:
            reference = attribute.full_tag_reference.lower()
            if fnmatch.fnmatchcase(reference, wanted) or fnmatch.fnmatchcase(reference.removesuffix("[]"), wanted):
                found.append(FoundTag(each, attribute))
    return found


def resolve_tags(connection: Connection, names: Sequence[str], limit: int) -> list[str]:
    """References for what the user named, in order and each once.

    Raises:
        click.UsageError: nothing fits, or more than `limit` tags do.
    """
    expanded = expand_lists(names)
    if any(is_glob(name) for name in expanded):

        async def body(galaxy: GalaxyRepositoryClient) -> list[str]:
            tags: list[str] = []
            for name in expanded:
                if is_glob(name):
                    tags.extend(each.reference for each in await find(galaxy, name))
                else:
                    tags.append(name)
            return tags

        expanded = connection.run_galaxy(body)
    tags = list(dict.fromkeys(expanded))
    check_count(len(tags), names, limit)
    return tags


def check_count(count: int, names: Sequence[str], limit: int) -> None:
    """Refuses nothing and too much.

    Raises:
        click.UsageError: no tag fits the names, or more than `limit` do.
    """
    if not count:
        raise click.UsageError(f"no tag fits {' '.join(names)}; look for names with mxgw-py browse")
    if count > limit:
        raise click.UsageError(f"{count} tags fit, more than {limit}; narrow the pattern or raise --limit")


def list_file(name: str) -> Path:
    """Where a named list is kept."""
    if not name or not all(character.isalnum() or character in "-_." for character in name) or name.startswith("."):
        raise click.UsageError(f"{name!r} is no name of a list; use letters, digits, '-', '_' and '.'")
    return profiles.profiles_file().parent / "lists" / f"{name}.csv"


def read_list(path: Path) -> list[str]:
    """The column `tag` of a CSV file, or its first column when no header names one.

    Raises:
        click.UsageError: the file is unreadable or holds no tag.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise click.UsageError(f"{path} cannot be read: {error}") from error
    rows = [row for row in csv.reader(io.StringIO(text)) if row and row[0].strip()]
    header = [cell.strip().lower() for cell in rows[0]] if rows else []
    column = header.index("tag") if "tag" in header else 0
    tags = [row[column].strip() for row in (rows[1:] if "tag" in header else rows) if len(row) > column]
    tags = [tag for tag in tags if tag and not tag.startswith("#")]
    if not tags:
        raise click.UsageError(f"{path} holds no tags")
    return list(dict.fromkeys(tags))


def write_csv(rows: Iterable[Sequence[object]], file: io.TextIOBase | io.StringIO, header: Sequence[str]) -> None:
    """Writes rows as CSV with `\\n` line ends on every system."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
