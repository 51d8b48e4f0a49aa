"""The journal, the runs, and what waits for a person."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from syncline.core.model import (
    Because,
    Conflict,
    Entry,
    Kept,
    Kind,
    MakeDirectory,
    Outcome,
    Place,
    Policy,
    Problem,
    PutFile,
    Reason,
    RelPath,
    Remove,
    Rename,
    Rule,
    Side,
    Trash,
    Why,
)
from syncline.errors import StateError, UsageError
from syncline.store.conflicts import Approvals, Conflicts, Problems
from syncline.store.jobs import Jobs
from syncline.store.journal import Journal, Step
from syncline.store.runs import Runs, run_id
from tests.store.conftest import JOB

RUN = "20261120T184500Z-0a1b"
FILE = Entry(Kind.FILE, 9, 10**18, 0o644, 10**18, 77, b"\x01" + bytes(32))


def left(path):
    return Place(Side.LEFT, RelPath(path))


def right(path):
    return Place(Side.RIGHT, RelPath(path))


def because(path):
    return Because(Why.CHANGED, left(path), FILE)


PUT = PutFile(right("a/b\udcff.txt"), None, because("a/b\udcff.txt"), FILE, left("a/b\udcff.txt"), FILE)
TRASH = Trash(right("old"), FILE, because("old"), group=RelPath("old"))
RENAME = Rename(right("x"), RelPath("y"), FILE, because("y"))
MAKE = MakeDirectory(right("a"), None, because("a"), Entry(Kind.DIRECTORY, mode=0o755))


@pytest.fixture
def journal(store):
    """The journal, with a run that has been started."""
    with store.transaction():
        Runs(store).start(RUN, JOB.id, plan="p1", kind="run", roots={"left": "/l", "right": "/r\udcff"})
    return Journal(store)


def test_an_action_is_begun_and_comes_to_an_end(journal, state):
    journal.begin(RUN, [(1, None, MAKE, None), (2, None, PUT, "new-2\udcff"), (3, RelPath("old"), TRASH, None)])
    begun = state.clock.time.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    assert journal.unfinished(JOB.id) == [
        Step(RUN, 1, None, "begun", begun, MAKE, turn=1),
        Step(RUN, 2, None, "begun", begun, PUT, "new-2\udcff", turn=1),
        Step(RUN, 3, RelPath("old"), "begun", begun, TRASH, turn=1),
    ]
    journal.staged(RUN, [(2, "swap-2")])
    state.clock.go_on(seconds=1)
    problem = Problem(right("a/b\udcff.txt"), Reason.TARGET_CHANGED, "it is newer now")
    journal.done(RUN, [(1, Entry(Kind.DIRECTORY), None), (3, None, RelPath(".syncline/trash/r/old"))])
    assert [step.number for step in journal.unfinished(JOB.id)] == [2]
    journal.failed(RUN, [(2, problem, True)])
    assert journal.unfinished(JOB.id) == []
    ended = state.clock.time.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    assert list(journal.actions(RUN)) == [
        Step(RUN, 1, None, "done", ended, MAKE, result=Entry(Kind.DIRECTORY), turn=1),
        Step(RUN, 2, None, "skipped", ended, PUT, "swap-2", problem=problem, turn=1),
        Step(RUN, 3, RelPath("old"), "done", ended, TRASH, trash=RelPath(".syncline/trash/r/old"), turn=1),
    ]


def test_a_batch_is_in_the_journal_whole_or_not_at_all(store, journal):
    with pytest.raises(sqlite3.IntegrityError), store.transaction():
        journal.begin(RUN, [(1, None, MAKE, None), (1, None, PUT, None)])
    assert journal.unfinished(JOB.id) == []


def test_an_unknown_run_has_no_journal(journal):
    with pytest.raises(KeyError):
        journal.begin("20200101T000000Z-ffff", [(1, None, MAKE, None)])


@pytest.mark.parametrize(
    ("path", "numbers"),
    [
        ("a/b\udcff.txt", [1, 2]),  # and the directory above it
        ("a", [1]),
        ("old", [3]),
        ("old/inside", [3]),
        ("x", [4]),
        ("y", [4]),
        ("y/z", [4]),
        ("nothing", []),
        ("ol", []),
    ],
)
def test_what_happened_to_a_path_is_found(journal, path, numbers):
    journal.begin(RUN, [(number, None, each, None) for number, each in enumerate((MAKE, PUT, TRASH, RENAME), start=1)])
    assert [step.number for step in journal.of_path(JOB.id, RelPath(path))] == numbers


@pytest.mark.parametrize(
    ("kinds", "numbers"), [((), [1, 2, 3, 4]), ((Rename,), [4]), ((MakeDirectory, Trash), [1, 3]), ((Remove,), [])]
)
def test_the_actions_of_some_kinds(journal, kinds, numbers):
    journal.begin(RUN, [(number, None, each, None) for number, each in enumerate((MAKE, PUT, TRASH, RENAME), start=1)])
    assert [step.number for step in journal.actions(RUN, *kinds)] == numbers


def test_an_action_that_is_not_what_was_written_is_never_acted_on(state, store, journal):
    with store.transaction():
        journal.begin(RUN, [(1, None, PUT, None)])
    store.connection.execute("UPDATE action SET action = replace(action, '\"a/b', '\"a/c')")
    with pytest.raises(StateError, match="damaged.*action 1 of run"):
        journal.unfinished(JOB.id)
    store.close()
    assert any(name.startswith("state.db.bad-") for name in state.names())
    assert "state.db" not in state.names()


# ---------------------------------------------------------------------------------------------------------------------
# Runs


def test_a_run_starts_and_finishes(store, journal):
    runs = Runs(store)
    (run,) = runs.unfinished(JOB.id)
    assert (run.id, run.job, run.plan, run.kind, run.outcome) == (RUN, JOB.id, "p1", "run", None)
    assert run.roots == {"left": "/l", "right": "/r\udcff"}
    runs.finish(
        RUN, Outcome.DONE, 0.5, note="fine", summary={"copied": 1}, document={"conflicts": [{"path": "\udcff"}]}
    )
    assert runs.unfinished(JOB.id) == []
    (run,) = runs.history(JOB.id)
    assert (run.outcome, run.seconds, run.note, run.summary) == (Outcome.DONE, 0.5, "fine", {"copied": 1})
    assert run.document == {"conflicts": [{"path": "\udcff"}]}
    with pytest.raises(KeyError):
        runs.finish("nonsense", Outcome.DONE, 0)


@pytest.fixture
def runs(store, state):
    """Five runs of two jobs, an hour apart, the third one unfinished."""
    runs = Runs(store)
    with store.transaction():
        Jobs(store).add(replace(JOB, id="cd" * 16, name="other"))
        for number in range(5):
            id = run_id(state.clock(), f"000{number}")
            runs.start(id, "cd" * 16 if number == 4 else JOB.id, plan=f"p{number}", kind="run", roots={})
            if number != 2:
                runs.finish(id, Outcome.DONE, 1)
            state.clock.go_on(hours=1)
    return runs


def test_history_is_the_latest_first(runs):
    assert [run.plan for run in runs.history()] == ["p4", "p3", "p2", "p1", "p0"]
    assert [run.plan for run in runs.history(JOB.id, 2)] == ["p3", "p2"]
    assert [run.plan for run in runs.history("nobody")] == []


@pytest.mark.parametrize(
    ("said", "job", "plan"),
    [
        ("last", None, "p4"),
        ("last", JOB.id, "p3"),
        ("20261120T184500Z-0000", None, "p0"),
        ("20261120T19", None, "p1"),
        ("20261120T", "cd" * 16, "p4"),
    ],
)
def test_a_run_is_found_by_what_a_person_says(runs, said, job, plan):
    assert runs.find(said, job).plan == plan


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        ("2026", "20261120T204500Z-0002"),
        ("1999", "syncline history"),
        ("", "syncline history"),
        ("%", "syncline history"),
    ],
)
def test_a_run_that_is_not_clear_is_refused_with_a_hint(runs, said, hint):
    with pytest.raises(UsageError) as caught:
        runs.find(said)
    assert hint in caught.value.hint


def test_nothing_was_run_yet(store):
    with pytest.raises(UsageError, match="nothing was run yet"):
        Runs(store).find("last")


def test_old_runs_are_forgotten_but_not_those_that_have_not_ended(runs):
    assert runs.forget_before(JOB.id, "2026-11-20T21:00:00.000000Z") == 2
    assert [run.plan for run in runs.history()] == ["p4", "p3", "p2"]


def test_a_run_s_id_is_its_time_in_utc():
    time = datetime(2026, 11, 20, 19, 45, 3, 999999, tzinfo=timezone(timedelta(hours=1)))
    assert run_id(time, "0a1b") == run_id(time.astimezone(UTC), "0a1b") == "20261120T184503Z-0a1b"


# ---------------------------------------------------------------------------------------------------------------------
# Conflicts, problems, approvals


def conflict(path="a.txt", policy=Policy.KEEP_BOTH, kept=Kept.LEFT, clash="a_clash.txt", rule=Rule.CHANGED_BOTH):
    made = None if clash is None else RelPath(clash)
    return Conflict(RelPath(path), rule, policy, kept, FILE, None, None, made, None if made is None else Side.RIGHT)


HELD = conflict("held\udcff", Policy.HOLD, None, None)


@pytest.mark.parametrize(
    ("recorded", "open"),
    [
        ([conflict()], ["a.txt"]),
        ([conflict(policy=Policy.NEWEST, clash=None)], []),  # settled by policy, no clash file
        ([HELD], ["held\udcff"]),
        ([HELD, HELD, replace(HELD, left=None)], ["held\udcff"]),  # found again in every run
        ([HELD, conflict("held\udcff", clash=None)], []),
        ([HELD, conflict("held\udcff")], ["held\udcff"]),
        ([conflict(), conflict(clash="a_clash-2.txt")], ["a.txt", "a.txt"]),
        ([conflict(rule=Rule.UNDONE, kept=None, clash=None)], ["a.txt"]),
    ],
)
def test_what_is_open(store, recorded, open):
    conflicts = Conflicts(store)
    for each in recorded:
        conflicts.record(JOB.id, RUN, each)
    assert [each.conflict.path for each in conflicts.open_conflicts(JOB.id)] == open
    if open:
        assert conflicts.open_conflicts()[-1].conflict == recorded[-1]


def test_a_held_conflict_keeps_its_id_and_its_time(store, state):
    conflicts = Conflicts(store)
    first = conflicts.record(JOB.id, RUN, HELD)
    before = conflicts.by_id(first)
    assert before is not None
    state.clock.go_on(hours=1)
    assert conflicts.record(JOB.id, "later", replace(HELD, right=FILE)) == first
    assert conflicts.by_id(first) == replace(before, conflict=replace(HELD, right=FILE))


def test_a_conflict_is_found_by_its_clash_file_and_settled(store, state):
    conflicts = Conflicts(store)
    id = conflicts.record(JOB.id, RUN, conflict())
    for path in ("a.txt", "a_clash.txt"):
        assert [each.id for each in conflicts.open_at(JOB.id, RelPath(path))] == [id]
    assert conflicts.open_at(JOB.id, RelPath("b.txt")) == []
    state.clock.go_on(minutes=1)
    assert conflicts.settle([id]) == 1
    assert conflicts.settle([id]) == 0
    assert conflicts.open_conflicts() == conflicts.open_at(JOB.id, RelPath("a.txt")) == []
    (settled,) = conflicts.of_path(JOB.id, RelPath("a.txt"))
    assert not settled.open and settled.settled == "2026-11-20T18:46:00.000000Z"
    assert conflicts.record(JOB.id, RUN, conflict()) != id


def test_a_problem_is_told_once(store, state):
    problems = Problems(store)
    busy = Problem(left("a\udcff"), Reason.BUSY, "in use")
    special = Problem(right("p"), Reason.SPECIAL_FILE, "a FIFO")
    assert problems.replace(JOB.id, [busy]) == [busy]
    state.clock.go_on(hours=1)
    assert problems.replace(JOB.id, [replace(busy, detail="still in use"), special]) == [special]
    assert [(seen.problem.detail, seen.since[:13]) for seen in problems.of_job(JOB.id)] == [
        ("still in use", "2026-11-20T18"),
        ("a FIFO", "2026-11-20T19"),
    ]
    assert problems.replace(JOB.id, []) == []
    assert problems.replace(JOB.id, [busy]) == [busy]  # it went away and came back


def test_a_refused_plan_is_remembered(store):
    approvals = Approvals(store)
    approvals.remember("p1", JOB.id, [["left", "a\udcff"]])
    approvals.remember("p1", JOB.id, [["left", "b\udcff"]])
    assert approvals.removals("p1", JOB.id) == [["left", "b\udcff"]]
    assert approvals.removals("p1", "other") is None
    approvals.forget(JOB.id)
    assert approvals.removals("p1", JOB.id) is None
