"""The lowest versions that `pyproject.toml` allows, as constraints for pip: what the bounds promise is what CI tries.

python tools/lowest_versions.py > lowest.txt && pip install -c lowest.txt -e ".[cli,server]"
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

EXTRAS = ("cli", "server", "sqlserver", "postgresql", "pandas", "tui", "fast")
"""What users install; the tools of development have their versions in `constraints.txt`."""


def lowest_versions(project: dict[str, Any]) -> list[str]:
    """`NAME==VERSION` for each dependency of the package and its extras.

    Raises:
        ValueError: a dependency has no lower bound, so that nobody could say what it works with.
    """
    texts = list(project["dependencies"])
    for extra in EXTRAS:
        texts += project["optional-dependencies"][extra]
    found: dict[str, str] = {}
    for requirement in map(Requirement, texts):
        if requirement.name == project["name"] or (requirement.marker and not requirement.marker.evaluate()):
            continue
        lower = [spec.version for spec in requirement.specifier if spec.operator in (">=", "==", "~=")]
        if not lower:
            raise ValueError(f"{requirement.name} has no lower bound in pyproject.toml; write {requirement.name}>=…")
        found[requirement.name] = lower[0]
    return [f"{name}=={version}" for name, version in sorted(found.items(), key=lambda item: item[0].casefold())]


def main() -> int:
    root = Path(__file__).resolve().parents[1]
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    sys.stdout.write("\n".join(lowest_versions(project)) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
