"""kill -9 at every kind of step: an ordinary run afterwards reaches the same end, with nothing lost or left over."""

from __future__ import annotations

import itertools
import os
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e import disk
from tests.e2e.disk import DIR, Dir, File, Link, Touch
from tests.e2e.forks import Forked, Forks
from tests.e2e.pair import Pair

SWEEP = "all" if os.environ.get("SYNCLINE_LONG") == "1" else "some"
MOMENTS = 50
PARTS = 4

BEFORE: disk.Tree = {
    **{f"still/{number}.txt": File(f"still {number}", at=0) for number in range(30)},
    "edited-left": File("1", at=0),
    "edited-right": File("2", at=0),
    "both-left-newer": File("3", at=0),
    "both-right-newer.tar.gz": File("4", at=0),
    "gone-left": File("5", at=0),
    "gone-right": File("6", at=0),
    "gone-edited": File("7", at=0),
    "mode": File("8", at=0, mode=0o644),
    "mode-both": File("9", at=0, mode=0o644),
    "time": File("10", at=0),
    "file-to-directory": File("11", at=0),
    "file-to-directory-edited": File("12", at=0),
    "file-to-link": File("13", at=0),
    "link-to-file": Link("still/0.txt"),
    "link": Link("still/1.txt"),
    "directory-to-file/inner/deep.txt": File("14", at=0),
    "directory-to-file-edited/inner.txt": File("15", at=0),
    "directory-mode": Dir(0o755),
    "gone-directory/inner/one.txt": File("16", at=0),
    "gone-directory/two.txt": File("17", at=0),
    "partly/gone.txt": File("18", at=0),
    "partly/edited.txt": File("19", at=0),
    "empty": DIR,
    "content-and-mode": File("20", at=0, mode=0o644),
    "swap-one": File("31", at=0),
    "swap-two": File("32", at=0),
    "ring-one": File("33", at=0),
    "ring-two": File("34", at=0),
    "ring-three": File("35", at=0),
    "folder/inner/edited.txt": File("36", at=0),
    "folder/inner/moved-out.txt": File("37", at=0),
    "small-folder/edited.txt": File("38", at=0),
    "renamed": File("39", at=0),
    "renamed-into": File("40", at=0),
    "renamed-mode": File("41", at=0, mode=0o644),
    "renamed-both": File("42", at=0),
    "case-only": File("43", at=0),
    "renamed-gone": File("44", at=0),
    "closed/edited.txt": File("46", at=0),
    "closed": Dir(0o555),
    "closed-and-moved/edited.txt": File("47", at=0),
    "closed-and-moved": Dir(0o555),
}
RENAMED_LEFT = (
    ("swap-one", "swapping"),
    ("swap-two", "swap-one"),
    ("swapping", "swap-two"),
    ("ring-one", "turning"),
    ("ring-two", "ring-one"),
    ("ring-three", "ring-two"),
    ("turning", "ring-three"),
    ("folder/inner/moved-out.txt", "moved-out.txt"),
    ("folder", "folder-moved"),
    ("small-folder", "small-folder-moved"),
    ("renamed", "renamed-moved"),
    ("renamed-into", "made-for-it/renamed-into"),
    ("renamed-mode", "renamed-mode-moved"),
    ("renamed-both", "renamed-both-left"),
    ("case-only", "Case-Only"),
    ("renamed-gone", "renamed-gone-moved"),
    ("closed-and-moved", "closed-moved"),
)
RENAMED_RIGHT = (("renamed-both", "renamed-both-right"),)
LEFT: disk.Tree = {
    "edited-left": File("1 left", at=10),
    "both-left-newer": File("3 left", at=90),
    "both-right-newer.tar.gz": File("4 left", at=10),
    "gone-left": None,
    "gone-edited": None,
    "mode": Touch(mode=0o600),
    "mode-both": Touch(mode=0o600),
    "time": Touch(at=50),
    "file-to-directory": None,
    "file-to-directory/new.txt": File("21", at=10),
    "file-to-directory-edited": None,
    "file-to-directory-edited/new/deep.txt": File("22", at=10),
    "file-to-link": Link("still/2.txt"),
    "directory-to-file": File("23", at=10),
    "directory-mode": Touch(mode=0o700),
    "gone-directory": None,
    "new-left/inner/one.txt": File("24", at=10),
    "new-left/large": File(b"25" * 700_000, at=10),
    "new-left/link": Link("../still/3.txt"),
    "new-left/closed": Dir(0o500),
    "created-both": File("26 left", at=90),
    "created-equal": File("27", at=90),
    "content-and-mode": File("20 left", at=10),
    "closed/edited.txt": File("46 left", at=10),
}
RIGHT: disk.Tree = {
    "edited-right": File("2 right", at=10),
    "both-left-newer": File("3 right", at=10),
    "both-right-newer.tar.gz": File("4 right", at=90),
    "gone-right": None,
    "gone-edited": File("7 right", at=10),
    "mode-both": Touch(mode=0o640),
    "file-to-directory-edited": File("12 right", at=10),
    "link-to-file": File("28", at=10),
    "link": Link("still/4.txt"),
    "directory-to-file-edited": None,
    "directory-to-file-edited/inner.txt": File("15 right", at=10),
    "partly": None,
    "empty": None,
    "new-right/one.txt": File("29", at=10),
    "created-both": File("26 right", at=10),
    "created-equal": File("27", at=10),
    "content-and-mode": Touch(mode=0o600),
    "swap-one": File("31 right", at=10),
    "ring-two": File("34 right", at=10),
    "folder/inner/edited.txt": File("36 right", at=10),
    "folder/inner/moved-out.txt": File("37 right", at=10),
    "folder/inner/new.txt": File("45", at=10),
    "small-folder/edited.txt": File("38 right", at=10),
    "renamed": File("39 right", at=10),
    "renamed-into": File("40 right", at=10),
    "renamed-mode": Touch(mode=0o600),
    "case-only": File("43 right", at=10),
    "renamed-gone": None,
    "closed-and-moved/edited.txt": File("47 right", at=10),
}
LEFT_LATER: disk.Tree = {"directory-to-file-edited": None, "partly/edited.txt": File("19 left", at=10)}

KINDS = {
    "create",
    "write half",
    "finish",
    "make-link",
    "make-directory",
    "make-directory private",
    "rename park",
    "rename to-trash",
    "rename to-clash",
    "rename publish",
    "rename back",
    "exchange",
    "set-properties",
    "remove-directory",
    "flush",
    "commit journal done",
}
"""What must have been hit between the first and the last row of the journal."""


RECOVERED = {"exchange", "rename park", "rename to-clash", "rename to-trash", "rename publish", "commit journal done"}
"""Before which steps the first run dies whose recovery is killed in its turn; the last of each kind."""


@dataclass(frozen=True)
class Plain:
    """How it ends without a crash, the steps that lead there, and how many actions are carried out together."""

    end: dict[str, str]
    steps: list[str]
    batch: int | None

    def moments(self) -> int:
        """How many of its steps are tried."""
        return MOMENTS if self.batch is None else MOMENTS // 2

    def window(self) -> tuple[int, int]:
        """The first and last moment after the first row of the journal was written and before the last was."""
        first = self.steps.index("commit journal begin") + 2
        return first, len(self.steps) - self.steps[::-1].index("commit journal done")


class Crashed:
    """One world in which runs are killed."""

    def __init__(self, top: Path, parent: Forks, batch: int | None = None) -> None:
        self.pair = Pair(top)
        self.parent = parent
        self.batch = batch
        self.pair.write(left=BEFORE)
        first = self.run()
        assert first.code == 0, str(first)
        rename(self.pair.left, RENAMED_LEFT)
        rename(self.pair.right, RENAMED_RIGHT)
        self.pair.write(LEFT, RIGHT)
        self.pair.write(left=LEFT_LATER)
        disk.write(self.pair.left, {"directory-to-file-edited": File("30", at=10)})
        self.contents = self.live() | self.live(self.pair.right)

    def run(self, kill: int | None = None, stop: str = "") -> Forked:
        pair = self.pair
        args = ("--state-dir", pair.state, "sync", pair.left, pair.right, "--json", "--trash-max-size", "none")
        if kill is None:
            return self.parent.call(*args, batch=self.batch, at=stop, do="kill -INT $PPID")
        return self.parent.call(*args, kill=kill, batch=self.batch, readers=True)  # which outlive it for a moment

    def live(self, root: Path | None = None) -> set[str]:
        return {told for told in disk.read(root or self.pair.left).values() if told.startswith("=")}

    def kept(self) -> set[str]:
        """Every content that is live or in the trash, on either side."""
        kept = {told for root in (self.pair.left, self.pair.right) for told in disk.trash(root).values()}
        return kept | self.live() | self.live(self.pair.right)


def rename(root: Path, pairs: Iterable[tuple[str, str]]) -> None:
    for old, new in pairs:
        (root / new).parent.mkdir(exist_ok=True)
        (root / old).rename(root / new)


@pytest.fixture(scope="module")
def plain(fast: Path, parent: Forks) -> Plain:
    """A run that is not killed."""
    return carried_out(fast, parent, None)


@pytest.fixture(scope="module")
def in_batches(fast: Path, parent: Forks) -> Plain:
    """The same in many small batches, each staged by a second process while the one before it is committed."""
    return carried_out(fast, parent, 10)


def carried_out(fast: Path, parent: Forks, batch: int | None) -> Plain:
    world = Crashed(Path(tempfile.mkdtemp(dir=fast)), parent, batch)
    done = world.run()
    assert done.code == 0, str(done)
    assert_whole(world)
    return Plain(disk.unclashed(disk.read(world.pair.left, properties=True)), done.steps, batch)


def assert_whole(world: Crashed) -> None:
    """Both sides equal, nothing lost, nothing left over, and nothing more to do."""
    pair = world.pair
    assert disk.read(pair.left, properties=True) == disk.read(pair.right, properties=True)
    assert world.contents - world.kept() == set()
    assert (disk.staged(pair.left), disk.staged(pair.right)) == ([], [])
    with sqlite3.connect(f"file:{pair.state}/state.db?mode=ro", uri=True) as state:
        assert state.execute("SELECT count(*) FROM action WHERE state = 'begun'").fetchone() == (0,)
        assert state.execute("SELECT count(*) FROM run WHERE outcome IS NULL").fetchone() == (0,)
    state.close()
    before = trees(pair)
    again = world.run()
    assert again.code == 0, str(again)
    assert (again.document["run"], again.document["outcome"], again.document["actions"]) == (None, "in-sync", [])
    assert trees(pair) == before


def trees(pair: Pair) -> dict[str, str]:
    """Both sides to the last inode, without what is ours."""
    ours = tuple(f"{root}/.syncline" for root in (pair.left, pair.right))
    found = disk.fingerprint(pair.left, pair.right)
    return {path: told for path, told in found.items() if not path.startswith(ours)}


def assert_finished(world: Crashed, end: dict[str, str], told: str) -> None:
    """An ordinary run comes to the same end as without a crash."""
    after = world.run()
    assert after.code == 0, f"{told}: {after}"
    assert_whole(world)
    assert disk.unclashed(disk.read(world.pair.left, properties=True)) == end, told


def test_the_moments_are_many_and_of_every_kind(plain: Plain, in_batches: Plain) -> None:
    for run in (plain, in_batches):
        hit = Counter(run.steps[moment - 1] for moment in chosen(run))
        print("\n".join(f"{count:4} killed at: {kind}" for kind, count in sorted(hit.items())))
        assert hit.total() >= run.moments()
        assert KINDS - hit.keys() <= (set() if run is plain else {"create", "write half", "finish", "make-link"})
    assert plain.end == in_batches.end


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("way", ["plain", "in_batches"])
def test_a_run_killed_at_any_step_is_finished_by_the_next_one(
    request: pytest.FixtureRequest, parent: Forks, quick: Path, way: str, part: int
) -> None:
    run: Plain = request.getfixturevalue(way)
    for moment in chosen(run)[part::PARTS]:
        world = Crashed(quick / str(moment), parent, run.batch)
        killed = world.run(kill=moment)
        assert killed.code == -9, str(killed)
        assert killed.steps[-1] == run.steps[moment - 1]
        assert_finished(world, run.end, f"killed at step {moment} ({' > '.join(killed.steps[-3:])})")


@pytest.mark.parametrize("kind", ["rename back", "rename publish", "exchange", "set-properties"])
def test_a_run_that_is_stopped_is_finished_by_the_next_one(
    in_batches: Plain, parent: Forks, quick: Path, kind: str
) -> None:
    world = Crashed(quick, parent, in_batches.batch)
    stopped = world.run(stop=kind)
    assert stopped.code == 130, str(stopped)
    assert_finished(world, in_batches.end, f"stopped at the first {kind}")


@pytest.mark.parametrize("kind", sorted(RECOVERED))
def test_a_recovery_that_is_killed_twice_is_finished_by_the_next_one(
    plain: Plain, parent: Forks, quick: Path, kind: str
) -> None:
    moment = len(plain.steps) - plain.steps[::-1].index(kind)
    world = Crashed(quick / "counted", parent)
    world.run(kill=moment)
    recovery = world.run().steps
    for index, (first, second) in enumerate(twice(recovery)):
        world = Crashed(quick / str(index), parent)
        for kill in (moment, first, second):
            killed = world.run(kill=kill)
            assert killed.code == -9 or kill == second, str(killed)
        assert_finished(world, plain.end, f"killed at {moment}, {first}, {second}")


def twice(recovery: list[str]) -> list[tuple[int, int]]:
    """Moments to kill a recovery, each with a moment to kill the one that follows: sooner or later."""
    last = len(recovery)
    if SWEEP == "all":
        return [(first, max(1, last // 3)) for first in range(1, last + 1)]
    return [(1, 1), (last // 4 or 1, 2), (last // 2 or 1, last // 2 or 1), (last * 3 // 4, 3)]


@pytest.mark.parametrize("place", ["before", "after"])
def test_a_run_killed_outside_of_its_journal_is_as_if_it_had_not_been_or_as_finished(
    plain: Plain, parent: Forks, quick: Path, place: str
) -> None:
    first, last = plain.window()
    for moment in range(1, first) if place == "before" else range(last + 1, len(plain.steps) + 1):
        world = Crashed(quick / str(moment), parent)
        killed = world.run(kill=moment)
        assert killed.code == -9, str(killed)
        assert_finished(world, plain.end, f"killed at step {moment}, {killed.steps[-1]}")


def test_a_first_run_killed_at_any_step_is_finished_by_the_next_one(parent: Forks, quick: Path) -> None:
    for moment in itertools.count(1, 1 if SWEEP == "all" else 5):
        pair = Pair(quick / str(moment))
        pair.write(
            {"a": "1", "d/b": "2", "both": File("left", at=90)}, {"c": "3", "e": DIR, "both": File("right", at=1)}
        )
        args = ("--state-dir", pair.state, "sync", pair.left, pair.right, "--json")
        killed = parent.call(*args, kill=moment)
        if killed.code == 0:
            assert moment > 30
            return
        after = parent.call(*args)
        assert after.code == 0, f"killed at {moment}, {killed.steps[-1]}: {after}"
        assert set(pair.same().values()) == {"=1", "=2", "=3", "=left", "=right", "/"}
        assert parent.call(*args).document["outcome"] == "in-sync"


def chosen(run: Plain) -> list[int]:
    """Moments in the window: each kind of step, and some more at equal distances, or all."""
    first, last = run.window()
    if SWEEP == "all":
        return list(range(first, last + 1))
    kinds = KINDS & set(run.steps[first - 1 : last])
    moments = {run.steps.index(kind, first - 1) + 1 for kind in kinds}
    moments |= {last - run.steps[last - 1 :: -1].index(kind) for kind in kinds}
    rest = [moment for moment in range(first, last + 1) if moment not in moments]
    wanted = max(run.moments() - len(moments), 0)
    return sorted(moments | {rest[index * len(rest) // wanted] for index in range(wanted)})
