"""What a mirror makes of its target. Left is the source, which nothing may ever be written to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from syncline.core.model import SIDES, RelPath, Side
from syncline.core.names import NameRules
from syncline.core.plan import Disposal
from syncline.core.policy import Ability, Extras
from tests.core.trees import Node, normal, show
from tests.core.world import rules, world

KEEP, TRASH, DELETE = Extras.KEEP, Extras.TRASH, Extras.DELETE
NO_MODE, NO_LINKS = Ability(mode=False), Ability(symlinks=False)
OWNED = (Ability(owner=True), Ability(owner=True))


@dataclass(frozen=True)
class Row:
    """`after` is the target in the end. `trash` and `removed`: what it holds, and what is gone for good."""

    says: str
    base: str | None
    source: str
    target: str
    after: str
    trash: str = ""
    removed: str = ""
    problems: str = ""
    extras: Extras = TRASH
    quick: bool = False
    reread: bool = False
    abilities: tuple[Ability, Ability] = (Ability(), Ability())
    modes: bool = True


TABLE = [
    Row("nothing changed", "a=1 d/b=2", "a=1 d/b=2", "a=1 d/b=2", "a=1 d/b=2"),
    Row("a new file is copied", "", "a=1 d/e/b=2", "", "a=1 d/e/b=2"),
    Row("an edited file is copied, the old one is in the trash", "a=1", "a=2@9", "a=1", "a=2@9", trash="a=1"),
    Row("an older version in the source still wins", "a=1@50", "a=2@9", "a=3@99", "a=2@9", trash="a=3@99"),
    Row(
        "the owner of the source stands",
        "a=1 d/",
        "a=1&5 d/&6",
        "a=1&7 d/",
        "a=1&5 d/&6",
        abilities=OWNED,
    ),
    Row("a new owner of a pair taken for equal is set unread", "a=1!u", "a=1&5", "a=1", "a=1&5", abilities=OWNED),
    Row(
        "an owner the target cannot be given is not carried",
        "a=1",
        "a=2@9&5",
        "a=1&7",
        "a=2@9",
        trash="a=1&7",
        abilities=(OWNED[0], Ability()),
    ),
    Row(
        "modes out of step: those of the target stay",
        "a=1 d/",
        "a=1:600 d/:700",
        "a=1:755 d/",
        "a=1:755 d/",
        modes=False,
    ),
    Row(
        "modes out of step: an edit leaves the target its mode",
        "a=1",
        "a=2@9:600",
        "a=1:755",
        "a=2@9:755",
        trash="a=1:755",
        modes=False,
    ),
    Row("what was edited in the target is put back", "a=1", "a=1", "a=2@9", "a=1", trash="a=2@9"),
    Row("what was deleted in the target is put back", "a=1 d/b=2", "a=1 d/b=2", "", "a=1 d/b=2"),
    Row("what was deleted in the source goes to the trash", "a=1 b=2", "b=2", "a=1 b=2", "b=2", trash="a=1"),
    Row(
        "what was deleted in the source goes though it was edited in the target", "a=1", "", "a=2@9", "", trash="a=2@9"
    ),
    Row(
        "what was deleted in the source is removed outright where that is wanted",
        "a=1",
        "",
        "a=1",
        "",
        removed="a=1",
        extras=DELETE,
    ),
    Row("what was deleted in the source is kept where that is wanted", "a=1", "", "a=1", "a=1", extras=KEEP),
    Row("what both deleted is forgotten", "a=1", "", "", ""),
    Row("what is only in the target goes to the trash", "", "a=1", "a=1 x=9 d/y=8", "a=1", trash="x=9 d/y=8"),
    Row(
        "what is only in the target is kept where that is wanted",
        "",
        "a=1",
        "a=1 x=9 d/y=8",
        "a=1 x=9 d/y=8",
        extras=KEEP,
    ),
    Row(
        "what is only in the target is removed outright where that is wanted",
        "",
        "a=1",
        "a=1 x=9 d/y=8",
        "a=1",
        removed="x=9 d/y=8",
        extras=DELETE,
    ),
    Row("an empty directory only in the target is removed", "", "a=1", "a=1 d/", "a=1", removed="d/"),
    Row("ignored files in the target are no extras", "", "a=1", "a=1 x.tmp=1", "a=1 x.tmp=1"),
    Row(
        "ignored files in a directory only in the target keep it",
        "",
        "a=1",
        "a=1 d/x.tmp=1 d/y=2",
        "a=1 d/x.tmp=1",
        trash="d/y=2",
        problems="R:d:partly-kept",
    ),
    Row(
        "a first quick mirror takes equal size and time for equal",
        None,
        "a=1 b=2",
        "a=9 b=3@5",
        "a=9 b=2",
        trash="b=3@5",
        quick=True,
    ),
    Row(
        "a first mirror by hash reads, and replaces what differs", None, "a=1 b=2", "a=9 b=2@5", "a=1 b=2", trash="a=9"
    ),
    Row("equal bytes with another time get the time of the source", "", "a=1@7", "a=1@50", "a=1@7"),
    Row("a chmod in the source goes across", "a=1", "a=1:600", "a=1", "a=1:600"),
    Row("a chmod in the target is put back", "a=1", "a=1", "a=1:600", "a=1"),
    Row("a touch in the target is put back", "a=1", "a=1", "a=1@9", "a=1"),
    Row("a chmod of a directory in the target is put back", "d/ d/a=1", "d/ d/a=1", "d/:700 d/a=1", "d/a=1"),
    Row("different modes at the first meeting: the source's", "", "a=1:600 d/:700", "a=1 d/", "a=1:600 d/:700"),
    Row("the same edit on both sides is adopted", "a=1", "a=2@9", "a=2@5", "a=2@9"),
    Row("a changed link goes across", "l->a", "l->b", "l->a", "l->b", trash="l->a"),
    Row("a file that became a directory", "a=1", "a/b=2", "a=1", "a/b=2", trash="a=1"),
    Row("a directory that became a file", "a/b=2", "a=1", "a/b=2", "a=1", trash="a/b=2"),
    Row(
        "a directory only in the target where the source has a file",
        "",
        "a=1",
        "a/b=2 a/c/d=3",
        "a=1",
        trash="a/b=2 a/c/d=3",
    ),
    Row(
        "the same, although extras are removed outright: a replaced version is not",
        "",
        "a=1",
        "a/b=2",
        "a=1",
        trash="a/b=2",
        extras=DELETE,
    ),
    Row("the same, while extras are kept", "", "a=1", "a/b=2", "a/b=2", problems="R:a:partly-kept", extras=KEEP),
    Row("the same, with an ignored file in it", "", "a=1", "a/x.tmp=2", "a/x.tmp=2", problems="R:a:partly-kept"),
    Row("a file only in the target where the source has a directory", "", "a/b=2", "a=1", "a/b=2", trash="a=1"),
    Row("a link only in the target where the source has a file", "", "a=1", "a->x", "a=1", trash="a->x"),
    Row("a file became a link", "a=1", "a->x", "a=1", "a->x", trash="a=1"),
    Row(
        "a source directory that cannot be read freezes the target's",
        "d/a=1",
        "d/?",
        "d/a=1",
        "d/a=1",
        problems="L:d:unreadable",
    ),
    Row(
        "a target directory that cannot be read stays, though the source deleted it",
        "d/a=1",
        "",
        "d/?",
        "d/?",
        problems="R:d:unreadable",
    ),
    Row(
        "something unreadable in a directory that should go keeps it",
        "d/e/a=1 d/b=2",
        "",
        "d/e/? d/b=2",
        "d/e/?",
        trash="d/b=2",
        problems="R:d/e:unreadable",
    ),
    Row(
        "a link waits where the target cannot have it",
        "",
        "l->a b=1",
        "",
        "b=1",
        problems="L:l:impossible-name",
        abilities=(Ability(), NO_LINKS),
    ),
    Row(
        "a link only in the target goes, whatever the source can have",
        "",
        "",
        "l->a",
        "",
        trash="l->a",
        abilities=(NO_LINKS, Ability()),
    ),
    Row(
        "a target without modes is not asked for them again and again",
        "a=1",
        "a=1:600 d/:700",
        "a=1",
        "a=1 d/:700",
        abilities=(Ability(), NO_MODE),
    ),
    Row(
        "a source without modes gives none",
        "a=1:600",
        "a=2:600",
        "a=1:600",
        "a=2:600",
        trash="a=1:600",
        abilities=(NO_MODE, Ability()),
    ),
    Row("a pair never read is left alone while nothing changes", "a=1|2!u", "a=1", "a=2", "a=2"),
    Row("a pair never read is replaced by an edit", "a=1|2!u", "a=3@9", "a=2", "a=3@9", trash="a=2"),
    Row("a pair never read and touched in the source is read", "a=1|2!u", "a=1@9", "a=2", "a=1@9", trash="a=2"),
    Row("a pair never read goes to the trash with its source", "a=1|2!u", "", "a=2", "", trash="a=2"),
    Row(
        "a full reading finds that a pair never read differs", "a=1|2!u", "a=1", "a=2", "a=1", trash="a=2", reread=True
    ),
    Row(
        "a name the target cannot have waits",
        "",
        "a:b=1 c:d/e=2 f=3",
        "",
        "f=3",
        problems="L:a:b:impossible-name L:c:d:impossible-name",
        abilities=(Ability(), Ability(names=NameRules(forbidden=":"))),
    ),
    Row(
        "two names that are one in the target wait",
        "",
        "a=1 A=2 b=3",
        "",
        "b=3",
        problems="L:a:name-collision",
        abilities=(Ability(), Ability(names=NameRules(fold_case=True))),
    ),
]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.says)
def test_the_target_ends_as_the_table_says(row: Row) -> None:
    left, right = row.abilities
    options: dict[str, Any] = {
        "left": left,
        "right": right,
        "quick": row.quick,
        "reread": row.reread,
        "modes": row.modes,
    }
    made = world(row.base, row.source, row.target, rules(extras=row.extras, **options))
    before = dict(made.trees[Side.LEFT])
    done = made.run()
    assert made.trees[Side.LEFT] == before
    assert not done.wanted.wants[Side.LEFT]
    assert show(made.trees[Side.RIGHT]) == normal(row.after)
    assert show({path: node for _, path, node in made.trash}) == normal(row.trash)
    assert _files(made.removed) == sorted(normal(row.removed).split())
    assert sorted(f"{item.place.side[0].upper()}:{item.place.path}:{item.reason}" for item in done.problems) == sorted(
        row.problems.split()
    )
    assert done.conflicts == []
    assert made.run().actions == []
    last = made.run()
    assert last.actions == []
    assert last.problems or row.reread or not made.look().changed


def _files(removed: list[tuple[Side, RelPath, Node]]) -> list[str]:
    return sorted(show({path: node for _, path, node in removed}).split())


def test_a_deleted_pair_that_was_never_read_is_kept_in_the_trash_although_large() -> None:
    made = world("a=1!u b=22", "", "a=1 b=22", rules(extras=TRASH), Disposal(max_size=0))
    made.run()
    assert [path for _, path, _ in made.trash] == ["a"]
    assert [path for _, path, _ in made.removed] == ["b"]


def test_kept_extras_that_the_source_takes_up_again_are_compared_with_what_was_agreed() -> None:
    made = world("a=1", "", "a=1", rules(extras=KEEP))
    made.run()
    made.edit(left="a=1")
    assert made.run().actions == []
    assert [len(made.trees[side]) for side in SIDES] == [1, 1]
    made.edit(left="a=3@9")
    made.run()
    assert show(made.trees[Side.RIGHT]) == "a=3@9"


def test_a_name_that_the_target_spells_anew_stays_where_extras_are_kept() -> None:
    made = world("a=1", "a=1", "a=1", rules(extras=KEEP, right=Ability(names=NameRules(fold_case=True))))
    made.move(Side.RIGHT, RelPath("a"), RelPath("A"))
    for _ in range(2):
        assert made.run().actions == []
    assert show(made.trees[Side.RIGHT]) == "A=1"
