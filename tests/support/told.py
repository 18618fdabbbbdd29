"""An event sink that keeps what it is told."""

from __future__ import annotations

from collections.abc import Sequence

from mxgateway_contract.status import MxStatus
from mxgateway_protocol.backend import Sample
from mxgateway_protocol.variants import Variant


class Told:
    """An EventSink that keeps what it is told."""

    def __init__(self) -> None:
        self.changes: list[tuple[object, ...]] = []
        self.writes: list[tuple[object, ...]] = []
        self.operations: list[tuple[object, ...]] = []
        self.buffered: list[tuple[object, ...]] = []

    def on_data_change(
        self, server: int, item: int, value: Variant, quality: int, ns: int, statuses: Sequence[MxStatus]
    ) -> None:
        self.changes.append((server, item, value, quality, ns, tuple(statuses)))

    def on_write_complete(self, server: int, item: int, statuses: Sequence[MxStatus]) -> None:
        self.writes.append((server, item, tuple(statuses)))

    def operation_complete(self, server: int, item: int, statuses: Sequence[MxStatus]) -> None:
        self.operations.append((server, item, tuple(statuses)))

    def on_buffered_data_change(
        self, server: int, item: int, data_type: int, samples: Sequence[Sample], statuses: Sequence[MxStatus]
    ) -> None:
        self.buffered.append((server, item, data_type, list(samples), tuple(statuses)))
