"""The program as a whole, started as a person or a script starts it."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src"


class Shell:
    """Runs syncline in a folder of its own, with its own state and a bare environment."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(SOURCE),
            "HOME": str(folder / "home"),
            "SYNCLINE_STATE_DIR": str(self.state),
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
        }

    def command(self, *args: str | bytes) -> list[str | bytes]:
        return [sys.executable, "-m", "syncline", *args]

    def __call__(self, *args: str | bytes, **environment: str) -> subprocess.CompletedProcess[bytes]:
        return self.into(subprocess.PIPE, *args, **environment)

    def into(self, out: int | IO[bytes], *args: str | bytes, **environment: str) -> subprocess.CompletedProcess[bytes]:
        """Run it with that for its standard output."""
        done = subprocess.run(
            self.command(*args),
            cwd=self.folder,
            env={**self.environment, **environment},
            stdout=out,
            stderr=subprocess.PIPE,
            check=False,
            timeout=60,
        )
        assert b"Traceback" not in done.stderr, done.stderr.decode()
        return done

    def json(self, *args: str | bytes) -> tuple[int, dict[str, Any]]:
        done = self(*args, "--json")
        return done.returncode, json.loads(done.stdout)

    def make(self, files: Mapping[str, str]) -> None:
        for path, text in files.items():
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / path).write_text(text)


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    shell = Shell(tmp_path)
    shell.make({"left/a.txt": "hello", "left/sub/b": "b", "right/c": "see"})
    return shell


def test_from_plan_to_history(shell: Shell) -> None:
    assert shell("sync", "left", "right", "-n").returncode == 0
    assert not shell.state.exists()  # neither memory nor log
    code, done = shell.json("sync", "left", "right")
    assert (code, done["outcome"], done["job"], done["dry_run"]) == (0, "done", "left-right", False)
    assert shell("sync", "left", "right").stdout.decode().splitlines() == [
        f"left-right: {shell.folder}/left ↔ {shell.folder}/right",
        "✓ in sync: 3 files on both sides",
    ]
    assert shell.json("plan", "left-right")[1]["outcome"] == "in-sync"
    shown = shell.json("show", "last")[1]
    assert {**shown, "seconds": 0} == {**done, "seconds": 0}
    (status,) = shell.json("status")[1]["jobs"]
    assert (status["in_sync"], status["last_run"], status["state"]) == (True, done["run"], "idle")
    (run,) = shell.json("history")[1]["runs"]
    assert (run["run"], run["job"], run["outcome"], run["summary"]) == (
        done["run"],
        "left-right",
        "done",
        done["summary"],
    )
    roots = {"left": f"{shell.folder}/left", "right": f"{shell.folder}/right"}
    assert shell.json("jobs", "list")[1] == {
        "jobs": [{"job": "left-right", "kind": "twoway", "roots": roots, "adhoc": True}]
    }
    for question in (["status"], ["history"], ["show", "last"], ["jobs", "list"], ["jobs", "show", "left-right"]):
        assert b"left-right" in shell(*question).stdout
    assert shell.json("jobs", "forget", "left-right") == (0, {"forgotten": "left-right"})
    assert shell.json("jobs", "list")[1] == {"jobs": []}


def test_several_jobs_are_one_document(shell: Shell) -> None:
    shell.make({"target/.keep": ""})
    shell("sync", "left", "right")
    shell("mirror", "left", "target", "--extras", "keep")
    (shell.folder / "right").rename(shell.folder / "away")
    code, document = shell.json("run", "left-target", "left-right")
    assert code == 3
    assert list(document) == ["jobs"]
    assert [job["outcome"] for job in document["jobs"]] == ["in-sync", "refused"]
    told = shell("run", "left-target", "left-right")
    assert told.returncode == 3
    assert b"refused (root-missing)" in told.stderr
    assert b"in sync" in told.stdout


def test_a_refusal_can_be_approved_as_it_says(shell: Shell) -> None:
    refused = shell("mirror", "left", "right")
    assert refused.returncode == 3
    (command,) = re.findall(r"if that is what you want: syncline (.*)", refused.stderr.decode())
    assert shell(*command.split()).returncode == 0
    assert sorted(os.listdir(shell.folder / "right")) == [".syncline", "a.txt", "sub"]


def test_names_that_are_not_utf8(shell: Shell) -> None:
    left, right = os.fsencode(shell.folder) + b"/l\xff", os.fsencode(shell.folder) + b"/r\xe9"
    for folder in (left, right):
        os.mkdir(folder)
    with open(left + b"/\xfcber", "w") as stream:
        stream.write("x")
    code, document = shell.json("sync", left, right)
    assert code == 0
    assert document["actions"][0]["path"] == "\udcfcber"
    assert document["roots"]["left"].endswith("/l\udcff")
    assert os.path.exists(right + b"/\xfcber")
    assert b"\\xfcber" in shell("show", "last").stdout


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_every_encoding_of_the_terminal(shell: Shell, encoding: str) -> None:
    shell.make({"left/日本 é\n.txt": "x"})
    told = shell("sync", "left", "right", PYTHONIOENCODING=encoding)
    assert told.returncode == 0
    text = told.stdout.decode(encoding)
    assert r"é\n.txt" in text or r"\xe9\n.txt" in text
    assert ("left → right" in text) is (encoding == "utf-8")


def test_a_locale_without_utf8_knows_the_same_names(shell: Shell) -> None:
    shell.make({"left/é": "x"})
    old = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    assert shell("sync", "left", "right", **old).returncode == 0
    assert shell.json("plan", "left-right")[1]["outcome"] == "in-sync"
    assert "é" in str(shell.json("show", "last")[1]["actions"])


def test_a_reader_that_goes_away_stops_nothing(shell: Shell) -> None:
    shell.make({f"left/{number:05}": "x" for number in range(300)})
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb") as closed:
        done = shell.into(closed, "sync", "left", "right", "-v")
    assert done.returncode == 0
    assert len(os.listdir(shell.folder / "right")) == 304
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb") as closed:
        assert shell.into(closed, "history").stderr == b""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_an_answer_that_cannot_be_written_is_no_success(shell: Shell) -> None:
    with open("/dev/full", "wb") as full:
        done = shell.into(full, "sync", "left", "right", "--json")
    assert done.returncode == 4
    assert done.stderr.decode().splitlines() == ["syncline: the answer could not be written: No space left on device"]
    assert (shell.folder / "right/a.txt").exists()


def test_a_failing_log_stops_nothing(shell: Shell) -> None:
    shell.state.mkdir()
    os.symlink("/dev/full", shell.state / "syncline.log")
    done = shell("sync", "left", "right", "--json")
    assert (done.returncode, json.loads(done.stdout)["outcome"]) == (0, "done")
    assert done.stderr.count(b"the log cannot be written") == 1


def test_an_internal_error_is_a_sentence_and_a_document(shell: Shell) -> None:
    shell("sync", "left", "right")
    (shell.folder / "sitecustomize.py").write_text(
        "import syncline.queries\ndef broken(*args): raise KeyError('x\\x1b')\nsyncline.queries.status = broken\n"
    )
    path = os.pathsep.join([str(SOURCE), str(shell.folder)])
    done = shell("status", "--json", PYTHONPATH=path)
    assert done.returncode == 4
    (error,) = json.loads(done.stdout)["errors"]
    assert error["message"].startswith("internal error: KeyError")
    assert str(shell.state / "syncline.log") in error["hint"]
    log = (shell.state / "syncline.log").read_text()
    assert "Traceback" in log
    assert "\x1b" not in log


def on_a_terminal(shell: Shell, *args: str, **environment: str) -> str:
    """What a terminal receives."""
    child, fd = pty.fork()
    if child == 0:
        os.chdir(shell.folder)
        command = [os.fsdecode(word) for word in shell.command(*args)]
        os.execve(
            command[0],
            command,
            {**shell.environment, "TERM": "xterm-256color", "COLUMNS": "80", **environment},
        )
    got = b""
    while True:
        try:
            block = os.read(fd, 4096)
        except OSError:  # the other end is closed
            break
        if not block:
            break
        got += block
    os.close(fd)
    os.waitpid(child, 0)
    return got.decode()


# The process is not threaded where it forks; 3.12 warns because pytest-xdist may be.
@pytest.mark.filterwarnings("ignore:.*forkpty:DeprecationWarning")
@pytest.mark.parametrize(
    ("environment", "coloured"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)],
)
def test_colours_only_on_a_terminal_that_wants_them(shell: Shell, environment: dict[str, str], coloured: bool) -> None:
    told = on_a_terminal(shell, "sync", "left", "right", **environment)
    assert (re.search(r"\x1b\[[0-9;]*3[0-9][;m]", told) is not None) is coloured
    assert "done" in told
    if environment.get("TERM") == "dumb":
        assert "\x1b" not in told


@pytest.mark.filterwarnings("ignore:.*forkpty:DeprecationWarning")
def test_json_on_a_terminal_has_no_colours(shell: Shell) -> None:
    told = on_a_terminal(shell, "sync", "left", "right", "--json")
    assert json.loads(told)["outcome"] == "done"


def test_a_pipe_gets_no_colours_even_when_forced(shell: Shell) -> None:
    told = shell("sync", "left", "right", FORCE_COLOR="1", TTY_COMPATIBLE="1", CLICOLOR_FORCE="1")
    assert b"\x1b" not in told.stdout + told.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_run_in_order(shell: Shell, number: signal.Signals, code: int) -> None:
    shell.make({f"left/d{number % 40}/{number:05}": "x" for number in range(2000)})
    running = subprocess.Popen(
        shell.command("sync", "left", "right", "--json"),
        cwd=shell.folder,
        env=shell.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + 30
    while not (shell.folder / "right/.syncline/lock").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    running.send_signal(number)
    out, err = running.communicate(timeout=60)
    assert (running.returncode, json.loads(out)["outcome"]) == (code, "interrupted")
    assert b"stopping" in err
    assert b"Traceback" not in err
    assert shell("sync", "left", "right", "-q").returncode == 0
    assert len(list((shell.folder / "right").glob("d*/*"))) == 2000


def test_a_signal_while_the_program_is_being_loaded_is_told(shell: Shell) -> None:
    early = shell.folder / "early"
    early.mkdir()
    (early / "click.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    done = shell("status", PYTHONPATH=f"{early}:{SOURCE}")
    assert (done.returncode, done.stderr.count(b"syncline: interrupted"), done.stderr.count(b"\n")) == (130, 1, 1)


@pytest.mark.parametrize(("home", "place"), [({}, "home/.local/state"), ({"XDG_STATE_HOME": "{}/xdg"}, "xdg")])
@pytest.mark.skipif(sys.platform != "linux", reason="other systems have other places")
def test_where_the_state_is(shell: Shell, home: dict[str, str], place: str) -> None:
    del shell.environment["SYNCLINE_STATE_DIR"]
    done = shell("sync", "left", "right", **{name: text.format(shell.folder) for name, text in home.items()})
    assert done.returncode == 0
    assert {"state.db", "syncline.log"} <= set(os.listdir(shell.folder / place / "syncline"))


def test_the_state_directory_may_be_said_before_or_after(shell: Shell) -> None:
    del shell.environment["SYNCLINE_STATE_DIR"]
    shell("--state-dir", "one", "sync", "left", "right")
    assert shell.json("jobs", "list", "--state-dir", "one") == shell.json("--state-dir", "one", "jobs", "list")
    both = shell.json("--state-dir", "two", "jobs", "list", "--state-dir", "one")
    assert len(both[1]["jobs"]) == 1


def test_version(shell: Shell) -> None:
    assert shell("--version").stdout.startswith(b"syncline ")


@pytest.mark.parametrize("args", [["--help"], ["--version"], ["sync", "--help"]], ids=" ".join)
def test_help_loads_nothing_heavy(shell: Shell, args: list[str]) -> None:
    code = (
        "import sys; from syncline.cli import main; main(sys.argv[1:]);"
        "print(sorted({'rich', 'blake3', 'sqlite3', 'pathspec', 'pydantic', 'logging', 'syncline.compose',"
        "'syncline.core.model'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *args], env=shell.environment, capture_output=True, text=True, check=True
    )
    assert done.stderr == "[]\n"
