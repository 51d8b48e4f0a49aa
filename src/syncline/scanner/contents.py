"""Reading the contents that a merge asks for: those of one root here, those of the other in a second process."""

from __future__ import annotations

import marshal
import os
from collections.abc import Callable, Iterator, Mapping

from syncline.core.model import SIDES, Entry, Kind, Place, Problem, Reason, Side
from syncline.errors import PathError, RootLost, SynclineError
from syncline.fs.beside import ABLE, Beside
from syncline.fs.root import Root
from syncline.scanner.client import hashing

WORTH_FILES = 200
WORTH_BYTES = 32_000_000
"""From so much on, on both sides, a second process is worth the few milliseconds it costs."""

Content = bytes | Problem


def read_contents(
    roots: Mapping[Side, Root], needs: Mapping[Place, Entry], check: Callable[[], None]
) -> dict[Place, Content]:
    """The content of each place: a file's digest, a link's target, or why it could not be read.

    `check` is asked between two blocks and raises when reading is to be ended. Raises: RootLost; what `check` raises.
    """
    asked = {side: {place: entry for place, entry in needs.items() if place.side is side} for side in SIDES}
    here, there = asked[Side.LEFT], asked[Side.RIGHT]
    if not (ABLE and (os.cpu_count() or 1) > 1 and _worth(here) and _worth(there)):
        return _read(roots, needs, check)
    beside = Beside(lambda orphaned: _packed(roots, there, orphaned))
    try:
        found = _read(roots, here, check)
        data = beside.result(lambda: _stopped(check))
    finally:
        beside.stop()
    check()
    found.update(_unpacked(data, there))
    missing = {place: entry for place, entry in there.items() if place not in found}  # it broke down: once more, here
    return {**found, **_read(roots, missing, check)}


def _worth(needs: Mapping[Place, Entry]) -> bool:
    return len(needs) >= WORTH_FILES or sum(entry.size for entry in needs.values()) >= WORTH_BYTES


def _read(roots: Mapping[Side, Root], needs: Mapping[Place, Entry], check: Callable[[], None]) -> dict[Place, Content]:
    return {place: _content(roots[place.side], place, entry, check) for place, entry in needs.items()}


def _content(root: Root, place: Place, expect: Entry, check: Callable[[], None]) -> Content:
    check()
    try:
        if expect.kind is Kind.LINK:
            return root.read_link(place.path)
        for step in hashing(root, place.path, expect):
            if isinstance(step, bytes):
                return step
            check()
    except PathError as error:
        return Problem(place, Reason(error.reason), error.detail)
    raise AssertionError("a file's content comes last")


class _Orphaned(Exception):
    """The process that wanted to know is gone."""


def _packed(roots: Mapping[Side, Root], needs: Mapping[Place, Entry], orphaned: Callable[[], bool]) -> bytes:
    """In the second process: what was read, in the order of `needs`; ends early where the root is lost."""

    def check() -> None:
        if orphaned():
            raise _Orphaned

    told: list[object] = []
    try:
        for place, entry in needs.items():
            found = _content(roots[place.side], place, entry, check)
            told.append((found.reason.value, found.detail) if isinstance(found, Problem) else found)
    except (RootLost, _Orphaned):
        pass  # what is missing is read by the first process, which is told the same, and tells it
    return marshal.dumps(told)


def _unpacked(data: bytes, needs: Mapping[Place, Entry]) -> Iterator[tuple[Place, Content]]:
    told = marshal.loads(data) if data else []  # noqa: S302  # from our own child, through a pipe nobody else has
    for place, found in zip(needs, told, strict=False):
        yield place, Problem(place, Reason(found[0]), found[1]) if isinstance(found, tuple) else found


def _stopped(check: Callable[[], None]) -> bool:
    try:
        check()
    except SynclineError:  # it is raised again once the process is ended
        return True
    return False
