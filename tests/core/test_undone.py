"""Names on which an undo left the sides apart: no run touches them, whatever a person does to them meanwhile.

A row says what both sides remember, what stands there now, for which names an undo is recorded, and what a run leaves.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from syncline.core.model import SIDES, RelPath, Rename, Side
from syncline.core.names import NameRules
from syncline.core.policy import Ability, Extras
from syncline.core.undone import left_apart
from tests.core.rows import conflicts, trash
from tests.core.trees import normal, show, tree
from tests.core.world import World, rules, world


@dataclass(frozen=True)
class Row:
    """`undone`: the paths of the conflicts, `seen` the two sides as they were recorded with them (as text)."""

    says: str
    base: str
    left: str
    right: str
    undone: str
    after_left: str | None = None
    after_right: str | None = None
    held: str = ""
    together: str = ""
    seen: tuple[str, str] | None = None

    def __str__(self) -> str:
        return self.says

    def world(self, extras: Extras | None = None) -> World:
        left, right = self.seen or (self.left, self.right)
        recorded = {}
        for path in map(RelPath, self.undone.split()):
            entries = [node.entry() if (node := tree(text).get(path)) else None for text in (left, right)]
            recorded[str(path)] = left_apart(path, entries[0], entries[1])
        return world(self.base, self.left, self.right, rules(undone=recorded, extras=extras))


TABLE = [
    Row("a copy that was taken back is not made again", "a=1", "a=1", "", "a", held="a"),
    Row("a deleted file that was put back is not deleted again", "", "", "a=1", "a", held="a"),
    Row("an older version that was put back is no edit", "a=2@9", "a=2@9", "a=1", "a", held="a"),
    Row("a mode that was taken back stays", "a=1:600", "a=1:600", "a=1", "a", held="a"),
    Row("a time that was taken back stays", "a=1@9", "a=1@9", "a=1", "a", held="a"),
    Row("a folder that was taken back is not made again", "d/a=1", "d/a=1", "", "d", held="d"),
    Row("a folder that was put back stays, with all in it", "", "", "d/a=1 d/e/b=2", "d", held="d"),
    Row("a file in place of a folder", "a=1", "a=1", "a/b=2", "a", held="a"),
    Row("an edit there is left alone", "a=1", "a=2@9", "", "a", held="a", seen=("a=1", "")),
    Row("an edit of the other version is left alone", "a=2@9", "a=2@9", "a=3@20", "a", held="a", seen=("a=2@9", "a=1")),
    Row("a new name where a copy was taken back is left alone", "a=1", "a=1", "a=5", "a", held="a", seen=("a=1", "")),
    Row("a new file in a folder that was taken back is left alone", "d/a=1", "d/a=1 d/n=2", "", "d", held="d"),
    Row(
        "a folder made again by hand is left alone, with all in it",
        "",
        "d/a=1",
        "d/n=3",
        "d",
        held="d",
        seen=("d/a=1", ""),
    ),
    Row("a folder made the same by hand is agreed", "", "d/a=1 d/e/b=2", "d/a=1 d/e/b=2", "d", together="d",
        seen=("d/a=1 d/e/b=2", "")),
    Row("so is an empty one", "", "d/", "d/", "d", together="d", seen=("d/", "")),
    Row("a folder of which a part is the same is left alone", "", "d/a=1 d/e/b=2", "d/a=1", "d", held="d",
        seen=("d/a=1 d/e/b=2", "")),
    Row("a folder with another content in it is left alone", "", "d/a=1 d/e/b=2", "d/a=1 d/e/b=3", "d", held="d",
        seen=("d/a=1 d/e/b=2", "")),
    Row("a folder with another mode in it is left alone", "", "d/a=1 d/e/b=2", "d/a=1 d/e/b=2:600", "d", held="d",
        seen=("d/a=1 d/e/b=2", "")),
    Row("one that was deleted on both sides since is nobody's any more", "a=1", "", "", "a", together="a"),
    Row("one that shows the same again is agreed", "a=1", "a=2@9", "a=2@9", "a", together="a", seen=("a=2@9", "a=1")),
    Row(
        "the same bytes with another mode are not the same",
        "a=2@9",
        "a=2@9",
        "a=2@9:600",
        "a",
        held="a",
        seen=("a=2@9", "a=1"),
    ),
    Row(
        "a file of the same size and time is read", "a=2@9", "a=2@9", "a=3@9", "a", held="a", seen=("a=2@9", "a=1")
    ),
    Row("the other names go on", "a=1 b=1", "a=1 b=2@9 c=3", "b=1", "a", "a=1 b=2@9 c=3", "b=2@9 c=3", held="a"),
    Row("the other names of its folder go on", "d/a=1", "d/a=1 d/n=2", "d/", "d/a", None, "d/n=2", held="d/a"),
    Row(
        "a folder that goes on the other side stays for it",
        "d/a=1 d/b=1",
        "d/a=1 d/b=1",
        "",
        "d/a",
        "d/a=1",
        "",
        held="d/a",
        seen=("d/a=1", "d/"),
    ),
    Row(
        "a folder that a file replaces stays for it", "d/a=1", "d/a=1", "d=5", "d/a", held="d/a", seen=("d/a=1", "d/")
    ),
    Row("the modes of folders stay apart, what is in them goes on", "d/:700 d/a=1", "d/:700 d/a=2@9", "d/a=1", "d",
        None, "d/a=2@9", held="d"),
    Row("a folder whose mode stays apart and that is deleted is left alone", "d/:700 d/a=1", "d/:700 d/a=1",
        "", "d", held="d", seen=("d/:700 d/a=1", "d/a=1")),
]  # fmt: skip


def _check(row: Row, made: World) -> None:
    trashes = trash(made)
    done = made.run()
    left = row.left if row.after_left is None else row.after_left
    right = row.right if row.after_right is None else row.after_right
    assert (show(made.trees[Side.LEFT]), show(made.trees[Side.RIGHT])) == (normal(left), normal(right))
    assert conflicts(done) == " ".join(f"{path}:undone:None" for path in row.held.split())
    assert done.wanted.together == set(row.together.split())
    again = made.run()
    assert again.actions == []
    assert conflicts(again) == conflicts(done)
    if left == row.left and right == row.right:
        assert trash(made) == trashes


@pytest.mark.parametrize("row", TABLE, ids=str)
def test_what_an_undo_left_apart_is_left_alone(row: Row) -> None:
    _check(row, row.world())


@pytest.mark.parametrize("row", [row for row in TABLE if row.held and row.after_right is None], ids=str)
def test_a_mirror_leaves_it_alone_too(row: Row) -> None:
    made = row.world(Extras.TRASH)
    done = made.run()
    assert f"{row.held}:undone:None" in conflicts(done)
    for side in SIDES:
        assert _below(made, side, row.held) == _below(row.world(), side, row.held)
    assert made.run().actions == []


def _below(made: World, side: Side, top: str) -> str:
    return show({path: node for path, node in made.trees[side].items() if f"{path}/".startswith(f"{top}/")})


def test_what_was_left_apart_and_is_said_again_goes_on_from_nothing() -> None:
    made = TABLE[2].world()
    made.run()
    assert made.rows[""].base.unagreed["a"].before is None
    made.rules = rules()
    done = made.run()
    assert conflicts(done) == "a:created-both:left", "nobody knows any more which of them was the older one"
    assert show(made.trees[Side.LEFT]) == show(made.trees[Side.RIGHT]) == "a=2@9 a_clash_M=1"


def test_a_folder_around_it_that_is_renamed_keeps_its_place_on_the_other_side() -> None:
    row = Row("", "d/a=2@9 d/b=1 d/e/c=3", "", "d/a=1 d/b=1 d/e/c=3", "d/a", seen=("d/a=2@9", "d/a=1"))
    made = replace(row, left=row.base).world()
    made.move(Side.LEFT, RelPath("d"), RelPath("f"))
    done = made.run()
    assert show(made.trees[Side.LEFT]) == normal("f/a=2@9 f/b=1 f/e/c=3")
    assert show(made.trees[Side.RIGHT]) == normal("d/a=1 f/a=2@9 f/b=1 f/e/c=3")
    renames = [(action.at.path, action.to) for action in done.actions if isinstance(action, Rename)]
    assert sorted(renames) == [("d/b", "f/b"), ("d/e", "f/e")], "all else in it goes along"
    again = made.run()
    assert (again.actions, conflicts(done), conflicts(again)) == ([], "d/a:undone:None", "d/a:undone:None")


@pytest.mark.parametrize(("path", "spelled"), [("d/a", "d/A"), ("d", "D")])
def test_another_spelling_of_it_is_left_alone_where_case_is_folded(path: str, spelled: str) -> None:
    row = Row("", "d/a=2@9 d/b=1", "d/a=2@9 d/b=1", "d/a=1 d/b=1", "d/a", seen=("d/a=2@9", "d/a=1"))
    made = row.world()
    made.rules = replace(made.rules, right=Ability(names=NameRules(fold_case=True)))
    made.move(Side.LEFT, RelPath(path), RelPath(spelled))
    for _ in range(2):
        done = made.run()
        assert (done.actions, conflicts(done)) == ([], "d/a:undone:None")
    assert show(made.trees[Side.RIGHT]) == normal(row.right)
