"""Asking the installed program whether it could take over: in a process of its own, which changes nothing."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence

from mxgateway_contract.redaction import redact
from mxgateway_server.errors import ConfigurationError
from mxgateway_server.upgrade.judging import Answer, own_terms, read_answer, refusals

CHECK_FLAG = "--upgrade-check"
CHECK_SECONDS = 60.0
_MAX_WORDS = 500


class UpgradeRefusedError(ConfigurationError):
    """The gateway goes on as it is; the text says why, and what to do."""


async def check(command: Sequence[str], seconds: float = CHECK_SECONDS) -> Answer:
    """What the program of this command says; it is the one that `execv` would begin.

    Raises:
        UpgradeRefusedError: it could not take over.
    """
    environment = {name: value for name, value in os.environ.items() if name not in ("NOTIFY_SOCKET", "WATCHDOG_USEC")}
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            CHECK_FLAG,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment,
        )
    except OSError as error:
        raise UpgradeRefusedError(
            f"the installed program {command[0]} cannot be started: {error.strerror}; install it whole"
        ) from error
    try:
        async with asyncio.timeout(seconds):
            out, told = await process.communicate()
    except TimeoutError:
        raise UpgradeRefusedError(
            f"the installed program did not answer within {seconds:g} s; run mxgateway check-config to see why"
        ) from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    answer = read_answer(out.decode("utf-8", "replace")) if process.returncode == 0 else None
    if answer is None:
        words = redact(told.decode("utf-8", "replace").strip())[-_MAX_WORDS:]
        raise UpgradeRefusedError(
            "the installed program does not know how to take over, or fails to start; drain and restart instead"
            + (f" ({words})" if words else "")
        )
    problems = refusals(own_terms(), answer)
    if problems:
        raise UpgradeRefusedError("; ".join(problems))
    return answer
