"""A case as plain data: options of the job and a list of operations, drawn from a seed, kept as JSON.

An operation is a list whose first member is its name. What it cannot do in the world as it stands it leaves undone, so
that any part of a case is a case. `s` is a side, `p` and `q` paths; a user's operations come first.

    write s p size     sneak s p (same size, time put back)   rewrite s p (same size)    grow s p    touch s p
    chmod s p mode     date s p second (of its time)          clock seconds (it is set forward or back)
    chown s p number   xattr s p name value (empty: none)          windows s p attributes (read-only, hidden, system)
    delete s p         move s p q                             swap s p q                 mkdir s p   link s p target
    hardlink s p q     fifo s p                               wipe s                     bulk s n    thin s n
    sync how           how: {}, {"crash": k}, {"edit": [k, operation]} (before the k-th call), {"late": [k, operation]}
                       (before the k-th call that changes something), {"beside": [kind, n, operation]} (before the
                       n-th call of that kind; its side and path are @side and @path),
                       {"fault": [kind, n, error, lasting]}
    resolve keep n how (the n-th open conflict; 0: all)   put-back n p how (the n-th of the trash, as p)
    empty how (the trash)                                 undo how (the last run)
    verify percent     plan  lose  keep  restore  garble how n (the state)   unmark s (its marker)      set option value
"""

from __future__ import annotations

import json
import random
import unicodedata
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from syncline.core.names import NameRules

Op = list[Any]

NAMES = (
    "a",
    "b",
    "A",
    "d",
    "d/a",
    "d/b",
    "d/e",
    "d/e/c",
    "e/a",
    "é",
    "e\u0301",
    "x\ny",
    ".hid",
    "-n",
    "\udcff",
    "n" * 255,
    "a_clash_202601010000",
    "d/.syncline/f",
    "t.tar.gz",
)
COMMON = 9
"""The first so many names are drawn most of the time: collisions find faults."""

SIDES = ("left", "right")
SIZES = (24, 24, 24, 25, 4096)
LARGE = (1 << 20) + 1
MODES = (0o644, 0o600, 0o640, 0o755)
NO_WRITING = 0o555
"""Of folders only where the users are root; others could not work there any more."""
EMPTY, CLOSED = 0.08, 0.05
"""How many of the cases have empty files, and folders nobody may write to."""
TROUBLED = 0.4
"""How many of the undos that run to their end meet trouble on the way."""
TWO_NAMES = 0.04
"""How many of the cases have a thing that each side renames, under `hold`."""
TWO = ("a", "b", "x", "d/z", "e/a", "f", "w/v")
OWNERS = (0, 1, 2)
DATES = (-1, 0, 86_400, 2**31 + 5, 2**33)
"""Before 1970, at its beginning, on its second day, beyond what 32 bits hold, in 2242."""
JUMPS = (-315_360_000, -3600, 3600, 315_360_000)
"""An hour and ten years, back and forth."""
ERRORS = ("EIO", "ENOSPC", "EACCES", "ENOENT", "ESTALE", "EMFILE", "EROFS", "EBUSY", "EPERM", "EDQUOT", "EFBIG")
LOOKING = ("listing", "listing", "listing", "entry", "open", "read", "read-link", "names")
CHANGING = ("create", "write", "finish", "rename", "exchange", "make-directory", "make-link", "set-properties", "flush")
KEEPS = ("left", "right", "both", "newest")
WEAK: dict[str, dict[str, Any]] = {
    "no exchange": {"exchange": False},
    "no names for good": {"exchange": False, "no_replace": False},
    "no second names": {"exchange": False, "no_replace": False, "hard_links": False},
}
"""What a file system may be unable to do; the promises hold all the same."""
COATS: dict[str, dict[str, Any]] = {
    "one case": {"names": NameRules(fold_case=True)},
    "one form": {"names": NameRules(fold_unicode=True)},
    "as Apple's": {
        "exchange": False,
        "no_replace": False,
        "names": NameRules(fold_case=True, fold_unicode=True),
    },
    "as Windows'": {
        "exchange": False,
        "no_replace": False,
        "names": NameRules(
            fold_case=True, simple_case=True, forbidden='"*/:<>?\\|', trailing_dot_space=False, reserved=True
        ),
    },
    "short names": {"names": NameRules(max_bytes=64, utf8_only=True)},
}
"""What a file system may make of names: those that it takes for one, and those that it refuses."""
COATED = 0.2
"""How many of the cases have a root in such a coat."""
ODD_NAMES = ("x:y", "con", "d/e.", "Nul.txt", "q?", ".SYNCLINE", ".SYNCLINE/root.json", "d/" + "m" * 100)
"""Names that one or the other coat does not take."""
POLICIES = ("keep-both", "newest", "oldest", "largest", "left", "right", "hold")


@dataclass(frozen=True, slots=True)
class Case:
    """What is played: a layer, the kind of job and its options, the operations, how many actions the engine takes in
    one batch (None: as ever), and what roots cannot do: both of them (of `WEAK`), or each side (of `WEAK`, `COATS`)."""

    seed: int
    layer: str = "L1"
    kind: str = "twoway"
    options: dict[str, Any] = field(default_factory=dict)
    ops: tuple[Op, ...] = ()
    batch: int | None = None
    weak: str | dict[str, str] | None = None

    def lacking(self, side: str) -> dict[str, Any]:
        """What the root of a side is not capable of, by the fields of its capabilities."""
        said = self.weak.get(side) if isinstance(self.weak, dict) else self.weak
        return {**WEAK, **COATS}[said] if said else {}

    def to_json(self) -> str:
        head = {name: value for name, value in asdict(self).items() if name != "ops"}
        body = ",\n".join(f"  {json.dumps(op)}" for op in self.ops)
        return json.dumps(head)[:-1] + f', "ops": [\n{body}\n]}}\n'

    @classmethod
    def from_json(cls, text: str) -> Case:
        data = json.loads(text)
        head = (data["seed"], data["layer"], data["kind"], data["options"], tuple(data["ops"]))
        return cls(*head, data.get("batch"), data.get("weak"))


def drawn(seed: int, layer: str = "L1") -> Case:
    """The case of a seed; for the planner (L0) the seed is all."""
    if layer == "L0":
        return Case(seed, layer)
    case = _Draw(random.Random(f"{layer}:{seed}")).case(seed, layer)  # noqa: S311  # a game of chance, no secret
    if layer == "L3":
        return case
    case = _kept(case, random.Random(f"kept:{layer}:{seed}"))  # noqa: S311
    case = _with_windows(case, random.Random(f"windows:{layer}:{seed}"))  # noqa: S311
    case = _with_empty_files(case, random.Random(f"empty:{layer}:{seed}"))  # noqa: S311
    case = _with_closed_folders(case, random.Random(f"closed:{layer}:{seed}"))  # noqa: S311
    case = _with_two_names(case, random.Random(f"names:{layer}:{seed}"))  # noqa: S311
    case = _with_troubled_undos(case, random.Random(f"undo:{layer}:{seed}"))  # noqa: S311
    return _with_coats(case, random.Random(f"cloak:{layer}:{seed}"))  # noqa: S311


def _kept(case: Case, chance: random.Random) -> Case:
    """The case with contents verified between its operations, with few versions kept, or with owners and extended
    attributes; from a chance of its own, so that the rest of the case stays what it was."""
    ops = list(case.ops)
    for _ in range(chance.choice((0, 0, 1, 2))):
        ops.insert(chance.randint(0, len(ops)), ["verify", chance.choice((100, 100, 30))])
    kept: dict[str, Any] = {"versions": {"keep": chance.choice((1, 2, 3))}} if chance.random() < 0.15 else {}
    if chance.random() < 0.25:
        kept["properties"] = ["mtime", "mode", *chance.choice((("owner",), ("xattr",), ("xattr",), ("owner", "xattr")))]
        paths = _named(ops)
        for _ in range(chance.choice((1, 2, 3, 5))):
            side, path, what = chance.choice(SIDES), chance.choice(paths), chance.choice(kept["properties"][2:])
            op = ["chown", side, path, chance.choice(OWNERS)]
            if what == "xattr":
                op = ["xattr", side, path, chance.choice(("a", "b")), chance.choice(("", "1", "2", "x" * 300))]
            meanwhile = case.layer == "L1" and chance.random() < 0.15
            ops.insert(
                chance.randint(0, len(ops)), ["sync", {"late": [chance.randint(17, 48), op]}] if meanwhile else op
            )
    return replace(case, ops=tuple(ops), options={**case.options, **kept})


def _with_windows(case: Case, chance: random.Random) -> Case:
    """A few of the cases also with the attributes of Windows, from a chance of its own."""
    if chance.random() >= 0.08:
        return case
    ops, properties = list(case.ops), case.options.get("properties", ["mtime", "mode"])
    paths = _named(ops)
    for _ in range(chance.choice((1, 2, 3, 5))):
        op = ["windows", chance.choice(SIDES), chance.choice(paths), chance.choice((0, 1, 2, 3, 4, 6, 7))]
        ops.insert(chance.randint(0, len(ops)), op)
    return replace(case, ops=tuple(ops), options={**case.options, "properties": [*properties, "windows"]})


def _with_empty_files(case: Case, chance: random.Random) -> Case:
    """In a few of the cases some files are empty, from a chance of its own."""
    if chance.random() >= EMPTY:
        return case
    ops = [[*op[:3], 0] if op[0] == "write" and chance.random() < 0.4 else op for op in case.ops]
    return replace(case, ops=tuple(ops))


def _with_closed_folders(case: Case, chance: random.Random) -> Case:
    """In a few of the cases nobody may write to some folders, from a chance of its own."""
    if chance.random() >= CLOSED:
        return case
    ops = list(case.ops)
    folders = [path.rpartition("/")[0] for path in _named(ops) if "/" in path]
    folders = folders + [op[2] for op in ops if op[0] == "mkdir"] or ["d"]
    for _ in range(chance.choice((1, 2, 3, 5))):
        op = ["chmod", chance.choice(SIDES), chance.choice(folders), NO_WRITING]
        ops.insert(chance.randint(0, len(ops)), op)
    return replace(case, ops=tuple(ops))


def _with_two_names(case: Case, chance: random.Random) -> Case:
    """In a few of the cases both sides rename one thing, each to a name of its own, and a person says which one it has,
    from a chance of its own."""
    if case.kind != "twoway" or chance.random() >= TWO_NAMES:
        return case
    draw, ops = _Draw(chance), list(case.ops)
    draw.last = _named(ops)[-3:]
    for _ in range(chance.choice((1, 1, 2))):
        path = chance.choice(draw.last)
        said = chance.choice((KEEPS[0], KEEPS[1], chance.choice(KEEPS)))
        how = chance.choice(({}, {}, {"crash": draw._moment()}, draw.trouble() if case.layer == "L1" else {}))
        apart: list[Op] = [["sync", {}], *(["move", side, path, chance.choice(TWO)] for side in SIDES), ["sync", {}]]
        apart += [draw._edit() for _ in range(chance.choice((0, 0, 0, 1)))]
        apart.append(["resolve", said, chance.choice((0, 1, 2)), how])
        if chance.random() < 0.3:
            apart.append(["undo", {}])
        at = chance.randint(0, len(ops))
        ops[at:at] = apart
    return replace(case, ops=tuple(ops), options={**case.options, "props_both": "hold"})


def _with_troubled_undos(case: Case, chance: random.Random) -> Case:
    """Some of the undos that nothing befalls meet an error, or users who edit meanwhile, from a chance of its own."""
    if case.layer != "L1":
        return case
    draw = _Draw(chance)
    draw.last = _named(case.ops)[-3:]
    ops = [["undo", draw.trouble()] if op == ["undo", {}] and chance.random() < TROUBLED else op for op in case.ops]
    return replace(case, ops=tuple(ops))


def _with_coats(case: Case, chance: random.Random) -> Case:
    """Some of the cases with a root, or two, that takes several names for one or refuses some, and with such names;
    from a chance of its own."""
    if chance.random() >= COATED:
        return case
    weak = {side: case.weak for side in SIDES if isinstance(case.weak, str)}
    for side in chance.choice((("left",), ("right",), ("right",), SIDES)):
        weak[side] = chance.choice(tuple(COATS))
    ops = [_respelled(op, chance) if chance.random() < 0.25 else op for op in case.ops]
    for _ in range(chance.choice((1, 2, 3, 5))):
        side, path = chance.choice(SIDES), chance.choice(_named(ops))
        odd = chance.choice(ODD_NAMES)
        more: Sequence[Op] = (
            ["move", side, path, _otherwise(path, chance)],
            ["write", side, _otherwise(path, chance), chance.choice(SIZES)],
            ["write", side, odd, 24],
            ["move", side, path, odd],
            ["swap", side, path, _otherwise(path, chance)],
        )
        ops.insert(chance.randint(0, len(ops)), chance.choices(more, (4, 4, 2, 1, 1))[0])
    return replace(case, ops=tuple(ops), weak=weak)


_OF_ONE_PATH = ("write", "rewrite", "sneak", "grow", "touch", "chmod", "delete", "mkdir", "link", "fifo")
_OF_TWO = ("move", "swap", "hardlink")


def _respelled(op: Op, chance: random.Random) -> Op:
    """An operation of a user with one of its names spelled otherwise."""
    if op[0] not in _OF_ONE_PATH + _OF_TWO:
        return op
    at = chance.choice((2, 3)) if op[0] in _OF_TWO else 2
    return [*op[:at], _otherwise(op[at], chance), *op[at + 1 :]]


def _otherwise(path: str, chance: random.Random) -> str:
    """Another spelling of a path: in the other case, wholly or in one of its names, or in the other form of Unicode."""
    names = path.split("/")
    for at in (chance.randrange(len(names)),) if chance.random() < 0.7 else range(len(names)):
        composed = unicodedata.normalize("NFC", names[at])
        other = composed if composed != names[at] else unicodedata.normalize("NFD", names[at])
        names[at] = other if other != names[at] and chance.random() < 0.7 else names[at].swapcase()
    return "/".join(names)


def _named(ops: Sequence[Op]) -> list[str]:
    """The paths at which something is likely to stand."""
    return [op[2] for op in ops if op[0] in ("write", "rewrite", "mkdir", "move", "touch")] or ["a"]


class _Draw:
    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.last: list[str] = []

    def case(self, seed: int, layer: str) -> Case:
        chance = self.chance
        kind = "mirror" if chance.random() < 0.12 else "twoway"
        options: dict[str, Any] = {"compare": "hash" if chance.random() < 0.7 else "quick"}
        if layer == "L3" and kind == "mirror":
            options = {}
        if kind == "twoway" and chance.random() < 0.2:
            for rule in ("changed_both", "created_both"):
                options[rule] = chance.choice(POLICIES)
        if chance.random() < 0.03:
            return Case(seed, layer, kind, options, tuple(self._crowd()))
        ops = [self._edit() if chance.random() < 0.3 else self._creation() for _ in range(chance.randint(2, 7))]
        if chance.random() < 0.85:
            ops.append(["sync", {}])
        for _ in range(chance.choice((1, 1, 2, 3))):
            for _ in range(chance.randint(1, 6)):
                ops += self._conflict() if chance.random() < 0.15 else [self._edit()]
            ops += self._engine(layer)
            if chance.random() < 0.2:
                ops += self._errand(layer)
        batch = chance.choice((None, None, None, 1, 2))
        weak = chance.choice(tuple(WEAK)) if layer != "L3" and chance.random() < 0.12 else None
        return Case(seed, layer, kind, options, tuple(ops), batch, weak)

    def _conflict(self) -> list[Op]:
        """Both users at one name."""
        name = self._name()
        kinds = [self.chance.choice(("write", "write", "rewrite", "grow", "delete")) for _ in SIDES]
        return [[kind, side, name, *([24] if kind == "write" else [])] for kind, side in zip(kinds, SIDES, strict=True)]

    def _crowd(self) -> list[Op]:
        """Many files on one side, and a number of them gone, around the limit of the guard."""
        chance, side = self.chance, self._side()
        return [
            ["bulk", side, chance.choice((27, 40, 300))],
            ["sync", {}],
            ["thin", self._side(), chance.choice((24, 25, 26, 27))],
            ["sync", {}],
        ]

    def _side(self) -> str:
        return self.chance.choice(SIDES)

    def _name(self) -> str:
        chance = self.chance
        if self.last and chance.random() < 0.4:
            return chance.choice(self.last)
        name = chance.choice(NAMES[:COMMON] if chance.random() < 0.85 else NAMES)
        self.last = [*self.last[-2:], name]
        return name

    def _creation(self) -> Op:
        chance = self.chance
        drawn = chance.random()
        if drawn < 0.85:
            size = LARGE if chance.random() < 0.01 else chance.choice(SIZES)
            return ["write", self._side(), self._name(), size]
        if drawn < 0.93:
            return ["mkdir", self._side(), self._name()]
        return self._link()

    def _link(self) -> Op:
        target = self.chance.choice(("gone", "a", "d", "outside"))
        return ["link", self._side(), self._name(), target]

    def _edit(self) -> Op:
        chance, side, name = self.chance, self._side(), self._name()
        what = chance.choices(
            (
                "create",
                "rewrite",
                "sneak",
                "grow",
                "touch",
                "date",
                "chmod",
                "delete",
                "move",
                "swap",
                "hardlink",
                "fifo",
                "wipe",
            ),
            (25, 8, 5, 5, 4, 3, 6, 16, 14, 4, 2, 2, 1),
        )[0]
        match what:
            case "create":
                return self._creation()
            case "date":
                return ["date", side, name, chance.choice(DATES)]
            case "chmod":
                return ["chmod", side, name, chance.choice(MODES)]
            case "move" | "swap" | "hardlink":
                return [what, side, name, self._name()]
            case "wipe":
                return ["wipe", side]
            case _:
                return [what, side, name]

    def _engine(self, layer: str) -> list[Op]:
        """What the engine is told to do after some edits, and what befalls it."""
        chance = self.chance
        drawn = chance.random()
        if layer == "L3":  # there a crash is a time in milliseconds
            return [["sync", {"crash": chance.randint(60, 500)} if drawn < 0.6 else {}]]
        if drawn < 0.23:
            return [["sync", {}]]
        if drawn < 0.33:
            return self._undo()
        if drawn < 0.66:
            times = chance.choice((1, 1, 1, 2, 3))
            return [["sync", {"crash": self._moment()}] for _ in range(times)]
        if drawn < 0.80 and layer == "L1":
            return [["sync", self._disturbed()]]
        if drawn < 0.92 and layer == "L1":
            kind = chance.choice(LOOKING + CHANGING + ("commit",))
            nth = int(2 ** (chance.random() * 4)) if chance.random() < 0.5 else chance.randint(3, 8)
            fault = [kind, nth, chance.choice(ERRORS), chance.random() < 0.3]
            return [["sync", {"fault": fault}]]
        return self._upset()

    def _undo(self) -> list[Op]:
        """A run is taken back, perhaps once more, perhaps killed meanwhile, perhaps after some edits."""
        chance = self.chance
        how = [{}, {}, {"crash": self._moment()}]
        ops: list[Op] = [["sync", {"crash": self._moment()} if chance.random() < 0.15 else {}]]
        ops += [self._edit() for _ in range(chance.choice((0, 0, 0, 1, 3)))]
        for _ in range(chance.choice((1, 1, 2))):
            ops.append(["undo", chance.choice(how)])
        return [*ops, ["sync", {}], self._edit(), ["sync", {}]] if chance.random() < 0.5 else ops

    def _errand(self, layer: str) -> list[Op]:
        """What a person asks for by name, mostly after a good run, and what befalls it."""
        chance = self.chance
        drawn = chance.random()
        if layer == "L3":
            how: dict[str, Any] = {"crash": chance.randint(150, 400)} if drawn < 0.3 else {}
        elif drawn < 0.5:
            how = {}
        elif drawn < 0.8 or layer == "L2":
            how = {"crash": chance.randint(1, 40)}
        elif drawn < 0.9:
            how = self._disturbed()
        else:
            how = self._fault()
        number = chance.randint(0, 5)
        what: Sequence[Op] = (
            ["resolve", chance.choice(KEEPS), number, how],
            ["put-back", number, self._name() if chance.random() < 0.6 else "", how],
            ["empty", how],
        )
        return [*([["sync", {}]] if chance.random() < 0.6 else []), chance.choices(what, (3, 3, 1))[0]]

    def trouble(self) -> dict[str, Any]:
        """What befalls an errand while it is done, besides that it is killed."""
        return self._disturbed() if self.chance.random() < 0.6 else self._fault()

    def _fault(self) -> dict[str, Any]:
        chance = self.chance
        return {"fault": [chance.choice(LOOKING + CHANGING), chance.randint(1, 12), chance.choice(ERRORS), False]}

    def _disturbed(self) -> dict[str, Any]:
        """A user edits while the engine runs: at any call, before a change, or beside a call of one kind."""
        chance = self.chance
        drawn = chance.random()
        if drawn < 0.4:
            return {"late": [self._moment(), self._intrusion()]}
        if drawn < 0.5:
            return {"edit": [int(2 ** (chance.random() * 7.5)), self._intrusion()]}
        kind = chance.choice(
            ("open", "read", "read", "write", "finish", "rename", "exchange", "listing", "set-properties")
        )
        return {"beside": [kind, int(2 ** (chance.random() * 3.5)), self._intrusion(near=True)]}

    def _intrusion(self, *, near: bool = False) -> Op:
        """What a user does meanwhile: mostly to a file he is known to have, or the one the engine has at hand."""
        chance = self.chance
        if near and chance.random() < 0.6:
            return [chance.choice(("rewrite", "rewrite", "grow", "delete")), "@side", "@path"]
        if not self.last or chance.random() < 0.3:
            return self._edit()
        what, name = chance.choice(("write", "rewrite", "rewrite", "sneak", "grow", "delete")), chance.choice(self.last)
        return [what, self._side(), name, *([24] if what == "write" else [])]

    def _moment(self) -> int:
        """A step that changes something: mostly one after the roots were claimed, which takes 17 of them."""
        chance = self.chance
        return chance.randint(17, 48) if chance.random() < 0.7 else int(2 ** (chance.random() * 6.5))

    def _rule(self) -> dict[str, Any]:
        chance = self.chance
        rule = chance.choice(("changed_both", "created_both"))
        return {"match": chance.choice(("a", "d/", "/b", "*.gz", "d/*")), rule: chance.choice(POLICIES)}

    def _upset(self) -> list[Op]:
        chance = self.chance
        upsets: Sequence[list[Op]] = (
            [["plan"], ["sync", {}]],
            [["lose"], ["sync", {}]],
            [["keep"], ["sync", {}], self._edit(), self._edit(), ["sync", {}], self._edit(), ["restore"], ["sync", {}]],
            [["keep"], ["sync", {"crash": chance.randint(4, 40)}], ["restore"], ["sync", {}]],
            [["unmark", self._side()], ["sync", {}]],
            [["garble", "cut", chance.randint(0, 1)], ["sync", {}]],
            [["garble", "flip", chance.randint(0, 99_999)], ["sync", {}], ["sync", {}]],
            [["garble", "flip", chance.randint(0, 99_999)], ["sync", {}], ["sync", {}]],
            [["set", "ignore", [chance.choice(("a", "d/", "*.gz", "d/e"))]], ["sync", {}], self._edit(), ["sync", {}]],
            [["set", "ignore", ["a", "d/"]], ["sync", {}], self._edit(), ["set", "ignore", []], ["sync", {}]],
            [["set", "changed_both", chance.choice(POLICIES)], ["sync", {}]],
            [["set", "rules", [self._rule()]], *self._conflict(), ["sync", {}], ["set", "rules", [self._rule()]]],
            [["clock", chance.choice(JUMPS)], ["sync", {}], self._edit()],
            [["sync", {"late": [self._moment(), ["clock", chance.choice(JUMPS)]]}]],
            [["wipe", self._side()], ["sync", {"crash": self._moment()} if chance.random() < 0.5 else {}]],
        )
        return list(chance.choice(upsets))
