"""Writes `clients/typescript/src/gen` from `protos/`, or checks it.

Run by `make clients-ts-protos` in the environment of `make protos`, whose protoc drives the plugin that the client's
package-lock.json pins; so every machine gives the same files.
"""

from __future__ import annotations

import argparse
import filecmp
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROTOS = ROOT / "protos"
CLIENT = ROOT / "clients" / "typescript"
OUTPUT = CLIENT / "src" / "gen"
FILES = ("mxaccess_gateway.proto", "galaxy_repository.proto")


def generate(target: Path) -> None:
    """Runs protoc with the plugin of the client.

    Raises:
        subprocess.CalledProcessError: protoc failed; its text is on stderr.
    """
    target.mkdir(parents=True, exist_ok=True)
    plugin = CLIENT / "node_modules" / ".bin" / "protoc-gen-es"
    subprocess.run(
        [
            *(sys.executable, "-m", "grpc_tools.protoc", f"--proto_path={PROTOS}"),
            *(f"--plugin=protoc-gen-es={plugin}", f"--es_out={target}", "--es_opt=target=ts,import_extension=js"),
            *FILES,
        ],
        check=True,
        cwd=PROTOS,
    )


def check() -> list[str]:
    """Names of committed files that differ from what generation gives."""
    with tempfile.TemporaryDirectory() as scratch:
        fresh = Path(scratch)
        generate(fresh)
        names = {path.name for folder in (fresh, OUTPUT) for path in folder.glob("*.ts")}
        _, different, missing = filecmp.cmpfiles(fresh, OUTPUT, names, shallow=False)
        return sorted(different + missing)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail when the committed code differs")
    if not parser.parse_args().check:
        generate(OUTPUT)
        return 0
    stale = check()
    if stale:
        print(
            f"clients/typescript differs from protos/: {', '.join(stale)}; run make clients-ts-protos", file=sys.stderr
        )
    return 1 if stale else 0


if __name__ == "__main__":
    raise SystemExit(main())
