"""What a run or plan amounts to: the document of `--json` and of `show`, its outcome and its exit code.

Fed with the events of one run, in order. Actions are never copied: of each only a byte is kept that says how it went,
and the rows of a document are made while they are asked for. Must not know how anything is shown.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import NotRequired, TypedDict

from syncline.core.model import (
    SIDED,
    SIDES,
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
    Problem,
    Progress,
    PutFile,
    PutLink,
    Remove,
    Rename,
    RunCommand,
    RunFinished,
    RunStarted,
    SetProperties,
    Side,
    Trash,
)
from syncline.errors import Interrupted, RootLocked, RunRefused, SynclineError, UsageError

FORMAT = 1
"""The version of every document, under the key `syncline`."""

PLANNED, DONE, FAILED, SKIPPED = "planned", "done", "failed", "skipped"
_STATES = (PLANNED, DONE, FAILED, SKIPPED)

_EXIT_CODES = {
    Outcome.IN_SYNC: 0,
    Outcome.DONE: 0,
    Outcome.PLANNED: 0,
    Outcome.NEEDS_ATTENTION: 1,
    Outcome.REFUSED: 3,
    Outcome.FAILED: 4,
    Outcome.LOCKED: 5,
    Outcome.INTERRUPTED: 130,
}

_BY_WEIGHT = (130, 143, 2, 5, 3, 4, 1, 0)

_UNTOUCHED = frozenset({Outcome.IN_SYNC, Outcome.PLANNED, Outcome.REFUSED, Outcome.LOCKED})
"""Outcomes after which nothing was begun: what is planned stays planned."""


class PlaceRow(TypedDict):
    """A path on one root, by the root's name."""

    root: str
    path: str


ActionRow = TypedDict(
    "ActionRow",
    {
        "action": str,
        "root": str,
        "path": str,
        "to": NotRequired[str],
        "bytes": int,
        "why": str,
        "from": NotRequired[PlaceRow],
        "state": str,
    },
)
"""One action of a document. `from` is where content comes from, `to` the new path of a `rename`."""


class ConflictRow(TypedDict):
    path: str
    rule: str
    policy: str
    kept: str | None
    clash: str | None


class ProblemRow(TypedDict):
    root: str
    path: str
    reason: str
    detail: str


class ObjectionRow(TypedDict):
    guard: str
    detail: str
    approve: str | None


class ErrorRow(TypedDict):
    message: str
    file: str | None
    line: int | None
    hint: str


class Summary(TypedDict):
    """Files before the run per side, and actions: those that were done, or that would be where nothing was begun."""

    left_files: int
    right_files: int
    both: int
    only_left: int
    only_right: int
    copied: int
    bytes_copied: int
    renamed: int
    trashed: int
    removed: int
    links: int
    directories: int
    properties: int
    conflicts: int
    problems: int
    failed: int


class Document(TypedDict):
    """What `--json` prints of one run. `errors` stands there only when something else than a guard ended the run."""

    syncline: int
    job: str
    kind: str
    plan: str | None
    run: str | None
    dry_run: bool
    outcome: str
    roots: dict[str, str]
    actions: list[ActionRow]
    conflicts: list[ConflictRow]
    problems: list[ProblemRow]
    objections: list[ObjectionRow]
    summary: Summary
    seconds: float
    errors: NotRequired[list[ErrorRow]]


class ErrorDocument(TypedDict):
    """What `--json` prints when there is no run to speak of: wrong usage, or an internal error."""

    syncline: int
    outcome: str
    errors: list[ErrorRow]


class Refusal(TypedDict):
    """What `--json` prints when a guard or a lock refused before the job was known."""

    syncline: int
    outcome: str
    objections: list[ObjectionRow]
    errors: list[ErrorRow]


class Report:
    """Collects the events of one run. `roots` are the absolute paths, `root_names` what this kind calls them."""

    def __init__(
        self, job: str, kind: str, roots: Mapping[Side, str], root_names: tuple[str, str], dry_run: bool
    ) -> None:
        self.job = job
        self.kind = kind
        self.dry_run = dry_run
        self.plan: Plan | None = None
        self.run: str | None = None
        self.seconds = 0.0
        self.besides = False
        self.error: SynclineError | None = None
        self._roots = roots
        self._names = dict(zip(SIDES, root_names, strict=True))
        self._states = bytearray()
        self._done = _nothing()
        self._unplanned: list[Action] = []
        self._problems: dict[Problem, None] = {}
        self._unreached: set[Problem] = set()
        self._outcome: Outcome | None = None

    def add(self, event: Event) -> None:
        """Take note of an event."""
        match event:
            case RunStarted(run, plan):
                self.run, self.plan = run, plan
                self._states = bytearray(len(plan.actions))
                self._problems = dict.fromkeys(plan.problems)
            case ActionDone(number, action):
                self._mark(number, action, DONE)
            case ActionFailed(number, action, problem, skipped):
                self._mark(number, action, SKIPPED if skipped else FAILED)
                self._problems[problem] = None
                if skipped:
                    self._unreached.add(problem)
            case RunFinished(run, outcome, problems, seconds, notes):
                self.run, self._outcome, self.seconds, self.besides = run, outcome, seconds, bool(notes)
                self._problems.update(dict.fromkeys(problems))
            case Progress():
                pass

    def fail(self, error: SynclineError) -> None:
        """Take note that the run ended with an exception."""
        self.error = error
        match error:
            case RunRefused():
                self._outcome = Outcome.REFUSED
            case RootLocked():
                self._outcome = Outcome.LOCKED
            case Interrupted():
                self._outcome = Outcome.INTERRUPTED
            case _:
                self._outcome = Outcome.FAILED

    @property
    def outcome(self) -> Outcome:
        """How it ended; a run that was not heard of again failed."""
        return Outcome.FAILED if self._outcome is None else self._outcome

    def exit_code(self) -> int:
        """The exit code of this run alone."""
        if self.error is not None:
            return self.error.exit_code
        return (
            0 if self.dry_run and self.outcome in _UNTOUCHED | {Outcome.NEEDS_ATTENTION} else _EXIT_CODES[self.outcome]
        )

    @property
    def objections(self) -> tuple[Objection, ...]:
        """The reasons not to start."""
        found = self.plan.objections if self.plan is not None else ()
        if isinstance(self.error, RunRefused):
            found += tuple(item for item in self.error.objections if isinstance(item, Objection) and item not in found)
        return found

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What could not be brought into step; what a signal kept from being reached is none of it."""
        if self.outcome is Outcome.INTERRUPTED:
            return tuple(problem for problem in self._problems if problem not in self._unreached)
        return tuple(self._problems)

    def document(self) -> Document:
        """The whole document."""
        return {**self.head(), "actions": list(self.rows())}

    def head(self) -> Document:
        """The document with an empty list of actions."""
        plan = self.plan
        document: Document = {
            "syncline": FORMAT,
            "job": self.job,
            "kind": self.kind,
            "plan": None if plan is None else plan.id,
            "run": self.run,
            "dry_run": self.dry_run,
            "outcome": self.outcome.value,
            "roots": {self._names[side]: self._roots[side] for side in SIDES},
            "actions": [],
            "conflicts": [] if plan is None else [self._conflict(conflict) for conflict in plan.conflicts],
            "problems": [self._problem(problem) for problem in self.problems],
            "objections": [_objection(objection) for objection in self.objections],
            "summary": self._summary(),
            "seconds": round(self.seconds, 3),
        }
        if self.error is not None and not isinstance(self.error, Interrupted) and not document["objections"]:
            document["errors"] = [error_row(self.error)]
        return document

    def rows(self) -> Iterator[ActionRow]:
        """The actions in the order of the plan, what was not in it behind."""
        for action, state in self._actions():
            yield action_row(action, state, self._names)

    def chunks(self) -> Iterator[str]:
        """The JSON text of `document()` in pieces, ASCII only, without ever holding all of its actions."""
        return with_actions(self.head(), self.rows())

    def _mark(self, number: int, action: Action, state: str) -> None:
        if number <= len(self._states) - len(self._unplanned):  # numbers count from 1, in the order of the plan
            self._states[number - 1] = _STATES.index(state)
        else:
            self._unplanned.append(action)
            self._states.append(_STATES.index(state))
        if state == FAILED:
            self._done["failed"] += 1
        elif state == DONE:
            _count(self._done, action)

    def _actions(self) -> Iterator[tuple[Action, str]]:
        """Every action with its state. What a run that began did not reach was skipped."""
        rest = self._rest()
        planned: Iterable[Action] = () if self.plan is None else self.plan.actions
        for action, state in zip(chain(planned, self._unplanned), self._states, strict=False):
            yield action, _STATES[state] if state else rest

    def _rest(self) -> str:
        """The state of actions of which nothing was heard."""
        return PLANNED if self.dry_run or self.outcome in _UNTOUCHED else SKIPPED

    def _conflict(self, conflict: Conflict) -> ConflictRow:
        return {
            "path": conflict.path,
            "rule": conflict.rule.value,
            "policy": conflict.settled_by,
            "kept": self._kept(conflict.kept),
            "clash": conflict.clash,
        }

    def _kept(self, kept: Kept | None) -> str | None:
        if kept in (Kept.LEFT, Kept.RIGHT):
            return self._names[Side(kept)]
        return None if kept is None else kept.value

    def _problem(self, problem: Problem) -> ProblemRow:
        return {**_place(problem.place, self._names), "reason": problem.reason.value, "detail": problem.detail}

    def _summary(self) -> Summary:
        counts = Counts() if self.plan is None else self.plan.counts
        summary: Summary = {
            **self._done,
            "left_files": counts.left,
            "right_files": counts.right,
            "both": counts.both,
            "only_left": counts.only_left,
            "only_right": counts.only_right,
            "conflicts": 0 if self.plan is None else len(self.plan.conflicts),
            "problems": len(self.problems),
        }
        for action, state in self._actions() if self._rest() == PLANNED else ():
            if state == PLANNED:
                _count(summary, action)
        return summary


def counted(actions: Iterable[Action]) -> Summary:
    """What these actions did, all of them done; nothing is known of the files there were before."""
    summary = _nothing()
    for action in actions:
        _count(summary, action)
    return summary


def refusal_document(error: SynclineError) -> Refusal:
    """The document of a refusal before it was known of which job."""
    document: Refusal = {
        "syncline": FORMAT,
        "outcome": (Outcome.LOCKED if isinstance(error, RootLocked) else Outcome.REFUSED).value,
        "objections": [],
        "errors": [error_row(error)],
    }
    if isinstance(error, RunRefused):
        document["objections"] = [_objection(item) for item in error.objections if isinstance(item, Objection)]
    return document


def error_document(errors: Sequence[SynclineError]) -> ErrorDocument:
    """The document of a call that never became a run."""
    return {"syncline": FORMAT, "outcome": "error", "errors": [error_row(error) for error in errors]}


def error_row(error: SynclineError) -> ErrorRow:
    """One error of a document; file and line are those of the configuration."""
    file, line = (error.file, error.line) if isinstance(error, UsageError) else (None, None)
    return {"message": error.message, "file": file, "line": line, "hint": error.hint}


def worst(codes: Iterable[int]) -> int:
    """The exit code of several jobs: the weightiest that occurred."""
    found = set(codes)
    return next((code for code in _BY_WEIGHT if code in found), max(found, default=0))


def with_actions(head: Document, rows: Iterable[ActionRow]) -> Iterator[str]:
    """The JSON text of a document in pieces, ASCII only: `head`, which has no actions, with `rows` for them."""
    before, after = json.dumps(head).split('"actions": []', 1)  # a quotation mark inside of a text is escaped
    yield before + '"actions": ['
    separator = ""
    for row in rows:
        yield separator + json.dumps(row)
        separator = ", "
    yield "]" + after


def action_row(action: Action, state: str, names: Mapping[Side, str]) -> ActionRow:
    """One action of a document; `names` are what the job's kind calls its roots."""
    row: ActionRow = {
        "action": action_name(action),
        "root": names[action.at.side],
        "path": action.at.path,
        "bytes": action_bytes(action),
        "why": _why(action.because, names),
        "state": state,
    }
    if isinstance(action, Rename):
        row["to"] = action.to
    if isinstance(action, PutFile | PutLink):
        row["from"] = _place(action.source, names)
    return row


def action_name(action: Action) -> str:
    """What an action is called in documents."""
    match action:
        case MakeDirectory():
            return "make-directory"
        case PutFile():
            return "put-file"
        case PutLink():
            return "put-link"
        case Rename():
            return "rename"
        case SetProperties():
            return "set-properties"
        case Trash():
            return "trash"
        case Remove():
            return "remove"
        case RunCommand():
            return "run-command"


def action_bytes(action: Action) -> int:
    """The bytes an action copies, or takes away; 0 for all that is no content."""
    match action:
        case PutFile(entry=entry):
            return entry.size
        case Trash(size=size):
            return size
        case Remove(expect=Entry(kind=Kind.FILE, size=size)):
            return size
        case _:
            return 0


def _nothing() -> Summary:
    return {
        "left_files": 0,
        "right_files": 0,
        "both": 0,
        "only_left": 0,
        "only_right": 0,
        "copied": 0,
        "bytes_copied": 0,
        "renamed": 0,
        "trashed": 0,
        "removed": 0,
        "links": 0,
        "directories": 0,
        "properties": 0,
        "conflicts": 0,
        "problems": 0,
        "failed": 0,
    }


def _count(summary: Summary, action: Action) -> None:
    match action:
        case PutFile():
            summary["copied"] += 1
            summary["bytes_copied"] += action.entry.size
        case PutLink():
            summary["links"] += 1
        case MakeDirectory():
            summary["directories"] += 1
        case Rename():
            summary["renamed"] += 1
        case SetProperties():
            summary["properties"] += 1
        case Trash(files=files):
            summary["trashed"] += max(files, 1)
        case Remove():
            summary["removed"] += 1
        case RunCommand():
            pass


def _why(because: Because, names: Mapping[Side, str]) -> str:
    return f"{because.why}-{names[because.place.side]}" if because.why in SIDED else because.why.value


def _place(place: Place, names: Mapping[Side, str]) -> PlaceRow:
    return {"root": names[place.side], "path": place.path}


def _objection(objection: Objection) -> ObjectionRow:
    return {"guard": objection.guard.value, "detail": objection.detail, "approve": objection.approve}
