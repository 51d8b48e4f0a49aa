"""Little runs for the tests of what is told: places, actions and plans in a line each."""

from __future__ import annotations

from collections.abc import Sequence

from syncline.core.model import (
    Action,
    ActionDone,
    ActionFailed,
    Because,
    Conflict,
    Counts,
    Entry,
    Event,
    Kept,
    Kind,
    MakeDirectory,
    Objection,
    Outcome,
    Place,
    Plan,
    Policy,
    Problem,
    PutFile,
    PutLink,
    Reason,
    RelPath,
    Remove,
    Rename,
    Rule,
    RunCommand,
    RunFinished,
    RunStarted,
    SetProperties,
    Side,
    Trash,
    Why,
)
from syncline.core.report import Report

LEFT, RIGHT = Side.LEFT, Side.RIGHT
RUN = "20261121T020450Z-1a2b"
PLAN = "8d8eb9ff6e101f27"
HOSTILE = "x\x1b[31m\n[bold]\udcff\u202e:smile:"


def place(side: Side, path: str) -> Place:
    return Place(side, RelPath(path))


def file(size: int) -> Entry:
    return Entry(Kind.FILE, size, 1_700_000_000_000_000_000, 0o644)


def because(why: Why, side: Side, path: str) -> Because:
    return Because(why, place(side, path), None)


def put(path: str, size: int, why: Why = Why.CREATED, to: Side = RIGHT) -> PutFile:
    source = place(to.other, path)
    return PutFile(place(to, path), None, because(why, to.other, path), file(size), source, file(size))


def link(path: str, to: Side = RIGHT) -> PutLink:
    entry = Entry(Kind.LINK)
    return PutLink(place(to, path), None, because(Why.CREATED, to.other, path), entry, place(to.other, path))


def make(path: str, to: Side = RIGHT) -> MakeDirectory:
    return MakeDirectory(place(to, path), None, because(Why.CREATED, to.other, path), Entry(Kind.DIRECTORY))


def rename(path: str, new: str, at: Side = RIGHT) -> Rename:
    return Rename(place(at, path), RelPath(new), file(1), because(Why.RENAMED, at.other, new))


def properties(path: str, at: Side = RIGHT) -> SetProperties:
    return SetProperties(place(at, path), file(1), because(Why.PROPERTIES, at.other, path), file(1))


def trash(path: str, files: int = 1, size: int = 5, why: Why = Why.DELETED, at: Side = RIGHT) -> Trash:
    return Trash(place(at, path), file(size), because(why, at.other, path), files, size)


def remove(path: str, size: int = 7, at: Side = RIGHT) -> Remove:
    return Remove(place(at, path), file(size), because(Why.DELETED, at.other, path))


def command(at: Side = RIGHT) -> RunCommand:
    return RunCommand(place(at, ""), None, because(Why.CHANGED, at.other, ""), ("true",))


def conflict(
    path: str,
    kept: Kept | None = Kept.LEFT,
    clash: str | None = None,
    rule: Rule = Rule.CHANGED_BOTH,
    policy: Policy = Policy.KEEP_BOTH,
) -> Conflict:
    return Conflict(
        RelPath(path), rule, policy, kept, file(1), file(2), clash=None if clash is None else RelPath(clash)
    )


def problem(
    path: str, reason: Reason = Reason.UNREADABLE, detail: str = "permission denied", at: Side = LEFT
) -> Problem:
    return Problem(place(at, path), reason, detail)


def plan(
    *actions: Action,
    conflicts: Sequence[Conflict] = (),
    problems: Sequence[Problem] = (),
    objections: Sequence[Objection] = (),
    kind: str = "twoway",
) -> Plan:
    return Plan(
        PLAN, "docs-usb", kind, actions, tuple(conflicts), tuple(problems), tuple(objections), 5, Counts(6, 7, 5)
    )


def report(
    plan: Plan,
    outcome: Outcome,
    *,
    dry_run: bool = False,
    failed: Sequence[int] = (),
    skipped: Sequence[int] = (),
    reached: int | None = None,
    problems: Sequence[Problem] = (),
) -> Report:
    """A report of a run that went like this; actions are numbered from 1."""
    names = ("source", "target") if plan.kind == "mirror" else ("left", "right")
    made = Report("docs-usb", plan.kind, {LEFT: "/home/u/docs", RIGHT: "/media/usb/docs"}, names, dry_run)
    for event in events(plan, outcome, dry_run, failed, skipped, reached, problems):
        made.add(event)
    return made


def events(
    plan: Plan,
    outcome: Outcome,
    dry_run: bool,
    failed: Sequence[int],
    skipped: Sequence[int],
    reached: int | None,
    problems: Sequence[Problem],
) -> list[Event]:
    quiet = dry_run or outcome in (Outcome.REFUSED, Outcome.IN_SYNC)
    run = None if quiet else RUN
    found: list[Event] = [RunStarted(run, plan)]
    for number, action in enumerate(plan.actions, 1):
        if quiet or (reached is not None and number > reached):
            break
        if number in failed or number in skipped:
            fault = Problem(action.at, Reason.BUSY, "in use")
            found.append(ActionFailed(number, action, fault, skipped=number in skipped))
        else:
            found.append(ActionDone(number, action))
    return [*found, RunFinished(run, outcome, (*plan.problems, *problems), 0.12345)]
