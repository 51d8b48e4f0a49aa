"""Every command with `--json` against its written schema, and every exit code that can be reached."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
import pytest

from syncline.cli.frame import root
from tests.commands.schema import SCHEMAS, faults, schema
from tests.e2e import disk
from tests.e2e.disk import File, Link
from tests.e2e.pair import Answer, Pair

JOB = "left-right"


def valid(document: dict[str, Any], name: str) -> None:
    assert list(faults(document, schema(name))) == []


@pytest.fixture
def eventful(pair: Pair) -> Pair:
    """A pair to which most things have happened once."""
    pair.write({"a": File("old", at=0), "gone": "x", "d/x": "x", "link": Link("a"), "held": File("1", at=0)})
    pair.sync("--changed-both", "keep-both")
    pair.write({"a": File("left", at=90), "gone": None, "d": None}, {"a": File("right!", at=50), "big": "y" * 5000})
    os.mkfifo(pair.left / "fifo")
    pair.sync()
    return pair


ANSWERS = [
    (("sync", "{left}", "{right}"), "run"),
    (("sync", "{left}", "{right}", "--dry-run"), "run"),
    (("plan", JOB), "run"),
    (("check", JOB), "run"),
    (("dry-run", JOB), "run"),
    (("run", JOB), "run"),
    (("resync", JOB), "run"),
    (("adopt", JOB), "run"),
    (("mirror", "{left}", "{right}", "--dry-run"), "run"),
    (("show", "last"), "run"),
    (("status",), "status"),
    (("status", JOB, "--hours", "24"), "status"),
    (("status", "--space"), "status"),
    (("versions", JOB, "a"), "versions"),
    (("versions", JOB, "gone"), "versions"),
    (("versions", JOB, "never"), "versions"),
    (("versions", JOB, "a", "--diff", "1", "0"), "versions-diff"),
    (("versions", JOB, "a", "--diff", "9", "0"), "error"),
    (("conflicts",), "conflicts"),
    (("list-conflicts", JOB), "conflicts"),
    (("conflicts", JOB, "--settled"), "conflicts"),
    (("resolve", JOB, "a", "--keep", "left"), "run"),
    (("resolve", JOB, "a", "--keep", "right", "--dry-run"), "run"),
    (("resolve", JOB, "nothing", "--keep", "right"), "error"),
    (("history",), "history"),
    (("history", JOB, "--limit", "1"), "history"),
    (("undo", "last"), "run"),
    (("undo", "last", "--dry-run"), "run"),
    (("undo", "nothing"), "error"),
    (("explain", JOB, "a"), "explain"),
    (("explain", JOB, "gone"), "explain"),
    (("explain", JOB, "d/x"), "explain"),
    (("explain", JOB, "never"), "explain"),
    (("explain", JOB, "fifo"), "explain"),
    (("trash", "list"), "trash"),
    (("trash", "list", JOB, "--run", "last"), "trash"),
    (("trash", "restore", JOB, "gone"), "run"),
    (("trash", "restore", JOB, "d", "--dry-run"), "run"),
    (("trash", "restore", JOB, "never"), "error"),
    (("trash", "empty", JOB, "--dry-run"), "trash"),
    (("trash", "empty", "--older-than", "30d"), "trash"),
    (("verify", JOB), "verify"),
    (("verify", JOB, "--percent", "1"), "verify"),
    (("verify", "nobody"), "error"),
    (("jobs", "list"), "jobs"),
    (("jobs", "show", JOB), "jobs"),
    (("jobs", "forget", JOB), "forgotten"),
    (("doctor",), "doctor"),
    (("doctor", JOB), "doctor"),
    (("config", "check"), "config-check"),
    (("config", "show"), "config-show"),
    (("--config", "{top}/new.yaml", "config", "init"), "config-init"),
    (("sync", "{left}", "{left}"), "error"),
    (("nonsense",), "error"),
]


@pytest.mark.parametrize(("args", "name"), ANSWERS, ids=[" ".join(row[0]) for row in ANSWERS])
def test_the_document_of_every_command(eventful: Pair, args: tuple[str, ...], name: str) -> None:
    top = eventful.left.parent
    told = [word.format(left=eventful.left, right=eventful.right, top=top) for word in args]
    answer = eventful.call(*told, "--json")
    valid(answer.document, name)
    assert answer.out.count("\n") == 1


def test_several_jobs_are_one_document_of_such(eventful: Pair) -> None:
    third = eventful.left.with_name("third")
    third.mkdir()
    eventful.call("mirror", eventful.left, third, "-q")
    document = eventful.call("plan", JOB, "left-third", "--json").document
    assert list(document) == ["jobs"]
    for each in document["jobs"]:
        valid(each, "run")


def commands(group: click.Group, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, (*above, name))
        elif any("--json" in each.opts for each in command.params):
            yield (*above, name)


def test_no_command_is_left_out() -> None:
    tried = {tuple(word for word in args if not word.startswith(("-", "{"))) for args, _ in ANSWERS}
    missing = [each for each in commands(root) if not any(words[: len(each)] == each for words in tried)]
    assert missing == []
    assert {name for _, name in ANSWERS} == {path.stem for path in SCHEMAS.glob("*.json")}


WRONG = [
    ("status", {"jobs": [{}]}),
    ("trash", {"trash": [{"job": 1, "root": "up", "path": "a", "run": "x", "bytes": -1, "trashed_at": "now"}]}),
    ("doctor", {"checks": [{"name": "a", "ok": 1, "detail": "d", "remedy": None}]}),
    ("conflicts", {"conflicts": [], "more": 1}),
    ("forgotten", []),
]


@pytest.mark.parametrize(("name", "document"), WRONG, ids=[row[0] for row in WRONG])
def test_the_checker_finds_what_is_wrong(name: str, document: Any) -> None:
    assert list(faults(document, schema(name)))


# exit codes


@contextmanager
def locked(pair: Pair) -> Iterator[None]:
    with open(pair.right / ".syncline/lock", "r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def nothing(pair: Pair) -> None:
    """The pair stays as it is."""


def without_right(pair: Pair) -> None:
    pair.right.rename(pair.right.with_name("away"))


def edited(pair: Pair) -> None:
    pair.write({"a": "edit"})


def taken(pair: Pair) -> None:
    pair.write({"gone": "new"})


def held(pair: Pair) -> None:
    pair.write({"held": File("2", at=90)}, {"held": File("3!", at=50)})
    pair.sync("--changed-both", "hold", code=1)


def undone(pair: Pair) -> None:
    pair.call("undo", "last")


CODES = [
    (0, nothing, ("conflicts",)),
    (0, nothing, ("resolve", JOB, "a", "--keep", "both")),
    (0, nothing, ("resolve", JOB, "--all", "--keep", "right")),
    (0, nothing, ("trash", "list")),
    (0, nothing, ("trash", "restore", JOB, "gone")),
    (0, nothing, ("trash", "empty")),
    (0, nothing, ("explain", JOB, "never")),
    (0, nothing, ("undo", "last", "--dry-run")),
    (1, nothing, ("undo", "last")),
    (0, undone, ("undo", "last")),
    (0, nothing, ("doctor",)),
    (0, nothing, ("verify", JOB)),
    (0, locked, ("verify", JOB)),
    (2, nothing, ("verify", JOB, "--percent", "0")),
    (3, without_right, ("verify", JOB)),
    (0, without_right, ("doctor",)),
    (0, without_right, ("conflicts",)),
    (0, without_right, ("explain", JOB, "a")),
    (0, without_right, ("trash", "list")),
    (0, held, ("status", "--hours", "1")),
    (1, held, ("run", JOB)),
    (2, nothing, ("conflicts", "nobody")),
    (2, nothing, ("resolve", "nobody", "a", "--keep", "left")),
    (2, nothing, ("resolve", JOB, "x", "--keep", "left")),
    (2, nothing, ("trash", "restore", JOB, "x")),
    (2, nothing, ("trash", "list", "--run", "x")),
    (2, nothing, ("trash", "empty", JOB, "--older-than", "x")),
    (2, nothing, ("undo", "nothing")),
    (2, nothing, ("undo",)),
    (2, nothing, ("explain", JOB, "..")),
    (2, nothing, ("doctor", "nobody")),
    (2, nothing, ("status", "--hours", "0")),
    (2, nothing, ("versions", JOB, "a", "--diff", "x", "0")),
    (3, without_right, ("versions", JOB, "a")),
    (0, without_right, ("status", "--space")),
    (2, nothing, ("completion", "tcsh")),
    (3, without_right, ("resolve", JOB, "a", "--keep", "left")),
    (3, without_right, ("trash", "restore", JOB, "gone")),
    (3, without_right, ("undo", "last")),
    (3, without_right, ("trash", "empty", JOB)),
    (4, edited, ("resolve", JOB, "a", "--keep", "left")),
    (4, taken, ("trash", "restore", JOB, "gone")),
    (5, locked, ("resolve", JOB, "a", "--keep", "left")),
    (5, locked, ("trash", "restore", JOB, "gone")),
    (5, locked, ("undo", "last")),
    (0, locked, ("undo", "last", "--dry-run")),
    (5, locked, ("trash", "empty", JOB)),
    (0, locked, ("resolve", JOB, "a", "--keep", "left", "--dry-run")),
    (0, locked, ("trash", "empty", JOB, "--dry-run")),
]


@pytest.mark.parametrize(
    ("code", "given", "args"), CODES, ids=[f"{' '.join(row[2])} {row[1].__name__} {row[0]}" for row in CODES]
)
def test_exit_codes(eventful: Pair, code: int, given: Any, args: tuple[str, ...]) -> None:
    answer: Answer
    if given is locked:
        with locked(eventful):
            answer = eventful.call(*args)
    else:
        given(eventful)
        answer = eventful.call(*args)
    assert answer.code == code, str(answer)
    if code >= 2:
        assert "syncline " in (answer.err + answer.out).replace("syncline: ", ""), "it ends with a command to go on"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_resolve_in_order(spawned: Pair, number: signal.Signals, code: int) -> None:
    pair = spawned
    several = range(1500)
    pair.write({f"{each}": File("old", at=0) for each in several})
    pair.write({"still": "right"})
    pair.sync()
    pair.write(
        {f"{each}": File("left", at=90) for each in several}, {f"{each}": File("right", at=50) for each in several}
    )
    pair.sync("--trash-max-size", "none", code=None)
    import subprocess

    from tests.e2e.forks import environment
    from tests.e2e.pair import PIPES

    running = subprocess.Popen(
        pair.command("resolve", JOB, "--all", "--keep", "right", "--json"), **PIPES, env=environment()
    )
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and not disk.staged(pair.left):
        time.sleep(0.005)
    running.send_signal(number)
    out, err = running.communicate(timeout=60)
    assert (running.returncode, json.loads(out)["outcome"]) == (code, "interrupted"), err
    rest = pair.call("conflicts", "--json").document["conflicts"]
    assert 0 < len(rest) <= 1500
    pair.sync(code=None)
    assert pair.call("resolve", JOB, "--all", "--keep", "right", "-q").code == 0
    assert set(pair.same().values()) == {"=right"}
