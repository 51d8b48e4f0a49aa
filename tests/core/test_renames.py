"""Renames: what one user did to names, and what the other did meanwhile. A row is a situation, and runs mirrored, too.

What users do, one after another: `mv a b`, `swap a b`, `rm a`, `w a=2@9` (written in place), `new a=2` (a file of its
own, as programs save), and what stands in the way of a `mv` is written over.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest

from syncline.core.model import SIDES, Policy, PutFile, RelPath, Rename, Rule, Side
from syncline.core.names import NameRules
from syncline.core.policy import Ability
from tests.core.rows import CHANGED, FOLDS_CASE, HOLD, PROPS, WINDOWS, conflicts, problems, trash
from tests.core.trees import normal, parse, show
from tests.core.world import Round, World, rules, world

NO_INODES = Ability(exchange=False)


@dataclass(frozen=True)
class Row:
    """`after`: what both sides show in the end. `moves`: the renames of the plan, `R:a>b`, an exchange `R:a<>b`."""

    says: str
    base: str
    left: str
    right: str
    after: str
    moves: str
    after_right: str | None = None
    conflicts: str = ""
    problems: str = ""
    trash: str = ""
    policies: Mapping[Rule, Policy] = field(default_factory=dict)
    abilities: tuple[Ability, Ability] = (Ability(), Ability())
    inodes: bool = True
    swap: bool = True
    copies: bool = False


TABLE = [
    # a file, and what the other side did
    Row("untouched on the other side", "a=1", "mv a p", "", "p=1", "R:a>p"),
    Row("edited", "a=1", "mv a p", "w a=2@9", "p=2@9", "R:a>p", trash="L:p=1"),
    Row("edited as programs save, by a new file", "a=1", "mv a p", "new a=2@9", "p=2@9", "R:a>p", trash="L:p=1"),
    Row("touched", "a=1", "mv a p", "w a=1@9", "p=1@9", "R:a>p"),
    Row("mode changed", "a=1", "mv a p", "w a=1:600", "p=1:600", "R:a>p"),
    Row("deleted: it comes back under its new name", "a=1 b=2", "mv a p", "rm a", "b=2 p=1", "", copies=True),
    Row("renamed to the same name", "a=1", "mv a p", "mv a p", "p=1", ""),
    Row(
        "renamed to another name: one file, left's name",
        "a=1",
        "mv a p",
        "mv a q",
        "p=1",
        "R:q>p",
        conflicts="a:props-both:left",
        swap=False,
    ),
    Row(
        "renamed to another name, the policy says right",
        "a=1",
        "mv a p",
        "mv a q",
        "q=1",
        "L:p>q",
        conflicts="a:props-both:right",
        policies={PROPS: Policy.RIGHT},
        swap=False,
    ),
    Row(
        "renamed to another name, and a person is to decide",
        "a=1",
        "mv a p",
        "mv a q",
        "p=1",
        "",
        after_right="q=1",
        conflicts="a:props-both:None",
        policies={PROPS: HOLD},
    ),
    Row("renamed and its time set: the content tells", "a=1", "mv a p; w p=1@9", "", "p=1@9", "R:a>p"),
    Row("renamed and edited: another file", "a=1", "mv a p; w p=2@9", "", "p=2@9", "", trash="R:a=1", copies=True),
    Row("a link", "l->x", "mv l m", "", "m->x", "R:l>m"),
    # what stands at the new name
    Row(
        "new there on the other side",
        "a=1",
        "mv a p",
        "new p=2@9",
        "p=2@9 p_clash_M=1",
        "",
        conflicts="p:created-both:right",
        trash="R:a=1",
        copies=True,
    ),
    Row("over a file, untouched there", "a=1 b=2", "mv a b", "", "b=1", "R:a>b", trash="R:b=2"),
    Row("over a file that was deleted there, too", "a=1 b=2", "mv a b", "rm b", "b=1", "R:a>b"),
    Row(
        "over a file that was edited there: every version lives",
        "a=1 b=2",
        "mv a b",
        "w b=3@9",
        "b=3@9 b_clash_M=1",
        "",
        conflicts="b:changed-both:right",
        trash="R:a=1",
        copies=True,
    ),
    Row(
        "the other side edited what was moved over it",
        "a=1 b=2",
        "mv a b",
        "w a=3@9",
        "b=3@9",
        "R:a>b",
        trash="L:b=1 R:b=2",
    ),
    # names that were taken again
    Row(
        "saved with a backup: edited in place",
        "a=1",
        "mv a a.bak; new a=2@9",
        "",
        "a=2@9 a.bak=1",
        "",
        trash="R:a=1",
        copies=True,
    ),
    Row(
        "saved with a backup, edited on the other side: a conflict of that name",
        "a=1",
        "mv a a.bak; new a=2@9",
        "w a=3@99",
        "a=3@99 a.bak=1 a_clash_M=2@9",
        "",
        conflicts="a:changed-both:right",
        copies=True,
    ),
    Row("a new file that got the old inode", "a=1", "inode a p=9@5", "", "p=9@5", "", trash="R:a=1", copies=True),
    # changing places
    Row("two files", "a=1 b=2", "swap a b", "", "a=2 b=1", "R:a<>b"),
    Row("two files, one edited", "a=1 b=2", "swap a b", "w a=3@9", "a=2 b=3@9", "R:a<>b", trash="L:b=1"),
    Row("three in a ring", "a=1 b=2 c=3", "mv a t; mv c a; mv b c; mv t b", "", "a=3 b=1 c=2", "R:a<>b R:a<>c"),
    Row("a row of names, each to the next", "a=1 b=2", "mv b c; mv a b", "", "b=1 c=2", "R:a>b R:b>c"),
    Row("two directories", "d/x=1 e/y=2", "swap d e", "", "d/y=2 e/x=1", "R:d<>e"),
    Row(
        "two files, where names cannot be exchanged",
        "a=1 b=2",
        "swap a b",
        "",
        "a=2 b=1",
        "",
        trash="R:a=1 R:b=2",
        abilities=(NO_INODES, NO_INODES),
    ),
    # directories
    Row("a directory", "d/a=1 d/b=2", "mv d e", "", "e/a=1 e/b=2", "R:d>e"),
    Row("a directory below another", "t/d/a=1 u/x=2", "mv t/d u/d", "", "t/ u/d/a=1 u/x=2", "R:t/d>u/d"),
    Row("edited in it", "d/a=1 d/b=2", "mv d e", "w d/a=3@9", "e/a=3@9 e/b=2", "R:d>e", trash="L:e/a=1"),
    Row("created in it", "d/a=1", "mv d e", "new d/n=5", "e/a=1 e/n=5", "R:d>e", copies=True),
    Row("deleted in it", "d/a=1 d/b=2", "mv d e", "rm d/b", "e/a=1", "R:d>e", trash="L:e/b=2"),
    Row("renamed in it", "d/a=1 d/b=2", "mv d e", "mv d/a d/z", "e/b=2 e/z=1", "L:e/a>e/z R:d>e"),
    Row("something moved into it", "a=1 d/b=2", "mv d e", "mv a d/a", "e/a=1 e/b=2", "L:a>e/a R:d>e"),
    Row("something moved out of it", "d/a=1 d/b=2", "mv d e", "mv d/a a", "a=1 e/b=2", "L:e/a>a R:d>e"),
    Row(
        "both by one user",
        "d/a=1 d/b=2 c=3",
        "mv d e; mv e/a a; mv c e/c",
        "",
        "a=1 e/b=2 e/c=3",
        "R:c>e/c R:d>e R:e/a>a",
    ),
    Row(
        "into a directory that is new", "a=1 b=2", "new n/x=5; mv a n/a", "", "b=2 n/a=1 n/x=5", "R:a>n/a", copies=True
    ),
    Row(
        "half of it moved",
        "d/a=1 d/b=2 d/c=3",
        "mv d/a e/a; mv d/b e/b",
        "",
        "d/c=3 e/a=1 e/b=2",
        "R:d/a>e/a R:d/b>e/b",
    ),
    Row("deleted on the other side: it comes back", "d/a=1 b=2", "mv d e", "rm d", "b=2 e/a=1", "", copies=True),
    Row(
        "renamed differently: one directory, all that is new in it",
        "d/a=1",
        "mv d e; new e/l=5",
        "mv d f; new f/r=6",
        "e/a=1 e/l=5 e/r=6",
        "R:f>e",
        conflicts="d:props-both:left",
        swap=False,
        copies=True,
    ),
    Row(
        "moved into each other: left's move stands",
        "d/a=1 e/b=2",
        "mv d e/d",
        "mv e d/e",
        "e/b=2 e/d/a=1",
        "R:d/e>e R:d>e/d",
        conflicts="e:props-both:left",
        swap=False,
    ),
    Row("an empty directory is made and removed", "d/ b=1", "mv d e", "", "b=1 e/", ""),
    Row("a deep tree in one step", "d/e/f/g/a=1", "mv d x", "", "x/e/f/g/a=1", "R:d>x"),
    Row(
        "a name in a directory that went with its parent",
        "d/e/a=1 d/b=2",
        "mv d/e e; rm d",
        "",
        "e/a=1",
        "R:d/e>e",
        trash="R:d/b=2",
    ),
    # names, and what a root has
    Row("case alone", "a=1", "mv a A", "", "A=1", "R:a>A"),
    Row(
        "case alone, where case does not count", "a=1", "mv a A", "", "A=1", "R:a>A", abilities=(Ability(), FOLDS_CASE)
    ),
    Row(
        "case alone, of a directory",
        "d/a=1",
        "mv d D",
        "w d/a=2@9",
        "D/a=2@9",
        "R:d>D",
        trash="L:D/a=1",
        abilities=(Ability(), FOLDS_CASE),
    ),
    Row(
        "a name the other side cannot have: both keep theirs",
        "a=1",
        "mv a a:b",
        "",
        "a:b=1",
        "",
        after_right="a=1",
        problems="L:a:b:impossible-name R:a:partly-kept",
        abilities=(Ability(), WINDOWS),
        swap=False,
    ),
    Row(
        "what waits for its directory does not keep the name that another file took",
        "d/a=11 d/b=22 e/a=33",
        "mv d d:x; mv e d",
        "",
        "d/a=33 d:x/a=11 d:x/b=22",
        "",
        after_right="d/a=33 d/b=22",
        problems="L:d:x:impossible-name L:d:x/b:partly-kept R:d/b:partly-kept",
        trash="R:d/a=11 R:e/a=33",
        abilities=(Ability(), WINDOWS),
        inodes=False,
        swap=False,
    ),
    Row(
        "without inodes, by a content there is once",
        "a=11 b=2",
        "mv a p",
        "w a=3@9",
        "b=2 p=3@9",
        "R:a>p",
        trash="L:p=11",
        inodes=False,
    ),
    Row(
        "without inodes, two of the same content: not known which",
        "a=11 b=11",
        "mv a p; mv b q",
        "",
        "p=11 q=11",
        "",
        trash="R:a=11 R:b=11",
        inodes=False,
        copies=True,
    ),
    Row(
        "without inodes, a directory goes file by file",
        "d/a=11 d/b=22",
        "mv d e",
        "",
        "e/a=11 e/b=22",
        "R:d/a>e/a R:d/b>e/b",
        inodes=False,
    ),
]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.says)
def test_both_sides_end_as_the_table_says(row: Row) -> None:
    _check(row)


@pytest.mark.parametrize("row", [row for row in TABLE if row.swap], ids=lambda row: row.says)
def test_the_mirror_image_ends_mirrored(row: Row) -> None:
    _check(_mirrored(row))


def _check(row: Row) -> None:
    made = world(row.base, row.base, row.base, rules(row.policies, left=row.abilities[0], right=row.abilities[1]))
    if not row.inodes:
        _without_inodes(made)
    for side, doing in ((Side.LEFT, row.left), (Side.RIGHT, row.right)):
        for step in filter(None, map(str.strip, doing.split(";"))):
            _do(made, side, step)
    done = made.run()
    after = {Side.LEFT: row.after, Side.RIGHT: row.after if row.after_right is None else row.after_right}
    assert {side: show(made.trees[side]) for side in SIDES} == {side: normal(text) for side, text in after.items()}
    assert _moves(done) == row.moves.split()
    assert conflicts(done) == row.conflicts
    assert problems(done) == sorted(row.problems.split())
    assert trash(made) == sorted(row.trash.split())
    new = [action for action in done.actions if isinstance(action, PutFile) and action.expect is None]
    assert bool(new) == row.copies, new
    again = made.run()
    assert again.actions == []
    assert conflicts(again) == (row.conflicts if "None" in row.conflicts else "")
    assert made.run().actions == []


def _moves(done: Round) -> list[str]:
    moves = [action for action in done.actions if isinstance(action, Rename)]
    told = (f"{move.at.side.value[0].upper()}:{move.at.path}{'<>' if move.swap else '>'}{move.to}" for move in moves)
    return sorted(told)


def _do(made: World, side: Side, step: str) -> None:
    what, *said = step.split()
    tree = made.trees[side]
    if what == "rm":
        for gone in [each for each in tree if each == said[0] or each.startswith(f"{said[0]}/")]:
            del tree[gone]
    elif what == "mv":
        old, new = map(RelPath, said)
        tree.pop(new, None)
        made.make_parents(side, new)
        made.move(side, old, new)
    elif what == "swap":
        one, other, parked = RelPath(said[0]), RelPath(said[1]), RelPath("parked")
        for old, new in ((one, parked), (other, one), (parked, other)):
            made.move(side, old, new)
    elif what == "inode":
        kept = tree.pop(RelPath(said[0])).inode
        path, node, _ = parse(said[1], side)
        tree[path] = replace(made.stamp(node), inode=kept)
    else:
        path, node, _ = parse(said[0], side)
        made.make_parents(side, path)
        before = tree.get(path)
        in_place = what == "w" and before is not None
        tree[path] = made.touched(replace(node, inode=before.inode)) if in_place and before else made.stamp(node)


def _without_inodes(made: World) -> None:
    """Roots that give no inodes, as FAT and most network drives."""
    for side in SIDES:
        made.trees[side] = {path: replace(node, inode=0) for path, node in made.trees[side].items()}
        for row in made.rows.values():
            listing = row.listings[side]
            row.listings[side] = listing and {name: replace(entry, inode=0) for name, entry in listing.items()}
    for row in made.rows.values():
        agreed = {
            key: replace(item, left=replace(item.left, inode=0), right=replace(item.right, inode=0))
            for key, item in row.base.agreed.items()
        }
        row.base = replace(row.base, agreed=agreed)
    made.stamp = lambda node: replace(World.stamp(made, node), inode=0)  # type: ignore[method-assign]


def _mirrored(row: Row) -> Row:
    def swapped(words: str) -> str:
        return " ".join(sorted({"L": "R", "R": "L"}[word[0]] + word[1:] for word in words.split()))

    def other(words: str) -> str:
        for one, two in ((":left", ":right"), (":right", ":left")):
            if words.endswith(one):
                return words.removesuffix(one) + two
        return words

    return replace(
        row,
        left=row.right,
        right=row.left,
        after=row.after if row.after_right is None else row.after_right,
        after_right=None if row.after_right is None else row.after,
        moves=swapped(row.moves),
        conflicts=other(row.conflicts),
        problems=swapped(row.problems),
        trash=swapped(row.trash),
        abilities=(row.abilities[1], row.abilities[0]),
    )


def test_deletions_are_counted_after_renames() -> None:
    many = " ".join(f"d/f{number}={number}" for number in range(30))
    made = world(many, many, many, rules())
    made.move(Side.LEFT, RelPath("d"), RelPath("e"))
    assert [type(action) for action in made.run().actions] == [Rename]


def test_a_name_held_for_a_person_waits_for_as_long_as_it_takes() -> None:
    made = world("d/a=1", "d/a=1", "d/a=1", rules({PROPS: HOLD, CHANGED: HOLD}))
    made.move(Side.LEFT, RelPath("d"), RelPath("e"))
    made.move(Side.RIGHT, RelPath("d"), RelPath("f"))
    for _ in range(3):
        done = made.run()
        assert (done.actions, conflicts(done)) == ([], "d:props-both:None")
    made.move(Side.RIGHT, RelPath("f"), RelPath("e"))
    done = made.run()
    assert (done.actions, conflicts(done)) == ([], "")
    _do(made, Side.LEFT, "w e/a=2@9")
    made.run()
    assert show(made.trees[Side.RIGHT]) == "e/a=2@9"


def test_a_root_that_normalises_has_not_renamed() -> None:
    composed, apart = "\u00e9", "e\u0301"
    weak = Ability(names=NameRules(fold_unicode=True))
    made = world(f"{composed}=1", f"{composed}=1", f"{composed}=1", rules(right=weak))
    made.move(Side.RIGHT, RelPath(composed), RelPath(apart))
    assert made.run().actions == []
