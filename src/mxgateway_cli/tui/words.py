"""Numbers of a Galaxy and of MXAccess in words, and the type that a value is written as."""

from __future__ import annotations

from collections.abc import Iterable

from mxgateway import is_status_failure
from mxgateway.house import DETAIL_WORDS
from mxgateway_cli.value_types import type_of
from mxgateway_contract.generated import galaxy_repository_pb2 as galaxy_pb
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

SECURITY_CLASSES = {
    -1: "undefined",
    0: "FreeAccess",
    1: "Operate",
    2: "SecuredWrite",
    3: "VerifiedWrite",
    4: "Tune",
    5: "Configure",
    6: "ViewOnly",
}

CATEGORIES = {
    -1: "Undefined",
    0: "PackageOnly",
    1: "PackageOnly_Lockable",
    2: "Calculated",
    3: "CalculatedRetentive",
    4: "Writeable_U",
    5: "Writeable_S",
    6: "Writeable_US",
    7: "Writeable_UC",
    8: "Writeable_USC",
    9: "Writeable_UC_Lockable",
    10: "Writeable_USC_Lockable",
    11: "Writeable_C_Lockable",
    12: "SystemSetsOnly",
    13: "SystemInternal",
    14: "SystemWriteable",
    15: "Constant",
    16: "SystemInternalBrowsable",
    17: "CalculatedPackage",
    18: "DeleteAfterStartup",
}

_TYPE_OF_GALAXY = {1: "bool", 2: "int32", 3: "float", 4: "double", 5: "string", 6: "timestamp", 7: "elapsed"}


_OBJECT_SPECIFIC = 8000


def status_words(status: pb.MxStatusProxy) -> str:
    """One MXSTATUS_PROXY for people: category, detail number, and what the number means."""
    known = status.category in pb.MxStatusCategory.values()
    name = pb.MxStatusCategory.Name(status.category) if known else f"category {status.category}"
    # For an object's own error the object says more than the number does.
    own = status.diagnostic_text if status.detail == _OBJECT_SPECIFIC else ""
    words = own or DETAIL_WORDS.get(status.detail) or status.diagnostic_text
    category = name.removeprefix("MX_STATUS_CATEGORY_").replace("_", " ").lower()
    return f"{category}, detail {status.detail}" + (f": {words}" if words else "")


def failures(statuses: Iterable[pb.MxStatusProxy]) -> str:
    """The failed ones of an event's statuses in words; empty when none has failed."""
    return "; ".join(status_words(status) for status in statuses if is_status_failure(status))


def security_class(number: int) -> str:
    return SECURITY_CLASSES.get(number, f"class {number}")


def category(number: int) -> str:
    return CATEGORIES.get(number, f"category {number}")


def data_type(attribute: galaxy_pb.GalaxyAttribute) -> str:
    """The data type as the Galaxy names it, with the length of an array."""
    name = attribute.data_type_name or f"type {attribute.mx_data_type}"
    if not attribute.is_array:
        return name
    return f"{name}[{attribute.array_dimension if attribute.array_dimension_present else ''}]"


_FOLDED = {
    galaxy_pb.ATTRIBUTE_ORIGIN_EXTENSION: "extensions",
    galaxy_pb.ATTRIBUTE_ORIGIN_BUILT_IN: "built-in",
}


def by_origin(
    attributes: Iterable[galaxy_pb.GalaxyAttribute],
) -> tuple[list[galaxy_pb.GalaxyAttribute], dict[str, list[galaxy_pb.GalaxyAttribute]]]:
    """An object's own attributes, and the others by what they are.

    One that has none of its own, such as a platform, has all in the first; so has everything of a gateway that does not
    tell origins.
    """
    groups: dict[str, list[galaxy_pb.GalaxyAttribute]] = {"extensions": [], "built-in": []}
    own: list[galaxy_pb.GalaxyAttribute] = []
    everything = list(attributes)
    for each in everything:
        name = _FOLDED.get(each.origin)
        (groups[name] if name else own).append(each)
    if not own:
        return everything, {}
    return own, {name: found for name, found in groups.items() if found}


def write_type(current: pb.MxValue | None, attribute: galaxy_pb.GalaxyAttribute | None) -> str | None:
    """The type (as `mxgw-py write --type` names it) that a new value has to have, or None when it is not known.

    What came last decides; the Galaxy only speaks for a value that is null or has not come.
    """
    if current is not None and current.WhichOneof("kind") and not current.is_null:
        return type_of(current)
    if attribute is None:
        return None
    name = _TYPE_OF_GALAXY.get(attribute.mx_data_type)
    return f"{name}[]" if name and attribute.is_array else name
