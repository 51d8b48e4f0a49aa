"""What takes back each action, in each situation: as the run left it, changed since, deleted since, its trash emptied.

A world here is text: `what stands at a name now`, `what is in the trash`. A version is one letter; `x` is what stood at
the name before the run, `y` what the run left, `u` what a user made of it since; `D` is a directory.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from syncline.core.model import (
    Action,
    Because,
    Entry,
    Kind,
    MakeDirectory,
    Place,
    PutFile,
    PutLink,
    Reason,
    RelPath,
    Remove,
    Rename,
    SetProperties,
    Side,
    Trash,
    Why,
)
from syncline.core.trail import Trail
from syncline.core.undo import (
    BringBack,
    Change,
    Done,
    GoesBack,
    Inverse,
    Nothing,
    Reset,
    Stays,
    TakeAway,
    Was,
    changes,
    inverse,
    kept_in_sight,
    trail,
    way_back,
)

AT, SOURCE = Place(Side.RIGHT, RelPath("a")), Place(Side.LEFT, RelPath("a"))
KEPT, CLASH = RelPath(".syncline/trash/R/a"), RelPath("a_clash_M")
NUMBERS = {letter: number for number, letter in enumerate("xyuz", 1)}


def version(letter: str, mode: int = 0o644) -> Entry:
    """A version of a file, or a directory."""
    if letter == "D":
        return Entry(Kind.DIRECTORY, mode=0o755 if mode == 0o644 else mode, inode=50)
    number = NUMBERS[letter]
    return Entry(Kind.FILE, 10 * number, 1000 * number, mode, 2000 * number, number, b"\1" + letter.encode())


def link(letter: str) -> Entry:
    return Entry(Kind.LINK, 1, 0, 0o777, NUMBERS[letter], NUMBERS[letter], letter.encode())


X, Y, U, D = version("x"), version("y"), version("u"), version("D")
LX, LY = link("x"), link("y")
Y600 = version("y", 0o600)
REASON = Because(Why.CHANGED, SOURCE, Y)


def put(expect: Entry | None, trash: RelPath | None = None, aside: RelPath | None = None, entry: Entry = Y) -> Done:
    return Done(PutFile(AT, expect, REASON, entry, SOURCE, entry, aside), entry, trash)


def put_link(expect: Entry | None, trash: RelPath | None = None) -> Done:
    return Done(PutLink(AT, expect, REASON, LY, SOURCE), LY, trash)


def directory(expect: Entry | None = None, trash: RelPath | None = None, mode: int = 0o644) -> Done:
    made = version("D", mode)
    return Done(MakeDirectory(AT, expect, REASON, made), made, trash)


def trashed(expect: Entry = X, trash: RelPath | None = KEPT) -> Done:
    return Done(Trash(AT, expect, REASON), None, trash)


def removed(expect: Entry) -> Done:
    return Done(Remove(AT, expect, REASON), None)


def properties(expect: Entry | None, entry: Entry) -> Done:
    return Done(SetProperties(AT, expect, REASON, entry), entry)


@dataclass(frozen=True)
class Eyes:
    """What stands where; a place is as the run left it when it shows the very same entry."""

    stands: dict[Place, Entry]

    def now(self, place: Place) -> Entry | None:
        return self.stands.get(place)

    def as_left(self, place: Place, left: Entry, *, content: bool) -> bool:
        return self.stands.get(place) == left

    def same_below(self, place: Place, kept: Place) -> bool:
        return self.stands.get(kept) is not None


@dataclass(frozen=True)
class Row:
    """`now`: what stands at the place. `kept`, `clash`: what stands in the trash, and under the clash name."""

    says: str
    steps: list[Done]
    now: Entry | None
    becomes: Inverse
    kept: Entry | None = None
    clash: Entry | None = None

    def __str__(self) -> str:
        return self.says

    def inverse(self) -> Inverse:
        at = {AT: self.now, Place(AT.side, KEPT): self.kept, Place(AT.side, CLASH): self.clash}
        (change,) = changes(self.steps, Trail([]))
        return inverse(change, Eyes({place: entry for place, entry in at.items() if entry is not None}))


def back(present: Entry | None, entry: Entry, copy: Entry | None = None, aside: bool = False) -> BringBack:
    place = None if copy is None else Place(AT.side, CLASH if aside else KEPT)
    return BringBack(AT, present, entry, place, copy, aside)


def stays(detail: str, reason: Reason = Reason.TARGET_CHANGED) -> Stays:
    return Stays(AT, reason, detail)


NOTHING = Nothing(AT)
CHANGED = stays("was changed since that run; it stays as it is")
TAKEN = stays("something else stands there now; it stays as it is")
DELETED = stays("was deleted since that run")
EMPTIED = stays("its earlier version is not there any more in the trash of that run", Reason.UNREADABLE)
OUTRIGHT = stays(
    "was deleted for good by that run, not moved to the trash (too large for it, or by wish)", Reason.UNREADABLE
)
NO_CLASH = stays("its earlier version is not there any more as a clash file", Reason.UNREADABLE)
CLASH_CHANGED = stays("its earlier version, the clash file a_clash_M, was changed since")

TABLE = [
    # a new file
    Row("a copy goes", [put(None)], Y, TakeAway(AT, Y)),
    Row("a copy that was edited stays", [put(None)], U, CHANGED),
    Row("a copy whose mode was changed stays", [put(None)], Y600, CHANGED),
    Row("a copy that became a folder stays", [put(None)], D, CHANGED),
    Row("a copy that is gone needs nothing", [put(None)], None, NOTHING),
    Row("a copied link goes", [put_link(None)], LY, TakeAway(AT, LY)),
    Row("a copied link that was changed stays", [put_link(None)], LX, CHANGED),
    # a replaced file
    Row("a replaced version comes back", [put(X, KEPT)], Y, back(Y, X, X), X),
    Row("a replaced version does not come over an edit", [put(X, KEPT)], U, CHANGED, X),
    Row("a replaced version does not come back where a user deleted", [put(X, KEPT)], None, DELETED, X),
    Row("a replaced version that stands there again needs nothing", [put(X, KEPT)], X, NOTHING, X),
    Row("a replaced version whose trash was emptied", [put(X, KEPT)], Y, EMPTIED),
    Row("a replaced version in whose place in the trash is something else", [put(X, KEPT)], Y, EMPTIED, D),
    Row("a replaced version that was not kept", [put(X)], Y, OUTRIGHT),
    Row("a replaced link comes back", [put_link(LX, KEPT)], LY, back(LY, LX, LX), LX),
    Row("a file that a link replaced comes back", [put_link(X, KEPT)], LY, back(LY, X, X), X),
    # a conflict
    Row("the loser of a conflict gets its name back", [put(X, aside=CLASH)], Y, back(Y, X, X, True), clash=X),
    Row("a clash file that was edited keeps its name", [put(X, aside=CLASH)], Y, CLASH_CHANGED, clash=U),
    Row("a clash file that is gone", [put(X, aside=CLASH)], Y, NO_CLASH),
    Row("the winner was edited since", [put(X, aside=CLASH)], U, CHANGED, clash=X),
    Row("the loser went to the trash, for its clash name was taken", [put(X, KEPT, CLASH)], Y, back(Y, X, X), X),
    # a deletion
    Row("a deleted file comes back", [trashed()], None, back(None, X, X), X),
    Row("a deleted folder comes back", [trashed(D)], None, back(None, D, D), D),
    Row("a deleted file in whose place a new one stands", [trashed()], U, TAKEN, X),
    Row("a deleted file that stands there again needs nothing", [trashed()], X, NOTHING, X),
    Row("a deleted file whose trash was emptied", [trashed()], None, EMPTIED),
    Row("a deleted folder that stands there again needs nothing", [trashed(D)], D, NOTHING, D),
    Row("a deleted folder in whose place another one stands", [trashed(D)], D, TAKEN),
    Row("a file that was deleted outright", [removed(X)], None, OUTRIGHT),
    Row("a file that was deleted outright and stands there again", [removed(X)], X, NOTHING),
    Row("an empty folder that was removed is made again", [removed(D)], None, back(None, D)),
    Row("an empty folder that was removed and stands there again", [removed(D)], D, NOTHING),
    Row("an empty folder in whose place a file stands", [removed(D)], U, TAKEN),
    # a folder
    Row("a folder that was made goes", [directory()], D, TakeAway(AT, D)),
    Row("a folder that was made and got another mode stays", [directory()], version("D", 0o700), CHANGED),
    Row("a folder that was made and is gone", [directory()], None, NOTHING),
    Row("a file that a folder replaced comes back", [directory(X, KEPT)], D, back(D, X, X), X),
    Row("a folder that a file replaced comes back", [trashed(D), put(None)], Y, back(Y, D, D), D),
    Row("an empty folder that a file replaced is made again", [removed(D), put(None)], Y, back(Y, D)),
    # properties
    Row("a mode is set back", [properties(Y, Y600)], Y600, Reset(AT, Y600, Y)),
    Row("a mode that was changed since stays", [properties(Y, Y600)], version("y", 0o755), CHANGED),
    Row("a mode that was set back by hand needs nothing", [properties(Y, Y600)], Y, NOTHING),
    Row("a file with another mode that was edited stays", [properties(Y, Y600)], U, CHANGED),
    Row("a file with another mode that was deleted", [properties(Y, Y600)], None, DELETED),
    Row("the mode of a folder is set back", [properties(D, version("D", 0o700))], version("D", 0o700),
        Reset(AT, version("D", 0o700), D)),
    # several actions at one place
    Row("a copy with another mode goes", [put(None), properties(None, Y600)], Y600, TakeAway(AT, Y600)),
    Row("a folder that was made and closed goes", [directory(), properties(None, version("D", 0o500))],
        version("D", 0o500), TakeAway(AT, version("D", 0o500))),
    Row("a folder that was opened and closed again needs nothing",
        [properties(version("D", 0o500), D), properties(None, version("D", 0o500))], version("D", 0o500), NOTHING),
    Row("a version that got a mode and was replaced comes back with its own",
        [properties(X, version("x", 0o600)), put(version("x", 0o600), KEPT)], Y, back(Y, X, version("x", 0o600)),
        version("x", 0o600)),
]  # fmt: skip


@pytest.mark.parametrize("row", TABLE, ids=str)
def test_the_inverse_of_each_action(row: Row) -> None:
    assert row.inverse() == row.becomes


def test_each_place_is_one_change_in_the_order_of_the_run() -> None:
    other = Place(Side.LEFT, RelPath("b"))
    first: Action = SetProperties(other, X, REASON, Y)
    found = changes([Done(first, Y), put(None), Done(Trash(other, Y, REASON), None, RelPath("t"))], Trail([]))
    assert [change.at for change in found] == [other, AT]
    assert isinstance(found[0], Change)
    assert (found[0].was.entry, found[0].was.kept, found[0].became) == (X, Place(Side.LEFT, RelPath("t")), None)


# names

B = Place(AT.side, RelPath("b"))
A_TO_B = Rename(AT, B.path, X, REASON)
A_FOR_B = Rename(AT, B.path, X, REASON, over=Y, swap=True)
D2 = replace(D, inode=51)


@dataclass(frozen=True)
class Back:
    """`a` was renamed to `b`, or changed places with it; `at` and `to`: what stands there now."""

    says: str
    at: Entry | None
    to: Entry | None
    becomes: str
    rename: Rename = A_TO_B
    free: bool = False

    def __str__(self) -> str:
        return self.says


BACKS = [
    Back("a file", None, X, "back"),
    Back("a file with another mode", None, version("x", 0o600), "back"),
    Back("a folder", None, D, "back", Rename(AT, B.path, D, REASON)),
    Back("another folder under the new name", None, D2, "it was changed since", Rename(AT, B.path, D, REASON)),
    Back("a file that was edited", None, U, "it was changed since"),
    Back("a file that is gone", None, None, "it is not there any more"),
    Back("a file with its earlier name again", X, None, "nothing"),
    Back("a file whose earlier name is taken", U, X, "its earlier name is taken by something that stays"),
    Back("a file whose earlier name is taken by what goes", U, X, "back", free=True),
    Back("a file with its earlier name again, and another under the new one", X, U, "nothing"),
    Back("two names that were changed", Y, X, "swap", A_FOR_B),
    Back("two names that were changed back", X, Y, "nothing", A_FOR_B),
    Back("two names that were changed, one was edited", U, X, "it was changed since", A_FOR_B),
    Back("two names that were changed, one is gone", Y, None, "it is not there any more", A_FOR_B),
]


@pytest.mark.parametrize("row", BACKS, ids=str)
def test_the_inverse_of_each_rename(row: Back) -> None:
    found = way_back(row.rename, (row.rename.expect, row.rename.over), row.at, row.to, free=row.free)
    told = {"back": row.to and GoesBack(row.to), "swap": row.to and GoesBack(row.to, row.at), "nothing": NOTHING}
    assert found == told.get(row.becomes, stays(row.becomes))


def right(path: str) -> Place:
    return Place(Side.RIGHT, RelPath(path))


def moves(*pairs: str) -> Trail:
    """`a>b` is a rename, `a<>b` a swap."""
    found = []
    for pair in pairs:
        at, _, to = pair.partition(">")
        swap = at.endswith("<")
        found.append(Rename(right(at.rstrip("<")), RelPath(to), X, REASON, over=Y if swap else None, swap=swap))
    return Trail(found)


TRAILS = [
    (("a>b",), "b", "a", None),
    (("a>b",), "a", "a", 0),
    (("a>b",), "a/x", "a/x", 0),
    (("a>b",), "c", "c", None),
    (("a>b",), "ab", "ab", None),
    (("p>q", "q/x>y"), "y", "p/x", None),
    (("p>q", "q/x>y"), "q/z", "p/z", None),
    (("p>q", "q/x>y"), "q/x", "q/x", 1),
    (("b>c", "a>b"), "b", "a", None),
    (("b>c", "a>b"), "a", "a", 1),
    (("a<>b",), "a/x", "b/x", None),
    (("a<>b", "a<>c"), "a", "c", None),
    (("a<>b", "a<>c"), "c", "b", None),
    (("a<>b", "a<>c"), "b", "a", None),
]


@pytest.mark.parametrize(("pairs", "now", "start", "freed"), TRAILS)
def test_where_a_thing_stood_before_the_renames(
    pairs: tuple[str, ...], now: str, start: str, freed: int | None
) -> None:
    trail = moves(*pairs)
    assert trail.start_of(right(now), trail.end) == (right(start), freed)
    if freed is None:
        assert trail.now_of(right(start)) == right(now)


def test_a_name_a_rename_led_to_had_been_free() -> None:
    assert moves("a>b").now_of(right("b")) is None
    assert moves("a>b").now_of(right("b"), 0, {0}) == right("b")
    assert moves("a>b").now_of(right("b"), 1) == right("b")


def test_renames_that_belong_together() -> None:
    trail = moves("a>b", "c>d", "b/x>e", "f>g", "e>f")
    assert trail.together({0}) == {0, 2, 3, 4}
    assert trail.together({1}) == {1}


def test_what_came_to_a_freed_name_and_what_the_renamed_thing_became_are_two_changes() -> None:
    steps = [
        Done(A_TO_B, X),
        put(None),
        Done(SetProperties(B, X, REASON, version("x", 0o600)), version("x", 0o600)),
        Done(SetProperties(right("z"), None, REASON, D), D),
    ]
    found = changes(steps, trail(steps))
    assert [(change.at, change.freed, change.was.entry) for change in found] == [(AT, 0, None), (AT, None, X)]


def test_what_a_rename_replaced_comes_back_to_the_new_name() -> None:
    steps = [Done(replace(A_TO_B, over=U), X, KEPT)]
    (found,) = changes(steps, trail(steps))
    assert (found.at, found.freed, found.was.entry, found.was.kept) == (B, None, U, Place(Side.RIGHT, KEPT))
    assert found.became is None


@dataclass(frozen=True)
class Tied:
    """Changes of a run (name, group, what stood there, what takes it back), and the names that are kept."""

    says: str
    changes: tuple[tuple[str, str | None, Entry | None, Inverse | None], ...]
    kept: set[str]

    def __str__(self) -> str:
        return self.says


def gone(name: str) -> TakeAway:
    return TakeAway(right(name), Y)


def left_there(name: str) -> Stays:
    return Stays(right(name), Reason.TARGET_CHANGED, "was deleted since that run")


TIED = [
    Tied("the clash file of a name that stays", (("a", "a", X, left_there("a")), ("c", "a", None, gone("c"))), {"c"}),
    Tied("in any order", (("c", "a", None, gone("c")), ("a", "a", X, left_there("a"))), {"c"}),
    Tied("a name that stays renamed", (("a", "a", X, None), ("c", "a", None, gone("c"))), {"c"}),
    Tied("a name that comes back", (("a", "a", X, back(Y, X, X)), ("c", "a", None, gone("c"))), set()),
    Tied("a name that is as it was", (("a", "a", X, Nothing(AT)), ("c", "a", None, gone("c"))), set()),
    Tied("another conflict", (("a", "a", X, left_there("a")), ("c", "b", None, gone("c"))), set()),
    Tied("nothing that belongs together", (("a", None, X, left_there("a")), ("c", None, None, gone("c"))), set()),
    Tied("a clash file that stays itself", (("a", "a", X, back(Y, X)), ("c", "a", None, left_there("c"))), set()),
    Tied("one of two clash files that stays", (("b", "a", None, left_there("b")), ("c", "a", None, gone("c"))), set()),
    Tied("the other side of the same name", (("a", "a", X, left_there("a")), ("a", "a", None, gone("a"))), set()),
]


@pytest.mark.parametrize("case", TIED, ids=str)
def test_what_has_a_version_that_does_not_come_back_is_kept(case: Tied) -> None:
    decided = [
        (Change(right(name), Was(was), Y, None, None if group is None else RelPath(group)), step)
        for name, group, was, step in case.changes
    ]
    assert {str(stays.at.path) for _, stays in kept_in_sight(decided)} == case.kept
