"""The clients that are compared and measured: one entry a language, and matrix and bench know it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_BUILD_SECONDS = 1800.0
"""How long a command of a build may take: that of Rust, on two cores that do other things too, ten minutes."""

EXAMPLES = (("read", (), "Good"), ("watch", (), "true"), ("write", ("77",), "-> 77"))
"""Examples that every client brings, with further arguments, and what they print."""


@dataclass(frozen=True, kw_only=True)
class Language:
    """How the programs of a client are built and started. Paths are those of the repository.

    Attributes:
        cli: its CLI; the arguments follow.
        bench_cli: the same as the bench runs it, optimised. Empty: `cli`.
        floor: nothing but the generated stub. `floor reads ENDPOINT CA SIZE`, with the key in MXGATEWAY_API_KEY, and
            `floor events ENDPOINT`, without TLS, say {} when they are ready; then each line {"count"} asks for so many
            reads, which {"p50_ms"} answers, or for a stream of so many events, which {"taken"} does.
        subject: the program that the conformance suite drives, as the bench runs it.
        warmup: seconds after which its compiler has done most of its work.
        example: an example; `{example}` is its name, `{Example}` that with a capital, and endpoint, CA file and its own
            arguments follow. Empty: none.
        folder: where it is built, and where its examples run.
        tools: programs that the building needs.
        build: commands, in order.
        bench_build: the same for the bench. Empty: `build`.
    """

    cli: tuple[str, ...]
    bench_cli: tuple[str, ...] = ()
    floor: tuple[str, ...] = ()
    subject: tuple[str, ...] = ()
    warmup: float = 0.5
    example: tuple[str, ...] = ()
    folder: str = "."
    tools: tuple[str, ...] = ()
    build: tuple[tuple[str, ...], ...] = ()
    bench_build: tuple[tuple[str, ...], ...] = ()


_CARGO = ". ./toolchain.sh && cargo build --quiet --locked --target-dir target --bins"
_SUBJECT_JAR = f"{ROOT}/clients/java/conformance/target/mxgateway-conformance-0.1.0.jar"

LANGUAGES: dict[str, Language] = {
    "python": Language(
        cli=(sys.executable, "-m", "mxgateway_cli"),
        floor=(sys.executable, "-m", "benches.clients.floor_python"),
        subject=(sys.executable, "-m", "conformance.subjects.python"),
    ),
    "go": Language(
        cli=(f"{ROOT}/clients/go/bin/mxgw-go",),
        floor=(f"{ROOT}/clients/go/bin/floor",),
        subject=(f"{ROOT}/clients/go/bin/conformance",),
        example=("go", "run", "./examples/{example}"),
        folder="clients/go",
        tools=("go",),
        build=(("go", "build", "-o", "bin/", "./cmd/mxgw-go"),),
        bench_build=(("go", "build", "-o", "bin/", "./cmd/mxgw-go", "./internal/floor", "./internal/conformance"),),
    ),
    "typescript": Language(
        cli=("node", f"{ROOT}/clients/typescript/dist/cli/main.js"),
        floor=("node", f"{ROOT}/clients/typescript/build/bench/floor.js"),
        subject=("node", f"{ROOT}/clients/typescript/build/subject/main.js"),
        warmup=1.0,
        example=("node", f"{ROOT}/clients/typescript/build/examples/{{example}}.js"),
        folder="clients/typescript",
        tools=("node", "npm"),
        build=(("npm", "run", "--silent", "build"), ("npm", "run", "--silent", "subject")),
    ),
    "rust": Language(
        cli=(f"{ROOT}/clients/rust/target/debug/mxgw",),
        bench_cli=(f"{ROOT}/clients/rust/target/release/mxgw",),
        floor=(f"{ROOT}/clients/rust/target/release/floor",),
        subject=(f"{ROOT}/clients/rust/target/release/conformance",),
        example=(f"{ROOT}/clients/rust/target/debug/examples/{{example}}",),
        folder="clients/rust",
        tools=("cargo",),
        build=(("bash", "-c", f"{_CARGO} --examples"),),
        bench_build=(("bash", "-c", f"{_CARGO} --release"),),
    ),
    "java": Language(
        cli=(f"{ROOT}/clients/java/bin/mxgw-java",),
        floor=("java", "-cp", _SUBJECT_JAR, "io.mxgateway.conformance.Floor"),
        subject=("java", "-jar", _SUBJECT_JAR),
        # Until it has seen about ten thousand calls it spends more on compiling than on them.
        warmup=10.0,
        example=("java", "-cp", "cli/target/lib/*", "examples/{Example}.java"),
        folder="clients/java",
        tools=("java", "mvn"),
        build=(("mvn", "-B", "-q", "-ntp", "package", "-DskipTests"),),
    ),
}
"""By name, which is that of `conformance/subjects.json` too; the first one is what the others are compared with."""


def built(name: str, *, for_bench: bool = False) -> Language | None:
    """A language with its programs built; None where its tools are not here, which CI does not forgive."""
    language = LANGUAGES[name]
    missing = [tool for tool in language.tools if shutil.which(tool) is None]
    if missing:
        if os.environ.get("CI"):
            raise SystemExit(f"{', '.join(missing)} not found ({name})")
        print(f"skipped: {name} ({', '.join(missing)} not found)", file=sys.stderr)
        return None
    for command in (language.bench_build if for_bench else ()) or language.build:
        # Whatever a build says: the report stands alone on stdout.
        subprocess.run(command, check=True, cwd=ROOT / language.folder, stdout=2, timeout=_BUILD_SECONDS)
    return language
