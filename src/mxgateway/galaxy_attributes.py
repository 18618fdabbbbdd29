"""Attributes of an object of the Galaxy: where they come from, and what they are."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any

from mxgateway.tables import Table
from mxgateway_contract.installing import install_command

if TYPE_CHECKING:
    from mxgateway_contract.generated import galaxy_repository_pb2 as galaxy_pb

COLUMNS = (
    "tag",
    "attribute",
    "type",
    "units",
    "description",
    "dimension",
    "security_classification",
    "is_historized",
    "is_alarm",
    "origin",
)


class AttributeOrigin(IntEnum):
    """Where an attribute of an object comes from; the numbers of the contract.

    UNSPECIFIED: the gateway does not say; an older one never does.
    CONFIGURED: an engineer's own, defined in the object or in a template that it derives from.
    BUILT_IN: every object of the kind has it.
    EXTENSION: brought by an extension of another attribute, or by a script: alarm limits, history settings, units.
    """

    UNSPECIFIED = 0
    CONFIGURED = 1
    BUILT_IN = 2
    EXTENSION = 3


def attribute_origin(attribute: galaxy_pb.GalaxyAttribute) -> AttributeOrigin:
    """Where an attribute comes from; UNSPECIFIED for a number that only a newer gateway knows."""
    try:
        return AttributeOrigin(attribute.origin)
    except ValueError:
        return AttributeOrigin.UNSPECIFIED


def attribute_marks(attribute: galaxy_pb.GalaxyAttribute) -> str:
    """What is special about an attribute, in words; empty for most."""
    return ", ".join(
        word for word, holds in (("alarm", attribute.is_alarm), ("history", attribute.is_historized)) if holds
    )


class GalaxyAttributes(Table["galaxy_pb.GalaxyAttribute"]):
    """Attributes of an object: a list of the generated GalaxyAttribute, the configured ones first."""

    _columns = ("tag", "type", "units", "description", "marks")
    _what = "attributes"

    def _cells(self, entry: galaxy_pb.GalaxyAttribute) -> tuple[object, ...]:
        kind = f"{entry.data_type_name}[]" if entry.is_array else entry.data_type_name
        return entry.full_tag_reference, kind, entry.engineering_units, entry.description, attribute_marks(entry)

    def to_dataframe(self) -> Any:
        """The attributes as a pandas.DataFrame, a row for each.

        Columns are tag (what `add_item` takes), attribute, type, units, description, dimension (elements of an array; 0
        for a single value, and where the Galaxy does not tell), security_classification (0 FreeAccess to 6 ViewOnly),
        is_historized, is_alarm and origin (`configured`, `extension`, `built_in`, `unspecified`).

        Raises:
            ModuleNotFoundError: pandas is not installed; the text has the command that installs it.
        """
        try:
            import pandas  # type: ignore[import-untyped]
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(f"DataFrames need pandas: {install_command('pandas')}", name="pandas") from error

        return pandas.DataFrame([_row(each) for each in self], columns=list(COLUMNS))


def _row(each: galaxy_pb.GalaxyAttribute) -> tuple[Any, ...]:
    return (
        each.full_tag_reference,
        each.attribute_name,
        each.data_type_name,
        each.engineering_units,
        each.description,
        each.array_dimension,
        each.security_classification,
        each.is_historized,
        each.is_alarm,
        attribute_origin(each).name.lower(),
    )
