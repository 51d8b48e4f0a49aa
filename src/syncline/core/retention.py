"""Which runs' trash is old enough, or too much: decided run by run, the oldest first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Heap:
    """What one run left in the trash of one root. `age_s`: how long ago, in seconds."""

    run: str
    age_s: float
    size: int


@dataclass(frozen=True, slots=True)
class Retention:
    """How long and how much is kept; None: without limit. Neither: nothing is kept."""

    keep_for_s: float | None = None
    keep_bytes: int | None = None


def due(heaps: Iterable[Heap], retention: Retention) -> set[str]:
    """The runs whose trash may go.

    By age, all that is as old or older. By size, the oldest until no more is left than may be kept; what the latest
    run left stays, however much it is.
    """
    oldest_first = sorted(heaps, key=lambda heap: (-heap.age_s, heap.run))
    if retention.keep_for_s is None and retention.keep_bytes is None:
        return {heap.run for heap in oldest_first}
    gone: set[str] = set()
    if retention.keep_for_s is not None:
        gone = {heap.run for heap in oldest_first if heap.age_s >= retention.keep_for_s}
    if retention.keep_bytes is not None:
        left = [heap for heap in oldest_first if heap.run not in gone]
        total = sum(heap.size for heap in left)
        for heap in left[:-1]:
            if total <= retention.keep_bytes:
                break
            gone.add(heap.run)
            total -= heap.size
    return gone
