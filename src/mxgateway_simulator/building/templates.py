"""Templates on their way into the database: base templates, those derived from them, and what they contain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mxgateway_simulator.building import zb_schema as zb
from mxgateway_simulator.building.base_templates import BASE_TEMPLATES
from mxgateway_simulator.building.build_attributes import AttributeWriter, Layer, Primitive
from mxgateway_simulator.building.build_rows import RowWriter
from mxgateway_simulator.building.description import AttributeSpec, ContainedSpec, GalaxyDescription, TemplateSpec
from mxgateway_simulator.building.packages import PackageWriter
from mxgateway_simulator.building.signal_sources import Use, uses_of
from mxgateway_simulator.errors import GalaxyDescriptionError


@dataclass(slots=True)
class Template:
    """A template that stands in the database.

    Attributes:
        contains: what its instances contain, by contained name in lower case, each with the template of its own.
        uses: signal sources of its attributes, by attribute in lower case.
        is_derived_from: whether another template derives from it.
        longest_name: characters of its longest attribute name; 0 until somebody asked.
    """

    gobject_id: int
    package_id: int
    definition_id: int
    category_id: int
    name: str
    layer: Layer
    contains: dict[str, tuple[ContainedSpec, str]] = field(default_factory=dict)
    uses: dict[str, Sequence[Use]] = field(default_factory=dict)
    is_derived_from: bool = False
    longest_name: int = 0


class TemplateWriter:
    """Writes templates, each once and after what it derives from and contains."""

    def __init__(
        self, rows: RowWriter, description: GalaxyDescription, attributes: AttributeWriter, packages: PackageWriter
    ) -> None:
        self._rows = rows
        self._description = description
        self._attributes = attributes
        self._packages = packages
        self._templates: dict[str, Template] = {}
        self._in_work: list[str] = []

    def __len__(self) -> int:
        return len(self._templates)

    def __getitem__(self, name: str) -> Template:
        return self._templates[name.casefold()]

    @property
    def by_name(self) -> Mapping[str, Template]:
        """All that were written, by name in lower case."""
        return self._templates

    def write(self, name: str, path: str) -> Template:
        """The template of this name; it is written, with what it needs, if it does not stand yet.

        Args:
            path: where the description names it.

        Raises:
            GalaxyDescriptionError: there is no such template, or it contains itself.
        """
        if name.casefold() in self._in_work:
            way = " → ".join([*self._in_work[self._in_work.index(name.casefold()) :], name.casefold()])
            problem = f"{name} derives from itself, or contains itself ({way}); break the circle"
            raise GalaxyDescriptionError(self._description.file, path, problem)
        known = self._templates.get(name.casefold())
        if known:
            return known
        self._in_work.append(name.casefold())
        try:
            spec = self._spec(name)
            if spec:
                return self._derived_template(spec)
            if name in BASE_TEMPLATES:
                return self._base_template(name)
        finally:
            self._in_work.pop()
        raise GalaxyDescriptionError(
            self._description.file,
            path,
            f"there is no template {name!r}; define it under `templates`, or use {', '.join(BASE_TEMPLATES)}",
        )

    def _spec(self, name: str) -> TemplateSpec | None:
        by_name = {key.casefold(): spec for key, spec in self._description.templates.items()}
        return by_name.get(name.casefold())

    def _base_template(self, name: str) -> Template:
        base = BASE_TEMPLATES[name]
        new_id = self._packages.new_id
        gobject_id, package_id, definition_id = new_id("gobject"), new_id("package"), new_id("definition")
        self._rows.add(
            zb.template_definition,
            template_definition_id=definition_id,
            base_gobject_id=gobject_id,
            original_template_tagname=name,
            category_id=base.category_id,
            codebase="1.0",
        )
        root = self._packages.primitive_definition(definition_id, "", base.attributes)
        layer = Layer.root(
            Primitive(name="", definition_id=root, extension_type="", execution_group=0, mx_primitive_id=1),
            base.attributes,
        )
        template = Template(
            gobject_id=gobject_id,
            package_id=package_id,
            definition_id=definition_id,
            category_id=base.category_id,
            name=name,
            layer=layer,
        )
        self._store_template(template, None)
        return template

    def _derived_template(self, spec: TemplateSpec) -> Template:
        parent = self.write(spec.derived_from, f"{spec.path}.derivedFrom")
        template = self._derive(spec.name, parent)
        parent.is_derived_from = True
        self._attributes.write(
            template.layer, template.gobject_id, template.package_id, spec.attributes, self._packages.extension
        )
        self._note_uses(template, spec.attributes)
        for script in spec.scripts:
            template.layer.add_primitive(script, self._packages.extension("ScriptExtension"), "ScriptExtension", 10)
        self._store_template(template, parent)
        for contained in spec.contains:
            # A contained template is a template of its own, named by container and contained name.
            base = self.write(contained.template, f"{contained.path}.template")
            inner = self._derive(f"{spec.name}.{contained.name}", base)
            self._attributes.write(
                inner.layer, inner.gobject_id, inner.package_id, contained.attributes, self._packages.extension
            )
            self._note_uses(inner, contained.attributes)
            self._store_template(inner, base, container=template, contained_name=contained.name)
            template.contains[contained.name.casefold()] = (contained, inner.name)
        return template

    def _derive(self, name: str, parent: Template) -> Template:
        return Template(
            gobject_id=self._packages.new_id("gobject"),
            package_id=self._packages.new_id("package"),
            definition_id=parent.definition_id,
            category_id=parent.category_id,
            name=name,
            layer=parent.layer.derive(),
            contains=dict(parent.contains),
        )

    @staticmethod
    def _note_uses(template: Template, specs: Mapping[str, AttributeSpec]) -> None:
        for spec in specs.values():
            if "signal" in spec.behaviour:
                template.uses[spec.name.casefold()] = uses_of(spec.path, spec.name, spec.behaviour)

    def _store_template(
        self,
        template: Template,
        parent: Template | None,
        container: Template | None = None,
        contained_name: str = "",
    ) -> None:
        self._templates[template.name.casefold()] = template
        derived_from = parent.package_id if parent else 0
        self._packages.write(template.package_id, template.gobject_id, derived_from, template.layer)
        self._rows.add(
            zb.gobject,
            gobject_id=template.gobject_id,
            template_definition_id=template.definition_id,
            derived_from_gobject_id=parent.gobject_id if parent else 0,
            contained_by_gobject_id=container.gobject_id if container else 0,
            checked_in_package_id=template.package_id,
            tag_name=template.name,
            contained_name=contained_name,
            hierarchical_name=template.name,
            is_template=1,
            **self._packages.guids(template.name),
        )
