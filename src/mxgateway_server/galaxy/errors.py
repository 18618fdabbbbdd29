"""Errors of Galaxy browse. None carries SQL text or a connection string.

GalaxyError
    GalaxySourceError       the database cannot be read
        GalaxyTimeoutError  … within the command timeout
        GalaxyDataError     … because what it returns is no Galaxy
    GalaxyUnavailableError  nothing to serve yet
    GalaxyArgumentError     the request is wrong
        PageTokenError      … in its page token
    GalaxyNotFoundError     the root or parent does not exist
    SnapshotError           the snapshot file cannot be used
"""

from __future__ import annotations


class GalaxyError(Exception):
    """Base of all errors of Galaxy browse."""


class GalaxySourceError(GalaxyError):
    """The Galaxy database cannot be read. `reason` may be shown to clients, `detail` belongs into the log only."""

    def __init__(self, reason: str, detail: str = "") -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(reason)


class GalaxyTimeoutError(GalaxySourceError):
    """The database did not answer within the command timeout."""


class GalaxyDataError(GalaxySourceError):
    """The database answered with rows that cannot be a Galaxy."""


class GalaxyUnavailableError(GalaxyError):
    """No hierarchy has been loaded, and none could be restored."""


class GalaxyArgumentError(GalaxyError):
    """A request with arguments outside their range."""


class PageTokenError(GalaxyArgumentError):
    """A page token that was not made for these arguments and this deployment."""


class GalaxyNotFoundError(GalaxyError):
    """The object that a request starts from does not exist in the deployed Galaxy."""


class SnapshotError(GalaxyError):
    """A snapshot file that is missing, truncated, changed, of another format or of another Galaxy."""
