"""The power goes at any step: both roots lie on one file system, whose image is copied at that step, the state beside
them or on a disk of its own. Each copy is mounted as after a power cut; an ordinary run then loses nothing, shows
nothing torn, and comes in step.

`SYNCLINE_LONG=1` cuts at every step.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from syncline.compose import local_now
from syncline.errors import StateError
from syncline.fs.probe import capabilities_of
from syncline.store.db import Store
from syncline.torture import oracle
from syncline.torture.case import Case
from syncline.torture.gate import Gate, Step
from syncline.torture.inside import run_here
from syncline.torture.oracle import Sight
from syncline.torture.users import Users
from syncline.torture.world import RUN, World

pytestmark = pytest.mark.root

LONG = os.environ.get("SYNCLINE_LONG") == "1"
CUTS, APART = 7, 6
SYSTEMS = {
    "ext4": ("64M", ["mkfs.ext4", "-q"]),
    "xfs": ("320M", ["mkfs.xfs", "-q"]),
    "btrfs": ("128M", ["mkfs.btrfs", "-q"]),
}
UNJOURNALLED = {"ext4": ("64M", ["mkfs.ext4", "-q", "-O", "^has_journal"])}
"""Keeps, as FAT does, what was flushed, and nothing else that was done before it."""


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder in memory, where copies of images cost little."""
    top = Path(tempfile.mkdtemp(prefix="syncline-power-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None))
    yield top
    shutil.rmtree(top)


@contextmanager
def mounted(image: Path, at: Path) -> Iterator[Path]:
    at.mkdir(exist_ok=True)
    done = subprocess.run(["mount", "-o", "loop", image, at], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"loop devices cannot be mounted here: {done.stderr.strip()}")
    try:
        yield at
    finally:
        subprocess.run(["umount", at], check=True)


def made(kind: str, place: Path, systems: Mapping[str, tuple[str, list[str]]] = SYSTEMS) -> Path:
    size, command = systems[kind]
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    image = place / f"{kind}.img"
    image.unlink(missing_ok=True)
    subprocess.run(["truncate", "-s", size, image], check=True)
    subprocess.run([*command, image], check=True, capture_output=True)
    return image


def begin(top: str, state: Path | None = None) -> World:
    """Two users, half an hour later: edits, a conflict, removals, a type change, renamed folders. `state`: where it
    lies, if not beside the roots."""
    options = {"compare": "hash"}
    place = os.fspath(state) if state else f"{top}/state"
    able = dict.fromkeys(("left", "right"), capabilities_of(top))
    world = World(Users(top), Case(0, options=options), run_here, place, options, able)
    act = world.users.act
    for number, path in enumerate(("a", "b", "c", "d/a", "d/b", "e/f/g", "t")):
        act(["write", "left" if number % 2 else "right", path, 4096])
    run(world, Gate())
    for op in (
        ["write", "left", "a", 4096],
        ["write", "left", "b", 24],
        ["write", "right", "b", 24],
        ["delete", "right", "c"],
        ["delete", "left", "d"],
        ["write", "left", "new/deep/file", 70_001],
        ["move", "right", "e", "moved"],
        ["delete", "left", "t"],
        ["write", "left", "t/inside", 24],
        ["link", "right", "link", "gone"],
    ):
        act(op)
    subprocess.run(["sync", "-f", top], check=True)
    return world


def run(world: World, gate: Gate) -> None:
    ran = run_here(world, gate, RUN)
    world.close()
    assert ran.good, (ran.outcome, ran.error, ran.said)


@pytest.mark.parametrize("kind", sorted(SYSTEMS))
def test_the_power_goes_at_any_step(kind: str, place: Path) -> None:
    image, steps = made(kind, place), 0
    with mounted(image, place / "count") as top:
        world = begin(str(top))
        gate = Gate()
        run(world, gate)
        steps = len(gate.changes)
    for step in chosen(steps, CUTS):
        cut(kind, place, step)


@pytest.mark.parametrize("kind", ["ext4", "xfs"])
def test_the_power_goes_with_the_state_on_another_disk(kind: str, place: Path) -> None:
    """What is remembered is durable then and makes nothing else durable: at most steps one is ahead of the other."""
    with mounted(made(kind, place), place / "count") as top:
        gate = Gate()
        run(begin(str(top), place / "state"), gate)
        steps = len(gate.changes)
    for step in chosen(steps, APART):
        shutil.rmtree(place / "state")
        cut(kind, place, step, place / "state")


def chosen(steps: int, cuts: int) -> list[int]:
    every = list(range(1, steps + 1))
    return every if LONG else sorted({every[round(index * (steps - 1) / (cuts - 1))] for index in range(cuts)})


def cut(kind: str, place: Path, step: int, state: Path | None = None) -> None:
    """Run until `step`, copy the image there, and go on with the copy; with a copy of a `state` that lies elsewhere."""
    image, copy = made(kind, place), place / "copy.img"
    kept = place / "state.copy"

    def goes(reached: Step) -> None:
        subprocess.run(["cp", "--sparse=always", image, copy], check=True)
        if state is not None:
            shutil.copytree(state, kept)

    with mounted(image, place / "before") as top:
        world = begin(str(top), state)
        before = world.look()
        run(world, Gate(late=step, edits=goes))
    if state is not None:
        shutil.rmtree(state)
        kept.rename(state)
    with mounted(copy, place / "before") as top:  # at the same path: the job is known by its folders
        seen = world.look()
        oracle.nothing_torn(seen, world.users.ledger)
        after(world, before, step)


def after(world: World, before: Sight, step: int) -> None:
    ledger = world.users.ledger
    run(world, Gate())
    sight = world.look()
    try:
        oracle.nothing_torn(sight, ledger)
        oracle.nothing_lost(before.contents(), sight, ledger)
        oracle.no_wrong_delete(sight, ledger, both=True)
        oracle.in_step(sight, (), quick=False)
        again = run_here(world, Gate(), RUN)
        world.close()
        assert again.acts == 0
    except oracle.Broken as broken:
        raise AssertionError(f"cut at step {step}: {broken}") from broken


@pytest.mark.parametrize("durability", ["batch", "each"])
def test_what_a_run_displaced_is_kept_where_nothing_is_but_what_was_flushed(durability: str, place: Path) -> None:
    """The power goes directly after a run of a few changes."""
    image, copy = made("ext4", place, UNJOURNALLED), place / "copy.img"
    with mounted(image, place / "before") as top:
        able = dict.fromkeys(("left", "right"), capabilities_of(str(top)))
        options = {"compare": "hash", "durability": durability}
        world = World(Users(str(top)), Case(0, options=options), run_here, str(place / "state"), options, able)
        for path in ("edited", "deleted", "folder/file"):
            world.users.act(["write", "left", path, 4096])
        run(world, Gate())
        subprocess.run(["sync", "-f", top], check=True)
        before = world.look()
        for op in (["write", "left", "edited", 4096], ["delete", "left", "deleted"], ["delete", "left", "folder"]):
            world.users.act(op)
        run(world, Gate())
        subprocess.run(["cp", "--sparse=always", image, copy], check=True)
    with mounted(copy, place / "before") as top:
        oracle.nothing_lost(before.contents(), world.look(), world.users.ledger)
        assert sorted(os.listdir(top / "right/.syncline/staging")) == []


def test_what_is_not_flushed_would_be_lost(place: Path) -> None:
    """The cut is a real one: without durability a new file is empty or absent in the copy."""
    image, copy = made("xfs", place), place / "copy.img"
    found: Any
    with mounted(image, place / "before") as top:
        (top / "file").write_bytes(b"not flushed")
        subprocess.run(["cp", "--sparse=always", image, copy], check=True)
    with mounted(copy, place / "before") as top:
        path = top / "file"
        found = path.read_bytes() if path.exists() else b""
    assert found == b""


def test_a_disk_that_dies_under_the_state_is_no_damage_of_the_state(place: Path) -> None:
    """What is read of it then looks torn; it is told as the disk's fault, and is whole on the next day."""
    image = made("xfs", place)
    with mounted(image, place / "before") as top:
        state = os.fspath(top / "state")
        with Store.open(state, now=local_now, write=True) as store:
            store.do("CREATE TABLE many (number, text)")
            with store.transaction():
                store.do_each("INSERT INTO many VALUES (?, ?)", ((number, "x" * 3000) for number in range(3000)))
            subprocess.run(["xfs_io", "-x", "-c", "shutdown", top], check=True)
            for _ in range(2):
                with pytest.raises(StateError, match=r"cannot be used: (Input/output|disk I/O) error"):
                    store.all("SELECT sum(length(text)) FROM many")
                with (
                    pytest.raises(StateError, match=r"cannot be used: (Input/output|disk I/O) error"),
                    store.transaction(),
                ):
                    store.do("UPDATE many SET text = 'y'")
    with mounted(image, place / "before") as top, Store.open(state, now=local_now, write=True) as store:
        assert store.notes == []
        assert store.all("SELECT count(*), sum(length(text)) FROM many") == [(3000, 9_000_000)]
        assert not [name for name in os.listdir(state) if ".bad-" in name]
