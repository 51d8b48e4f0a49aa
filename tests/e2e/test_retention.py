"""What goes by itself: old trash and old runs, after a run that ended well and never before."""

from __future__ import annotations

import sqlite3
import subprocess
import threading
from dataclasses import dataclass

import pytest

from tests.config.conftest import Home
from tests.e2e import disk
from tests.e2e.forks import Forks

DAY = 86_400
JOB = "office"


@dataclass
class Office:
    """A configured job whose past can be made longer ago."""

    home: Home

    def configure(self, keys: str = "") -> None:
        self.home.write(f"jobs:\n  {JOB}:\n    kind: twoway\n    left: left\n    right: right\n    {keys}\n")

    def write(self, left: dict, right: dict | None = None) -> None:
        disk.write(self.home.folder / "left", left)
        disk.write(self.home.folder / "right", right or {})

    def run(self, *args: str, code: int = 0):
        done = self.home("run", JOB, *args)
        assert done.returncode == code, done.stderr
        return done

    def trash(self) -> dict[str, str]:
        """What lies in the trash of both sides, by its path."""
        return {**disk.trash(self.home.folder / "left"), **disk.trash(self.home.folder / "right")}

    def runs(self) -> int:
        return len(self.home.json("history")[1]["runs"])

    def age(self, days: float, *, looked: float | None = None) -> None:
        """All that is remembered is so much longer ago; the last look was so many days ago, if not as long."""
        later = f"-{days * DAY} seconds"
        form = "strftime('%Y-%m-%dT%H:%M:%f000Z', {}, ?)"
        with sqlite3.connect(self.home.state / "state.db") as state:
            for table, column in (("run", "started"), ("action", "at"), ("conflict", "settled")):
                state.execute(f"UPDATE {table} SET {column} = {form.format(column)}", (later,))
            seen = f"-{(days if looked is None else looked) * DAY} seconds"
            state.execute(f"UPDATE job SET last_checked = {form.format('last_checked')}", (seen,))
        state.close()


@pytest.fixture
def office(home: Home) -> Office:
    """A job with one replaced and one deleted file in its trash."""
    made = Office(home)
    made.configure()
    for side in ("left", "right"):
        (home.folder / side).mkdir()
    made.write({"a": "one", "b": "two"})
    made.run()
    made.write({"a": "new", "b": None})
    made.run()
    assert made.trash() == {"a": "=one", "b": "=two"}
    return made


ALL, NONE = {"a": "=one", "b": "=two"}, dict[str, str]()

AGES = [
    ("after thirty days", "", 31, 0, NONE),
    ("not before", "", 29, 0, ALL),
    ("as the job says", "trash: {keep_for: 7d}", 8, 0, NONE),
    ("longer, as the job says", "trash: {keep_for: 100d}", 31, 0, ALL),
    ("never, as the job says", "trash: {keep_for: none}", 9999, 0, ALL),
    ("at once, as the job says", "trash: {keep_for: 0}", 0.01, 0, NONE),
    ("not when the clock has just jumped", "", 31, 31, ALL),
    ("not when a clock that is right again was wrong at the last look", "", 1, -100, ALL),
    ("for ever, as far as a time can go", "trash: {keep_for: 99999999d}", 31, 0, ALL),
]


@pytest.mark.parametrize(("says", "keys", "days", "looked", "left"), AGES, ids=[row[0] for row in AGES])
def test_the_trash_goes(office: Office, says: str, keys: str, days: float, looked: float, left: dict) -> None:
    office.configure(keys)
    office.age(days, looked=looked)
    done = office.run()
    assert office.trash() == left
    told = [line for line in done.stderr.splitlines() if "from the trash" in line]
    assert len(told) == (1 if left is NONE else 0), done.stderr
    assert not told or told[0].startswith(f"syncline: {JOB}: removed 2 items (6 bytes) from the trash")
    assert office.run("-q").stderr == ""


def test_a_run_that_had_something_to_do_clears_away_too_but_not_its_own(office: Office) -> None:
    office.configure("trash: {keep_for: 1d}")
    office.age(2, looked=0)
    office.write({"a": "newer"})
    assert office.run("-q").stderr == "", "asked to be quiet"
    assert office.trash() == {"a": "=new"}


NOT_WELL = [
    ("a dry run", ("--dry-run",), 0),
    ("a plan", (), 0),
    ("a refused run", (), 3),
]


@pytest.mark.parametrize(("says", "args", "code"), NOT_WELL, ids=[row[0] for row in NOT_WELL])
def test_nothing_goes_after(office: Office, says: str, args: tuple[str, ...], code: int) -> None:
    office.age(31, looked=0)
    if code == 3:
        (office.home.folder / "left/.syncline/root.json").unlink()
    if says == "a plan":
        assert office.home("plan", JOB).returncode == 0
    else:
        office.run(*args, code=code)
    assert office.trash() == ALL


def test_nothing_goes_after_a_run_in_which_something_failed(office: Office) -> None:
    office.age(31, looked=0)
    with (office.home.folder / "left/busy").open("wb") as file:
        file.truncate(20_000_000)
    over = threading.Event()

    def disturb() -> None:
        with (office.home.folder / "left/busy").open("ab", buffering=0) as file:
            while not over.wait(0.001):
                file.write(b"x")

    writer = threading.Thread(target=disturb)
    writer.start()
    try:
        office.run(code=4)
    finally:
        over.set()
        writer.join()
    assert office.trash() == ALL
    office.run()
    assert office.trash() == NONE


def test_what_nobody_knows_stays(office: Office) -> None:
    old = office.home.folder / "right/.syncline/trash/20200101T000000Z-abcd/of/old"
    old.parent.mkdir(parents=True)
    old.write_text("old")
    office.age(31, looked=0)
    office.run()
    assert office.trash() == {"of": "/", "of/old": "=old"}


def test_what_cannot_be_removed_is_told_and_fails_nothing(office: Office) -> None:
    office.age(31, looked=0)
    run = next((office.home.folder / "right/.syncline/trash").iterdir())
    (run / "sub").mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "none", run / "sub"], check=False, capture_output=True)
    if mounted.returncode:
        pytest.skip("no mounts here")
    try:
        done = office.run("-q")
        assert "could not be cleared away" in done.stderr
    finally:
        subprocess.run(["umount", run / "sub"], check=True)


def test_a_run_without_changes_writes_nothing_but_the_time_of_the_look(office: Office) -> None:
    office.run()
    folders = [office.home.folder / side for side in ("left", "right")]
    before = disk.fingerprint(*folders)
    office.run()
    changed = {path for path, seen in disk.fingerprint(*folders).items() if before[path] != seen}
    assert changed <= {str(folder / ".syncline/lock") for folder in folders}


HISTORY = [
    ("after ninety days, but the latest and what has something in the trash", "trash: {keep_for: none}", 91, 2),
    ("with the trash that went", "", 91, 1),
    ("not before", "", 89, 4),
    ("as the job says", "history: {keep_for: 7d}", 31, 1),
    ("never, as the job says", "history: {keep_for: none}", 9999, 4),
]


@pytest.mark.parametrize(("says", "keys", "days", "left"), HISTORY, ids=[row[0] for row in HISTORY])
def test_the_history_goes(office: Office, says: str, keys: str, days: float, left: int) -> None:
    for name in ("c", "d"):
        office.write({name: name})
        office.run()
    office.configure(keys)
    office.age(days, looked=0)
    told = office.run().stderr
    assert office.runs() == left
    assert (f"forgot {4 - left} runs older than" in told) == (left < 4), told
    assert office.home("status", JOB).returncode == office.home("history").returncode == 0
    assert office.run().stderr == ""


def test_a_run_with_an_open_conflict_is_remembered(office: Office) -> None:
    office.write({"a": "left"}, {"a": "the right"})
    office.run()
    office.write({"c": "c"})
    office.run()
    office.age(400, looked=0)
    office.run()
    assert office.runs() == 3, "with the one that has an earlier version of the path in the trash"
    assert office.trash() == ALL
    assert len(office.home.json("conflicts")[1]["conflicts"]) == 1
    assert office.home("resolve", JOB, "--all", "--keep", "both").returncode == 0


def test_what_an_interrupted_undo_needs_stays(office: Office, parent: Forks) -> None:
    run = office.home.json("history", "--limit", "1")[1]["runs"][0]["run"]
    args = ("--config", office.home.file, "--state-dir", office.home.state, "undo", run)
    assert parent.call(*args, at="marker", do="kill -INT $PPID").code == 130
    assert office.home.json("conflicts")[1]["conflicts"] == [], "nothing was done"
    office.age(31, looked=0)
    office.run()
    assert office.trash() == ALL
    assert office.home("undo", run).returncode == 1, "now the sides differ"
    assert disk.read(office.home.folder / "right") == {"a": "=one", "b": "=two"}
    assert office.home("resolve", JOB, "--run", run, "--keep", "left").returncode == 0
    office.age(31, looked=0)
    office.run()
    assert office.trash() == NONE


# what is replaced


def test_replaced_versions_are_not_kept_if_so_said(office: Office) -> None:
    office.configure("trash: {replaced: false}")
    office.write({"a": "newest"})
    office.run()
    assert office.trash() == ALL
    office.write({"a": "left"}, {"a": "the right"})
    office.configure("trash: {replaced: false}\n    changed_both: left")
    office.run()
    kept = {path.read_text() for path in office.home.folder.glob("*/.syncline/trash/*/a")}
    assert kept == {"one", "the right"}, "what loses a conflict is kept"
    assert not list((office.home.folder / "right/.syncline/staging").iterdir())
    assert office.home.json("run", JOB)[1]["outcome"] == "in-sync"
