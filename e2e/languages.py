"""The clients that are compared and measured: one entry a language, and matrix and bench know it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

EXAMPLES = (("read", (), "Good"), ("watch", (), "true"), ("write", ("77",), "-> 77"))
"""Examples that every client brings, with further arguments, and what they print."""


@dataclass(frozen=True, kw_only=True)
class Language:
    """How the programs of a client are built and started. Paths are those of the repository.

    Attributes:
        cli: its CLI; the arguments follow.
        floor: the same as its bench with nothing but the generated stub. `floor ENDPOINT CA SECONDS SIZE` reads, with
            the key in MXGATEWAY_API_KEY, and prints {"successfulCalls", "callsPerSecond", "p50Ms"}; `floor events
            ENDPOINT COUNT` takes batches of events from a plaintext gateway and prints {"events"}. Empty: none yet.
        example: an example; `{example}` is its name, `{Example}` that with a capital, and endpoint, CA file and its own
            arguments follow. Empty: none.
        folder: where it is built, and where its examples run.
        tools: programs that the building needs.
        build: commands, in order.
    """

    cli: tuple[str, ...]
    floor: tuple[str, ...] = ()
    example: tuple[str, ...] = ()
    folder: str = "."
    tools: tuple[str, ...] = ()
    build: tuple[tuple[str, ...], ...] = ()


LANGUAGES: dict[str, Language] = {
    "python": Language(
        cli=(sys.executable, "-m", "mxgateway_cli"),
        floor=(sys.executable, "-m", "benches.clients.floor_python"),
    ),
    "go": Language(
        cli=(f"{ROOT}/clients/go/bin/mxgw-go",),
        floor=(f"{ROOT}/clients/go/bin/floor",),
        example=("go", "run", "./examples/{example}"),
        folder="clients/go",
        tools=("go",),
        build=(("go", "build", "-o", "bin/", "./cmd/mxgw-go", "./internal/floor"),),
    ),
    "typescript": Language(
        cli=("node", f"{ROOT}/clients/typescript/dist/cli/main.js"),
        floor=("node", f"{ROOT}/clients/typescript/build/bench/floor.js"),
        example=("node", f"{ROOT}/clients/typescript/build/examples/{{example}}.js"),
        folder="clients/typescript",
        tools=("node", "npm"),
        build=(("npm", "run", "--silent", "build"), ("npm", "run", "--silent", "subject")),
    ),
    "rust": Language(
        cli=(f"{ROOT}/clients/rust/target/debug/mxgw",),
        example=(f"{ROOT}/clients/rust/target/debug/examples/{{example}}",),
        folder="clients/rust",
        tools=("cargo",),
        build=(
            ("bash", "-c", ". ./toolchain.sh && cargo build --quiet --locked --target-dir target --bins --examples"),
        ),
    ),
    "java": Language(
        cli=(f"{ROOT}/clients/java/bin/mxgw-java",),
        example=("java", "-cp", "cli/target/lib/*", "examples/{Example}.java"),
        folder="clients/java",
        tools=("java", "mvn"),
        build=(("mvn", "-B", "-q", "-ntp", "package", "-DskipTests"),),
    ),
}
"""By name, which is that of `conformance/subjects.json` too; the first one is what the others are compared with."""


def built(name: str) -> Language | None:
    """A language with its programs built; None where its tools are not here, which CI does not forgive."""
    language = LANGUAGES[name]
    missing = [tool for tool in language.tools if shutil.which(tool) is None]
    if missing:
        if os.environ.get("CI"):
            raise SystemExit(f"{', '.join(missing)} not found ({name})")
        print(f"skipped: {name} ({', '.join(missing)} not found)", file=sys.stderr)
        return None
    for command in language.build:
        subprocess.run(command, check=True, cwd=ROOT / language.folder)
    return language
