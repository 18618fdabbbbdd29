"""Windows: a job object that ends all its processes when the gateway's handle to it is closed, however that happens."""

from __future__ import annotations

import ctypes
from ctypes import wintypes
from typing import Any

_JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE = 0x2000
_JOB_OBJECT_LIMIT_JOB_MEMORY = 0x0200
_JOB_OBJECT_EXTENDED_LIMIT_INFORMATION = 9
_PROCESS_TERMINATE = 0x0001
_PROCESS_SET_QUOTA = 0x0100
_CREATE_NO_WINDOW = 0x08000000
_CREATE_NEW_PROCESS_GROUP = 0x00000200
_ERROR_INVALID_PARAMETER = 87


class _BasicLimits(ctypes.Structure):
    _fields_ = (
        ("PerProcessUserTimeLimit", wintypes.LARGE_INTEGER),
        ("PerJobUserTimeLimit", wintypes.LARGE_INTEGER),
        ("LimitFlags", wintypes.DWORD),
        ("MinimumWorkingSetSize", ctypes.c_size_t),
        ("MaximumWorkingSetSize", ctypes.c_size_t),
        ("ActiveProcessLimit", wintypes.DWORD),
        ("Affinity", ctypes.c_size_t),
        ("PriorityClass", wintypes.DWORD),
        ("SchedulingClass", wintypes.DWORD),
    )


class _IoCounters(ctypes.Structure):
    _fields_ = tuple(
        (name, ctypes.c_ulonglong)
        for name in (
            "ReadOperationCount",
            "WriteOperationCount",
            "OtherOperationCount",
            "ReadTransferCount",
            "WriteTransferCount",
            "OtherTransferCount",
        )
    )


class _ExtendedLimits(ctypes.Structure):
    _fields_ = (
        ("BasicLimitInformation", _BasicLimits),
        ("IoInfo", _IoCounters),
        ("ProcessMemoryLimit", ctypes.c_size_t),
        ("JobMemoryLimit", ctypes.c_size_t),
        ("PeakProcessMemoryUsed", ctypes.c_size_t),
        ("PeakJobMemoryUsed", ctypes.c_size_t),
    )


def _kernel32() -> Any:
    kernel = ctypes.WinDLL("kernel32", use_last_error=True)  # type: ignore[attr-defined]
    kernel.CreateJobObjectW.argtypes = (wintypes.LPVOID, wintypes.LPCWSTR)
    kernel.CreateJobObjectW.restype = wintypes.HANDLE
    kernel.SetInformationJobObject.argtypes = (wintypes.HANDLE, ctypes.c_int, wintypes.LPVOID, wintypes.DWORD)
    kernel.SetInformationJobObject.restype = wintypes.BOOL
    kernel.OpenProcess.argtypes = (wintypes.DWORD, wintypes.BOOL, wintypes.DWORD)
    kernel.OpenProcess.restype = wintypes.HANDLE
    kernel.AssignProcessToJobObject.argtypes = (wintypes.HANDLE, wintypes.HANDLE)
    kernel.AssignProcessToJobObject.restype = wintypes.BOOL
    kernel.TerminateProcess.argtypes = (wintypes.HANDLE, wintypes.UINT)
    kernel.TerminateProcess.restype = wintypes.BOOL
    kernel.TerminateJobObject.argtypes = (wintypes.HANDLE, wintypes.UINT)
    kernel.TerminateJobObject.restype = wintypes.BOOL
    kernel.CloseHandle.argtypes = (wintypes.HANDLE,)
    kernel.CloseHandle.restype = wintypes.BOOL
    return kernel


def _error(kernel_call: str) -> OSError:
    code = ctypes.get_last_error()  # type: ignore[attr-defined]
    # WinError turns Windows' number into errno and a text of the system; a bare OSError would take it for an errno.
    error: OSError = ctypes.WinError(code, f"{kernel_call}: {ctypes.FormatError(code).strip()} (error {code})")  # type: ignore[attr-defined]
    return error


class JobObject:
    """Ties of worker processes on Windows.

    One job holds all workers and dies with the gateway's last handle to it. Inside it each worker has a job of its own,
    so that what it has started ends with it, and that bounds its memory.

    Args:
        memory: bytes that each worker may have; 0 for any number.
    """

    def __init__(self, memory: int = 0) -> None:
        self._memory = memory
        self._kernel = _kernel32()
        self._job = self._create_job()
        self._workers: dict[int, int] = {}

    def _create_job(self, memory: int = 0) -> int:
        job: int | None = self._kernel.CreateJobObjectW(None, None)
        if not job:
            raise _error("CreateJobObjectW")
        limits = _ExtendedLimits()
        limits.BasicLimitInformation.LimitFlags = _JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE
        if memory:
            # Of the job, so that what a worker starts counts with it.
            limits.BasicLimitInformation.LimitFlags |= _JOB_OBJECT_LIMIT_JOB_MEMORY
            limits.JobMemoryLimit = memory
        if not self._kernel.SetInformationJobObject(
            job, _JOB_OBJECT_EXTENDED_LIMIT_INFORMATION, ctypes.byref(limits), ctypes.sizeof(limits)
        ):
            error = _error("SetInformationJobObject")
            self._kernel.CloseHandle(job)
            raise error
        return job

    def spawn_options(self) -> dict[str, Any]:
        return {"creationflags": _CREATE_NO_WINDOW | _CREATE_NEW_PROCESS_GROUP}

    def adopt(self, pid: int) -> None:
        process = self._kernel.OpenProcess(_PROCESS_TERMINATE | _PROCESS_SET_QUOTA, False, pid)
        if not process:
            raise _error("OpenProcess")
        try:
            # The outer one first: a job that is nested has to be the narrower one.
            if not self._kernel.AssignProcessToJobObject(self._job, process):
                raise _error("AssignProcessToJobObject")
            own = self._create_job(self._memory)
            if self._kernel.AssignProcessToJobObject(own, process):
                self._forget(pid)
                self._workers[pid] = own
            else:
                # Windows before 8 has no nested jobs; killing the process alone has to do there.
                self._kernel.CloseHandle(own)
        finally:
            self._kernel.CloseHandle(process)

    def ran_out_of_memory(self, pid: int) -> bool:
        # Allocating fails there, and the worker says so by its exit code.
        return False

    def kill(self, pid: int) -> None:
        own = self._workers.get(pid)
        if own is not None:
            self._kernel.TerminateJobObject(own, 1)
            self._forget(pid)
            return
        process = self._kernel.OpenProcess(_PROCESS_TERMINATE, False, pid)
        if not process:
            if ctypes.get_last_error() == _ERROR_INVALID_PARAMETER:  # type: ignore[attr-defined]
                return
            raise _error("OpenProcess")
        try:
            self._kernel.TerminateProcess(process, 1)
        finally:
            self._kernel.CloseHandle(process)

    def release(self, pid: int) -> None:
        own = self._workers.get(pid)
        if own is not None:
            # What it has started and left behind ends here.
            self._kernel.TerminateJobObject(own, 1)
            self._forget(pid)

    def _forget(self, pid: int) -> None:
        own = self._workers.pop(pid, None)
        if own is not None:
            self._kernel.CloseHandle(own)

    def close(self) -> None:
        for pid in list(self._workers):
            self._forget(pid)
        if self._job:
            self._kernel.CloseHandle(self._job)
            self._job = 0
