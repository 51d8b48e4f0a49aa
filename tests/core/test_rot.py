"""Bytes that changed although nobody wrote them: what is held, what releases it, and that nothing of it is carried.

In the base `a=1|2` the right side holds 2 under the stamp with which 1 was remembered. A run that reads all finds that;
then the sides are edited, and an ordinary run follows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from syncline.core.model import Place, RelPath, Side
from syncline.core.policy import Extras
from tests.core.rows import conflicts, trash
from tests.core.trees import normal, show
from tests.core.world import World, rules, world

HELD = "a:changed-both:None"


@dataclass(frozen=True)
class Row:
    """`left`, `right`: the edits; `after`, `after_right`: what stands there in the end; `open`: the conflicts of it."""

    says: str
    left: str
    right: str
    after: str
    after_right: str | None = None
    open: str = HELD
    healed: bool = False
    base: str = "a=1|2"
    read_all: bool = False


TABLE = [
    Row("nothing happens: it stays held", "a=1", "a=2", "a=1", "a=2"),
    Row("the good side is edited: still held", "a=3@9", "a=2", "a=3@9", "a=2"),
    Row("the good side is edited to another size", "a=33@9", "a=2", "a=33@9", "a=2"),
    Row("the rotten side is edited", "a=1", "a=3@9", "a=1", "a=3@9"),
    Row("the rotten side is touched", "a=1", "a=2@9", "a=1", "a=2@9"),
    Row("the rotten side gets another mode", "a=1", "a=2:600", "a=1", "a=2:600"),
    Row("the rotten file is deleted: the good one does not go", "a=1", "", "a=1", ""),
    Row("the good file is deleted: the rotten one is not brought", "", "a=2", "", "a=2"),
    Row("a folder takes the place of the rotten file", "a=1", "a/b=3", "a=1", "a/b=3", open="a:type-both:None"),
    Row("both are deleted: it is over", "", "", "", open="", healed=True),
    Row("the good bytes are copied over it by hand", "a=1", "a=1@9", "a=1@9", open="", healed=True),
    Row("the rotten bytes are taken over by hand", "a=2@9", "a=2", "a=2@9", open="", healed=True),
    Row("both get the same new bytes", "a=3@9", "a=3@9", "a=3@9", open="", healed=True),
    Row("both get a folder", "a/b=3", "a/b=3", "a/b=3", open="", healed=True),
    Row(
        "its folder is deleted on the good side", "", "d/a=2", "", "d/a=2", open="d/a:changed-both:None", base="d/a=1|2"
    ),
    Row(
        "its folder is deleted on its own side", "d/a=1", "", "d/a=1", "", open="d/a:changed-both:None", base="d/a=1|2"
    ),
    Row("another file beside it goes its way", "a=1 b=1@9", "a=2 b=1", "a=1 b=1@9", "a=2 b=1@9", base="a=1|2 b=1"),
    Row("all is read again: still held", "a=1", "a=2", "a=1", "a=2", read_all=True),
]


def found(row: Row, side: Side = Side.RIGHT) -> World:
    """A world in which a run that reads everything has just found what is rotten."""
    left, right = _texts(row.base)
    made = world(row.base, left, right, rules(reread=True))
    first = made.run()
    path = "d/a" if "d/a" in row.base else "a"
    assert first.actions == []
    assert conflicts(first) == f"{path}:changed-both:None"
    ((place, told),) = first.wanted.rotten.items()
    assert (place, told.path, told.remembered) == (Place(side, RelPath(path)), path, b"\x011")
    assert told.entry is not None
    assert (told.entry.content, told.both) == (b"\x012", False)
    made.rules = replace(made.rules, reread=row.read_all, rotten=frozenset({(side, RelPath(path))}))
    return made


def _texts(base: str) -> tuple[str, str]:
    return tuple(" ".join(token.replace("=1|2", f"={byte}") for token in base.split()) for byte in "12")  # type: ignore[return-value]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.says)
def test_what_is_held_and_what_releases_it(row: Row) -> None:
    made = found(row)
    made.edit(row.left, row.right)
    done = made.run()
    after_right = row.after if row.after_right is None else row.after_right
    assert (show(made.trees[Side.LEFT]), show(made.trees[Side.RIGHT])) == (normal(row.after), normal(after_right))
    assert conflicts(done) == row.open
    assert trash(made) == []
    assert bool(done.wanted.healed) == row.healed
    assert bool(done.wanted.rotten) != row.healed
    if row.healed:
        made.rules = replace(made.rules, rotten=frozenset())
    again = made.run()
    assert (again.actions, conflicts(again)) == ([], row.open)


def test_a_mirror_holds_it_on_either_side() -> None:
    for rotten, path in ((Side.LEFT, "a=2|1"), (Side.RIGHT, "a=1|2")):
        left, right = path[2], path[4]
        made = world(path, f"a={left}", f"a={right}", rules(reread=True, extras=Extras.TRASH))
        if rotten is Side.LEFT:  # what is remembered is what the right has
            row = made.rows[""]
            agreed = row.base.agreed["a"]
            row.base.agreed["a"] = replace(  # type: ignore[index]
                agreed, left=replace(agreed.left, content=b"\x011"), right=replace(agreed.right, content=b"\x011")
            )
        done = made.run()
        assert (done.actions, conflicts(done)) == ([], HELD)
        assert set(done.wanted.rotten) == {Place(rotten, RelPath("a"))}


def test_bytes_that_are_right_again_are_seen_when_all_is_read() -> None:
    made = world("a=1", "a=1", "a=1", rules(reread=True, rotten=frozenset({(Side.RIGHT, RelPath("a"))})))
    done = made.run()
    assert (done.actions, conflicts(done), done.wanted.rotten) == ([], "", {})
    assert done.wanted.healed == {Place(Side.RIGHT, RelPath("a"))}


def test_both_sides_may_be_rotten() -> None:
    made = world("a=1|2", "a=1", "a=2", rules(reread=True))
    row = made.rows[""]
    agreed = row.base.agreed["a"]
    row.base.agreed["a"] = replace(  # type: ignore[index]
        agreed, left=replace(agreed.left, content=b"\x013"), right=replace(agreed.right, content=b"\x013")
    )
    done = made.run()
    assert (done.actions, conflicts(done)) == ([], HELD)
    assert {place.side for place in done.wanted.rotten} == set(Side)


def test_an_edit_is_no_rot() -> None:
    made = world("a=1", "a=2@9", "a=1", rules(reread=True))
    assert made.run().wanted.rotten == {}
    assert show(made.trees[Side.RIGHT]) == normal("a=2@9")
