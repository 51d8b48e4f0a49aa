"""Merging by a program of the user's: what it is given, what becomes of what it makes, and what if it makes nothing."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path

import pytest

from tests.config.conftest import Home
from tests.e2e import disk
from tests.e2e.disk import File, Link
from tests.e2e.forks import Forks
from tests.e2e.pair import Answer, Pair

LONG = os.environ.get("SYNCLINE_LONG") == "1"

BOTH = 'cat "$2" "$3" > "$4"'
MARKS = "{base} {left} {right} {output}"


def tool(pair: Pair, text: str = BOTH) -> str:
    """A real program: `$1` the base, `$2` left, `$3` right, `$4` what it is to make."""
    path = pair.left.with_name("tool")
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return f"merge: {path} {MARKS}"


def diverged(pair: Pair, text: str = BOTH, left: str = "left,", right: str = "right") -> Pair:
    """A file that both sides changed, and a program to merge it."""
    pair.write({"a": "old"})
    policy = tool(pair, text)
    pair.sync("--changed-both", policy, "--created-both", policy)
    pair.write({"a": File(left, at=5)}, {"a": File(right, at=9)})
    return pair


def conflict(answer: Answer) -> tuple[str, str | None, bool]:
    """Rule, whose version is kept, and whether there is a clash file."""
    (row,) = answer.document["conflicts"]
    return row["rule"], row["kept"], row["clash"] is not None


def test_what_the_program_makes_takes_the_name_and_both_versions_go_to_the_trash(pair: Pair) -> None:
    answer = diverged(pair).sync()
    assert conflict(answer) == ("changed-both", "merged", False)
    assert answer.document["conflicts"][0]["policy"] == f"merge: {pair.left.with_name('tool')} {MARKS}"
    assert answer.err == ""
    assert pair.same() == {"a": "=left,right"}
    assert (disk.trash(pair.left), disk.trash(pair.right)) == ({"a": "=left,"}, {"a": "=right"})
    assert disk.staged(pair.left) == disk.staged(pair.right) == []
    assert sorted(os.listdir(pair.state)) == ["state.db", "syncline.log"]
    assert pair.call("conflicts", "--json").document == {"conflicts": []}
    assert "both versions were merged" in pair.call("explain", "left-right", "a").out
    pair.settled()


def test_what_both_sides_created_is_merged_too(pair: Pair) -> None:
    pair.sync("--created-both", tool(pair))
    pair.write({"n/a b": "one,"}, {"n/a b": "two"})
    assert conflict(pair.sync()) == ("created-both", "merged", False)
    assert pair.same() == {"n": "/", "n/a b": "=one,two"}
    pair.settled()


def test_what_is_merged_again_is_compared_with_what_was_made(pair: Pair) -> None:
    diverged(pair).sync()
    pair.write({"a": "newer"})
    assert pair.sync().document["conflicts"] == []
    assert pair.same() == {"a": "=newer"}
    pair.write({"a": "1,"}, {"a": "2"})
    assert conflict(pair.sync())[1] == "merged"
    assert pair.same() == {"a": "=1,2"}


NOTHING = [
    ("an exit code", "echo why >&2; exit 2", "tool ended with exit code 2: why"),
    ("an output and an exit code", f"{BOTH}; exit 1", "tool ended with exit code 1"),
    ("a signal", "kill -9 $$", "tool was ended by signal 9"),
    ("no output", "exit 0", "tool ended well and left no {output}"),
    ("a link for an output", 'ln -s "$2" "$4"', "tool ended well and left no {output}"),
    ("a folder for an output", 'mkdir "$4"', "tool left an {output} that is no file"),
    ("a pipe for an output", 'mkfifo "$4"', "tool left an {output} that is no file"),
    ("no interpreter", None, "tool could not be started: "),
]


@pytest.mark.parametrize(("says", "text", "told"), NOTHING, ids=[row[0] for row in NOTHING])
def test_where_nothing_comes_of_it_both_versions_are_kept_and_it_is_told(pair: Pair, says, text, told) -> None:
    diverged(pair, text or "")
    if text is None:
        pair.left.with_name("tool").write_text("#!/no/such/interpreter\n")
    answer = pair.sync()
    assert conflict(answer) == ("changed-both", "right", True)
    assert f"syncline: a not merged, both versions are kept: {told}" in answer.err
    clash = answer.document["conflicts"][0]["clash"]
    assert pair.same() == {"a": "=right", clash: "=left,"}
    assert "not merged" in (pair.state / "syncline.log").read_text()
    assert disk.staged(pair.left) == disk.staged(pair.right) == []
    pair.settled()


def test_many_that_fail_for_one_reason_are_told_in_one_line(pair: Pair) -> None:
    diverged(pair, "exit 7")
    for name in "bcd":
        pair.write({name: f"{name} left"}, {name: f"{name} on the right"})
    answer = pair.sync()
    assert answer.err.count("not merged") == 1
    assert "a and 3 more not merged, both versions are kept: tool ended with exit code 7" in answer.err


def test_one_that_fails_does_not_keep_others_from_being_merged(pair: Pair) -> None:
    diverged(pair, f'case "$2" in */bad) exit 1;; esac; {BOTH}')
    pair.write({"bad": "1", "c": "1,"}, {"bad": "22", "c": "2"})
    answer = pair.sync()
    rows = {row["path"]: row["kept"] for row in answer.document["conflicts"]}
    assert rows == {"a": "merged", "bad": "left", "c": "merged"}
    same = pair.same()
    assert (same["a"], same["c"], same["bad"]) == ("=left,right", "=1,2", "=1")
    pair.settled()


@pytest.mark.parametrize("ask", [("--dry-run",), ("plan",)], ids=" ".join)
def test_a_plan_says_it_and_never_runs_it(pair: Pair, ask: tuple[str, ...]) -> None:
    ran = pair.left.with_name("ran")
    diverged(pair, f"touch {ran}")
    before = disk.fingerprint(pair.left, pair.right, pair.state)
    args = ["plan", "left-right"] if ask == ("plan",) else ["sync", str(pair.left), str(pair.right), *ask]
    answer = pair.call(*args, "--json")
    assert conflict(answer) == ("changed-both", "merged", False)
    assert answer.actions == [("put-file", "left", "a"), ("put-file", "right", "a")]
    told = " ".join(pair.call(*args).out.split())
    assert f"merge with {pair.left.with_name('tool')} {MARKS}; if that fails, both versions are kept" in told
    log = {path: seen for path, seen in before.items() if not path.endswith("syncline.log")}
    after = disk.fingerprint(pair.left, pair.right, pair.state)
    assert {path: seen for path, seen in after.items() if not path.endswith("syncline.log")} == log
    assert not ran.exists()
    assert pair.sync().document["plan"] == answer.document["plan"]
    assert ran.exists()


def test_links_are_kept_twice_without_asking_the_program(pair: Pair) -> None:
    ran = pair.left.with_name("ran")
    pair.sync("--created-both", tool(pair, f"touch {ran}"))
    pair.write({"a": Link("x")}, {"a": Link("y")})
    assert conflict(pair.sync())[2]
    assert not ran.exists()
    pair.settled()


def test_the_base_is_what_both_last_agreed_on_where_the_trash_has_it(pair: Pair) -> None:
    diverged(pair, '(cat "$1"; echo -n /; cat "$2") > "$4"')
    assert pair.sync().err == ""
    assert pair.same() == {"a": "=/left,"}, "the base was never in the trash"
    for content in ("base", "other", "base"):
        pair.write({"a": content})
        pair.sync()
    pair.write({"a": "mine"}, {"a": "yours"})
    pair.sync()
    assert pair.same() == {"a": "=base/mine"}


NAMES = [
    "with space",
    "-n",
    "quo'te\"",
    "$(touch x)",
    "{left}",
    "{output}",
    "ü\n",
    "x" * 250,
    ".hidden",
    os.fsdecode(b"\xff"),
]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_names_are_no_text_for_a_shell(pair: Pair, name: str) -> None:
    pair.sync("--created-both", tool(pair))
    pair.write({name: "one,"}, {name: "two"})
    assert conflict(pair.sync())[1] == "merged"
    assert pair.same() == {name: "=one,two"}


def test_the_mode_is_that_of_the_newer_version(pair: Pair) -> None:
    diverged(pair)
    pair.write({}, {"a": File("right", at=9, mode=0o755)})
    pair.sync()
    assert [(root / "a").stat().st_mode & 0o777 for root in (pair.left, pair.right)] == [0o755, 0o755]


MEANWHILE = [
    ("left", "echo new > {left}/a", "=new\nright"),
    ("right", "echo new > {right}/a", "=left,new\n"),
    ("left, and deleted", "rm {left}/a", "=right"),
    ("right, and replaced by a folder", "rm {right}/a; mkdir {right}/a", "=left,"),
]


@pytest.mark.parametrize(("says", "text", "end"), MEANWHILE, ids=[row[0] for row in MEANWHILE])
def test_what_is_edited_meanwhile_is_merged_by_the_next_run(pair: Pair, says: str, text: str, end: str) -> None:
    once = pair.left.with_name("once")
    text = text.format(left=pair.left, right=pair.right)
    diverged(pair, f"{BOTH}; test -e {once} || ({text}); touch {once}")
    before = disk.read(pair.right if says.startswith("left") else pair.left)
    answer = pair.sync(code=4)
    assert {row["state"] for row in answer.document["actions"]} <= {"failed", "skipped"}
    assert disk.read(pair.right if says.startswith("left") else pair.left) == before
    pair.sync()
    assert pair.same()["a"] == end
    assert disk.staged(pair.left) == disk.staged(pair.right) == []
    pair.settled()


def test_a_run_killed_at_any_step_loses_neither_version(parent: Forks, quick: Path) -> None:
    step = 0
    while True:
        step += 1 if LONG else 3
        pair = diverged(Pair(quick / str(step), parent=parent))
        done = parent.call("--state-dir", pair.state, "sync", pair.left, pair.right, "--json", kill=step)
        if done.code == 0:
            break
        told = f"killed at {step}: {done.steps[-1]}"
        pair.sync(code=None)
        pair.sync(code=None)
        same = pair.same()
        found = {*same.values(), *disk.trash(pair.left).values(), *disk.trash(pair.right).values()}
        assert {"=left,", "=right"} <= found or same == {"a": "=left,right"}, f"{told}: {found}"
        assert {"=left,", "=right"} <= found, f"{told}: {found}"
        assert same["a"] == "=left,right", told
        assert disk.staged(pair.left) == disk.staged(pair.right) == [], told
        pair.settled()
    assert step > 15


def test_an_interrupt_ends_the_program_and_nothing_was_changed(spawned: Pair) -> None:
    pid = spawned.left.with_name("pid")
    pair = diverged(spawned, f"echo $$ > {pid}.new; mv {pid}.new {pid}; sleep 60")
    with pair.start() as process:
        while not pid.exists():
            time.sleep(0.02)
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)
    assert (disk.read(pair.left), disk.read(pair.right)) == ({"a": "=left,"}, {"a": "=right"})
    assert not [name for name in os.listdir(pair.state) if name.startswith("merging-")]
    assert disk.staged(pair.left) == []


def test_copies_that_a_killed_run_left_are_removed_by_the_next(spawned: Pair) -> None:
    pid = spawned.left.with_name("pid")
    pair = diverged(spawned, f"echo $$ > {pid}.new; mv {pid}.new {pid}; sleep 60")
    with pair.start() as process:
        while not pid.exists():
            time.sleep(0.02)
        process.kill()
        process.wait()
    os.killpg(int(pid.read_text()), signal.SIGKILL)
    assert [name for name in os.listdir(pair.state) if name.startswith("merging-")]
    tool(pair)
    assert conflict(pair.sync())[1] == "merged"
    assert not [name for name in os.listdir(pair.state) if name.startswith("merging-")]
    pair.settled()


def test_the_program_is_given_no_terminal_and_no_input(pair: Pair) -> None:
    diverged(pair, 'test -t 0 || test -t 1 || ! read line && echo "$PWD" > "$4"')
    pair.sync()
    (where,) = pair.same().values()
    assert where.startswith(f"={pair.state}/merging-")


# how it is said

SAID = [
    ("it lacks what it must name", "merge: sh {left} {right}", "lacks {output}"),
    ("it is not there", f"merge: no-such-tool {MARKS}", "there is no program 'no-such-tool' in the PATH"),
    ("there is none", "merge:", "'merge' needs a command"),
    ("it has no colon", "merge", "'merge' needs a command"),
    ("it cannot be divided", f"merge: sh 'x {MARKS}", "no closing quotation"),
]


@pytest.mark.parametrize(("says", "policy", "told"), SAID, ids=[row[0] for row in SAID])
def test_a_command_is_refused_if(pair: Pair, says: str, policy: str, told: str) -> None:
    answer = pair.call("sync", pair.left, pair.right, "--changed-both", policy)
    assert (answer.code, (pair.left / ".syncline").exists()) == (2, False)
    assert told in answer.err
    assert pair.call("sync", pair.left, pair.right, "--props-both", f"merge: sh {MARKS}").code == 2


def test_it_is_remembered_with_the_job(pair: Pair) -> None:
    diverged(pair)
    (job,) = pair.call("jobs", "show", "left-right", "--json").document["jobs"]
    assert job["settings"]["changed_both"] == f"merge: {pair.left.with_name('tool')} {MARKS}"
    assert f"{pair.left.with_name('tool')} {MARKS}" in pair.call("jobs", "show", "left-right").out


FILE = """
jobs:
  office:
    kind: twoway
    left: left
    right: right
    changed_both:
      merge: ./tool {base} {left} {right} {output}
    rules:
      - match: "*.txt"
        changed_both: "merge: sh -c 'echo by rule > $$0' {output} {left} {right}"
      - match: "*.bin"
        changed_both: newest
"""


@pytest.fixture
def office(home: Home) -> Home:
    home.write(FILE)
    for name in ("left", "right"):
        (home.folder / name).mkdir()
    home.write(f"#!/bin/sh\n{BOTH}\n", "tool")
    (home.folder / "tool").chmod(0o755)
    home.make({f"left/{name}": "old" for name in ("a", "a.txt", "a.bin")})
    return home


def test_a_file_says_it_for_all_and_for_some(office: Home) -> None:
    assert office("run", "office").returncode == 0
    for side in ("left", "right"):
        office.make({f"{side}/{name}": f"{side} {name}" for name in ("a", "a.txt", "a.bin")})
    code, document = office.json("run", "office")
    assert code == 0
    assert {row["path"]: row["kept"] for row in document["conflicts"]} == {
        "a": "merged", "a.txt": "merged", "a.bin": "left",
    }  # fmt: skip
    assert office.tree("left") == {"a": "left aright a", "a.txt": "by rule\n", "a.bin": "left a.bin"}
    assert office.tree("left") == office.tree("right")
    rows = {row["key"]: row["value"] for row in office.json("config", "show")[1]["values"]}
    assert rows["jobs.office.changed_both"] == f"merge: ./tool {MARKS}"


WRONG = [
    ("merge: ./tool", "merge: ./gone", r"6: jobs.office.changed_both: .*gone is not there"),
    (f"merge: ./tool {MARKS}", "merge: ./tool {left}", r"6: jobs.office.changed_both: .*lacks {right} and {output}"),
    ("merge: sh -c", "merge: shhh -c", r"10: jobs.office.rules\[0\].changed_both: there is no program 'shhh'"),
    ("newest", "{mrge: x}", r"12: jobs.office.rules\[1\].changed_both: expects a policy"),
]


@pytest.mark.parametrize(("old", "new", "told"), WRONG, ids=["gone", "lacking", "in a rule", "no policy"])
def test_a_file_that_names_what_cannot_merge_is_refused_with_its_line(office: Home, old, new, told) -> None:
    office.write(FILE.replace(old, new))
    done = office("config", "check")
    assert done.returncode == 2
    assert re.search(told, done.stderr), done.stderr


def test_a_program_that_vanished_since_is_refused_although_the_file_is_as_it_was(office: Home) -> None:
    assert office("run", "office").returncode == 0
    (office.folder / "tool").unlink()
    done = office("run", "office")
    assert done.returncode == 2
    assert "syncline.yaml:6: jobs.office.changed_both:" in done.stderr and "is not there" in done.stderr
