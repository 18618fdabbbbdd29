"""A machine that a test makes up, for `doctor` and `worker provision`."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from dataclasses import dataclass, field

from mxgateway_server.node.facts import CLASS_ID, FileFacts, Registration, Run

PYTHON = "C:\\py32\\python.exe"
DLL = "C:\\Program Files (x86)\\Common Files\\ArchestrA\\LmxProxy.dll"


def program(machine: int = 0x014C) -> bytes:
    """The head of a Windows program for this processor."""
    return (
        b"MZ" + bytes(0x3A) + struct.pack("<I", 0x80) + bytes(0x40) + b"PE\0\0" + struct.pack("<H", machine) + bytes(64)
    )


def about(**changes: object) -> str:
    told = {
        "version": [3, 13, 1], "bits": 32, "protobuf": "7.0", "implementation": "upb", "worker": "1.2.3", **changes
    }  # fmt: skip
    return json.dumps(told)


@dataclass
class FakeNode:
    """A healthy System Platform node, until a test changes it."""

    is_windows: bool = True
    bits: int = 64
    account: str = "PLANT\\admin"
    files: dict[str, FileFacts] = field(
        default_factory=lambda: {
            PYTHON: FileFacts(program(), 100_000),
            DLL: FileFacts(program(), 500_000, version="3.2.0.0"),
        }
    )
    registrations: dict[int, Registration] = field(default_factory=lambda: {32: Registration(DLL, "Apartment")})
    python: Run = field(default_factory=lambda: Run(0, about()))
    activation: Run = field(default_factory=lambda: Run(0, json.dumps({"milliseconds": 11, "interface": 5})))
    readers: list[str] | OSError = field(default_factory=list)
    runs: list[tuple[str, ...]] = field(default_factory=list)
    on_run: Callable[[tuple[str, ...], dict[str, str]], Run | None] = lambda arguments, variables: None

    def file(self, path: str) -> FileFacts:
        return self.files.get(path, FileFacts())

    def registration(self, class_id: str, bits: int) -> Registration | None:
        assert class_id == CLASS_ID
        return self.registrations.get(bits)

    def run(self, program: str, *arguments: str, variables: dict[str, str], seconds: float) -> Run:
        self.runs.append((program, *arguments))
        special = self.on_run((program, *arguments), variables)
        if special is not None:
            return special
        return self.activation if "mxgateway_worker.backends.com.probe" in arguments else self.python

    def others_may_read(self, directory: str) -> list[str]:
        if isinstance(self.readers, OSError):
            raise self.readers
        return self.readers
