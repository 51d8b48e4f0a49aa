"""Which actions reach what is wanted, in which order, what they are called, and what goes where."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from syncline.core import plan
from syncline.core.model import (
    Because,
    Entry,
    Gone,
    Kind,
    MakeDirectory,
    Place,
    Policy,
    PutFile,
    RelPath,
    Remove,
    Rule,
    SetProperties,
    Side,
    Trash,
    Want,
    Why,
)
from syncline.core.policy import Extras
from syncline.core.trees import Wanted
from tests.core.trees import show
from tests.core.world import Round, World, rules, world


def _told(done: Round) -> list[str]:
    return [f"{type(action).__name__} {action.at.side[0].upper()}:{action.at.path}" for action in done.actions]


def _planned(base: str | None, left: str, right: str, **options: Any) -> Round:
    return world(base, left, right, rules(**options)).plan()


def test_directories_first_then_small_files_links_properties_and_removals_deepest_first() -> None:
    done = _planned(
        "old=1 o/p/q.tmp=1 o/p/r=1 o/s=1 m=1 d/",
        "n/e/f=1 big=1#900000 small=1 l->x m=1:600 d/:500",
        "old=1 o/p/q.tmp=1 o/p/r=1 o/s=1 m=1 d/",
    )
    assert _told(done) == [
        "MakeDirectory R:n",
        "MakeDirectory R:n/e",
        "PutFile R:n/e/f",
        "PutFile R:small",
        "PutFile R:big",
        "PutLink R:l",
        "SetProperties R:m",
        "Trash R:o/p/r",
        "Trash R:o/s",
        "Trash R:old",
        "SetProperties R:d",
    ]


def test_files_of_a_like_size_stand_by_path_so_that_directories_stay_hot() -> None:
    done = _planned("", "a/x=1#200 a/z=1#60000 b/y=1#5 a/big=1#100000 b/bigger=1#120000", "")
    assert _told(done)[2:] == [
        "PutFile R:a/x",
        "PutFile R:a/z",
        "PutFile R:b/y",
        "PutFile R:a/big",
        "PutFile R:b/bigger",
    ]


def test_a_directory_with_closed_permissions_is_closed_last() -> None:
    done = _planned("", "d/:555 d/a=1", "")
    assert _told(done) == ["MakeDirectory R:d", "PutFile R:d/a", "SetProperties R:d"]


def test_a_directory_that_goes_whole_is_one_move_with_all_that_is_counted() -> None:
    done = _planned("d/a=1#100 d/e/b=2#50 d/e/l->b", "", "d/a=1#100 d/e/b=2#50 d/e/l->b")
    (trash,) = done.actions
    assert isinstance(trash, Trash)
    assert (trash.files, trash.size) == (2, 150)
    assert trash.seen is not None


def test_the_digest_of_a_subtree_tells_one_from_another() -> None:
    (one,) = _planned("d/a=1 d/e/b=2", "", "d/a=1 d/e/b=2").actions
    (other,) = _planned("d/a=1 d/e/c=2", "", "d/a=1 d/e/c=2").actions
    assert isinstance(one, Trash) and isinstance(other, Trash)
    assert one.seen != other.seen


def test_a_directory_in_which_something_stays_is_emptied_file_by_file() -> None:
    done = _planned("d/a=1 d/e/b=2", "", "d/a=1 d/e/b=2 d/x.tmp=1")
    assert _told(done) == ["Trash R:d/a", "Trash R:d/e"]


@pytest.mark.parametrize(("size", "action"), [(99, "Trash"), (100, "Trash"), (101, "Remove")])
def test_the_size_limit_of_the_trash_is_inclusive(size: int, action: str) -> None:
    made = world(f"a=1#{size}", "", f"a=1#{size}", rules(), plan.Disposal(100))
    assert _told(made.plan()) == [f"{action} R:a"]


def test_a_directory_with_a_file_above_the_limit_goes_piece_by_piece() -> None:
    text = "d/a=1#5 d/big=1#101 d/e/b=1#5 d/f/g/big=1#500"
    made = world(text, "", text, rules(), plan.Disposal(100))
    assert _told(made.plan()) == [
        "Remove R:d/f/g/big",
        "Remove R:d/f/g",
        "Trash R:d/a",
        "Remove R:d/big",
        "Trash R:d/e",
        "Remove R:d/f",
        "Remove R:d",
    ]
    made.run()
    assert show(made.trees[Side.RIGHT]) == ""


def test_replaced_versions_and_losers_go_to_the_trash_whatever_their_size() -> None:
    made = world("a=1#500 d/b=1#500", "a=2#500 d=9", "a=1#500 d/b=1#500", rules(), plan.Disposal(100))
    made.run()
    assert made.removed == []
    assert sorted(path for _, path, _ in made.trash) == ["a", "d", "d/b"]


NOT_KEPT = plan.Disposal(replaced=False)
SUPERSEDED = [
    ("a version both sides had agreed on", "a=1", "a=2", "a=1", {}, "", "a"),
    ("a link likewise", "l->x", "l->y", "l->x", {}, "", "l"),
    ("a file that became a link", "a=1", "a->x", "a=1", {}, "", "a"),
    ("one whose time alone was changed", "a=1@5", "a=2", "a=1@9", {}, "", "a"),
    ("the loser of a conflict", "a=1", "a=2@9", "a=3@5", {"policies": dict.fromkeys(Rule, Policy.NEWEST)}, "a", ""),
    (
        "what was created on both sides",
        "",
        "a=2@9",
        "a=3@5",
        {"policies": dict.fromkeys(Rule, Policy.NEWEST)},
        "a",
        "",
    ),
    (
        "a pair that was never read",
        "a=1!u",
        "a=2@9",
        "a=1",
        {"policies": dict.fromkeys(Rule, Policy.NEWEST)},
        "a",
        "",
    ),
    ("a file that became a directory", "a=1", "a/b=2", "a=1", {}, "a", ""),
    ("a directory that became a file", "a/b=1", "a=2", "a/b=1", {}, "a a/b", ""),
    ("a deleted file", "a=1", "", "a=1", {}, "a", ""),
    ("what a mirror's source changed", "a=1", "a=2", "a=1", {"extras": Extras.TRASH}, "", "a"),
    ("what was edited in a mirror's target", "a=1", "a=1", "a=2", {"extras": Extras.TRASH}, "a", ""),
    ("what was edited in both", "a=1", "a=2", "a=3", {"extras": Extras.TRASH}, "a", ""),
    ("what a first mirror finds", None, "a=2", "a=3", {"extras": Extras.TRASH}, "a", ""),
]


@pytest.mark.parametrize(
    ("says", "base", "left", "right", "said", "kept", "gone"), SUPERSEDED, ids=[r[0] for r in SUPERSEDED]
)
def test_what_is_replaced_is_kept_unless_it_was_agreed_on(says, base, left, right, said, kept, gone) -> None:
    made = world(base, left, right, rules(**said), NOT_KEPT)
    made.run()
    assert " ".join(sorted(path for _, path, _ in made.trash)) == kept
    assert " ".join(sorted(path for _, path, _ in made.removed)) == gone


def test_a_plan_that_keeps_what_it_replaces_is_another_plan() -> None:
    plans = [world("a=1", "a=2", "a=1", rules(), each).plan().actions for each in (plan.Disposal(), NOT_KEPT)]
    assert plan.plan_id("j", plans[0], []) != plan.plan_id("j", plans[1], [])
    assert list(plan.losses(plans[0])) != list(plan.losses(plans[1]))


def test_a_pair_never_read_goes_to_the_trash_whatever_its_size() -> None:
    made = world("d/a=1#500!u", "", "d/a=1#500", rules(), plan.Disposal(100))
    assert _told(made.plan()) == ["Trash R:d"]


def test_extras_removed_outright_take_their_directories_with_them() -> None:
    done = _planned("", "", "d/a=1 d/e/b=2", extras=Extras.DELETE)
    assert _told(done) == ["Remove R:d/e/b", "Remove R:d/a", "Remove R:d/e", "Remove R:d"]


def test_a_conflict_is_one_group_in_which_the_copy_comes_before_the_replacement() -> None:
    done = _planned("a=1", "a=2@10", "a=3@20")
    assert _told(done) == ["PutFile R:a_clash_M", "PutFile L:a"]
    assert {action.group for action in done.actions} == {"a"}
    assert isinstance(done.actions[1], PutFile)
    assert done.actions[1].aside == "a_clash_M"


def test_a_directory_that_keeps_its_name_is_made_before_what_is_below_it() -> None:
    done = _planned("", "x=1#500000", "x/a/b=2 w/v=1")
    assert _told(done) == [
        "MakeDirectory L:w",
        "PutFile R:x_clash_M",
        "MakeDirectory L:x",
        "MakeDirectory L:x/a",
        "PutFile L:w/v",
        "PutFile L:x/a/b",
    ]


def test_a_directory_that_loses_its_name_is_copied_before_it_moves_aside() -> None:
    done = _planned("p/a=1", "p/a/b/c=2", "p/a=3@9")
    assert _told(done) == [
        "MakeDirectory R:p/a_clash_M",
        "MakeDirectory R:p/a_clash_M/b",
        "PutFile R:p/a_clash_M/b/c",
        "PutFile L:p/a",
    ]
    assert {action.group for action in done.actions} == {"p/a"}


def test_a_replaced_directory_goes_in_the_group_of_what_replaces_it() -> None:
    done = _planned("d/a=1 d/e/b=1", "d=2", "d/a=1 d/e/b=1")
    assert _told(done) == ["Trash R:d", "PutFile R:d"]
    assert {action.group for action in done.actions} == {"d"}


def test_a_file_that_becomes_a_directory_is_replaced_in_one_step() -> None:
    done = _planned("d=1", "d/a=2", "d=1")
    assert _told(done) == ["MakeDirectory R:d", "PutFile R:d/a"]
    assert done.actions[0].expect is not None


def test_the_properties_of_both_sides_may_be_set_in_one_plan() -> None:
    assert _told(_planned("a=1", "a=1@9", "a=1:600")) == ["SetProperties L:a", "SetProperties R:a"]


def _id(done: Round) -> str:
    return plan.plan_id("job", done.actions, done.conflicts)


SITUATIONS = [
    ("a=1", "a=1", "a=1"),
    ("a=1", "a=2@9", "a=1"),
    ("a=1", "a=3@8", "a=1"),
    ("a=1", "a=2@9:600", "a=1"),
    ("a=1", "a=1", "a=2@9"),
    ("a=1", "", "a=1"),
    ("a=1", "a=1", ""),
    ("a=1", "a=2@9", "a=3@30"),
    ("a=1", "a=2@30", "a=3@9"),
    ("a=1", "b/c=2", "a=1"),
    ("a=1", "a/c=2", "a=1"),
    ("a=1", "a/c=2", "a=3@9"),
    ("a=1", "a/d=2", "a=3@9"),
    ("d/a=1", "", "d/a=1"),
    ("d/b=1", "", "d/b=1"),
    ("d/a=1", "d=1", "d/a=1"),
    ("l->a", "l->bb", "l->a"),
]


def test_a_different_plan_never_has_the_same_id() -> None:
    ids = [_id(_planned(*situation)) for situation in SITUATIONS]
    assert len(set(ids)) == len(ids)


def test_an_edit_behind_the_same_size_and_time_is_another_plan() -> None:
    made = world("a=1", "a=2", "a=1", rules())
    before = _id(made.plan())
    path = RelPath("a")
    made.trees[Side.LEFT][path] = made.touched(replace(made.trees[Side.LEFT][path], content="3"))
    assert _id(made.plan()) != before


@pytest.mark.parametrize("situation", SITUATIONS)
def test_the_same_world_has_the_same_id_in_any_minute(situation: tuple[str, str, str]) -> None:
    made = world(*situation, rules())
    first = made.plan()
    made.rules = replace(made.rules, minute="202612312359", now_ns=made.rules.now_ns + 60)
    later = made.plan()
    assert _id(first) == _id(later)
    assert _id(first) != plan.plan_id("another job", first.actions, first.conflicts)


def test_a_clash_below_a_directory_spelled_in_two_ways_has_an_id_without_the_minute() -> None:
    from syncline.core.names import NameRules
    from syncline.core.policy import Ability

    made = world("D/a=1", "D/a=1", "D/a=1", rules(right=Ability(names=NameRules(fold_case=True))))
    made.edit(left="d/a/x=2", right="D/a=3@9")
    first = made.plan()
    made.rules = replace(made.rules, minute="N")
    assert _id(first) == _id(made.plan())
    made.run()
    assert show(made.trees[Side.RIGHT]) == "d/a=3@9 d/a_clash_N/x=2"


def test_a_held_conflict_is_part_of_the_id() -> None:
    hold = {Rule.CHANGED_BOTH: Policy.HOLD}
    one = world("a=1", "a=2@9", "a=3", rules(hold)).plan()
    other = world("a=1", "a=2@9", "a=3@1", rules(hold)).plan()
    assert not one.actions and not other.actions
    assert _id(one) != _id(other)


def test_losses_name_everything_that_is_removed_or_replaced() -> None:
    done = _planned("a=1 b=2 d/x=1 t=1 k=1", "a=3 t/u=1 k=1:600 new=1", "a=1 b=2 d/x=1 t=1 k=1")
    told = sorted(plan.losses(done.actions))
    assert [line.split(",")[1].strip(" '") for line in told] == ["a", "b", "d", "t"]
    assert told == sorted(plan.losses(done.actions))


def test_bytes_to_copy_are_those_of_files() -> None:
    done = _planned("", "a=1#100 d/b=2#50 l->a", "")
    assert sum(map(plan.size_of, done.actions)) == 150


def test_a_removal_of_what_was_not_seen_is_no_action() -> None:
    wanted = Wanted()
    because = Because(Why.DELETED, Place(Side.RIGHT, RelPath("a")), None)
    wanted.wants[Side.LEFT][RelPath("a")] = Gone(because)
    assert plan.compare(wanted, plan.Disposal()) == []


def test_a_directory_wanted_without_a_group_replaces_in_one() -> None:
    wanted = Wanted()
    at, source = Place(Side.LEFT, RelPath("a")), Place(Side.RIGHT, RelPath("a"))
    wanted.seen = {at: Entry(Kind.DIRECTORY), source: Entry(Kind.FILE, 3)}
    wanted.wants[Side.LEFT][at.path] = Want(Entry(Kind.FILE, 3), Because(Why.UNDO, source, None), source)
    done = plan.compare(wanted, plan.Disposal())
    assert [type(action) for action in done] == [Remove, PutFile]
    assert {action.group for action in done} == {"a"}


def test_order_of_modes_of_directories_is_deepest_first() -> None:
    made: World = world("d/e/ d/a=1", "d/:500 d/e/:500 d/a=1", "d/e/ d/a=1", rules())
    assert [type(action) for action in made.plan().actions] == [SetProperties, SetProperties]
    assert _told(made.plan()) == ["SetProperties R:d/e", "SetProperties R:d"]
    assert not any(isinstance(action, MakeDirectory) for action in made.plan().actions)
