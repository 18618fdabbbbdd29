"""The queries on a Galaxy database, one Core expression each for SQL Server, PostgreSQL and SQLite.

`hierarchy`, `attributes` and `template_chains` answer as the product's own browse does, row by row. Their cost is the
cross product of objects and built-in attributes, so the cache reads the same facts by `object_rows`, `package_rows`,
`configured_rows`, `text_rows`, `primitive_rows`, `definition_rows` and `template_rows`, where each fact stands once,
and expands them page by page (`shapes`). A test holds both forms equal.

Portability: recursive parts carry ints only (SQL Server wants equal types in anchor and step), constants in them are
literals (drivers guess the types of parameters), mx_value is cut before it travels and is never compared, name
comparisons are folded by lower(), and a last comparison without case is made in Python.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    DateTime,
    FromClause,
    Integer,
    Select,
    Unicode,
    and_,
    case,
    false,
    func,
    literal,
    literal_column,
    or_,
    select,
    true,
    union_all,
)

from mxgateway_server.galaxy.codes import (
    ALARM_EXTENSION,
    AREA,
    AUTOMATION_NAMESPACE,
    BROWSE_CATEGORIES,
    CONFIGURED_CATEGORIES,
    DESCRIPTION_SUFFIX,
    HISTORY_EXTENSION,
    MAX_DERIVATION_STEPS,
    UNITS_SUFFIX,
)
from mxgateway_server.galaxy.mx_value import HEAD_CHARACTERS, TEXT_CHARACTERS
from mxgateway_simulator.building import zb_schema as zb

Query = Select[Any]

_gobject = zb.gobject
_package = zb.package
_dynamic = zb.dynamic_attribute
_primitive = zb.primitive_instance
_primitive_definition = zb.primitive_definition
_definition = zb.attribute_definition
_template_definition = zb.template_definition
_data_type = zb.data_type

_ZERO = literal_column("0", Integer)
_ONE = literal_column("1", Integer)
_MAX_STEPS = literal_column(str(MAX_DERIVATION_STEPS), Integer)


def probe() -> Query:
    """A round trip that touches no table."""
    return select(literal_column("1", Integer))


def clock(dialect: str) -> Query | None:
    """The server's time in UTC; None where a database is but a file, and has no clock of its own."""
    forms = {"mssql": "SYSUTCDATETIME()", "postgresql": "timezone('utc', clock_timestamp())"}
    form = forms.get(dialect)
    return None if form is None else select(literal_column(form, DateTime))


def deploy_time() -> Query:
    """galaxy.time_of_last_deploy; no row, or NULL, for a Galaxy that was never deployed."""
    return select(zb.galaxy.c.time_of_last_deploy)


def _deployed() -> FromClause:
    return _gobject.join(
        _template_definition, _gobject.c.template_definition_id == _template_definition.c.template_definition_id
    )


def _is_browsable() -> ColumnElement[bool]:
    return and_(
        _gobject.c.is_template == false(),
        _gobject.c.deployed_package_id != 0,
        _gobject.c.namespace_id == AUTOMATION_NAMESPACE,
        _template_definition.c.category_id.in_(BROWSE_CATEGORIES),
    )


def _parent() -> ColumnElement[int]:
    contained_by = _gobject.c.contained_by_gobject_id
    return case((contained_by != 0, contained_by), else_=_gobject.c.area_gobject_id).label("parent_gobject_id")


def browsable_count() -> Query:
    """How many objects browse shows."""
    return select(func.count()).select_from(_deployed()).where(_is_browsable())


def hierarchy() -> Query:
    """The deployed objects that browse shows, parents not necessarily before children."""
    contained_name = _gobject.c.contained_name
    return (
        select(
            _gobject.c.gobject_id,
            _gobject.c.tag_name,
            contained_name,
            case((func.coalesce(contained_name, "") != "", contained_name), else_=_gobject.c.tag_name).label(
                "browse_name"
            ),
            _parent(),
            case((_template_definition.c.category_id == AREA, _ONE), else_=_ZERO).label("is_area"),
            _template_definition.c.category_id,
            _gobject.c.hosted_by_gobject_id,
        )
        .select_from(_deployed())
        .where(_is_browsable())
        .order_by(_parent(), _gobject.c.tag_name)
    )


def template_chains() -> Query:
    """(gobject_id, depth, template's tag_name) of every object, depth 0 the immediate template."""
    template = _gobject.alias("template")
    anchor = (
        select(
            _gobject.c.gobject_id,
            template.c.gobject_id.label("template_gobject_id"),
            template.c.derived_from_gobject_id,
            _ZERO.label("depth"),
        )
        .select_from(_deployed().join(template, template.c.gobject_id == _gobject.c.derived_from_gobject_id))
        .where(_is_browsable())
    )
    chain = anchor.cte("template_chain", recursive=True)
    step = _gobject.alias("step")
    chain = chain.union_all(
        select(chain.c.gobject_id, step.c.gobject_id, step.c.derived_from_gobject_id, chain.c.depth + _ONE)
        .select_from(chain.join(step, step.c.gobject_id == chain.c.derived_from_gobject_id))
        .where(chain.c.derived_from_gobject_id != 0, chain.c.depth < _MAX_STEPS)
    )
    name = _gobject.alias("name")
    return (
        select(chain.c.gobject_id, chain.c.depth, name.c.tag_name.label("template_name"))
        .select_from(chain.join(name, name.c.gobject_id == chain.c.template_gobject_id))
        .order_by(chain.c.gobject_id, chain.c.depth)
    )


def _package_chain() -> CTE:
    """(gobject_id, package_id, derived_from_package_id, depth), depth 0 the deployed package."""
    chain = (
        select(
            _gobject.c.gobject_id,
            _package.c.package_id,
            _package.c.derived_from_package_id,
            _ZERO.label("depth"),
        )
        .select_from(_deployed().join(_package, _package.c.package_id == _gobject.c.deployed_package_id))
        .where(_is_browsable())
        .cte("deployed_package_chain", recursive=True)
    )
    step = _package.alias("step")
    return chain.union_all(
        select(chain.c.gobject_id, step.c.package_id, step.c.derived_from_package_id, chain.c.depth + _ONE)
        .select_from(chain.join(step, step.c.package_id == chain.c.derived_from_package_id))
        .where(chain.c.derived_from_package_id != 0, chain.c.depth < _MAX_STEPS)
    )


def _is_configured_attribute() -> ColumnElement[bool]:
    name = _dynamic.c.attribute_name
    return and_(
        ~name.startswith("_", autoescape=True),
        ~func.lower(name).endswith(DESCRIPTION_SUFFIX.lower(), autoescape=True),
        _dynamic.c.mx_attribute_category.in_(CONFIGURED_CATEGORIES),
    )


def _is_public(name: ColumnElement[str]) -> ColumnElement[bool]:
    return ~name.startswith("_", autoescape=True)


def _is_extension() -> ColumnElement[bool]:
    """Whether a primitive was added by an engineer: those of the base templates have no type of extension."""
    return and_(_primitive.c.primitive_name != "", func.coalesce(_primitive.c.extension_type, "") != "")


def _head(mx_value: ColumnElement[Any]) -> ColumnElement[Any]:
    return func.substring(mx_value, 1, HEAD_CHARACTERS).label("mx_value_head")


def attributes() -> Query:
    """One row per object and attribute, as a client sees them."""
    chain = _package_chain()
    configured = (
        select(
            chain.c.gobject_id,
            _dynamic.c.attribute_name.label("attribute_name"),
            _dynamic.c.mx_data_type,
            _dynamic.c.is_array,
            _head(_dynamic.c.mx_value),
            _dynamic.c.mx_attribute_category,
            _dynamic.c.security_classification,
            _ZERO.label("source_rank"),
            chain.c.depth,
            _dynamic.c.mx_primitive_id,
            _ZERO.label("definition_id"),
            case(
                (func.lower(_dynamic.c.attribute_name).endswith(UNITS_SUFFIX.lower(), autoescape=True), _ONE),
                else_=_ZERO,
            ).label("is_extension"),
        )
        .select_from(chain.join(_dynamic, _dynamic.c.package_id == chain.c.package_id))
        .where(_is_configured_attribute())
    )
    own = _primitive.c.primitive_name == ""
    built_in = (
        select(
            chain.c.gobject_id,
            case(
                (own, _definition.c.attribute_name),
                else_=_primitive.c.primitive_name + literal(".", Unicode) + _definition.c.attribute_name,
            ).label("attribute_name"),
            _definition.c.mx_data_type,
            _definition.c.is_array,
            _head(_definition.c.mx_value),
            _definition.c.mx_attribute_category,
            _definition.c.security_classification,
            _ONE.label("source_rank"),
            chain.c.depth,
            _primitive.c.mx_primitive_id,
            _definition.c.attribute_definition_id.label("definition_id"),
            case((_is_extension(), _ONE), else_=_ZERO).label("is_extension"),
        )
        .select_from(
            chain.join(_primitive, _primitive.c.package_id == chain.c.package_id).join(
                _definition, _definition.c.primitive_definition_id == _primitive.c.primitive_definition_id
            )
        )
        .where(_is_public(_definition.c.attribute_name), _is_public(_primitive.c.primitive_name))
    )
    found = union_all(configured, built_in).subquery("found")
    ranked = select(
        found,
        func.row_number()
        .over(
            partition_by=(found.c.gobject_id, func.lower(found.c.attribute_name)),
            order_by=(found.c.source_rank, found.c.depth, found.c.mx_primitive_id, found.c.definition_id),
        )
        .label("precedence"),
    ).subquery("ranked")
    extended = _extended_names(chain)
    is_array = ranked.c.is_array == true()
    flagged = ranked.c.source_rank == _ZERO
    reference = _gobject.c.tag_name + literal(".", Unicode) + ranked.c.attribute_name
    return (
        select(
            _gobject.c.gobject_id,
            _gobject.c.tag_name,
            ranked.c.attribute_name,
            case((is_array, reference + literal("[]", Unicode)), else_=reference).label("full_tag_reference"),
            ranked.c.mx_data_type,
            _data_type.c.description.label("data_type_name"),
            ranked.c.is_array,
            ranked.c.mx_value_head,
            ranked.c.mx_attribute_category,
            ranked.c.security_classification,
            case((and_(flagged, extended.c.is_historized == _ONE), _ONE), else_=_ZERO).label("is_historized"),
            case((and_(flagged, extended.c.is_alarm == _ONE), _ONE), else_=_ZERO).label("is_alarm"),
            ranked.c.source_rank,
            ranked.c.is_extension,
            ranked.c.depth,
        )
        .select_from(
            ranked.join(_gobject, _gobject.c.gobject_id == ranked.c.gobject_id)
            .outerjoin(_data_type, _data_type.c.mx_data_type == ranked.c.mx_data_type)
            .outerjoin(
                extended,
                and_(
                    extended.c.gobject_id == ranked.c.gobject_id,
                    extended.c.extended_name == func.lower(ranked.c.attribute_name),
                ),
            )
        )
        .where(ranked.c.precedence == _ONE)
        .order_by(_gobject.c.tag_name, ranked.c.attribute_name)
    )


def _extended_names(chain: CTE) -> FromClause:
    """The attributes of each object that carry a history or an alarm extension."""
    kind = func.lower(_primitive_definition.c.primitive_name)
    name = func.lower(_primitive.c.primitive_name)
    return (
        select(
            chain.c.gobject_id,
            name.label("extended_name"),
            func.max(case((kind == HISTORY_EXTENSION.lower(), _ONE), else_=_ZERO)).label("is_historized"),
            func.max(case((kind == ALARM_EXTENSION.lower(), _ONE), else_=_ZERO)).label("is_alarm"),
        )
        .select_from(
            chain.join(_primitive, _primitive.c.package_id == chain.c.package_id).join(
                _primitive_definition,
                _primitive_definition.c.primitive_definition_id == _primitive.c.primitive_definition_id,
            )
        )
        .where(kind.in_((HISTORY_EXTENSION.lower(), ALARM_EXTENSION.lower())))
        .group_by(chain.c.gobject_id, name)
        .subquery("extended")
    )


def _needed(package_id: ColumnElement[int]) -> ColumnElement[bool]:
    return package_id.in_(select(_package_chain().c.package_id))


def object_rows() -> Query:
    """The deployed objects with the ids of their template and deployed package."""
    return (
        select(
            _gobject.c.gobject_id,
            _gobject.c.tag_name,
            _gobject.c.contained_name,
            _parent(),
            _template_definition.c.category_id,
            _gobject.c.hosted_by_gobject_id,
            _gobject.c.derived_from_gobject_id,
            _gobject.c.deployed_package_id,
        )
        .select_from(_deployed())
        .where(_is_browsable())
    )


def template_rows() -> Query:
    """Every object that another one is derived from."""
    derived = _gobject.alias("derived")
    return select(_gobject.c.gobject_id, _gobject.c.tag_name, _gobject.c.derived_from_gobject_id).where(
        _gobject.c.gobject_id.in_(select(derived.c.derived_from_gobject_id))
    )


def package_rows() -> Query:
    """(package_id, derived_from_package_id) of the deployed packages and those that they are derived from."""
    return select(_package.c.package_id, _package.c.derived_from_package_id).where(_needed(_package.c.package_id))


def configured_rows() -> Query:
    """The configured attributes of those packages, by package."""
    return (
        select(
            _dynamic.c.package_id,
            _dynamic.c.attribute_name,
            _dynamic.c.mx_data_type,
            _dynamic.c.is_array,
            _head(_dynamic.c.mx_value),
            _dynamic.c.mx_attribute_category,
            _dynamic.c.security_classification,
        )
        .where(_needed(_dynamic.c.package_id), _is_configured_attribute())
        .order_by(_dynamic.c.package_id, _dynamic.c.mx_primitive_id)
    )


def text_rows() -> Query:
    """Units and descriptions that attributes of those packages are given, by package: (package, name, mx_value)."""
    name = func.lower(_dynamic.c.attribute_name)
    return (
        select(
            _dynamic.c.package_id,
            _dynamic.c.attribute_name,
            func.substring(_dynamic.c.mx_value, 1, TEXT_CHARACTERS).label("mx_value_text"),
        )
        .where(
            _needed(_dynamic.c.package_id),
            or_(
                name.endswith(UNITS_SUFFIX.lower(), autoescape=True),
                name.endswith(DESCRIPTION_SUFFIX.lower(), autoescape=True),
            ),
        )
        .order_by(_dynamic.c.package_id, _dynamic.c.attribute_name)
    )


def primitive_rows() -> Query:
    """The primitives of those packages, by package."""
    return (
        select(
            _primitive.c.package_id,
            _primitive.c.primitive_name,
            _primitive.c.primitive_definition_id,
            case((_is_extension(), _ONE), else_=_ZERO).label("is_extension"),
        )
        .where(_needed(_primitive.c.package_id), _is_public(_primitive.c.primitive_name))
        .order_by(_primitive.c.package_id, _primitive.c.mx_primitive_id)
    )


def primitive_definition_rows() -> Query:
    """The kinds of primitives."""
    return select(_primitive_definition.c.primitive_definition_id, _primitive_definition.c.primitive_name)


def definition_rows() -> Query:
    """The attributes of each kind of primitive."""
    return (
        select(
            _definition.c.primitive_definition_id,
            _definition.c.attribute_name,
            _definition.c.mx_data_type,
            _definition.c.is_array,
            _head(_definition.c.mx_value),
            _definition.c.mx_attribute_category,
            _definition.c.security_classification,
        )
        .where(_is_public(_definition.c.attribute_name))
        .order_by(_definition.c.primitive_definition_id, _definition.c.attribute_definition_id)
    )


def data_type_rows() -> Query:
    """Names of the data types."""
    return select(_data_type.c.mx_data_type, _data_type.c.description)
