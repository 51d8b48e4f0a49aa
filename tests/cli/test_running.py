"""What becomes of a run in every way it can end, in both forms, and of several together."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from syncline import log
from syncline.cli.call import Call
from syncline.cli.options import Manner
from syncline.cli.running import carry_out
from syncline.compose import Desk
from syncline.core.model import ActionDone, Event, Guard, Objection, Outcome, Plan, RunFinished, RunStarted
from syncline.engine import Ask
from syncline.errors import Interrupted, RootLocked, RootLost, RunRefused, StateError, SynclineError, UsageError
from syncline.jobs.kind import Job
from tests.cli.events import HOSTILE, PLAN, put

Act = Callable[[Desk, Job, Ask], Iterator[Event]]
DRAWN = Plan(PLAN, "left-right", "twoway", (put("a", 1), put(HOSTILE, 2)), notes=("a note\x1b",))


def raising(error: Exception, *, begun: bool) -> Act:
    def act(desk: Desk, job: Job, ask: Ask) -> Iterator[Event]:
        if begun:
            yield RunStarted("r1", DRAWN)
            yield ActionDone(1, DRAWN.actions[0])  # type: ignore[index]  # this plan's actions are a tuple
        raise error

    return act


def signalled(number: int) -> Act:
    def act(desk: Desk, job: Job, ask: Ask) -> Iterator[Event]:
        signal.raise_signal(number)
        if ask.dry_run:
            raise AssertionError("a dry run ends at once")
        yield RunStarted("r1", DRAWN)
        raise Interrupted(number)

    return act


def good(desk: Desk, job: Job, ask: Ask) -> Iterator[Event]:
    yield RunStarted("r1", DRAWN)
    for number, action in enumerate(DRAWN.actions, 1):
        yield ActionDone(number, action)
    yield RunFinished("r1", Outcome.DONE)


@pytest.fixture
def call(tmp_path: Path) -> Iterator[Call]:
    for name in ("left", "right", "third"):
        (tmp_path / name).mkdir()
    yield Call((), state=str(tmp_path / "state"))
    log.close()


def pick_one(call: Call) -> Callable[[Desk], list[Job]]:
    folder = Path(call.state_dir()).parent
    return lambda desk: [desk.adhoc("twoway", str(folder / "left"), str(folder / "right"), {}, create=False)]


def pick_two(call: Call) -> Callable[[Desk], list[Job]]:
    folder = Path(call.state_dir()).parent
    pairs = [("left", "right"), ("left", "third")]
    return lambda desk: [
        desk.adhoc("twoway", str(folder / one), str(folder / other), {}, create=False) for one, other in pairs
    ]


MISSING = RunRefused("left is not there", [Objection(Guard.ROOT_MISSING, "left is not there", "connect it")])
ENDS: dict[str, tuple[SynclineError, str, int]] = {
    "refused": (MISSING, "refused", 3),
    "locked": (RootLocked("another run has it", hint="wait"), "locked", 5),
    "interrupted": (Interrupted(15), "interrupted", 143),
    "state": (StateError("the disk is full"), "failed", 4),
    "root lost": (RootLost("right went away"), "failed", 4),
}


@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize("case", ENDS)
def test_how_a_run_ends(case: str, begun: bool, call: Call, capsys: pytest.CaptureFixture[str]) -> None:
    error, outcome, code = ENDS[case]
    assert carry_out(call, Manner(json=True), pick_one(call), raising(error, begun=begun)) == code
    told = capsys.readouterr()
    document = json.loads(told.out)
    assert (document["outcome"], document["run"]) == (outcome, "r1" if begun else None)
    assert [row["state"] for row in document["actions"]] == (
        [] if not begun else ["done", "planned"] if outcome in ("refused", "locked") else ["done", "skipped"]
    )
    assert error.message in told.err

    assert carry_out(call, Manner(quiet=True), pick_one(call), raising(error, begun=begun)) == code
    told = capsys.readouterr()
    assert (error.message in told.err) or "interrupted" in told.out
    assert "\x1b" not in told.out + told.err


@pytest.mark.parametrize("dry_run", [False, True])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal(number: int, code: int, dry_run: bool, call: Call, capsys: pytest.CaptureFixture[str]) -> None:
    before = signal.getsignal(number)
    assert carry_out(call, Manner(json=True, dry_run=dry_run), pick_one(call), signalled(number)) == code
    assert json.loads(capsys.readouterr().out)["outcome"] == "interrupted"
    assert signal.getsignal(number) is before
    assert carry_out(call, Manner(json=True, dry_run=dry_run), pick_two(call), signalled(number)) == code
    assert len(json.loads(capsys.readouterr().out)["jobs"]) == 1  # the second one is not begun any more


def test_one_job_that_fails_does_not_keep_the_next_from_running(call: Call, capsys: pytest.CaptureFixture[str]) -> None:
    def first_fails(error: Exception) -> Act:
        return lambda desk, job, ask: (raising(error, begun=False) if job.name == "left-right" else good)(
            desk, job, ask
        )

    for error, outcome, code in (
        (UsageError("wrong"), "error", 2),
        (RootLocked("held"), "locked", 5),
        (KeyError("x"), "error", 4),
    ):
        assert carry_out(call, Manner(json=True), pick_two(call), first_fails(error)) == code
        jobs = json.loads(capsys.readouterr().out)["jobs"]
        assert [job["outcome"] for job in jobs] == [outcome, "done"]
        assert carry_out(call, Manner(), pick_two(call), first_fails(error)) == code
        assert "left-third" in capsys.readouterr().out


def test_wrong_usage_found_by_the_run_is_wrong_usage(call: Call) -> None:
    with pytest.raises(UsageError):
        carry_out(call, Manner(json=True), pick_one(call), raising(UsageError("wrong"), begun=False))
    assert not call.answered


def test_notes_are_told_and_logged(call: Call, capsys: pytest.CaptureFixture[str]) -> None:
    assert carry_out(call, Manner(json=True), pick_one(call), good) == 0
    assert "syncline: a note\\x1b\n" in capsys.readouterr().err
    written = Path(log.path(call.state_dir())).read_text("utf-8")
    assert "run=r1 job=left-right: a note\\x1b\n" in written
    assert "done in 0.00 s" in written


def test_verbose_shows_the_log(call: Call, capsys: pytest.CaptureFixture[str]) -> None:
    assert carry_out(call, Manner(verbose=True), pick_one(call), good) == 0
    assert f"run started: plan {PLAN}, 2 actions" in capsys.readouterr().err


def test_a_plan_makes_no_state_directory(call: Call) -> None:
    assert carry_out(call, Manner(dry_run=True, verbose=True), pick_one(call), Desk.run) == 0
    assert not Path(call.state_dir()).exists()
