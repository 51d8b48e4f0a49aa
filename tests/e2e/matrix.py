"""The decision matrix as scenarios on a real disk: what was there, what each side did to it, and how it must end.

In `end` and in the trash: `=content`, `/` for a directory, `-> target` for a link; `_clash` stands for the whole ending
of a clash name. What is not mentioned must not be there.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.e2e.disk import DIR, Dir, File, Link, Touch, Tree


@dataclass(frozen=True)
class Row:
    """One scenario, in a folder of its own. The trash is what a run puts there, on each side."""

    base: Tree = field(default_factory=dict)
    left: Tree = field(default_factory=dict)
    right: Tree = field(default_factory=dict)
    end: dict[str, str] = field(default_factory=dict)
    left_trash: dict[str, str] = field(default_factory=dict)
    right_trash: dict[str, str] = field(default_factory=dict)
    conflicts: tuple[tuple[str, str], ...] = ()
    """The rule and whose version was kept."""
    problems: tuple[str, ...] = ()
    modes: dict[str, int] = field(default_factory=dict)
    times: dict[str, float] = field(default_factory=dict)


def old(content: str, mode: int | None = None) -> File:
    return File(content, mode, at=10)


def new(content: str, mode: int | None = None) -> File:
    return File(content, mode, at=90)


ONE: Tree = {"a": File("1", 0o644, at=0)}
FOLDER: Tree = {"d/x": File("1", at=0), "d/y/z": File("2", at=0)}
WHOLE = {"d": "/", "d/x": "=1", "d/y": "/", "d/y/z": "=2"}
LINKED: Tree = {"l": Link("here")}

ROWS: dict[str, Row] = {
    # content
    "edited left": Row(ONE, {"a": "2"}, {}, {"a": "=2"}, right_trash={"a": "=1"}),
    "edited right": Row(ONE, {}, {"a": "2"}, {"a": "=2"}, left_trash={"a": "=1"}),
    "edited, same size, same time": Row(ONE, {"a": File("2", at=0)}, {}, {"a": "=2"}, right_trash={"a": "=1"}),
    "emptied": Row(ONE, {"a": ""}, {}, {"a": "="}, right_trash={"a": "=1"}),
    "both edited, left newer": Row(
        ONE,
        {"a": new("L")},
        {"a": old("R")},
        {"a": "=L", "a_clash": "=R"},
        left_trash={},
        right_trash={},
        conflicts=(("changed-both", "left"),),
    ),
    "both edited, right newer": Row(
        {"a.tar.gz": "1"},
        {"a.tar.gz": old("L")},
        {"a.tar.gz": new("R")},
        {"a.tar.gz": "=R", "a_clash.tar.gz": "=L"},
        conflicts=(("changed-both", "right"),),
    ),
    "both edited, a tie goes to left": Row(
        {".env": "1"},
        {".env": File("L", at=50)},
        {".env": File("R", at=51)},
        {".env": "=L", ".env_clash": "=R"},
        conflicts=(("changed-both", "left"),),
    ),
    "both edited alike": Row(ONE, {"a": old("2")}, {"a": new("2")}, {"a": "=2"}, times={"a": 90}),
    "edited left, deleted right": Row(ONE, {"a": "2"}, {"a": None}, {"a": "=2"}),
    "deleted left, edited right": Row(ONE, {"a": None}, {"a": "2"}, {"a": "=2"}),
    "edited left, mode right": Row(
        ONE, {"a": "2"}, {"a": Touch(mode=0o600)}, {"a": "=2"}, right_trash={"a": "=1"}, modes={"a": 0o600}
    ),
    "mode left, edited right": Row(
        ONE, {"a": Touch(mode=0o600)}, {"a": "2"}, {"a": "=2"}, left_trash={"a": "=1"}, modes={"a": 0o600}
    ),
    # deletion
    "deleted left": Row(ONE, {"a": None}, {}, {}, right_trash={"a": "=1"}),
    "deleted right": Row(ONE, {}, {"a": None}, {}, left_trash={"a": "=1"}),
    "both deleted": Row(ONE, {"a": None}, {"a": None}, {}),
    "deleted left, mode right": Row(ONE, {"a": None}, {"a": Touch(mode=0o600)}, {"a": "=1"}, modes={"a": 0o600}),
    "deleted left, touched right": Row(ONE, {"a": None}, {"a": Touch(at=50)}, {"a": "=1"}, times={"a": 50}),
    # properties
    "mode left": Row(ONE, {"a": Touch(mode=0o600)}, {}, {"a": "=1"}, modes={"a": 0o600}),
    "mode right": Row(ONE, {}, {"a": Touch(mode=0o755)}, {"a": "=1"}, modes={"a": 0o755}),
    "time left": Row(ONE, {"a": Touch(at=50)}, {}, {"a": "=1"}, times={"a": 50}),
    "an older time right": Row(ONE, {}, {"a": Touch(at=-50)}, {"a": "=1"}, times={"a": -50}),
    "mode left, time right": Row(
        ONE, {"a": Touch(mode=0o600)}, {"a": Touch(at=50)}, {"a": "=1"}, modes={"a": 0o600}, times={"a": 50}
    ),
    "times on both sides": Row(ONE, {"a": Touch(at=50)}, {"a": Touch(at=20)}, {"a": "=1"}, times={"a": 50}),
    "same mode on both sides": Row(
        ONE, {"a": Touch(mode=0o600)}, {"a": Touch(mode=0o600)}, {"a": "=1"}, modes={"a": 0o600}
    ),
    "mode of a directory": Row({"d": Dir(0o755)}, {"d": Touch(mode=0o700)}, {}, {"d": "/"}, modes={"d": 0o700}),
    "directory made unwritable": Row(FOLDER, {"d": Touch(mode=0o500)}, {}, WHOLE, modes={"d": 0o500}),
    # creation
    "created left": Row({}, {"a": File("1", 0o640, at=5)}, {}, {"a": "=1"}, modes={"a": 0o640}, times={"a": 5}),
    "created right": Row({}, {}, {"d/e/a": "1"}, {"d": "/", "d/e": "/", "d/e/a": "=1"}),
    "created unreadable": Row({}, {"a": File("1", 0o000)}, {}, {"a": "=1"}, modes={"a": 0}),
    "created both, equal": Row(
        {}, {"a": File("1", 0o600, at=90)}, {"a": File("1", 0o600, at=10)}, {"a": "=1"}, times={"a": 90}
    ),
    "created both, left newer": Row(
        {}, {"a": new("L")}, {"a": old("R")}, {"a": "=L", "a_clash": "=R"}, conflicts=(("created-both", "left"),)
    ),
    "created both, right newer": Row(
        {},
        {"a.b": old("L")},
        {"a.b": new("R")},
        {"a.b": "=R", "a_clash.b": "=L"},
        conflicts=(("created-both", "right"),),
    ),
    "clash files on both sides in one run": Row(
        {"a": "1", "b": "2"},
        {"a": new("aL"), "b": old("bL")},
        {"a": old("aR"), "b": new("bR")},
        {"a": "=aL", "a_clash": "=aR", "b": "=bR", "b_clash": "=bL"},
        conflicts=(("changed-both", "left"), ("changed-both", "right")),
    ),
    "created both, directories united": Row({}, {"d/l": "1"}, {"d/r": "2"}, {"d": "/", "d/l": "=1", "d/r": "=2"}),
    # links
    "link created": Row({}, {"l": Link("nowhere")}, {}, {"l": "-> nowhere"}),
    "link to the root of the machine": Row({}, {}, {"l": Link("/etc")}, {"l": "-> /etc"}),
    "link to itself": Row({}, {"d/l": Link(".")}, {}, {"d": "/", "d/l": "-> ."}),
    "link retargeted": Row(LINKED, {"l": Link("there")}, {}, {"l": "-> there"}, right_trash={"l": "-> here"}),
    "link deleted": Row(LINKED, {}, {"l": None}, {}, left_trash={"l": "-> here"}),
    "link retargeted on both sides": Row(
        LINKED,
        {"l": Link("left")},
        {"l": Link("right")},
        {"l": "-> left", "l_clash": "-> right"},
        conflicts=(("changed-both", "left"),),
    ),
    "link retargeted left, deleted right": Row(LINKED, {"l": Link("there")}, {"l": None}, {"l": "-> there"}),
    # types
    "file to link": Row(ONE, {"a": Link("x")}, {}, {"a": "-> x"}, right_trash={"a": "=1"}),
    "link to file": Row(LINKED, {}, {"l": "1"}, {"l": "=1"}, left_trash={"l": "-> here"}),
    "file to directory": Row(ONE, {"a": None, "a/b": "2"}, {}, {"a": "/", "a/b": "=2"}, right_trash={"a": "=1"}),
    "link to directory": Row(LINKED, {}, {"l": None, "l/b": "2"}, {"l": "/", "l/b": "=2"}, left_trash={"l": "-> here"}),
    "directory to file": Row(FOLDER, {"d": "3"}, {}, {"d": "=3"}, right_trash=WHOLE),
    "directory to link": Row(FOLDER, {}, {"d": Link("x")}, {"d": "-> x"}, left_trash=WHOLE),
    "empty directory to file": Row({"d": DIR}, {"d": "3"}, {}, {"d": "=3"}),
    "file to directory, deleted right": Row(ONE, {"a": None, "a/b": "2"}, {"a": None}, {"a": "/", "a/b": "=2"}),
    "directory to file, deleted right": Row(FOLDER, {"d": "3"}, {"d": None}, {"d": "=3"}),
    "file to directory, edited right": Row(
        ONE,
        {"a": None, "a/b/c": "2"},
        {"a": "3"},
        {"a": "=3", "a_clash": "/", "a_clash/b": "/", "a_clash/b/c": "=2"},
        conflicts=(("type-both", "right"),),
    ),
    "file to link, edited right": Row(
        ONE, {"a": Link("x")}, {"a": "2"}, {"a": "=2", "a_clash": "-> x"}, conflicts=(("type-both", "right"),)
    ),
    "directory to file, edited inside": Row(
        FOLDER,
        {"d": "3"},
        {"d/x": "4"},
        {"d": "/", "d/x": "=4", "d_clash": "=3"},
        right_trash={"d": "/", "d/y": "/", "d/y/z": "=2"},
        conflicts=(("type-both", "right"),),
    ),
    "file and directory created": Row(
        {},
        {"a": "1"},
        {"a/b": "2"},
        {"a": "/", "a/b": "=2", "a_clash": "=1"},
        conflicts=(("type-both", "right"),),
    ),
    "file and link created": Row(
        {}, {"a": old("1")}, {"a": Link("x")}, {"a": "-> x", "a_clash": "=1"}, conflicts=(("created-both", "right"),)
    ),
    # directories
    "directory deleted": Row(FOLDER, {"d": None}, {}, {}, right_trash=WHOLE),
    "empty directory deleted": Row({"d": DIR}, {}, {"d": None}, {}),
    "directory deleted, part of it on the other side": Row(
        FOLDER, {"d": None}, {"d/x": None}, {}, right_trash={"d": "/", "d/y": "/", "d/y/z": "=2"}
    ),
    "directory deleted on both sides": Row(FOLDER, {"d": None}, {"d": None}, {}),
    "directory deleted, edited inside": Row(
        FOLDER,
        {"d": None},
        {"d/y/z": "3"},
        {"d": "/", "d/y": "/", "d/y/z": "=3"},
        right_trash={"d": "/", "d/x": "=1"},
        problems=("partly-kept",),
    ),
    "directory deleted, something new inside": Row(
        FOLDER,
        {"d/n": "3"},
        {"d": None},
        {"d": "/", "d/n": "=3"},
        left_trash={"d": "/", "d/x": "=1", "d/y": "/", "d/y/z": "=2"},
        problems=("partly-kept",),
    ),
    "directory renamed, edited inside": Row(
        FOLDER,
        {"d": None, "e/x": "1", "e/y/z": "2"},
        {"d/x": "3"},
        {"e": "/", "e/x": "=1", "e/y": "/", "e/y/z": "=2", "d": "/", "d/x": "=3"},
        right_trash={"d": "/", "d/y": "/", "d/y/z": "=2"},
        problems=("partly-kept",),
    ),
    "two names swapped": Row(
        {"a": File("1", at=0), "b": File("2", at=0)},
        {"a": File("2", at=0), "b": File("1", at=0)},
        {},
        {"a": "=2", "b": "=1"},
        right_trash={"a": "=1", "b": "=2"},
    ),
}
