"""Pairs whose job keeps the attributes of Windows in step, and the table of what becomes of them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e import disk
from tests.e2e.disk import DIR, File, Tree
from tests.e2e.forks import Forks
from tests.e2e.pair import Answer, Pair
from tests.fs.roots import SIMULATED

Letters = Mapping[str, str]
"""By path: `r`ead-only, `h`idden, `s`ystem; nothing for none of them."""

BITS = {"r": 1, "h": 2, "s": 4}
ARCHIVE = 0x20
"""A bit of the same word that is nobody's business here."""


class Hiding(Pair):
    """A pair whose job keeps them in step; `attribute` is the extended attribute that holds them."""

    def __init__(self, top: Path, parent: Forks, attribute: str, kind: str = "twoway", more: str = "") -> None:
        super().__init__(top, parent=parent)
        self.attribute, self.job_kind, self.more = attribute, kind, more
        self.config = top / "syncline.yaml"
        self.say("[mtime, mode, windows]")
        if attribute == SIMULATED:
            for root in (self.left, self.right):
                os.setxattr(root, attribute, bytes(4))  # on NTFS everything has it

    def say(self, properties: str) -> None:
        one, two = ("left", "right") if self.job_kind == "twoway" else ("source", "target")
        job = f"    kind: {self.job_kind}\n    {one}: {self.left}\n    {two}: {self.right}\n{self.more}"
        self.config.write_text(f"jobs:\n  pair:\n{job}    properties: {properties}\n", "utf-8")

    def do(self, *args: str, code: int | None = 0) -> Answer:
        assert self.parent is not None
        given = ("--state-dir", str(self.state), "--config", str(self.config), *args, "--json")
        forked = self.parent.call(*given, cwd=self.left.parent, attribute=self.attribute)
        answer = Answer(forked.code, forked.out, forked.err, forked.document if forked.out else {})
        assert code is None or answer.code == code, answer
        return answer

    def run(self, *args: str) -> list[tuple[str, str, str]]:
        return sorted(self.do("run", "pair", *args).actions)

    def marks(self) -> dict[str, str]:
        """What has some of them, the same on both sides."""
        left, right = (marks(root, self.attribute) for root in (self.left, self.right))
        assert left == right
        return left

    def in_step(self) -> None:
        self.write(left=BASE)
        mark(self.left, MARKED, self.attribute)
        self.run()
        assert self.marks() == MARKED
        assert self.run() == []


def mark(root: Path, letters: Letters, attribute: str) -> None:
    """Give each path these, and take away the others."""
    for path, said in letters.items():
        word = ARCHIVE | sum(BITS[letter] for letter in said)
        os.setxattr(root / path, attribute, word.to_bytes(4, "big"))


def marks(root: Path, attribute: str) -> dict[str, str]:
    """Those of all that has any."""
    found = {}
    for path in sorted(root.rglob("*")):
        if ".syncline" not in path.parts and (attribute != SIMULATED or attribute in os.listxattr(path)):
            word = int.from_bytes(os.getxattr(path, attribute), "big")
            found[str(path.relative_to(root))] = "".join(letter for letter, bit in BITS.items() if word & bit)
    return {path: said for path, said in found.items() if said}


@dataclass(frozen=True)
class Row:
    """What was done to both sides of a pair that was in step, what a run does, and what is marked how afterwards."""

    says: str
    left: Letters = field(default_factory=dict)
    right: Letters = field(default_factory=dict)
    edit_left: Tree = field(default_factory=dict)
    edit_right: Tree = field(default_factory=dict)
    does: tuple[str, ...] = ()
    then: Letters = field(default_factory=dict)
    conflicts: tuple[str, ...] = ()


BASE: Tree = {"a": "one", "b": "two", "d/c": "three", "e": DIR}
"""Of a system file of one byte that is not hidden, ntfs-3g makes a socket."""
MARKED = {"a": "h", "d": "h", "d/c": "rhs"}
SET = "set-properties"


def _but(**changed: str) -> dict[str, str]:
    return {path: said for path, said in {**MARKED, **changed}.items() if said}


TABLE = [
    Row("nothing happened", then=MARKED),
    Row("hidden on the left", {"b": "h"}, does=(f"{SET} right b",), then=_but(b="h")),
    Row("made a file of the system on the right", {}, {"a": "hs"}, does=(f"{SET} left a",), then=_but(a="hs")),
    Row("shown again", {"a": ""}, does=(f"{SET} right a",), then=_but(a="")),
    Row("a directory", {"d": "", "e": "h"}, does=(f"{SET} right d", f"{SET} right e"), then=_but(d="", e="h")),
    Row("the same on both sides", {"b": "r"}, {"b": "r"}, then=_but(b="r")),
    Row(
        "an edit meets a change of the other side",
        edit_left={"a": File("edited", at=90)},
        right={"a": "r"},
        does=("put-file right a", f"{SET} left a"),
        then=_but(a="r"),
    ),
    Row("an edit that keeps them", edit_left={"a": File("edited", at=90)}, does=("put-file right a",), then=MARKED),
    Row("deleted with them", edit_left={"a": None}, does=("trash right a",), then=_but(a="")),
    Row(
        "hiding saves from a deletion",
        {"b": "h"},
        edit_right={"b": None},
        does=("put-file right b",),
        then=_but(b="h"),
    ),
    Row(
        "both chose, the left one by policy",
        {"a": "r"},
        {"a": "s"},
        does=(f"{SET} right a",),
        then=_but(a="r"),
        conflicts=("a",),
    ),
    Row(
        "a new file and a new directory bring theirs",
        {"n": "h", "n/m": "rs"},
        edit_left={"n/m": "five"},
        does=("make-directory right n", "put-file right n/m"),
        then={**MARKED, "n": "h", "n/m": "rs"},
    ),
]


def _change(pair: Hiding, row: Row) -> None:
    pair.more = "    props_both: left\n"
    pair.say("[mtime, mode, windows]")
    pair.write(row.edit_left, row.edit_right)
    mark(pair.left, row.left, pair.attribute)
    mark(pair.right, row.right, pair.attribute)


def merged(pair: Hiding, row: Row) -> None:
    """What a row says comes true, and a further run has nothing to do."""
    pair.in_step()
    _change(pair, row)
    answer = pair.do("run", "pair")
    assert sorted(f"{kind} {side} {path}" for kind, side, path in answer.actions) == sorted(row.does)
    assert tuple(conflict["path"] for conflict in answer.document["conflicts"]) == row.conflicts
    assert pair.marks() == row.then
    pair.same()
    assert pair.run() == []


def undone(pair: Hiding, row: Row) -> None:
    """An undo gives all of it back, and its undo takes it again."""
    pair.in_step()
    _change(pair, row)
    before = _seen(pair)
    done = pair.do("run", "pair")
    after = _seen(pair)
    for expected in (before, after):
        done = pair.do("undo", done.document["run"], code=None)
        assert done.document["problems"] == []
        assert _seen(pair) == expected


def _seen(pair: Hiding) -> list[tuple[dict[str, str], dict[str, str]]]:
    return [(disk.read(root, properties=True), marks(root, pair.attribute)) for root in (pair.left, pair.right)]
