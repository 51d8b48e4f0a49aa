"""What of the trash may go: run by run by age and size, the oldest first; or version by version, thinned with age."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from syncline.core.spelling import parse_period


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


def due(oldest_first: Sequence[Heap], retention: Retention) -> set[str]:
    """The runs whose trash may go, of runs in their order, whatever the clock said then.

    By age, all that is as old or older. By size, the oldest until no more is left than may be kept; what the latest
    run left stays, however much it is.
    """
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


class Span(StrEnum):
    """How close together versions of one path are kept: all of them, or the newest of each hour, day, week ..."""

    ALL = "all"
    HOURLY = "hourly"
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    YEARLY = "yearly"


@dataclass(frozen=True, slots=True)
class Versions:
    """Which earlier versions of a path are kept: the newest `keep` of them, none older than `for_s` seconds, and of
    those up to the age of a step of `thin` only the newest of each of its spans; what is older than the last step goes.
    What is not said (None, no step) limits nothing. A version that lies there twice takes the place of one: the newest
    copy of each of the newest `keep` different ones is kept as well."""

    keep: int | None = None
    for_s: float | None = None
    thin: tuple[tuple[float, Span], ...] = ()


@dataclass(frozen=True, slots=True)
class Version:
    """One earlier version of a path: which one (the lower `key` is the newer, whatever the clock said), and when it
    stopped being the present one, in the local zone. `stamp`: equal for copies of the same version, as an undo and its
    undo leave them; None: like no other."""

    key: int
    at: datetime
    stamp: Hashable = None


def thinned(versions: Iterable[Version], rule: Versions, now: datetime) -> set[int]:
    """The keys of those versions of one path that may go.

    Spans are those of the calendar in the zone of `at`, so what stays does not depend on how often this is asked.
    """
    newest_first = sorted(versions, key=lambda version: version.key)
    kept: list[Version] = []
    filled: set[tuple[Span, tuple[int, ...]]] = set()
    for version in newest_first:
        age = now - version.at
        if rule.for_s is not None and _older(age, rule.for_s):
            continue
        if rule.thin:
            span = next((span for up_to_s, span in rule.thin if not _older(age, up_to_s)), None)
            if span is None:
                continue
            bucket = (span, (version.key,) if span is Span.ALL else _BUCKETS[span](version.at))
            if bucket in filled:
                continue
            filled.add(bucket)
        kept.append(version)
    stay = {
        version.key for version in (kept if rule.keep is None else [*kept[: rule.keep], *_different(kept, rule.keep)])
    }
    return {version.key for version in newest_first} - stay


def _different(newest_first: Iterable[Version], keep: int) -> list[Version]:
    """The newest copies of so many different versions."""
    found = dict[Hashable, Version]()
    for version in newest_first:
        found.setdefault(("like no other", version.key) if version.stamp is None else version.stamp, version)
    return list(found.values())[:keep]


def step(said: str) -> tuple[float, Span]:
    """The step that `30d: daily` says: up to which age in seconds, and how close. Raises: ValueError."""
    age, colon, word = said.partition(":")
    name = word.strip().lower()
    if not colon or name not in {span.value for span in Span}:
        raise ValueError(f"{said!r} is no step; say it like 30d: daily, with one of {', '.join(Span)}")
    up_to_s = parse_period(age)
    return float("inf") if up_to_s is None else up_to_s, Span(name)


def steps(said: Iterable[str]) -> tuple[tuple[float, Span], ...]:
    """Several steps, which must reach further and further. Raises: ValueError."""
    found = tuple(map(step, said))
    if any(later[0] <= earlier[0] for earlier, later in zip(found, found[1:], strict=False)):
        raise ValueError("each step must reach further back than the one before it, like [1d: all, 30d: daily]")
    return found


def _older(age: timedelta, limit_s: float) -> bool:
    return age.total_seconds() > limit_s


_BUCKETS: Mapping[Span, Callable[[datetime], tuple[int, ...]]] = {
    Span.HOURLY: lambda at: (at.year, at.month, at.day, at.hour),
    Span.DAILY: lambda at: (at.year, at.month, at.day),
    Span.WEEKLY: lambda at: tuple(at.isocalendar()[:2]),
    Span.MONTHLY: lambda at: (at.year, at.month),
    Span.YEARLY: lambda at: (at.year,),
}
