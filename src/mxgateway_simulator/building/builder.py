"""Makes a Galaxy database (SQLite) of a description, in one transaction, the way the product stores a Galaxy.

Templates come first, each with its package; then instances, each with a package derived from its template's. A UDA's
row stands in the package that defines it; extension primitives are repeated in every derived package.
"""

from __future__ import annotations

import json
import os
import secrets
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, insert

from mxgateway_simulator.building import names
from mxgateway_simulator.building import zb_schema as zb
from mxgateway_simulator.building.build_attributes import AttributeWriter, Layer
from mxgateway_simulator.building.build_rows import RowWriter
from mxgateway_simulator.building.description import (
    DATA_TYPES,
    ContainedSpec,
    GalaxyDescription,
)
from mxgateway_simulator.building.instances import PlannedInstance, plan_instances
from mxgateway_simulator.building.packages import PackageWriter
from mxgateway_simulator.building.signal_sources import KnownTemplate, SourceCheck, Use, uses_of
from mxgateway_simulator.building.templates import Template, TemplateWriter
from mxgateway_simulator.errors import GalaxyDescriptionError
from mxgateway_simulator.passwords import PasswordHash
from mxgateway_simulator.plant.galaxy_file import has_case_beyond_ascii

FORMAT = "1"
"""Version of the simulator's own tables."""

_NAMESPACE = uuid.UUID("6f1d8a52-3c1b-4a55-9f0e-8f6c1b0a7d11")
_CHECK_IN_TIME = datetime(2025, 1, 6, 6, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class BuildResult:
    """What was built.

    Attributes:
        objects: deployed instances.
        rows: rows by table.
    """

    path: str
    galaxy: str
    objects: int
    templates: int
    rows: Mapping[str, int]


def build_galaxy(description: GalaxyDescription, output: str | Path, objects: int = 0) -> BuildResult:
    """Writes the database; an existing file is replaced only when all went well.

    Args:
        objects: fills the Galaxy up to this many deployed instances as the description's `scale` says; 0 leaves it.

    Raises:
        GalaxyDescriptionError: the description cannot be built.
        OSError: the file cannot be written.
    """
    path = Path(output)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.new")
    # Made here, so that no file or link that somebody has put there is written through.
    os.close(os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666))
    engine = create_engine(f"sqlite:///{temporary}")
    try:
        with _located(description), engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode = OFF")
            connection.exec_driver_sql("PRAGMA synchronous = OFF")
            connection.commit()
            with connection.begin():
                result = _Builder(connection, description, str(path)).build(objects)
            connection.exec_driver_sql("ANALYZE")
            connection.commit()
        engine.dispose()
        temporary.replace(path)
    finally:
        engine.dispose()
        temporary.unlink(missing_ok=True)
    return result


@contextmanager
def _located(description: GalaxyDescription) -> Iterator[None]:
    """Gives errors of the building the line of their place."""
    try:
        yield
    except GalaxyDescriptionError as error:
        if error.line:
            raise
        line = description.line_of(error.path)
        raise GalaxyDescriptionError(error.file, error.path, error.problem, line=line) from error


class _Builder:
    def __init__(self, connection: Connection, description: GalaxyDescription, path: str) -> None:
        self._connection = connection
        self._description = description
        self._path = path
        self._rows = RowWriter(connection)
        self._attributes = AttributeWriter(self._rows, description.file)
        self._names: set[str] = set()
        self._packages = PackageWriter(self._rows, description.name)
        self._templates = TemplateWriter(self._rows, description, self._attributes, self._packages)
        self._own: dict[str, tuple[frozenset[str], Sequence[Use]]] = {}

    def build(self, objects: int) -> BuildResult:
        zb.zb.create_all(self._connection)
        zb.simulator.create_all(self._connection)
        description = self._description
        for name, number in DATA_TYPES.items():
            self._rows.add(zb.data_type, mx_data_type=int(number), description=name)
        for name in description.templates:
            self._templates.write(name, f"templates.{name}")
        planned = plan_instances(description, self._contained_in, self._category_of, objects)
        ids: dict[str, PlannedInstance] = {}
        for instance in planned:
            self._instance(instance, ids)
        self._check_signals(planned)
        self._settings(objects)
        self._users()
        self._spellings()
        self._rows.flush()
        deployed = sum(instance.deployed for instance in planned)
        return BuildResult(
            path=self._path,
            galaxy=description.name,
            objects=deployed,
            templates=len(self._templates),
            rows=dict(self._rows.counts),
        )

    # -------------------------------------------------------------------------------------------------------- instances

    def _contained_in(self, template: str) -> Mapping[str, tuple[ContainedSpec, str]]:
        return self._templates[template].contains

    def _category_of(self, template: str, path: str) -> int:
        return self._templates.write(template, path).category_id

    def _instance(self, planned: PlannedInstance, ids: dict[str, PlannedInstance]) -> None:
        template = self._templates[planned.template]
        planned.gobject_id = gobject_id = self._packages.new_id("gobject")
        package_id = checked_in_id = self._packages.new_id("package")
        ids[planned.tag.casefold()] = planned
        layer = template.layer.derive() if planned.attributes or planned.checked_in else template.layer
        self._attributes.write(layer, gobject_id, package_id, planned.attributes, self._packages.extension)
        self._packages.write(package_id, gobject_id, template.package_id, layer)
        if planned.checked_in:
            checked_in_id = self._packages.new_id("package")
            layer = layer.derive()
            both = {**planned.attributes, **planned.checked_in}
            self._attributes.write(layer, gobject_id, checked_in_id, both, self._packages.extension)
            self._packages.write(checked_in_id, gobject_id, template.package_id, layer)
        if planned.attributes or planned.checked_in:
            specs = (*planned.attributes.values(), *planned.checked_in.values())
            uses = [use for spec in specs for use in uses_of(spec.path, spec.name, spec.behaviour)]
            self._own[planned.tag.casefold()] = (layer.names(), uses)
        self._check_length(planned, template, layer)
        row: dict[str, Any] = {
            "gobject_id": gobject_id,
            "template_definition_id": template.definition_id,
            "derived_from_gobject_id": template.gobject_id,
            "contained_by_gobject_id": planned.container.gobject_id if planned.container else 0,
            "area_gobject_id": planned.area.gobject_id if planned.area else 0,
            "hosted_by_gobject_id": planned.host.gobject_id if planned.host else 0,
            "checked_in_package_id": checked_in_id,
            "deployed_package_id": package_id if planned.deployed else 0,
            "last_deployed_package_id": package_id,
            "tag_name": planned.tag,
            "contained_name": planned.contained_name,
            "hierarchical_name": planned.hierarchical_name,
            "deployed_version": 1 if planned.deployed else 0,
            "configuration_version": 2 if planned.checked_in else 1,
            "hosting_tree_level": planned.level,
            "deployment_pending_status": int(bool(planned.checked_in)),
            **self._packages.guids(planned.tag),
        }
        self._rows.add(zb.gobject, **row)
        self._names |= {planned.tag, planned.contained_name}
        if planned.twin:
            self._rows.add(zb.gobject, **{**row, "gobject_id": self._packages.new_id("gobject"), "namespace_id": 2})
        platform_id, engine_id, object_id = planned.run_time_ids
        self._rows.add(
            zb.instance,
            gobject_id=gobject_id,
            mx_platform_id=platform_id,
            mx_engine_id=engine_id,
            mx_object_id=object_id,
        )
        if template.category_id == 1:
            self._rows.add(zb.platform, platform_gobject_id=gobject_id, node_name=planned.node or "localhost")

    def _check_length(self, planned: PlannedInstance, template: Template, layer: Layer) -> None:
        if layer is not template.layer:
            longest = layer.longest_name
        else:
            template.longest_name = template.longest_name or layer.longest_name
            longest = template.longest_name
        problem = names.reference_problem(planned.tag, "x" * longest)
        if problem:
            name = max(layer.names(), key=len)
            problem = names.reference_problem(planned.tag, name)
            raise GalaxyDescriptionError(self._description.file, f"instances.{planned.tag}", problem)

    def _check_signals(self, planned: Sequence[PlannedInstance]) -> None:
        templates = {
            key: KnownTemplate(
                template.layer.names(),
                {name: inner.casefold() for name, (_, inner) in template.contains.items()},
                template.uses,
                template.is_derived_from,
            )
            for key, template in self._templates.by_name.items()
        }
        for path, problem in SourceCheck(templates, planned, self._own).problems():
            raise GalaxyDescriptionError(self._description.file, path, problem)

    # --------------------------------------------------------------------------------------------------------- the rest

    def _settings(self, objects: int) -> None:
        description = self._description
        deployed = datetime.fromisoformat(description.last_deploy) if description.last_deploy else _CHECK_IN_TIME
        self._connection.execute(
            insert(zb.galaxy).values(
                galaxy_id=1,
                galaxy_name=description.name,
                time_of_last_deploy=deployed.astimezone(UTC).replace(tzinfo=None),
                time_of_last_config_change=_CHECK_IN_TIME.replace(tzinfo=None),
            )
        )
        build_id = uuid.uuid5(_NAMESPACE, json.dumps([description.name, description.file, objects]))
        settings = {
            "format": FORMAT,
            "galaxy_name": description.name,
            "build_id": str(build_id),
            "security": description.security,
            **{f"switch.{name}": value for name, value in description.switches.items()},
            **{f"fault.{name}": value for name, value in description.faults.items()},
            **description.alarms.settings(),
        }
        for name, value in settings.items():
            self._rows.add(zb.sim_setting, name=name, value=value)

    def _spellings(self) -> None:
        for name in sorted(self._names | self._attributes.names):
            if has_case_beyond_ascii(name):
                self._rows.add(zb.sim_spelling, name_key=name.casefold(), name=name)

    def _users(self) -> None:
        for role, permissions in self._description.roles.items():
            self._rows.add(zb.sim_role, role_name=role, permissions=",".join(permissions))
        for user in self._description.users:
            stored = PasswordHash.of(user.password) if user.password else None
            self._rows.add(
                zb.sim_user,
                user_name=user.name,
                user_guid=user.guid or str(uuid.uuid5(_NAMESPACE, user.name.casefold())),
                full_name=user.full_name,
                roles=",".join(user.roles),
                password_salt=stored.salt if stored else None,
                password_hash=stored.digest if stored else None,
                password_rounds=stored.rounds if stored else 0,
            )
