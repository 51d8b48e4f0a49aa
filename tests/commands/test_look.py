"""What a person sees: widths, colours, encodings, long lists, completion."""

from __future__ import annotations

import os
import pty
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.disk import File
from tests.e2e.forks import environment
from tests.e2e.pair import Pair

JOB = "left-right"


def conflicts(pair: Pair, number: int, name: str = "file {}.txt") -> None:
    several = [name.format(each) for each in range(number)]
    pair.write({"still": "x", **{each: File("old", at=0) for each in several}})
    pair.sync()
    pair.write({each: File("left", at=90) for each in several}, {each: File("right", at=50) for each in several})
    pair.sync("--changed-both", "keep-both", code=None)


def on_a_terminal(pair: Pair, *args: str, columns: int = 80, **more: str) -> str:
    """What a terminal receives."""
    child, fd = pty.fork()
    if child == 0:
        command = pair.command(*args)
        os.execve(
            command[0],
            command,
            {**environment(), "NO_COLOR": "", "TERM": "xterm-256color", "COLUMNS": str(columns), **more},
        )
    got = b""
    while True:
        try:
            block = os.read(fd, 4096)
        except OSError:
            break
        if not block:
            break
        got += block
    os.close(fd)
    os.waitpid(child, 0)
    return got.decode("utf-8", "replace").replace("\r\n", "\n")


def bare(text: str) -> list[str]:
    return re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text).splitlines()


LISTS = [
    ("conflicts",),
    ("trash", "list"),
    ("explain", JOB, "file 1.txt"),
    ("doctor",),
    ("status", "--hours", "24"),
    ("history",),
]


# The process is not threaded where it forks; 3.12 warns because pytest-xdist may be.
@pytest.mark.filterwarnings("ignore:.*forkpty:DeprecationWarning")
@pytest.mark.parametrize("args", LISTS, ids=" ".join)
def test_colours_and_signs_are_for_terminals_that_have_them(spawned: Pair, args: tuple[str, ...]) -> None:
    conflicts(spawned, 2)
    plain = spawned.call(*args).out
    assert "\x1b" not in plain
    assert bare(on_a_terminal(spawned, *args, columns=2000)) == plain.splitlines()
    assert "\x1b" not in on_a_terminal(spawned, *args, columns=200, TERM="dumb")
    assert not re.search(r"\x1b\[[0-9;]*3[0-9][;m]", on_a_terminal(spawned, *args, columns=200, NO_COLOR="1"))


@pytest.mark.filterwarnings("ignore:.*forkpty:DeprecationWarning")
@pytest.mark.parametrize("args", [("conflicts",), ("trash", "list")], ids=" ".join)
@pytest.mark.parametrize("columns", [80, 200])
def test_names_are_cut_to_the_width(spawned: Pair, args: tuple[str, ...], columns: int) -> None:
    conflicts(spawned, 1, "folder/" * 15 + "a name that is far too long for a line {}.txt")
    spawned.call("resolve", JOB, "--all", "--keep", "right")
    conflicts(spawned, 1, "folder/" * 15 + "a name that is far too long for a line {}.txt")
    shown = bare(on_a_terminal(spawned, *args, columns=columns))
    commands = [line for line in shown if "syncline " in line or line.startswith("  !")]
    assert [line for line in shown if len(line) > columns and line not in commands] == []


PAGED: dict[str, Any] = {"PAGER": "sed s/^/paged:/", "LINES": "20"}


@pytest.mark.filterwarnings("ignore:.*forkpty:DeprecationWarning")
@pytest.mark.parametrize(
    ("args", "paged"),
    [
        (("plan", JOB, "-v"), True),
        (("show", "last", "-v"), True),
        (("conflicts", "-v"), True),
        (("plan", JOB), False),  # 10 of 30
        (("history",), False),
        (("status",), False),
    ],
    ids=str,
)
def test_what_is_longer_than_the_terminal_is_paged(spawned: Pair, args: tuple[str, ...], paged: bool) -> None:
    conflicts(spawned, 30)
    spawned.write({f"new {number}": "new" for number in range(30)})
    plain = spawned.call(*args).out.splitlines()
    shown = bare(on_a_terminal(spawned, *args, columns=2000, **PAGED))
    told = [line.removeprefix("paged:") for line in shown]
    assert [line for line in plain if line not in told and " in 0." not in line] == []
    assert [line for line in shown if line.startswith("paged:")] == (shown[-len(plain) :] if paged else [])


@pytest.mark.filterwarnings("ignore:.*forkpty:DeprecationWarning")
def test_who_leaves_the_pager_has_seen_enough(spawned: Pair) -> None:
    spawned.write({f"new {number:04}": "new" for number in range(3000)})
    shown = bare(
        on_a_terminal(
            spawned, "sync", "--dry-run", "-v", str(spawned.left), str(spawned.right), **{**PAGED, "PAGER": "head -n 3"}
        )
    )
    assert "Traceback" not in "".join(shown)
    assert len(shown) < 30


@pytest.mark.parametrize("args", LISTS, ids=" ".join)
@pytest.mark.parametrize("locale", [{"LC_ALL": "C"}, {"PYTHONIOENCODING": "latin-1"}], ids=["C", "Latin-1"])
def test_old_locales_see_everything(pair: Pair, args: tuple[str, ...], locale: dict[str, str], tmp_path: Path) -> None:
    conflicts(pair, 2, "日本 é {}.txt")
    told = subprocess.run(
        pair.command(*args),
        env={**environment(), "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", **locale},
        capture_output=True,
        check=False,
    )
    assert told.returncode == 0
    assert b"Traceback" not in told.stderr
    told.stdout.decode("ascii" if "LC_ALL" in locale else "latin-1")


def test_five_hundred_conflicts(pair: Pair) -> None:
    conflicts(pair, 500)
    answer = pair.call("conflicts")
    lines = answer.out.splitlines()
    assert lines[0] == f"{JOB}: 500 open conflicts"
    assert lines[-2:] == [
        "  … and 490 more (-v shows all)",
        f"  all at once: syncline resolve {JOB} --all --keep newest  (or left, right, both)",
    ]
    assert len(lines) == 53
    assert len(pair.call("conflicts", "-v").out.splitlines()) == 5 * 500 + 2
    assert len(pair.call("conflicts", "--json").document["conflicts"]) == 500
    assert pair.call("resolve", JOB, "--all", "--keep", "right", "--json").code == 0
    assert pair.call("conflicts").out == "no open conflicts\n"
    listed = pair.call("trash", "list").out.splitlines()
    assert len(listed) == 2 * 12 + 2
    assert listed[-2].startswith("2,000 items")


def test_every_conflict_that_is_told_can_be_settled_as_it_says(pair: Pair) -> None:
    conflicts(pair, 3, 'it\'s {} $HOME "x".txt')
    told = pair.call("run", JOB, "-q").out + pair.call("conflicts").out
    commands = re.findall(r"^ +(syncline resolve .*) --keep", told, re.MULTILINE)
    assert len(commands) == 3
    for command in commands:
        line = command.replace("syncline", f"{' '.join(pair.command()[:-2])} --state-dir {pair.state}", 1)
        done = subprocess.run(
            ["/bin/sh", "-c", f"{line} --keep left"], env=environment(), capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr
    assert pair.call("conflicts").out == "no open conflicts\n"


# completion


SHELLS = [("bash", "_syncline_completion() {"), ("zsh", "#compdef syncline"), ("fish", "function _syncline_completion")]


@pytest.mark.parametrize(("shell", "sign"), SHELLS)
def test_the_completion_of_a_shell(pair: Pair, shell: str, sign: str) -> None:
    told = pair.call("completion", shell)
    assert (told.code, sign in told.out, told.err) == (0, True, "")
    assert "_SYNCLINE_COMPLETE" in told.out


def offered(pair: Pair, line: str, **more: str) -> list[str]:
    """What bash is offered for the last word of a line."""
    words = line.split(" ")
    done = subprocess.run(
        [*pair.command()[:-2]],
        env={
            **environment(),
            "_SYNCLINE_COMPLETE": "bash_complete",
            "COMP_WORDS": line,
            "COMP_CWORD": str(len(words) - 1),
            "SYNCLINE_STATE_DIR": str(pair.state),
            **more,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return [each.partition(",")[2] for each in done.stdout.splitlines() if each]


OFFERED = [
    ("syncline re", ["resolve"]),
    ("syncline resolve le", [JOB]),
    (f"syncline resolve {JOB} f", ["file0.txt"]),
    (f"syncline resolve {JOB} file0.txt --keep n", ["newest"]),
    ("syncline trash ", ["list", "restore", "empty"]),
    ("syncline trash list --run la", ["last"]),
    ("syncline show la", ["last"]),
    ("syncline completion f", ["fish"]),
    ("syncline run le", [JOB]),
    ("syncline nonsense x", []),
]


@pytest.mark.parametrize(("line", "words"), OFFERED, ids=[row[0] for row in OFFERED])
def test_what_is_offered(spawned: Pair, line: str, words: list[str]) -> None:
    conflicts(spawned, 1, "file{}.txt")
    assert sorted(offered(spawned, line)) == sorted(words)


def test_without_a_state_nothing_is_offered_and_nothing_made(pair: Pair) -> None:
    assert offered(pair, "syncline resolve ") == []
    assert not pair.state.exists()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_takes_it(pair: Pair, shell: str) -> None:
    import shutil

    if shutil.which(shell) is None:
        pytest.skip(f"needs {shell}")
    script = pair.call("completion", shell).out
    done = subprocess.run([shell, "-n"], input=script, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
