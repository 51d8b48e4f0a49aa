"""What becomes of two trees that differ: one row for one situation, in words a user could read.

Every row also runs mirrored (`swap=False` where left and right are not alike), and twice more after itself: those plans
must be empty, and a look after them finds nothing to do.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from syncline.core import merge
from syncline.core.model import PutFile, RelPath, Rename, Side
from syncline.core.policy import Extras
from tests.core import table_conflicts, table_contents, table_directories
from tests.core.rows import CHANGED, FOLDS_CASE, HOLD, OWNED, Row, check, conflicts, problems, trash
from tests.core.trees import normal, show
from tests.core.world import World, counted, rules, world

A = RelPath("a")
TABLE = [*table_contents.TABLE, *table_conflicts.TABLE, *table_directories.TABLE]


@dataclass(frozen=True)
class Moved:
    """A rename on the left, as (from, to). `row` is what would happen if it counted as deletion and creation; `after`
    and `trash` are what happens because it does not, where that is something else."""

    says: str
    row: Row
    moves: tuple[tuple[str, str], ...]
    right_moves: tuple[tuple[str, str], ...] = ()
    after: str | None = None
    conflicts: str = ""
    trash: str = ""


RENAMES = [
    Moved(
        "a renamed file is renamed on the other side", Row("", "a=1", "p=1", "a=1", "p=1", trash="R:a=1"), (("a", "p"),)
    ),
    Moved(
        "a renamed file meets an edit: the edit follows the name",
        Row("", "a=1", "p=1", "a=2@9", "a=2@9 p=1"),
        (("a", "p"),),
        after="p=2@9",
        trash="L:p=1",
    ),
    Moved(
        "a renamed file the other side deleted comes back under its new name",
        Row("", "a=1", "p=1", "", "p=1"),
        (("a", "p"),),
    ),
    Moved(
        "a rename and a chmod of the other side",
        Row("", "a=1", "p=1", "a=1:600", "a=1:600 p=1"),
        (("a", "p"),),
        after="p=1:600",
    ),
    Moved(
        "a rename and a new owner of the other side",
        Row("", "a=1", "p=1", "a=1&5", "a=1&5 p=1", abilities=OWNED),
        (("a", "p"),),
        after="p=1&5",
    ),
    Moved("both renamed a file to the same name", Row("", "a=1", "p=1", "p=1", "p=1"), (("a", "p"),), (("a", "p"),)),
    Moved(
        "both renamed a file to different names: one copy only, left's",
        Row("", "a=1", "p=1", "q=1", "p=1 q=1"),
        (("a", "p"),),
        (("a", "q"),),
        after="p=1",
        conflicts="a:props-both:left",
    ),
    Moved(
        "two files swapped their names",
        Row("", "a=1 b=2", "a=2 b=1", "a=1 b=2", "a=2 b=1", trash="R:a=1 R:b=2"),
        (("a", "b"), ("b", "a")),
    ),
    Moved(
        "a renamed directory is renamed with all in it",
        Row("", "d/a=1 d/b=2", "e/a=1 e/b=2", "d/a=1 d/b=2", "e/a=1 e/b=2", trash="R:d/a=1 R:d/b=2"),
        (("d", "e"), ("d/a", "e/a"), ("d/b", "e/b")),
    ),
    Moved(
        "a directory renamed while the other side edited in it",
        Row(
            "",
            "d/a=1 d/b=2",
            "e/a=1 e/b=2",
            "d/a=3@9 d/b=2",
            "d/a=3@9 e/a=1 e/b=2",
            trash="R:d/b=2",
            problems="R:d:partly-kept",
        ),
        (("d", "e"), ("d/a", "e/a"), ("d/b", "e/b")),
        after="e/a=3@9 e/b=2",
        trash="L:e/a=1",
    ),
]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.says)
def test_both_sides_end_as_the_table_says(row: Row) -> None:
    check(row)


@pytest.mark.parametrize("row", [row for row in TABLE if row.swap], ids=lambda row: row.says)
def test_the_mirror_image_ends_mirrored(row: Row) -> None:
    check(row.mirrored())


def test_no_two_rows_are_the_same_situation() -> None:
    told = [replace(row, says="", after="", after_right=None, conflicts="", problems="", trash="") for row in TABLE]
    keys = [{repr(row), repr(replace(row.mirrored(), conflicts="", problems="", trash="", after=""))} for row in told]
    assert not [
        row.says
        for row, key, number in zip(TABLE, keys, range(len(keys)), strict=True)
        if any(key & other for other in keys[:number])
    ]
    assert len({row.says for row in TABLE}) == len(TABLE)


def _moved(case: Moved) -> World:
    """The world of a rename: what moved kept its inode, as on a disk."""
    made = case.row.world()
    before = world(case.row.base, case.row.base or "", case.row.base or "", rules())
    for side, moves in ((Side.LEFT, case.moves), (Side.RIGHT, case.right_moves)):
        for old, new in moves:
            node = made.trees[side][RelPath(new)]
            made.trees[side][RelPath(new)] = replace(node, inode=before.trees[side][RelPath(old)].inode)
    return made


@pytest.mark.parametrize("case", [case for case in RENAMES if case.row.trash or case.after], ids=lambda case: case.says)
def test_a_rename_is_a_rename(case: Moved) -> None:
    made = _moved(case)
    planned = made.plan()
    assert any(isinstance(action, Rename) for action in planned.actions)
    assert conflicts(planned) == case.conflicts
    made.run()
    assert show(made.trees[Side.LEFT]) == show(made.trees[Side.RIGHT]) == normal(case.after or case.row.after)
    assert trash(made) == sorted(case.trash.split())
    assert not any(isinstance(action, PutFile) and action.expect is None for action in planned.actions)
    assert made.run().actions == []


def test_a_left_over_directory_comes_back_with_the_first_new_name_in_it() -> None:
    made = world("d/e/a=1", "d/e/a=1 d/e/x.tmp=7", "", rules())
    assert len(made.run().problems) == 2
    assert made.run().problems == []
    made.edit(left="d/e/x.tmp=7 d/e/y.tmp=8")
    assert made.run().actions == []
    assert not made.look().changed
    made.edit(left="d/e/x.tmp=7 d/e/n=2")
    assert made.run().problems == []
    assert (show(made.trees[Side.LEFT]), show(made.trees[Side.RIGHT])) == ("d/e/n=2 d/e/x.tmp=7", "d/e/n=2")


def test_a_left_over_directory_that_is_emptied_stays_where_it_is() -> None:
    made = world("d/a=1", "d/a=1 d/x.tmp=7", "", rules())
    made.run()
    made.edit(left="d/")
    assert made.run().actions == []
    made.edit(left="")
    assert made.run().actions == []
    assert not made.look().changed


def test_a_left_over_directory_meets_a_new_one_of_its_name() -> None:
    made = world("d/a=1", "d/a=1 d/x.tmp=7", "", rules())
    made.run()
    made.edit(right="d/n=3")
    made.run()
    assert (show(made.trees[Side.LEFT]), show(made.trees[Side.RIGHT])) == ("d/n=3 d/x.tmp=7", "d/n=3")


def test_a_directory_held_for_something_unreadable_goes_once_it_can_be_read() -> None:
    made = world("d/e/a=1 d/b=2", "d/e/? d/b=2", "", rules())
    made.run()
    made.edit(left="d/e/a=1")
    assert made.run().problems == []
    assert show(made.trees[Side.LEFT]) == show(made.trees[Side.RIGHT]) == ""


@pytest.mark.parametrize("now", ["m/", "m/a=1", "m=5", ""], ids=["an empty directory", "full", "a file", "nothing"])
@pytest.mark.parametrize("base", ["m/a=1 b=1", "b=1"], ids=["agreed before", "never agreed"])
def test_what_was_a_mount_point_stays_frozen_until_it_is_adopted(base: str, now: str) -> None:
    made = world(base, "m/^ b=1", base, rules())
    made.run()
    made.edit(left=f"{now} b=1")
    done = made.run()
    assert done.actions == []
    assert (show(made.trees[Side.LEFT]), show(made.trees[Side.RIGHT])) == (normal(f"{now} b=1"), normal(base))
    assert problems(done) == ([] if now == "" and base == "b=1" else [problems(done)[0]])


def test_a_held_conflict_is_settled_by_making_both_sides_equal() -> None:
    made = world("a=1", "a=2", "a=3", rules({CHANGED: HOLD}))
    assert len(made.run().conflicts) == 1
    assert len(made.run().conflicts) == 1
    made.edit(right="a=2@9")
    assert made.run().conflicts == []
    assert not made.look().changed


def test_the_version_that_is_left_of_a_held_conflict_goes_across() -> None:
    made = world("a=1", "a=2", "a=3", rules({CHANGED: HOLD}))
    made.run()
    made.edit(right="")
    made.run()
    assert show(made.trees[Side.RIGHT]) == "a=2"


def test_a_colliding_name_that_is_renamed_frees_the_other() -> None:
    made = world("a=1", "a=2@9 A=5", "a=1", rules(right=FOLDS_CASE))
    made.run()
    made.edit(left="a=2@9 c=5")
    made.run()
    assert show(made.trees[Side.RIGHT]) == "a=2@9 c=5"


def test_a_content_that_cannot_be_read_holds_its_name_and_nothing_else() -> None:
    made = world("a=1 b=1", "a=2 b=2", "a=1 b=1", rules())
    path = RelPath("a")
    made.trees[Side.LEFT][path] = replace(made.trees[Side.LEFT][path], unreadable=True)
    done = made.run()
    assert problems(done) == ["L:a:unreadable"]
    assert show(made.trees[Side.RIGHT]) == "a=1 b=2"
    assert made.rows[""].base.unagreed["a"].before is not None


def test_a_suspect_file_is_read_before_it_is_believed() -> None:
    made = world("a=1", "a=1", "a=1", rules(suspects=frozenset({(Side.LEFT, RelPath("a"))})))
    path = RelPath("a")
    made.trees[Side.LEFT][path] = replace(made.trees[Side.LEFT][path], content="2")
    made.edit(right="a=1 b=1")
    made.run()
    assert show(made.trees[Side.RIGHT]) == "a=2 b=1"


def test_files_in_scope_are_counted_on_each_side() -> None:
    made = world(None, "a=1 b=1 x.tmp=1 d/c=1 l->a p|", "a=1 d=5", rules())
    assert counted(made.want()) == (3, 2, 1)


def test_a_left_over_directory_gives_way_to_nothing_but_keeps_its_name_from_a_new_file() -> None:
    made = world("d/a=1", "d/a=1 d/x.tmp=7", "", rules())
    made.run()
    made.edit(right="d=5")
    done = made.run()
    assert conflicts(done) == "d:type-both:left"
    assert (show(made.trees[Side.LEFT]), show(made.trees[Side.RIGHT])) == ("d/x.tmp=7 d_clash_M=5", "d/ d_clash_M=5")
    assert made.run().actions == []


def test_bytes_that_hide_behind_a_stamp_taken_too_soon_are_found() -> None:
    made = world("a=1!l", "a=1", "a=1", rules())
    made.trees[Side.LEFT][A] = replace(made.trees[Side.LEFT][A], content="2")
    made.run()
    assert show(made.trees[Side.RIGHT]) == "a=2"


def test_bytes_that_hide_behind_size_and_all_times_are_found_by_the_inode() -> None:
    made = world("a=1", "a=1", "a=1", rules())
    made.trees[Side.LEFT][A] = replace(made.trees[Side.LEFT][A], content="2", inode=77)
    made.run()
    assert show(made.trees[Side.RIGHT]) == "a=2"


def test_a_chmod_outlives_a_deletion_on_a_root_without_status_times() -> None:
    made = world("a=1!u", "a=1", "", rules())
    made.trees[Side.LEFT][A] = replace(made.trees[Side.LEFT][A], mode=0o755)
    made.run()
    assert show(made.trees[Side.RIGHT]) == "a=1:755"


def test_two_long_names_that_are_cut_alike_get_two_clash_names() -> None:
    one, other, cut = f"{'n' * 250}a", f"{'n' * 250}b", f"{'n' * 247}_clash_M"
    made = world("", f"{one}=1 {other}=2", f"{one}=3@9 {other}=4@9", rules())
    made.run()
    assert show(made.trees[Side.LEFT]) == normal(f"{one}=3@9 {other}=4@9 {cut}=1 {cut[2:247]}_clash_M-2=2")


def test_all_that_must_be_read_is_asked_for_at_once() -> None:
    made = world("a=1 b=1", "a=2 b=1 c=1", "a=3 b=4 c=2", rules())
    observed = made.look()
    (top,) = observed.tops()
    needs = merge.merge(top, observed, made.rules, {}).needs
    assert sorted((place.path, place.side.value) for place in needs) == [
        ("a", "left"),
        ("a", "right"),
        ("b", "right"),
        ("c", "left"),
        ("c", "right"),
    ]


def test_another_spelling_of_the_name_a_root_keeps_for_itself_is_held_on_both_sides() -> None:
    made = world("a=1 d/b=1", "a=1 d/b=1", "a=1 d/b=1 d/.Syncline/c=2", rules(right=FOLDS_CASE))
    for _ in range(2):
        done = made.run()
        assert (done.actions, problems(done)) == ([], ["R:d/.Syncline:impossible-name"])


def test_a_mirror_leaves_alone_what_its_target_cannot_touch() -> None:
    made = world("a=1", "a=1", "a=1 .Syncline=2", rules(right=FOLDS_CASE, extras=Extras.TRASH))
    done = made.run()
    assert (done.actions, problems(done)) == ([], ["R:.Syncline:impossible-name"])
