"""What is as it was on both sides is not looked at: every plan is the one that looking at it would have made."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from syncline.core import listing
from syncline.core.model import SIDES, Agreed, BaseDirectory, Entry, Hold, Kind, RelPath, Side, Unagreed
from syncline.core.names import NameRules, folding
from syncline.core.policy import Ability, Extras
from syncline.core.steady import Steady, meet, tell_apart
from syncline.core.trees import Triple
from tests.core.test_merge_properties import Step, _drawn, base_texts, steps
from tests.core.world import rules


@settings(max_examples=400, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(base_texts, steps, steps)
def test_the_plan_is_the_one_that_looking_at_all_would_make(base: str, left: list[Step], right: list[Step]) -> None:
    made = _drawn(base, left, right, rules())
    quick, whole = made.plan(), replace(made, trusting=False).plan()
    assert quick.actions == whole.actions
    assert quick.conflicts == whole.conflicts
    assert quick.problems == whole.problems


@settings(max_examples=400, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(base_texts, steps, steps, st.booleans())
def test_a_first_meeting_is_the_one_that_looking_at_all_would_make(
    base: str, left: list[Step], right: list[Step], mirror: bool
) -> None:
    made = _drawn(base, left, right, rules(quick=True, extras=Extras.KEEP if mirror else None))
    made.rows = {}
    whole = replace(deepcopy(made), trusting=False)
    quick, slow = made.run(), whole.run()
    assert quick.actions == slow.actions
    assert quick.conflicts == slow.conflicts
    assert quick.problems == slow.problems
    assert made.rows == whole.rows


PLAIN, FOLDED = NameRules(), NameRules(fold_case=True)
FILE = Entry(Kind.FILE, 5, 10, 0o644, 11, 1)
FOLDER = Entry(Kind.DIRECTORY, mode=0o755, inode=2)
LINK = Entry(Kind.LINK, 1, 10, 0o777, 11, 3)
LARGE = replace(FILE, size=101)


def _agreed(name: str, entry: Entry = FILE, **marks: object) -> Agreed:
    return replace(Agreed(name, name, replace(entry, content=b"\1c"), replace(entry, content=b"\1c")), **marks)  # type: ignore[arg-type]


# What was on both sides, what is on the left now (the right is as it was), and the names that are then looked at.
ROWS = {
    "nothing is different": (["a", "b"], {"a": FILE, "b": FILE}, PLAIN, set()),
    "one was written": (["a", "b"], {"a": replace(FILE, mtime_ns=20), "b": FILE}, PLAIN, {"a"}),
    "one had its status changed": (["a", "b"], {"a": replace(FILE, ctime_ns=20), "b": FILE}, PLAIN, {"a"}),
    "one was deleted": (["a", "b"], {"b": FILE}, PLAIN, {"a"}),
    "one was made": (["a"], {"a": FILE, "b": FILE}, PLAIN, {"b"}),
    "one was made that is the same name where case means nothing": (
        ["a", "b"],
        {"a": FILE, "A": FILE, "b": FILE},
        FOLDED,
        {"a", "A"},
    ),
    "one was made whose case differs, and means something": (["a"], {"a": FILE, "A": FILE}, PLAIN, {"A"}),
    "one became a link": (["a", "b"], {"a": Entry(Kind.LINK, 5, 10, 0o777, 11, 1), "b": FILE}, PLAIN, {"a"}),
}


@pytest.mark.parametrize("row", ROWS)
def test_names_that_are_looked_at(row: str) -> None:
    names, left, named, apart = ROWS[row]
    fold = folding(named, named)
    before = dict.fromkeys(names, FILE)
    base = BaseDirectory({fold(name): _agreed(name) for name in names})
    found = _told(left, before, base, named)
    steady = found.steady
    assert (set(left) | set(names)) - (set(steady.names()) if steady is not None else set()) == apart
    assert set(found.base.agreed) == {fold(name) for name in apart & set(names)}
    assert [found.whole(side) for side in SIDES] == [left, before]
    assert found.complete(fold) == Triple(found.left_path, found.right_path, None, base, left, before)


# What is remembered of a name that is as it was, and whether it is looked at nevertheless.
MARKS = {
    "agreed": (_agreed("a"), False),
    "agreed unread": (replace(_agreed("a", unverified=True), left=FILE, right=FILE), False),
    "a change of it on the left could hide": (_agreed("a", racy_left=True), True),
    "a change of it on the right could hide": (_agreed("a", racy_right=True), True),
    "a folder": (replace(_agreed("a"), left=FOLDER, right=FOLDER), True),
    "held": (Unagreed("a", Hold.WAITING), True),
}


@pytest.mark.parametrize("row", MARKS)
def test_names_that_are_looked_at_for_what_is_remembered(row: str) -> None:
    remembered, looked_at = MARKS[row]
    agreed = isinstance(remembered, Agreed)
    entry = replace(remembered.left, content=None) if isinstance(remembered, Agreed) else FILE
    base = BaseDirectory({"a": remembered} if agreed else {}, {} if agreed else {"a": remembered})  # type: ignore[dict-item]
    found = _told({"a": entry, "b": FILE}, {"a": entry}, base, PLAIN)
    assert (found.steady is None) is looked_at


OTHER = replace(FILE, ctime_ns=77, inode=88)

# What meets for the first time on the left and on the right, and the names that are looked at.
MEETINGS = {
    "files that are alike": ({"a": FILE, "b": FILE}, {"a": OTHER, "b": OTHER}, PLAIN, set()),
    "another time": ({"a": FILE, "b": FILE}, {"a": replace(OTHER, mtime_ns=11), "b": OTHER}, PLAIN, {"a"}),
    "another size": ({"a": FILE, "b": FILE}, {"a": replace(OTHER, size=6), "b": OTHER}, PLAIN, {"a"}),
    "another mode": ({"a": FILE, "b": FILE}, {"a": replace(OTHER, mode=0o600), "b": OTHER}, PLAIN, {"a"}),
    "another owner": (
        {"a": replace(FILE, owner=1), "b": FILE},
        {"a": replace(OTHER, owner=2), "b": OTHER},
        PLAIN,
        {"a"},
    ),
    "one side does not show the owner": (
        {"a": replace(FILE, owner=1), "b": FILE},
        {"a": OTHER, "b": OTHER},
        PLAIN,
        {"a"},
    ),
    "on one side only": ({"a": FILE, "b": FILE}, {"b": OTHER, "c": OTHER}, PLAIN, {"a", "c"}),
    "folders and links": ({"a": FOLDER, "b": FILE, "c": LINK}, {"a": FOLDER, "b": OTHER, "c": LINK}, PLAIN, {"a", "c"}),
    "one name where case means nothing": ({"A": FILE, "b": FILE}, {"a": OTHER, "b": OTHER}, FOLDED, {"A", "a"}),
    "two names that are one": ({"A": FILE, "a": FILE, "b": FILE}, {"a": OTHER, "b": OTHER}, FOLDED, {"A", "a"}),
    "out of scope": ({"a.tmp": FILE, "b": FILE}, {"a.tmp": OTHER, "b": OTHER}, PLAIN, {"a.tmp"}),
    "too large for one side": ({"a": LARGE, "b": FILE}, {"a": LARGE, "b": OTHER}, PLAIN, {"a"}),
}


@pytest.mark.parametrize("row", MEETINGS)
def test_names_that_are_looked_at_when_they_meet(row: str) -> None:
    left, right, named, apart = MEETINGS[row]
    given_rules = rules(
        quick=True, ignored=lambda path, _: path.endswith(".tmp"), left=Ability(names=named), right=Ability(largest=100)
    )
    packed, fold = (listing.pack(left), listing.pack(right)), given_rules.fold()
    on_left, on_right, steady = meet(*packed, (RelPath("d"), RelPath("d")), given_rules, fold)
    assert steady is not None
    assert (left.keys() | right.keys()) - set(steady.names()) == apart
    shown = (listing.unpack(on_left), listing.unpack(on_right))
    assert shown == ({n: left[n] for n in left if n in apart}, {n: right[n] for n in right if n in apart})
    *written, size = steady.packed(*shown, BaseDirectory(), fold)
    met = [name for name in left if name not in apart]
    agreed = {fold(name): Agreed(name, name, left[name], right[name], unverified=True) for name in met}
    assert written == [*packed, listing.pack_base(left, right, BaseDirectory(agreed), fold)]
    assert (steady.files, size) == (len(met), sum(left[name].size for name in met))


def test_what_is_written_is_what_writing_all_would_be() -> None:
    before = {name: replace(FILE, inode=number) for number, name in enumerate("bdf")}
    base = BaseDirectory({name: _agreed(name, entry) for name, entry in before.items()})
    found = _told({**before, "d": replace(FILE, mtime_ns=30)}, before, base, PLAIN)
    assert found.steady is not None
    new = {"a": FILE, "d": replace(FILE, size=9, mtime_ns=30), "e": FILE}
    held = {"e": Unagreed("e", Hold.FAILED)}
    beside = BaseDirectory({name: _agreed(name, new[name]) for name in "ad"}, held)
    *packed, size = found.steady.packed(new, new, beside, folding(PLAIN, PLAIN))
    all_of_it = {**before, **new}
    whole = BaseDirectory({**{name: base.agreed[name] for name in "bf"}, **beside.agreed}, held)
    assert packed == [
        listing.pack(all_of_it),
        listing.pack(all_of_it),
        listing.pack_base(all_of_it, all_of_it, whole, folding(PLAIN, PLAIN)),
    ]
    assert (found.steady.files, size) == (2, 10)


def _told(left: dict[str, Entry], before: dict[str, Entry], base: BaseDirectory, named: NameRules) -> Triple:
    fold = folding(named, named)
    packed = listing.seal(listing.pack(before))
    was = packed, packed, listing.seal(listing.pack_base(before, before, base, fold))
    steady: Steady | None
    known, on_left, on_right, steady = tell_apart(listing.pack(left), None, was, fold)
    looks = listing.Packed(on_left), listing.Packed(on_right)
    assert steady is None or steady.payload(Side.RIGHT) == listing.pack(before)
    return Triple(RelPath("d"), RelPath("d"), None, known, *looks, steady=steady)
