"""The copies of a large plan, which lie in a spool: the same, and in the same order, as when they are in memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace

import pytest

from syncline.core import puts
from syncline.core.model import Because, Entry, Kind, Place, PutFile, RelPath, Side, Why
from syncline.core.puts import Puts
from syncline.errors import StateError
from syncline.store.spool import FileSpool

SEEN = Entry(Kind.FILE, 5, 1_700_000_000_123_456_789, 0o640, 17, 18)


def put(path: str, *, side: Side = Side.RIGHT, source: str | None = None, seen: Entry = SEEN) -> PutFile:
    at = Place(side.other, RelPath(source or path))
    return PutFile(Place(side, RelPath(path)), None, Because(Why.CREATED, at, seen), seen, at, seen)


CASES = {
    "by path": [put("b"), put("a"), put("a/c"), put("a b")],
    "the small ones first": [
        put("a", seen=replace(SEEN, size=10**9)),
        put("b", seen=replace(SEEN, size=70_000)),
        put("c"),
    ],
    "the same path on both sides": [put("a"), put("a", side=Side.LEFT)],
    "another spelling at the source": [put("Ä", source="A\u0308"), put("a", source="A")],
    "names that are no text, and far characters": [put("a\udcff"), put("a\U0001f600"), put("a\uffff"), put("a\udc80")],
    "what is replaced, kept or not": [
        replace(put("a"), expect=replace(SEEN, size=3)),
        replace(put("b"), expect=SEEN, outright=True),
    ],
    "other properties, owners, contents": [
        replace(put("a"), entry=replace(SEEN, mode=0o600, owner=3 << 32, content=b"\1x"))
    ],
    "for another reason": [replace(put("a"), because=replace(put("a").because, why=Why.EDITED_AFTER_DELETE))],
}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A memory in which no two copies have room."""
    monkeypatch.setattr(puts, "LARGE", 2)
    yield


@pytest.mark.parametrize("case", CASES)
def test_a_spool_gives_back_what_was_put_into_it(case: str, small: None) -> None:
    spooled, kept = Puts(FileSpool), Puts()
    for each in [put("0"), *CASES[case]]:
        spooled.add(each)
        kept.add(each)
    assert spooled.spooled and not kept.spooled
    assert len(spooled) == len(kept) == 1 + len(CASES[case])
    assert list(spooled) == list(kept)
    assert list(spooled) == list(kept), "it can be asked again"


def test_several_spools_are_one(small: None) -> None:
    one, two, three, kept = Puts(FileSpool), Puts(FileSpool), Puts(), Puts()
    for number in range(30):
        (one, two, three)[number % 3].add(put(f"{number * 7 % 30:02}"))
        kept.add(put(f"{number * 7 % 30:02}"))
    for other in (two, three):
        one.include(other)
    assert list(one) == list(kept)


def test_two_may_ask_at_the_same_time(small: None) -> None:
    spooled = Puts(FileSpool)
    for number in range(3000):
        spooled.add(put(f"{number:04}"))
    first = iter(spooled)
    assert next(first).at.path == "0000"
    assert [each.at.path for each in spooled] == [f"{number:04}" for number in range(3000)]
    assert next(first).at.path == "0001"


def test_no_room_is_said_in_plain_words() -> None:
    spool = FileSpool()
    spool._connection.execute("PRAGMA max_page_count = 4")
    with pytest.raises(StateError, match="too large for the memory") as caught:
        spool.add(((0, f"{number:04}"), bytes(1000)) for number in range(100))
    assert isinstance(caught.value.__cause__, sqlite3.OperationalError) and "TMPDIR" in caught.value.hint
