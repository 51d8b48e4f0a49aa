"""Running a program: how it is named, what it is given, and that nothing of it stays behind."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from syncline.services import commands
from syncline.services.commands import Ended


def script(folder: Path, text: str, name: str = "tool") -> str:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def run(argv: list[str], folder: Path, *, timeout_s: float = 20, stop=lambda: False) -> Ended:
    return commands.run(argv, directory=str(folder), stop=stop, timeout_s=timeout_s)


NAMED = [
    ("in the PATH", "sh -c 'a b'", ["/sh", "-c", "a b"]),
    ("by an absolute path", "{folder}/tool x", ["{folder}/tool", "x"]),
    ("by a path relative to the directory", "./tool x", ["{folder}/tool", "x"]),
    ("in a folder of the directory", "sub/tool", ["{folder}/sub/tool"]),
    ("in the home", "~/tool", ["{folder}/tool"]),
    ("with a quoted space", "'./a tool' {{left}}", ["{folder}/a tool", "{left}"]),
]


@pytest.mark.parametrize(("says", "text", "argv"), NAMED, ids=[row[0] for row in NAMED])
def test_a_program_that_is_there(tmp_path: Path, monkeypatch, says: str, text: str, argv: list[str]) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "sub").mkdir()
    for name in ("tool", "a tool", "sub/tool"):
        script(tmp_path, "", name)
    first, *rest = commands.found(text.format(folder=tmp_path), str(tmp_path))
    wanted = argv[0].replace("{folder}", str(tmp_path))
    assert os.path.isabs(first) and first.endswith(wanted)
    assert rest == argv[1:]
    assert commands.found(commands.joined([first, *rest]), "/") == (first, *rest)


MISSING = [
    ("not in the PATH", "no-such-tool x", "no program 'no-such-tool' in the PATH"),
    ("not at its path", "/no/such/tool", "/no/such/tool is not there"),
    ("not at its relative path", "./no-such-tool", "no-such-tool is not there"),
    ("a folder", "./", "is not there, or is no program"),
    ("a file that may not be run", "./plain", "no program that may be run"),
    ("nothing", "", "names no program"),
    ("an empty name", "'' x", "names no program"),
    ("a quotation mark too few", "sh 'x", "cannot be read: no closing quotation"),
]


@pytest.mark.parametrize(("says", "text", "told"), MISSING, ids=[row[0] for row in MISSING])
def test_a_program_that_is_not_there(tmp_path: Path, says: str, text: str, told: str) -> None:
    (tmp_path / "plain").write_text("")
    with pytest.raises(ValueError, match="^.*" + told.replace("'", ".")):
        commands.found(text, str(tmp_path))


def test_what_stands_for_a_file_is_put_in_once_and_never_divided() -> None:
    values = {"left": "/a b/{right}", "right": '/c\'; rm -rf "$HOME"'}
    argv = ["tool", "{left}", "--to={right}:{left}", "{other}", "plain"]
    assert commands.filled(argv, values) == [
        "tool", "/a b/{right}", "--to=/c'; rm -rf \"$HOME\":/a b/{right}", "{other}", "plain",
    ]  # fmt: skip


ENDS = [
    ("well", "exit 0", Ended(0, "")),
    ("badly, with the last line it said", "echo one; echo two >&2; exit 3", Ended(3, "two")),
    ("by a signal", "kill -9 $$", Ended(-9, "")),
    ("with nothing to read", "read line || echo nothing", Ended(0, "nothing")),
    ("saying bytes that are no text", "printf '\\377x'", Ended(0, "\ufffdx")),
    (
        "saying more than is kept",
        "i=0; while [ $i -lt 9000 ]; do echo 0123456789abcdef; i=$((i+1)); done; echo end",
        Ended(0, "end"),
    ),
]


@pytest.mark.parametrize(("says", "text", "ended"), ENDS, ids=[row[0] for row in ENDS])
def test_how_it_ends(tmp_path: Path, says: str, text: str, ended: Ended) -> None:
    assert run([script(tmp_path, text)], tmp_path) == ended


def test_it_runs_in_its_directory(tmp_path: Path) -> None:
    assert run([script(tmp_path, "pwd")], tmp_path).said == str(tmp_path)


@pytest.mark.parametrize("program", ["/no/such/program", "tool"])
def test_what_cannot_be_started_is_told(tmp_path: Path, program: str) -> None:
    (tmp_path / "tool").write_text("no program")
    (tmp_path / "tool").chmod(0o755)
    path = program if program.startswith("/") else str(tmp_path / program)
    ended = run([path], tmp_path)
    assert ended.code is None
    assert ended.told.startswith("could not be started: ")


def alive(folder: Path) -> bool:
    """Whether the process whose number stands in `pid` is there, and no mere remainder."""
    number = int((folder / "pid").read_text())
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone(folder: Path) -> bool:
    end_s = time.monotonic() + 10
    while alive(folder) and time.monotonic() < end_s:
        time.sleep(0.01)
    return not alive(folder)


CHILD = "sleep 60 & echo $! > pid"
LEFT_BEHIND = [
    ("its time is over", f"{CHILD}; wait", {"timeout_s": 0.3}, "was not done after 0.3 seconds"),
    (
        "its time is over, and it hears no signal",
        f"trap '' TERM; {CHILD}; wait; sleep 60",
        {"timeout_s": 0.3},
        "was not done",
    ),
    ("it is interrupted", f"{CHILD}; wait", {"stop": lambda: True}, "was interrupted"),
    ("it ended, with a child that holds what it says", f"{CHILD}; exit 4", {}, "ended with exit code 4"),
]


@pytest.mark.parametrize(("says", "text", "given", "told"), LEFT_BEHIND, ids=[row[0] for row in LEFT_BEHIND])
def test_nothing_of_it_stays_when(tmp_path: Path, says: str, text: str, given: dict, told: str) -> None:
    if "stop" in given:
        given = {"stop": lambda: (tmp_path / "pid").exists() and bool((tmp_path / "pid").read_text())}
    started_s = time.monotonic()
    ended = run([script(tmp_path, text)], tmp_path, **given)
    assert ended.told.startswith(told)
    assert time.monotonic() - started_s < 15
    assert gone(tmp_path)


def test_it_has_a_session_of_its_own(tmp_path: Path) -> None:
    ended = run([sys.executable, "-c", "import os; print(os.getsid(0) == os.getpid() == os.getpgrp())"], tmp_path)
    assert ended.said == "True"
