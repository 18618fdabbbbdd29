"""Errors of the pipe and of MXAccess calls.

PipeProtocolError
    MalformedFrameError, OversizedFrameError, VersionMismatchError, SessionMismatchError, SequenceError, BodyError,
    NonceError
MxComError
BackendOptionError
BackendLostError
"""

from __future__ import annotations

from mxgateway_contract import hresults


class PipeProtocolError(Exception):
    """The other end of a worker's pipe broke the protocol; the pipe is not usable any more."""


class MalformedFrameError(PipeProtocolError):
    """A frame of length zero, or a payload that is no WorkerEnvelope."""


class OversizedFrameError(PipeProtocolError):
    """A frame's length is beyond the limit; nothing was allocated for it."""


class VersionMismatchError(PipeProtocolError):
    """An envelope of another protocol version."""


class SessionMismatchError(PipeProtocolError):
    """An envelope of another session."""


class SequenceError(PipeProtocolError):
    """An envelope whose sequence does not increase."""


class BodyError(PipeProtocolError):
    """An envelope without a body, or with one that is not allowed at this point."""


class NonceError(PipeProtocolError):
    """The hello does not carry the nonce that the worker was started with."""


class MxComError(Exception):
    """A failed MXAccess COM call: the HRESULT is the whole answer, the text only explains it.

    Attributes:
        hresult: signed 32-bit HRESULT, negative for a failure.
    """

    def __init__(self, hresult: int, message: str = "") -> None:
        self.hresult = hresult
        super().__init__(message or f"HRESULT {hresults.text(hresult)}")


class BackendOptionError(ValueError):
    """An option that a backend does not have, or a value that it does not take; the text names both, and what it takes.

    Attributes:
        is_missing: an option that has to be given is missing; False when one that was given is wrong.
    """

    def __init__(self, message: str, *, is_missing: bool = False) -> None:
        self.is_missing = is_missing
        super().__init__(message)


class BackendLostError(Exception):
    """A backend can never be used again, whatever is called; the worker reports it and ends.

    As with an STA that died: only a new process helps. Every other exception of a backend is answered and survived.
    """
