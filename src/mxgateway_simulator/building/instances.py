"""Plans the instances of a Galaxy: ranges, contained objects, load objects; in an order in which owners come first."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from mxgateway_simulator.building import names
from mxgateway_simulator.building.description import AttributeSpec, ContainedSpec, GalaxyDescription, InstanceSpec
from mxgateway_simulator.classifications import AREA_CATEGORY
from mxgateway_simulator.errors import GalaxyDescriptionError

RANGE = re.compile(r"\[(\d+)\.\.(\d+)\]")
"""A range in a tag name: `[001..020]`."""
_PLATFORM_CATEGORY = 1
_ENGINE_CATEGORIES = (3, 4)
_MOST_IN_RANGE = 100_000


@dataclass(slots=True)
class PlannedInstance:
    """An instance whose owners are known; `gobject_id` is set when its row is written."""

    tag: str
    template: str
    area: PlannedInstance | None = None
    host: PlannedInstance | None = None
    container: PlannedInstance | None = None
    contained_name: str = ""
    node: str = ""
    deployed: bool = True
    twin: bool = False
    attributes: Mapping[str, AttributeSpec] = field(default_factory=dict)
    checked_in: Mapping[str, AttributeSpec] = field(default_factory=dict)
    category_id: int = 0
    gobject_id: int = 0
    run_time_ids: tuple[int, int, int] = (0, 0, 0)
    hosted: int = 0

    @property
    def hierarchical_name(self) -> str:
        if self.container is None:
            return self.tag
        return f"{self.container.hierarchical_name}.{self.contained_name}"

    @property
    def level(self) -> int:
        return 0 if self.host is None else self.host.level + 1


Contained = Callable[[str], Mapping[str, tuple[ContainedSpec, str]]]
CategoryOf = Callable[[str, str], int]


def plan_instances(
    description: GalaxyDescription, contained_in: Contained, category_of: CategoryOf, objects: int
) -> list[PlannedInstance]:
    """All instances of a description, owners before what they own.

    Args:
        contained_in: what instances of a template contain, by contained name.
        category_of: category_id of a template; refuses one that does not exist.
        objects: number of deployed instances to fill up to; 0 leaves the Galaxy as described.

    Raises:
        GalaxyDescriptionError: an owner is missing, a name occurs twice, or there is no `scale` to fill up with.
    """
    planner = _Planner(description, contained_in, category_of)
    for spec in planner.specs.values():
        planner.plan(spec)
    if objects:
        planner.fill_up(objects)
    planner.check_renamed()
    return planner.planned


class _Planner:
    def __init__(self, description: GalaxyDescription, contained_in: Contained, category_of: CategoryOf) -> None:
        self._description = description
        self._contained_in = contained_in
        self._category_of = category_of
        self.planned: list[PlannedInstance] = []
        self._by_tag: dict[str, PlannedInstance] = {}
        self._in_work: set[str] = set()
        self._platforms = 0
        self.specs: dict[str, InstanceSpec] = {}
        for spec in description.instances:
            for single in self._expand(spec):
                if single.tag.casefold() in self.specs:
                    self._fail(spec.path, f"there already is an instance {single.tag!r}; names compare without case")
                self.specs[single.tag.casefold()] = single

    def _fail(self, path: str, problem: str) -> None:
        raise GalaxyDescriptionError(self._description.file, path, problem)

    def _expand(self, spec: InstanceSpec) -> list[InstanceSpec]:
        match = RANGE.search(spec.tag)
        if not match:
            digits = re.search(r"\d+$", spec.tag)
            return [replace(spec, index=digits[0] if digits else "")]
        first, last, width = int(match[1]), int(match[2]), len(match[1])
        if not first <= last < first + _MOST_IN_RANGE:
            self._fail(spec.path, f"the range {match[0]} is empty or longer than {_MOST_IN_RANGE}; write [001..020]")
        found = []
        for number in range(first, last + 1):
            index = f"{number:0{width}d}"
            found.append(
                replace(
                    spec,
                    tag=spec.tag.replace(match[0], index),
                    index=index,
                    container=spec.container.replace("{index}", index),
                    area=spec.area.replace("{index}", index),
                    host=spec.host.replace("{index}", index),
                )
            )
        return found

    def plan(self, spec: InstanceSpec) -> PlannedInstance:
        known = self._by_tag.get(spec.tag.casefold())
        if known:
            return known
        if spec.tag in self._in_work:
            self._fail(spec.path, f"{spec.tag} owns itself by way of area, host or container; break the circle")
        self._in_work.add(spec.tag)
        category = self._category_of(spec.template, f"{spec.path}.template")
        container = self._owner(spec, "container", spec.container)
        area = self._owner(spec, "area", spec.area)
        if area and area.category_id != AREA_CATEGORY:
            self._fail(f"{spec.path}.area", f"{area.tag} is no area; name an instance of $Area")
        if container:
            area = container if container.category_id == AREA_CATEGORY else container.area
        host = self._owner(spec, "host", spec.host)
        if host is None:
            host = container.host if container else area.host if area else None
        if host is None and category not in (_PLATFORM_CATEGORY, AREA_CATEGORY) and spec.deployed:
            self._fail(spec.path, "is deployed but hosted nowhere; give it `host` or `area`, or `deployed: false`")
        instance = PlannedInstance(
            tag=spec.tag,
            template=spec.template,
            area=area,
            host=host,
            container=container,
            contained_name=spec.contained_name or (spec.tag[:32] if container else ""),
            node=spec.node,
            deployed=spec.deployed,
            twin=spec.twin,
            attributes=spec.attributes,
            checked_in=spec.checked_in,
            category_id=category,
        )
        self._add(instance, spec.path)
        self._contain(instance, spec)
        self._in_work.discard(spec.tag)
        return instance

    def _owner(self, spec: InstanceSpec, what: str, tag: str) -> PlannedInstance | None:
        if not tag:
            return None
        known = self._by_tag.get(tag.casefold())
        if known:
            return known
        owner = self.specs.get(tag.casefold())
        if owner is None:
            self._fail(f"{spec.path}.{what}", f"there is no instance {tag!r}; define it under `instances`")
            raise AssertionError("unreachable")
        return self.plan(owner)

    def _add(self, instance: PlannedInstance, path: str) -> None:
        if instance.tag.casefold() in self._by_tag:
            self._fail(path, f"there already is an instance {instance.tag!r}; names compare without case")
        problem = names.instance_problem(instance.tag, instance.category_id)
        if not problem and instance.contained_name:
            problem = names.contained_problem(instance.contained_name)
        if problem:
            self._fail(path, problem)
        if instance.category_id == _PLATFORM_CATEGORY:
            self._platforms += 1
            instance.run_time_ids = (self._platforms, 1, 1)
        elif instance.host:
            host = instance.host
            host.hosted += 1
            platform, engine, _ = host.run_time_ids
            if instance.category_id in _ENGINE_CATEGORIES:
                instance.run_time_ids = (platform, host.hosted + 1, 1)
            else:
                instance.run_time_ids = (platform, engine, _signed_16(host.hosted + 1))
        self._by_tag[instance.tag.casefold()] = instance
        self.planned.append(instance)

    def check_renamed(self) -> None:
        """Refuses names that the product itself gives to what it imports for the second time."""
        for tag, instance in self._by_tag.items():
            if tag.endswith("_new") and tag.removesuffix("_new") in self._by_tag:
                other = self._by_tag[tag.removesuffix("_new")].tag
                self._fail(f"instances.{instance.tag}", f"{instance.tag!r} may not stand beside {other!r}: the product"
                           " keeps the ending _New for itself; choose another")  # fmt: skip

    def _contain(self, instance: PlannedInstance, spec: InstanceSpec) -> None:
        contents = self._contained_in(instance.template)
        for name in spec.contains:
            if name.casefold() not in contents:
                names = ", ".join(contained.name for contained, _ in contents.values()) or "nothing"
                self._fail(f"{spec.path}.contains", f"{instance.template} contains no {name!r}; it contains {names}")
        overrides = {name.casefold(): attributes for name, attributes in spec.contains.items()}
        for key, (contained, template) in contents.items():
            path = f"{spec.path}.contains.{contained.name}"
            inner = InstanceSpec(
                tag=contained.tag.replace("{tag}", instance.tag).replace("{index}", spec.index),
                path=path,
                template=template,
                container=instance.tag,
                contained_name=contained.name,
                deployed=spec.deployed,
                index=spec.index,
                attributes=overrides.get(key, {}),
            )
            self.plan(inner)

    def fill_up(self, objects: int) -> None:
        """Adds load objects until `objects` instances are deployed."""
        scale = self._description.scale
        if scale is None:
            self._fail("scale", "is missing, so there is nothing to fill up with; leave --objects out, or add `scale`")
            return
        category = self._category_of(scale.template, "scale.template")
        platform = self._by_tag.get(scale.platform.casefold())
        if platform is None or platform.category_id != _PLATFORM_CATEGORY:
            self._fail("scale.platform", f"there is no platform {scale.platform!r}; name an instance of $WinPlatform")
        self._category_of("$AppEngine", "scale")
        self._category_of("$Area", "scale")
        left = objects - sum(instance.deployed for instance in self.planned)
        engine = area = None
        n = areas = engines = in_area = 0
        while left > 0:
            if area is None or in_area == scale.objects_per_area:
                if engine is None or areas % scale.areas_per_engine == 0:
                    engines += 1
                    engine = PlannedInstance(scale.engine.format(n=engines), "$AppEngine", host=platform, category_id=3)
                    self._add(engine, "scale.engine")
                    left -= 1
                areas += 1
                in_area = 0
                area = PlannedInstance(scale.area.format(n=areas), "$Area", host=engine, category_id=AREA_CATEGORY)
                self._add(area, "scale.area")
                left -= 1
                continue
            n += 1
            in_area += 1
            left -= 1
            self._add(
                PlannedInstance(scale.tag.format(n=n), scale.template, area=area, host=engine, category_id=category),
                "scale.tag",
            )


def _signed_16(number: int) -> int:
    return (number + 0x8000) % 0x10000 - 0x8000
