"""An error at any call: the base never runs ahead of the disk, other paths go on, each fault is told in one line."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from syncline.core.model import Outcome
from syncline.fs.probe import capabilities_of
from syncline.torture import oracle, play
from syncline.torture.case import CHANGING, ERRORS, LOOKING, WEAK, Case
from syncline.torture.gate import Fault, Gate, Step
from syncline.torture.inside import run_here
from syncline.torture.oracle import Ran
from syncline.torture.users import Users
from syncline.torture.world import RUN, World

SCENE: tuple[list[Any], ...] = (
    *(["write", "left", path, 24] for path in ("a", "b", "d/a", "d/b", "gone", "t")),
    ["link", "left", "l", "gone"],
    ["sync", {}],
    ["write", "left", "a", 24],
    ["write", "left", "b", 24],
    ["write", "right", "b", 24],
    ["write", "right", "d/a", 25],
    ["chmod", "left", "d/b", 0o600],
    ["delete", "left", "gone"],
    ["delete", "right", "t"],
    ["write", "right", "t/inside", 24],
    ["link", "right", "l", "d"],
    ["write", "left", "n/new", 24],
)
KINDS = sorted({*LOOKING, *CHANGING, "commit"})
LONG = os.environ.get("SYNCLINE_LONG") == "1"
FEW = (1, 4, 13)


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_at_the_nth_call(kind: str, tmp_path: Path) -> None:
    """One path fails, or the run stops; whatever it is, it is told, and the next run brings both sides in step."""
    counts = range(1, 60) if LONG else FEW
    for number, nth in enumerate(counts):
        errors = ERRORS if LONG else (_error(kind, number),)
        for error in errors:
            for lasting in (False, True) if LONG else (number % 2 == 1,):
                case = Case(
                    0, options={"compare": "hash"}, ops=(*SCENE, ["sync", {"fault": [kind, nth, error, lasting]}])
                )
                try:
                    play.play(case, str(tmp_path / "world"))
                except oracle.Broken as broken:
                    raise AssertionError(f"{kind} {nth} {error} {lasting}: {broken}") from broken


def _error(kind: str, number: int) -> str:
    return ERRORS[(KINDS.index(kind) + number) % len(ERRORS)]


def test_every_error_occurs() -> None:
    assert {_error(kind, number) for kind in KINDS for number, _ in enumerate(FEW)} == set(ERRORS)


class Scene:
    """The scene, before its second run."""

    def __init__(self, top: Path, *, left: Path | None = None, weak: str = "") -> None:
        top.mkdir(exist_ok=True)
        self.users = Users(str(top))
        able = dict.fromkeys(("left", "right"), replace(capabilities_of(str(top)), **WEAK.get(weak, {})))
        self.world = World(self.users, Case(0), run_here, str(top / "state"), {"compare": "hash"}, able)
        self.left = left or Path(self.users.root("left"))

    def prepare(self) -> None:
        for op in SCENE:
            if op[0] == "sync":
                assert self.run(Gate()).good
            else:
                self.users.act(list(op))

    def run(self, gate: Gate) -> Ran:
        ran = run_here(self.world, gate, RUN)
        self.world.close()
        return ran

    def in_step(self) -> None:
        ran = self.run(Gate())
        assert ran.good, (ran.outcome, ran.error, ran.said)
        sight = self.world.look()
        oracle.in_step(sight, (), quick=False)
        oracle.no_wrong_delete(sight, self.users.ledger, both=True)


@pytest.mark.parametrize("kind", ["open", "read", "create", "write", "finish"])
@pytest.mark.parametrize("error", ["EIO", "ENOSPC", "EACCES"])
def test_one_path_fails_the_others_go_on(kind: str, error: str, tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.prepare()
    skipped = _marker_calls(kind)
    ran = scene.run(Gate(fault=Fault(kind, skipped + 1, error)))
    assert ran.outcome is not None, ran.said
    assert ran.done, "nothing was done"
    assert ran.acts - len(ran.done) <= 2  # the path itself, and the rest of its group
    words = os.strerror(getattr(errno, error))
    assert len([line for line in ran.said if words in line]) == 1, ran.said
    scene.in_step()


@pytest.mark.parametrize("further", [1, 2])
def test_what_is_in_use_for_a_moment_is_tried_again(further: int, tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.prepare()
    gate = Gate(fault=Fault("open", _marker_calls("open") + further, "EBUSY"))
    ran = scene.run(gate)
    assert [step.kind for step in gate.failed] == ["open"]
    assert (ran.outcome, ran.said) == (Outcome.DONE, [])
    scene.in_step()


@pytest.mark.parametrize("nth", [5, 6])
def test_a_copy_that_could_not_be_flushed_is_never_given_its_name(nth: int, tmp_path: Path) -> None:
    """What a failed flush was to make durable is lost, whatever a second one would say."""
    scene = Scene(tmp_path)
    scene.prepare()
    gate = Gate(fault=Fault("flush", nth, "EIO"))
    ran = scene.run(gate)
    (failed,) = gate.failed
    copies = {path for path in failed.paths if path.startswith(".syncline/staging/new-")}
    assert copies, "nothing was copied yet"
    touched = {step.kind for step in ran.changes if copies & set(step.paths)}
    assert "finish" in touched
    assert not touched & {"flush", "rename", "replace", "exchange", "link"}, touched
    scene.in_step()


@pytest.mark.parametrize(
    ("kind", "weak"),
    [
        ("exchange", ""),
        ("rename", ""),
        ("link", "no exchange"),
        ("replace", "no exchange"),
        ("rename", "no second names"),
    ],
)
def test_a_replacement_that_fails_leaves_the_old_version_and_nothing_else(kind: str, weak: str, tmp_path: Path) -> None:
    """The name is never without a version, and our own copy is not kept as if it were somebody's."""
    for nth in range(1, 5):
        scene = Scene(tmp_path / str(nth), weak=weak)
        for _ in range(2):
            scene.users.act(["write", "left", "a", 24])
            ran = scene.run(Gate(fault=Fault(kind, nth, "EPERM")) if scene.world.look().tree("right") else Gate())
        sight = scene.world.look()
        old, new = scene.users.ledger.born
        assert sight.tree("right")["a"].content in (old, new)
        kept = sight.trashed() | sight.parked()
        assert kept <= ({old} - sight.live("right")), (nth, ran.said)
        scene.in_step()


@pytest.mark.parametrize("error", ["ENOSPC", "EIO"])
def test_what_was_done_before_the_state_failed_is_told(error: str, tmp_path: Path) -> None:
    rehearsal, scene, gate = Scene(tmp_path / "rehearsal"), Scene(tmp_path / "scene"), Gate()
    for path in ("a", "b"):
        rehearsal.users.act(["write", "left", path, 24])
        scene.users.act(["write", "left", path, 24])
    assert rehearsal.run(gate).good
    kinds = [step.kind for step in gate.changes]
    last = len(kinds) - kinds[::-1].index("rename")
    ran = scene.run(Gate(fault=Fault("commit", kinds[:last].count("commit") + 1, error, lasting=True)))
    assert ran.error == "StateError"
    assert [done.action.at.path for done in ran.done] == ["a", "b"], ran.said
    scene.in_step()


def _marker_calls(kind: str) -> int:
    """How often a run makes such a call for the markers and to decide, before it copies anything."""
    return {"open": 14, "read": 30, "create": 2, "write": 2, "finish": 2}[kind]


@pytest.mark.parametrize("error", ["EROFS", "ENODEV", "ENOTCONN"])
@pytest.mark.parametrize("kind", ["listing", "create", "write", "exchange", "rename", "flush"])
def test_a_root_that_fails_as_a_whole_stops_the_run(kind: str, error: str, tmp_path: Path) -> None:
    """A file system that became read-only, a device that is gone: the run ends there, and says so once."""
    scene = Scene(tmp_path)
    scene.prepare()
    ran = scene.run(Gate(fault=Fault(kind, 3, error, lasting=True)))
    assert ran.error == "RootLost"
    assert len(ran.said) == len(set(ran.said))
    scene.in_step()


@pytest.mark.parametrize("step", [1, 20, 24, 33])
@pytest.mark.parametrize("side", ["left", "right"])
def test_a_root_is_exchanged_for_another_folder_in_mid_run(side: str, step: int, tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.prepare()
    root = Path(scene.users.root(side))
    gate = Gate(late=step)
    gate.edits = lambda reached: exchange(root)
    scene.run(gate)
    other = scene.world.look()
    kept = root.with_name("away")
    assert (kept / ".syncline").exists()
    assert oracle.Sight(other.left, other.right).tree("right" if side == "left" else "left")
    for path in list(root.iterdir()):
        subprocess.run(["rm", "-r", path], check=True)
    root.rmdir()
    kept.rename(root)
    scene.in_step()


def exchange(root: Path) -> None:
    root.rename(root.with_name("away"))
    root.mkdir()


@pytest.fixture
def bound(tmp_path: Path) -> Iterator[tuple[Scene, Path, Path]]:
    """A scene whose left root is a mount."""
    disk = tmp_path / "disk"
    disk.mkdir()
    scene = Scene(tmp_path / "scene")
    if subprocess.run(["mount", "--bind", disk, scene.left], capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        scene.prepare()
        yield scene, scene.left, disk
    finally:
        while subprocess.run(["umount", "-l", scene.left], capture_output=True).returncode == 0:
            pass


def gone(left: Path) -> None:
    subprocess.run(["umount", "-l", left], check=True)


def covered(left: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "none", left], check=True)


@pytest.mark.root
@pytest.mark.parametrize("step", [1, 18, 24, 28, 33])
@pytest.mark.parametrize("happens", [gone, covered])
def test_a_mount_fails_in_mid_run(
    happens: Callable[[Path], None], step: int, bound: tuple[Scene, Path, Path], tmp_path: Path
) -> None:
    scene, left, disk = bound
    gate = Gate(late=step)
    gate.edits = lambda reached: happens(left)
    ran = scene.run(gate)
    assert not ran.crashed
    back(happens, left, disk)
    scene.in_step()


@pytest.mark.root
@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("happens", [gone, covered])
def test_a_mount_fails_between_two_listings(
    happens: Callable[[Path], None], number: int, bound: tuple[Scene, Path, Path]
) -> None:
    """What is not seen below a mount that went away is not taken for deleted."""
    scene, left, disk = bound
    before, seen = scene.world.look().live("right"), list[Step]()

    def fails(step: Step) -> None:
        seen.append(step)
        happens(left)

    ran = scene.run(Gate(beside=["listing", number], edits=fails))
    assert [step.kind for step in seen] == ["listing"]
    assert (ran.outcome, ran.error, ran.done) == (None, "RootLost", []), ran.said
    assert before & scene.users.ledger.alive() <= scene.world.look().live("right")
    back(happens, left, disk)
    scene.in_step()


def back(happens: Callable[[Path], None], left: Path, disk: Path) -> None:
    if happens is gone:
        subprocess.run(["mount", "--bind", disk, left], check=True)
    else:
        subprocess.run(["umount", left], check=True)


@pytest.mark.root
@pytest.mark.parametrize(("kind", "nth"), [("exchange", 1), ("flush", -1)])
def test_what_a_disk_lost_as_it_failed_is_no_edit_of_anybody(kind: str, nth: int, tmp_path: Path) -> None:
    """Names it had been given and that were not durable yet are not remembered."""
    paths = ("a", "b", "c")

    def edited(scene: Scene) -> None:
        for path in paths:
            scene.users.act(["write", "left", path, 4096])

    rehearsal, gate = Scene(tmp_path / "rehearsal"), Gate()
    edited(rehearsal)
    assert rehearsal.run(Gate()).good
    edited(rehearsal)
    assert rehearsal.run(gate).good
    step = [number for number, each in enumerate(gate.changes, 1) if each.kind == kind and each.where == "right"][nth]
    scene, image = Scene(tmp_path / "scene"), tmp_path / "image"
    right = scene.users.root("right")
    with image.open("wb") as stream:
        stream.truncate(16 << 20)
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    attach = ["mount", "-o", "loop", str(image), right]
    subprocess.run(attach, check=True)
    try:
        (Path(right) / "lost+found").rmdir()
        edited(scene)
        assert scene.run(Gate()).good
        edited(scene)
        before = scene.world.look().live("left")
        subprocess.run(["sync", "-f", right], check=True)
        gate = Gate(late=step)
        gate.edits = lambda reached: subprocess.run(["mount", "-o", "remount,abort", right], check=True)
        ran = scene.run(gate)
        assert ran.error == "RootLost", ran.said
        subprocess.run(["umount", right], check=True)
        subprocess.run(attach, check=True)
        scene.in_step()
        assert scene.world.look().live("left") == before
    finally:
        subprocess.run(["umount", right], check=True)


@pytest.mark.root
@pytest.mark.parametrize("step", [20, 24, 33])
def test_a_real_disk_fails_in_mid_run(step: int, tmp_path: Path) -> None:
    """ext4 gives up its journal, as when the device below it is pulled or broken."""
    scene, image = Scene(tmp_path), tmp_path / "image"
    with image.open("wb") as stream:
        stream.truncate(16 << 20)
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    attach = ["mount", "-o", "loop", str(image), str(scene.left)]
    subprocess.run(attach, check=True)
    try:
        (scene.left / "lost+found").rmdir()
        scene.prepare()
        subprocess.run(["sync", "-f", scene.left], check=True)
        before, gate = scene.world.look().live("right"), Gate(late=step)
        gate.edits = lambda reached: subprocess.run(["mount", "-o", "remount,abort", scene.left], check=True)
        ran = scene.run(gate)
        assert (ran.outcome, ran.error) == (None, "RootLost"), ran.said
        assert len(ran.said) == len(set(ran.said))
        assert before & scene.users.ledger.alive() <= scene.world.look().live("right")
        subprocess.run(["umount", scene.left], check=True)
        subprocess.run(attach, check=True)
        scene.in_step()
    finally:
        subprocess.run(["umount", "-l", scene.left], check=True)
