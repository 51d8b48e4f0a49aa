"""The processes that read the roots: they tell what a walk in this process tells, and none of them is left behind."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from syncline import compose
from syncline.compose import local_now
from syncline.core.model import SIDES, Side
from syncline.errors import Interrupted, RootLost, ScanFailed, StateError
from syncline.fs.descent import Descent
from syncline.fs.opening import open_root
from syncline.scanner import main, process, wire
from syncline.scanner import scan as scanning
from syncline.scanner.scan import Scan, Scanning, Task
from syncline.store.base import BaseStore
from syncline.store.db import Store
from syncline.store.jobs import Jobs
from tests.e2e.disk import DIR, Link, Tree, write

STANDING: Tree = {"a": "1", "d/b": "2", "d/e/f": "3", "d/e/g/h": "4", "k/l": "5", "empty": DIR}

CHANGES: dict[str, Tree] = {
    "nothing changed": {},
    "a file at the top": {"a": "22"},
    "a file deep down": {"d/e/g/h": "22"},
    "a new directory with some below": {"d/new/x/y": "1"},
    "a directory gone": {"d/e": None},
    "an empty directory gone": {"empty": None},
    "a file where a directory was": {"d": "1"},
    "a link where a directory was": {"d/e": Link("..")},
    "a directory where a file was": {"a": None, "a/b": "1"},
    "new directories out of scope": {"cache/x": "1", "d/cache/y": "1", "d/new/cache/z": "1"},
    "one included again": {"d/e/cache/z": "1", "kept/cache/z": "1"},
    "names that are no UTF-8": {os.fsdecode(b"\xff/\xfe"): "1"},
    "a directory that holds another root": {"sub/.syncline/root.json": "{}", "sub/x": "1"},
}

PATTERNS = ("cache/", "!kept/cache/")


@contextmanager
def task(folder: Path, check: Callable[[], None] = lambda: None, *, write_state: bool = True) -> Iterator[Task]:
    """The look at two folders that were in step once."""
    with Store.open(str(folder / "state"), now=local_now, write=write_state) as store:
        jobs = Jobs(store).all()
        base = BaseStore(store, jobs[0].id if jobs else "")
        moment = None if write_state or not jobs else (jobs[0].generation, jobs[0].begun)
        with closing(open_root(str(folder / "L"))) as left, closing(open_root(str(folder / "R"))) as right:
            roots = {Side.LEFT: left, Side.RIGHT: right}
            yield Task(roots, base, PATTERNS, check, everything=False, rescope=False, moment=moment)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for side in "LR":
        (tmp_path / side).mkdir()
    write(tmp_path / "L", STANDING)
    events = compose.run(str(tmp_path / "L"), str(tmp_path / "R"), state_dir=str(tmp_path / "state"), ignore=PATTERNS)
    assert list(events)
    return tmp_path


def both(given: Task) -> tuple[dict[Side, Scan], dict[Side, Scan]]:
    """What the processes found, and what a walk in this process finds."""
    with Scanning(given) as under_way:
        assert set(under_way.processes) == set(SIDES)
        found = under_way.result()
    return found, {side: scanning.walk_here(given, side) for side in SIDES}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize(
    ("everything", "rescope"), [(False, False), (True, False), (True, True)], ids=["differing", "all", "rescope"]
)
def test_a_process_tells_what_a_walk_here_tells(folder: Path, change: str, everything: bool, rescope: bool) -> None:
    write(folder / "L", CHANGES[change])
    with task(folder) as given:
        found, here = both(replace(given, everything=everything, rescope=rescope))
    assert found == here
    if not everything:
        assert bool(found[Side.LEFT].changed) == bool(CHANGES[change])
        assert found[Side.RIGHT].changed == {}


def test_what_is_not_remembered_is_new(tmp_path: Path) -> None:
    for side in "LR":
        (tmp_path / side).mkdir()
    write(tmp_path / "L", STANDING)
    with task(tmp_path, write_state=False) as given:
        assert given.base.store.in_memory
        found, here = both(given)
    assert found == here
    assert sorted(found[Side.LEFT].changed) == ["", "d", "d/e", "d/e/g", "empty", "k"]


def test_very_deep_and_very_wide_directories(folder: Path) -> None:
    deep = "/".join(["d"] * 300)
    write(folder / "L", {deep + "/x": "1"} | {f"wide/{number}/x": "1" for number in range(1500)})
    for level in range(1, 300, 50):
        write(folder / "L", {"/".join(["d"] * level) + "/side/x": "1"})
    with task(folder) as given:
        found, here = both(given)
    assert found == here
    assert len(found[Side.LEFT].changed) > 1800


def test_a_plan_beside_a_run_reads_the_rows_of_its_own_moment(folder: Path) -> None:
    write(folder / "L", {"a": "22"})
    with task(folder, write_state=False) as given:
        assert given.moment is not None
        elsewhere = replace(given, moment=(given.moment[0] + 1, False))  # as if a run had ended in between
        found, here = both(elsewhere)
        assert found == here
        assert list(found[Side.LEFT].changed) == [""]
        with Scanning(replace(given, moment=(given.moment[0], True))) as under_way:  # a run is on
            assert under_way.processes == {}
            assert under_way.result() == here


def test_a_state_that_cannot_be_read_is_found_out_by_the_one_who_can_mend_it(folder: Path) -> None:
    with task(folder) as given:
        with closing(sqlite3.connect(folder / "state/state.db")) as other:
            other.execute("ALTER TABLE directory RENAME COLUMN left TO lost")
        with Scanning(given) as under_way:
            assert set(under_way.processes) == set(SIDES)
            with pytest.raises(StateError):
                under_way.result()
    assert not (folder / "state/state.db").exists()  # moved aside, so that the next run begins afresh


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.parametrize("side", SIDES)
def test_a_root_that_does_not_answer_ends_the_look(folder: Path, side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanning, "SILENCE_S", 0.5)
    write(folder / "L", {f"new/{number}/x": "1" for number in range(100)})
    with task(folder) as given, Scanning(given) as under_way:
        pids = {side: process.pid for side, process in under_way.processes.items()}
        os.kill(pids[side], signal.SIGSTOP)  # as one that waits for a dead mount
        started = time.monotonic()
        with pytest.raises(RootLost, match=rf"/{'L' if side is Side.LEFT else 'R'} has given no answer for"):
            under_way.result()
        assert time.monotonic() - started < 10
        under_way.close()
        assert all(gone(pid) for pid in pids.values())


def test_a_long_directory_is_not_taken_for_silence(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process says that it goes on between the names of one directory, too."""
    write(folder / "L", {f"wide/{number}": "" for number in range(5000)})
    beats: list[int] = []
    fd = os.open(folder / "L", os.O_RDONLY)
    descent = Descent(fd, os.fstat(fd).st_dev, ("ctime", "inode"), beat=lambda: beats.append(0))
    assert descent.listing("") is not None
    assert descent.listing("wide") is not None
    os.close(fd)
    assert len(beats) >= 10

    reading, writing = os.pipe()
    monkeypatch.setattr(main, "BEAT_S", 0.0)
    main.Out(writing).beat()
    assert wire.receive(reading) == (wire.TELL, [])
    os.close(reading)
    os.close(writing)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_process_that_breaks_down_is_told_and_nothing_is_gone(folder: Path, number: signal.Signals) -> None:
    write(folder / "L", {"new/x": "1"})  # about which it asks, and waits for the answer
    with task(folder) as given, Scanning(given) as under_way:
        pids = [process.pid for process in under_way.processes.values()]
        os.kill(pids[0], number)
        with pytest.raises(ScanFailed, match=f"/L broke down: it was ended by signal {int(number)}"):
            under_way.result()
        under_way.close()
        assert all(gone(pid) for pid in pids)


def test_a_signal_ends_the_processes(folder: Path) -> None:
    def interrupted() -> None:
        raise Interrupted(15)

    with task(folder, interrupted) as given, Scanning(given) as under_way:
        pids = [process.pid for process in under_way.processes.values()]
        with pytest.raises(Interrupted):
            under_way.result()
        under_way.close()
        assert all(gone(pid) for pid in pids)


def test_a_process_ends_with_the_one_that_started_it(folder: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; from tests.scanner.test_processes import *\n"
        "with task(Path(sys.argv[1])) as given:\n"
        "    under_way = Scanning(given)\n"
        "    print(*(process.pid for process in under_way.processes.values()), flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)"
    )
    path = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run([sys.executable, "-c", code, folder], capture_output=True, text=True, check=False, env=path)
    assert done.returncode == -signal.SIGKILL, done.stderr
    until_s = time.monotonic() + 10
    pids = [int(word) for word in done.stdout.split()]
    assert len(pids) == 2
    while not all(map(gone, pids)) and time.monotonic() < until_s:
        time.sleep(0.02)
    assert all(map(gone, pids))


MODULES = {
    # ours
    "syncline",
    "syncline.core",
    "syncline.core.record",
    "syncline.core.scope",
    "syncline.fs",
    "syncline.fs.descent",
    "syncline.fs.flags",
    "syncline.fs.scan",
    "syncline.scanner",
    "syncline.scanner.main",
    "syncline.scanner.walk",
    "syncline.scanner.wire",
    "syncline.store",
    "syncline.store.children",
    # what these import
    "os",
    "os.path",
    "posixpath",
    "genericpath",
    "stat",
    "_stat",
    "__future__",
    "errno",
    "gc",
    "struct",
    "_struct",
    # sqlite3, and what it imports
    "sqlite3",
    "sqlite3.dbapi2",
    "_sqlite3",
    "datetime",
    "_datetime",
    "math",
    "collections",
    "collections.abc",
    "_collections",
    "_functools",
    "_operator",
    "functools",
    "itertools",
    "keyword",
    "operator",
    "reprlib",
    "types",
}

COUNT = """
import json, sys
before = set(sys.modules)
sys.path.append({top!r})
from syncline.scanner import main
main.main()
print(json.dumps(sorted(set(sys.modules) - before)), file=sys.stderr)
"""


def test_the_process_imports_next_to_nothing(folder: Path) -> None:
    """A look that finds nothing, whole: the imports are what it would otherwise take longest for."""
    with task(folder) as given:
        root = open_root(str(folder / "L"))
        outside = root.outside()
        assert outside is not None
        request = {**scanning.request(given, Side.LEFT, outside), "root": outside.fd}
        run = subprocess.Popen(
            [sys.executable, "-I", "-S", "-X", "utf8", "-c", COUNT.format(top=process.TOP)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=[outside.fd],
        )
        with run:
            assert run.stdin is not None
            wire.send(run.stdin.fileno(), request)
            out, err = run.communicate(timeout=60)
        root.close()
    assert wire.split(bytearray(out)) == [(wire.TELL, []), (wire.END, None)]
    assert set(json.loads(err)) <= MODULES
