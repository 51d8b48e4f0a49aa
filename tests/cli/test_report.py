"""The document of a run: every outcome and both kinds, as programs rely on it."""

from __future__ import annotations

import json

import pytest

from syncline.core.model import Action, ActionDone, Guard, Kept, Objection, Outcome, Policy, Reason, RunStarted, Why
from syncline.core.report import Report, error_document, refusal_document, worst
from syncline.errors import Interrupted, RootLocked, RootLost, RunRefused, StateError, SynclineError, UsageError
from tests.cli.events import (
    HOSTILE,
    LEFT,
    PLAN,
    RIGHT,
    RUN,
    command,
    conflict,
    link,
    make,
    plan,
    problem,
    properties,
    put,
    remove,
    rename,
    report,
    trash,
)

KEYS = [
    "syncline",
    "job",
    "kind",
    "plan",
    "run",
    "dry_run",
    "outcome",
    "roots",
    "actions",
    "conflicts",
    "problems",
    "objections",
    "summary",
    "seconds",
]
SUMMARY = [
    "left_files",
    "right_files",
    "both",
    "only_left",
    "only_right",
    "copied",
    "bytes_copied",
    "renamed",
    "trashed",
    "removed",
    "links",
    "directories",
    "properties",
    "conflicts",
    "problems",
    "failed",
]
MANY = Objection(Guard.TOO_MANY_DELETES, "30 of 40 files would go", "look at it", PLAN)

# outcome of the run, dry run?, action numbers that failed, that were skipped -> exit code, states
OUTCOMES = {
    "in sync": (Outcome.IN_SYNC, False, [], [], 0, []),
    "in sync, only looked": (Outcome.IN_SYNC, True, [], [], 0, []),
    "done": (Outcome.DONE, False, [], [], 0, ["done", "done", "done"]),
    "planned": (Outcome.PLANNED, True, [], [], 0, ["planned", "planned", "planned"]),
    "needs attention": (Outcome.NEEDS_ATTENTION, False, [], [3], 1, ["done", "done", "skipped"]),
    "would need attention": (Outcome.NEEDS_ATTENTION, True, [], [], 0, ["planned", "planned", "planned"]),
    "refused": (Outcome.REFUSED, False, [], [], 3, ["planned", "planned", "planned"]),
    "would be refused": (Outcome.REFUSED, True, [], [], 0, ["planned", "planned", "planned"]),
    "failed": (Outcome.FAILED, False, [1], [], 4, ["failed", "done", "done"]),
}


@pytest.mark.parametrize("kind", ["twoway", "mirror"])
@pytest.mark.parametrize("case", OUTCOMES)
def test_outcome(case: str, kind: str) -> None:
    outcome, dry_run, failed, skipped, code, states = OUTCOMES[case]
    actions: list[Action] = [] if outcome is Outcome.IN_SYNC else [make("d"), put("d/a", 9), put("b", 1)]
    made = report(plan(*actions, kind=kind), outcome, dry_run=dry_run, failed=failed, skipped=skipped)
    document = made.document()
    assert list(document) == KEYS
    assert list(document["summary"]) == SUMMARY
    assert (made.exit_code(), document["outcome"]) == (code, outcome.value)
    assert [row["state"] for row in document["actions"]] == states
    assert document["run"] == (RUN if "done" in states else None)
    assert document["dry_run"] is dry_run
    assert list(document["roots"]) == (["source", "target"] if kind == "mirror" else ["left", "right"])
    assert document["seconds"] == 0.123
    assert json.loads("".join(made.chunks())) == document


# action -> its row in a two-way job, and what of it is in the summary
ACTIONS: dict[str, tuple[Action, dict[str, object], dict[str, int]]] = {
    "a new file": (
        put("a.txt", 9),
        {
            "action": "put-file",
            "root": "right",
            "path": "a.txt",
            "bytes": 9,
            "why": "created-left",
            "from": {"root": "left", "path": "a.txt"},
        },
        {"copied": 1, "bytes_copied": 9},
    ),
    "a changed file": (
        put("a.txt", 9, Why.CHANGED, to=LEFT),
        {
            "action": "put-file",
            "root": "left",
            "path": "a.txt",
            "bytes": 9,
            "why": "changed-right",
            "from": {"root": "right", "path": "a.txt"},
        },
        {"copied": 1, "bytes_copied": 9},
    ),
    "a file edited after it was deleted": (
        put("a", 1, Why.EDITED_AFTER_DELETE),
        {
            "action": "put-file",
            "root": "right",
            "path": "a",
            "bytes": 1,
            "why": "edited-after-delete",
            "from": {"root": "left", "path": "a"},
        },
        {"copied": 1, "bytes_copied": 1},
    ),
    "a link": (
        link("l"),
        {
            "action": "put-link",
            "root": "right",
            "path": "l",
            "bytes": 0,
            "why": "created-left",
            "from": {"root": "left", "path": "l"},
        },
        {"links": 1},
    ),
    "a folder": (
        make("d"),
        {"action": "make-directory", "root": "right", "path": "d", "bytes": 0, "why": "created-left"},
        {"directories": 1},
    ),
    "a new name": (
        rename("a", "b"),
        {"action": "rename", "root": "right", "path": "a", "to": "b", "bytes": 0, "why": "renamed-left"},
        {"renamed": 1},
    ),
    "properties": (
        properties("a"),
        {"action": "set-properties", "root": "right", "path": "a", "bytes": 0, "why": "properties-left"},
        {"properties": 1},
    ),
    "a file to the trash": (
        trash("a"),
        {"action": "trash", "root": "right", "path": "a", "bytes": 5, "why": "deleted-left"},
        {"trashed": 1},
    ),
    "a folder of 40 files to the trash": (
        trash("d", files=40, size=90),
        {"action": "trash", "root": "right", "path": "d", "bytes": 90, "why": "deleted-left"},
        {"trashed": 40},
    ),
    "a folder without files, or a link, to the trash": (
        trash("d", files=0, size=0),
        {"action": "trash", "root": "right", "path": "d", "bytes": 0, "why": "deleted-left"},
        {"trashed": 1},
    ),
    "a file for good": (
        remove("a"),
        {"action": "remove", "root": "right", "path": "a", "bytes": 7, "why": "deleted-left"},
        {"removed": 1},
    ),
    "a command": (
        command(),
        {"action": "run-command", "root": "right", "path": "", "bytes": 0, "why": "changed-left"},
        {},
    ),
}


@pytest.mark.parametrize("case", ACTIONS)
def test_action(case: str) -> None:
    action, row, counted = ACTIONS[case]
    document = report(plan(action), Outcome.DONE).document()
    assert document["actions"] == [{**row, "state": "done"}]
    files = {"left_files": 6, "right_files": 7, "both": 5, "only_left": 1, "only_right": 2}
    assert {key: value for key, value in document["summary"].items() if value} == {**files, **counted}


def test_a_mirror_calls_its_roots_source_and_target() -> None:
    document = report(
        plan(put("a", 9), trash("x", why=Why.EXTRA), conflicts=[conflict("c")], problems=[problem("p")], kind="mirror"),
        Outcome.DONE,
    ).document()
    assert [(row["root"], row["why"]) for row in document["actions"]] == [
        ("target", "created-source"),
        ("target", "extra"),
    ]
    assert document["actions"][0]["from"] == {"root": "source", "path": "a"}
    assert document["problems"][0]["root"] == "source"
    assert document["conflicts"][0]["kept"] == "source"
    assert document["roots"] == {"source": "/home/u/docs", "target": "/media/usb/docs"}


def test_conflicts_problems_and_objections() -> None:
    document = report(
        plan(
            conflicts=[
                conflict("a.txt", Kept.RIGHT, clash="a_clash_202611201845.txt"),
                conflict("h", None, policy=Policy.HOLD),
                conflict("m", Kept.BOTH),
            ],
            problems=[problem("p", Reason.SPECIAL_FILE, "a FIFO")],
            objections=[MANY],
        ),
        Outcome.REFUSED,
    ).document()
    clash = "a_clash_202611201845.txt"
    assert document["conflicts"] == [
        {"path": "a.txt", "rule": "changed-both", "policy": "keep-both", "kept": "right", "clash": clash},
        {"path": "h", "rule": "changed-both", "policy": "hold", "kept": None, "clash": None},
        {"path": "m", "rule": "changed-both", "policy": "keep-both", "kept": "both", "clash": None},
    ]
    assert document["problems"] == [{"root": "left", "path": "p", "reason": "special-file", "detail": "a FIFO"}]
    assert document["objections"] == [
        {"guard": "too-many-deletes", "detail": "30 of 40 files would go", "approve": PLAN}
    ]
    assert (document["summary"]["conflicts"], document["summary"]["problems"]) == (3, 1)


def test_a_problem_is_told_once() -> None:
    known = problem("p")
    document = report(plan(put("a", 1), problems=[known]), Outcome.FAILED, failed=[1], problems=[known]).document()
    assert [(row["path"], row["reason"]) for row in document["problems"]] == [("p", "unreadable"), ("a", "busy")]
    assert document["summary"]["problems"] == 2


def test_what_failed_or_was_skipped_is_not_counted_as_done() -> None:
    summary = report(plan(put("a", 9), put("b", 9), put("c", 9)), Outcome.FAILED, failed=[1], skipped=[2]).document()[
        "summary"
    ]
    assert (summary["copied"], summary["bytes_copied"], summary["failed"]) == (1, 9, 1)


# what ended the run -> outcome, exit code, is it told under `errors`
ENDS: dict[str, tuple[SynclineError, str, int, bool]] = {
    "a guard": (RunRefused("left is not there", [MANY]), "refused", 3, False),
    "a guard without objection": (RunRefused("the marker cannot be read"), "refused", 3, True),
    "a lock": (RootLocked("another run has it"), "locked", 5, True),
    "ctrl-c": (Interrupted(2), "interrupted", 130, False),
    "kill": (Interrupted(15), "interrupted", 143, False),
    "the state": (StateError("the disk is full"), "failed", 4, True),
    "a lost root": (RootLost("right went away"), "failed", 4, True),
}


@pytest.mark.parametrize("dry_run", [False, True])
@pytest.mark.parametrize("case", ENDS)
def test_a_run_that_ended_before_its_plan(case: str, dry_run: bool) -> None:
    error, outcome, code, told = ENDS[case]
    made = Report("docs-usb", "twoway", {LEFT: "/l", RIGHT: "/r"}, ("left", "right"), dry_run)
    made.fail(error)
    document = made.document()
    assert (document["outcome"], made.exit_code()) == (outcome, code)
    assert list(document) == KEYS + (["errors"] if told else [])
    assert (document["plan"], document["run"], document["actions"]) == (None, None, [])
    assert set(document["summary"].values()) == {0}
    assert json.loads("".join(made.chunks())) == document


def test_an_interrupted_run_tells_what_was_done() -> None:
    made = report(plan(put("a", 9), put("b", 1), put("c", 1)), Outcome.INTERRUPTED, skipped=[2], reached=2)
    made.fail(Interrupted(15))
    document = made.document()
    assert [row["state"] for row in document["actions"]] == ["done", "skipped", "skipped"]
    assert (document["outcome"], document["run"], made.exit_code()) == ("interrupted", RUN, 143)
    assert document["problems"] == []  # what was not reached is no problem of its path


def test_an_action_beyond_the_plan_is_told_behind_it() -> None:
    made = report(plan(put("a", 9)), Outcome.DONE)
    made.add(ActionDone(2, put("b", 1)))
    assert [(row["path"], row["state"]) for row in made.rows()] == [("a", "done"), ("b", "done")]


def test_names_come_back_byte_by_byte() -> None:
    text = "".join(report(plan(put(HOSTILE, 1), problems=[problem(HOSTILE)]), Outcome.DONE).chunks())
    assert text.isascii()
    assert "\\udcff" in text
    assert json.loads(text)["actions"][0]["path"] == HOSTILE


def test_a_name_that_looks_like_the_document_is_harmless() -> None:
    made = Report('x", "actions": [], "y', "twoway", {LEFT: '"actions": []', RIGHT: "/r"}, ("left", "right"), False)
    made.add(RunStarted(RUN, plan(put('"actions": []', 1))))
    assert json.loads("".join(made.chunks())) == made.document()


def test_documents_without_a_run() -> None:
    usage = UsageError("unknown key", hint="see the manual", file="syncline.yaml", line=3)
    assert error_document([usage]) == {
        "syncline": 1,
        "outcome": "error",
        "errors": [{"message": "unknown key", "file": "syncline.yaml", "line": 3, "hint": "see the manual"}],
    }
    assert refusal_document(RunRefused("gone", [MANY]))["objections"][0]["guard"] == "too-many-deletes"
    assert refusal_document(RootLocked("held"))["outcome"] == "locked"


@pytest.mark.parametrize(
    ("codes", "code"),
    [
        ([], 0),
        ([0, 0], 0),
        ([0, 1], 1),
        ([1, 4, 0], 4),
        ([4, 3], 3),
        ([3, 5, 4], 5),
        ([5, 2], 2),
        ([2, 143], 143),
        ([143, 130], 130),
    ],
)
def test_the_exit_code_of_several_jobs(codes: list[int], code: int) -> None:
    assert worst(codes) == code
