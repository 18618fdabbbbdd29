"""Generates `mxgateway_contract.generated` (public name: `mxgateway.generated`) from `protos/`, or checks it.

Run by `make protos` (and `make protos-check`) in an environment of its own that holds the pinned generator: code made
by an old generator runs with every newer runtime, so the generator's version is the floor of our users' protobuf.
"""

from __future__ import annotations

import argparse
import filecmp
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROTOS = ROOT / "protos"
OUTPUT = ROOT / "src" / "mxgateway_contract" / "generated"
PACKAGE = "mxgateway_contract.generated"
PUBLIC_OUTPUT = ROOT / "src" / "mxgateway" / "generated"
FILES = ("mxaccess_gateway.proto", "mxaccess_worker.proto", "galaxy_repository.proto")
WITHOUT_SERVICES = ("mxaccess_worker",)

# protoc writes imports relative to the proto root; ours live in a package.
_IMPORT = re.compile(r"^import (\w+_pb2)", re.MULTILINE)
# And the names of modules, by which pickle finds the classes.
_MODULE = re.compile(r"(?<=BuildTopDescriptorsAndMessages\(DESCRIPTOR, ')(?=\w+_pb2')")


def generate(target: Path) -> None:
    """Runs protoc and makes the generated imports absolute in our package."""
    subprocess.run(
        [
            sys.executable,
            "-m",
            "grpc_tools.protoc",
            f"--proto_path={PROTOS}",
            f"--python_out={target}",
            f"--grpc_python_out={target}",
            f"--mypy_out={target}",
            f"--mypy_grpc_out={target}",
            *FILES,
        ],
        check=True,
        cwd=PROTOS,
        # protoc looks for the typing plugins on PATH; ours stand beside this interpreter.
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"},
        stderr=subprocess.DEVNULL,
    )
    for stem in WITHOUT_SERVICES:
        for leftover in target.glob(f"{stem}_pb2_grpc.*"):
            leftover.unlink()
    for path in sorted(target.glob("*_pb2*.py*")):
        text = _IMPORT.sub(rf"from {PACKAGE} import \1", path.read_text(encoding="utf-8"))
        path.write_text(_MODULE.sub(f"{PACKAGE}.", text), encoding="utf-8")
    (target / "__init__.py").write_text(
        '"""Code generated from `protos/` by `make protos`; never edited by hand."""\n', encoding="utf-8"
    )
    (target / "py.typed").touch()


def publish(modules: Iterable[str], target: Path) -> None:
    """Writes the name under which programs import the generated code: the same classes, not copies of them."""
    target.mkdir(exist_ok=True)
    for module in modules:
        (target / f"{module}.py").write_text(
            f'"""`{PACKAGE}.{module}` under its public name."""\n\nfrom {PACKAGE}.{module} import *\n', encoding="utf-8"
        )
    (target / "__init__.py").write_text(
        '"""The public name of the code generated from `protos/`; written by `make protos`."""\n', encoding="utf-8"
    )


def make(output: Path, public: Path) -> None:
    """Both packages."""
    generate(output)
    publish((path.stem for path in sorted(output.glob("*_pb2*.py"))), public)


def check() -> list[str]:
    """Returns the names of committed files that differ from what generation gives."""
    with tempfile.TemporaryDirectory() as scratch:
        fresh, fresh_public = Path(scratch, "generated"), Path(scratch, "public")
        fresh.mkdir()
        make(fresh, fresh_public)
        return _different(fresh, OUTPUT) + _different(fresh_public, PUBLIC_OUTPUT)


def _different(fresh: Path, committed: Path) -> list[str]:
    names = {p.name for p in fresh.iterdir()} | {p.name for p in committed.iterdir() if p.is_file()}
    return sorted(
        f"{committed.parent.name}/{name}"
        for name in names
        if not (fresh / name).exists()
        or not (committed / name).exists()
        or not filecmp.cmp(fresh / name, committed / name, shallow=False)
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail when the committed code differs")
    if parser.parse_args().check:
        stale = check()
        if stale:
            print(f"generated code differs from protos/: {', '.join(stale)}; run `make protos`", file=sys.stderr)
            return 1
        print("generated code is what protos/ gives")
        return 0
    make(OUTPUT, PUBLIC_OUTPUT)
    print(f"generated {len(list(OUTPUT.glob('*_pb2*')))} files")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
