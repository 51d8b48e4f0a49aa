"""The command line to the letter of its contract: exit codes, documents, plans that change nothing, remembered jobs."""

from __future__ import annotations

import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.config.conftest import Home
from tests.e2e import disk
from tests.e2e.disk import File, Link
from tests.e2e.forks import Forks
from tests.e2e.pair import Answer, Pair

KEYS = {
    "syncline", "job", "kind", "plan", "run", "dry_run", "outcome", "roots", "actions", "conflicts", "problems",
    "objections", "summary", "seconds",
}  # fmt: skip
SUMMARY = {
    "left_files", "right_files", "both", "only_left", "only_right", "copied", "bytes_copied", "renamed", "trashed",
    "removed", "links", "directories", "properties", "conflicts", "problems", "failed",
}  # fmt: skip
COUNTED = {
    "put-file": "copied",
    "put-link": "links",
    "make-directory": "directories",
    "set-properties": "properties",
    "trash": "trashed",
    "remove": "removed",
    "rename": "renamed",
}
WHY = re.compile(
    r"(created|changed|deleted|properties|renamed)-(left|right|source|target)|"
    r"edited-after-delete|conflict|type-change|extra|undo|recover"
)


def exact(answer: Answer, roots: tuple[str, str] = ("left", "right")) -> None:
    """The document of a run or plan has every key, and its sums are right."""
    document = answer.document
    assert document.keys() == KEYS
    assert (document["syncline"], set(document["roots"])) == (1, set(roots))
    assert isinstance(document["seconds"], float)
    assert document["summary"].keys() == SUMMARY
    counts = dict.fromkeys(COUNTED.values(), 0)
    copied = 0
    for row in document["actions"]:
        assert {"action", "root", "path", "bytes", "why", "state"} <= row.keys() <= {*row.keys(), "from", "to"}
        assert ("from" in row) == (row["action"] in ("put-file", "put-link"))
        assert row["root"] in roots
        assert WHY.fullmatch(row["why"])
        if row["state"] in ("done", "planned"):
            counts[COUNTED[row["action"]]] += 1
            copied += row["bytes"] if row["action"] == "put-file" else 0
    summary = document["summary"]
    assert {name: summary[name] for name in counts} == counts
    assert summary["bytes_copied"] == copied
    assert summary["conflicts"] == len(document["conflicts"])
    assert summary["problems"] == len(document["problems"])
    assert summary["only_left"] == summary["left_files"] - summary["both"]
    assert summary["only_right"] == summary["right_files"] - summary["both"]
    for row in document["conflicts"]:
        assert row.keys() == {"path", "rule", "policy", "kept", "clash"}
    for row in document["problems"]:
        assert row.keys() == {"root", "path", "reason", "detail"}


def busy_pair(pair: Pair) -> None:
    """A pair with something of every kind to be done."""
    pair.write(left={"a": "1", "b": "2", "c": "3", "l": Link("x"), "d/e": "4", "m": File("5", 0o644), "u": "6"})
    pair.sync()
    pair.write({"a": "left", "new": "n", "l": Link("y"), "d": None, "m": disk.Touch(mode=0o600), "n/x": "7"})
    pair.write(right={"a": "right", "b": None, "k": Link("z")})


def test_the_document_of_a_plan_and_of_its_run(spawned: Pair) -> None:
    pair = spawned
    busy_pair(pair)
    planned = pair.sync("--dry-run")
    exact(planned)
    assert (planned.document["outcome"], planned.document["run"], planned.document["dry_run"]) == (
        "planned",
        None,
        True,
    )
    assert {row["state"] for row in planned.document["actions"]} == {"planned"}
    done = pair.sync()
    exact(done)
    assert (done.document["outcome"], done.document["dry_run"]) == ("done", False)
    assert re.fullmatch(r"\d{8}T\d{6}Z-[0-9a-f]{4}", done.document["run"])
    assert {row["state"] for row in done.document["actions"]} == {"done"}
    assert done.document["plan"] == planned.document["plan"]
    assert [row for row in done.actions if "_clash_" not in row[2]] == [
        row for row in planned.actions if "_clash_" not in row[2]
    ]
    assert (done.document["summary"]["left_files"], done.document["summary"]["right_files"]) == (7, 5)
    again = pair.sync()
    exact(again)
    files = sum(told.startswith("=") for told in pair.same().values())
    assert again.document["summary"]["both"] == again.document["summary"]["left_files"] == files
    shown = pair.call("show", "last", "--json")
    exact(shown)
    assert shown.document["actions"] == done.document["actions"]
    assert {**shown.document, "seconds": 0} == {**done.document, "seconds": 0}


def test_the_document_of_a_mirror_names_source_and_target(mirror: Pair) -> None:
    mirror.write({"a": "1", "d/b": "2"}, {"c": "3"})
    answer = mirror.sync("--extras", "trash")
    exact(answer, ("source", "target"))
    assert answer.document["kind"] == "mirror"
    assert {row["why"] for row in answer.document["actions"]} == {"created-source", "extra"}
    assert {row["root"] for row in answer.document["actions"]} == {"target"}


@pytest.mark.parametrize("say", ["--dry-run", "plan"])
def test_a_plan_changes_nothing(spawned: Pair, say: str) -> None:
    pair = spawned
    busy_pair(pair)
    name = pair.sync("--dry-run").document["job"]
    before = disk.fingerprint(pair.left, pair.right, pair.state)
    answer = pair.call("plan", name, "--json") if say == "plan" else pair.sync(say)
    assert answer.document["outcome"] == "planned"
    after = disk.fingerprint(pair.left, pair.right, pair.state)
    changed = {Path(path).name for path in before | after if before.get(path) != after.get(path)}
    assert changed <= {"syncline.log"}


def test_a_plan_of_what_is_not_known_leaves_no_trace(pair: Pair) -> None:
    pair.write(left={"a": "1"})
    before = disk.fingerprint(pair.left, pair.right)
    assert pair.sync("--dry-run").document["outcome"] == "planned"
    assert disk.fingerprint(pair.left, pair.right) == before
    assert not pair.state.exists()
    assert pair.call("jobs", "list", "--json").document == {"jobs": []}
    assert pair.call("status", "--json").document == {"jobs": []}
    assert not pair.state.exists()


def test_the_same_world_has_the_same_plan_id_and_another_one_another(pair: Pair) -> None:
    busy_pair(pair)
    ids = {pair.sync("--dry-run").document["plan"] for _ in range(2)}
    assert len(ids) == 1
    pair.write(left={"one more": "1"})
    assert pair.sync("--dry-run").document["plan"] not in ids


def test_nothing_to_do_writes_nothing_but_the_time_of_the_look(spawned: Pair) -> None:
    pair = spawned
    busy_pair(pair)
    pair.sync()
    before = tables(pair)
    pair.settled()
    after = tables(pair)
    assert before.keys() == after.keys()
    assert [name for name in before if before[name] != after[name]] in ([], ["job"])
    differing = [set(one) ^ set(two) for one, two in zip(before["job"], after["job"], strict=True)]
    assert all(isinstance(value, str) and value.startswith("20") for change in differing for value in change), differing


def tables(pair: Pair) -> dict[str, list[tuple[object, ...]]]:
    """Everything that the state remembers."""
    with closing(sqlite3.connect(f"file:{pair.state}/state.db?mode=ro", uri=True)) as state:
        names = [name for (name,) in state.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        return {name: state.execute(f"SELECT * FROM {name}").fetchall() for name in names}


def test_jobs_are_remembered_by_their_pair(pair: Pair, quick: Path) -> None:
    pair.write(left={"a": "1"})
    name = pair.sync().document["job"]
    assert name == "left-right"
    link = quick / "link"
    link.symlink_to(pair.left)
    for one, two in ((pair.right, pair.left), (link, pair.right), (pair.left.parent / "." / "left", pair.right)):
        again = pair.call("sync", one, two, "--json")
        assert (again.code, again.document["job"], again.document["run"]) == (0, name, None)
        assert again.document["roots"] == {"left": str(pair.left), "right": str(pair.right)}
    relative = pair.call("sync", "left", "right", "--json", cwd=quick)
    assert relative.document["job"] == name
    other = Pair(quick / "elsewhere", parent=pair.parent)
    other.state = pair.state
    assert other.sync().document["job"] == "left-right-2"
    listed = pair.call("jobs", "list", "--json").document["jobs"]
    assert [(row["job"], row["kind"], row["adhoc"]) for row in listed] == [
        ("left-right", "twoway", True),
        ("left-right-2", "twoway", True),
    ]
    assert pair.call("jobs", "show", name).code == 0
    assert pair.call("jobs", "forget", "left-right-2").code == 0
    assert len(pair.call("jobs", "list", "--json").document["jobs"]) == 1
    (pair.left / "a").unlink()
    assert pair.call("jobs", "forget", name).code == 0
    pair.sync()
    assert pair.same() == {"a": "=1"}  # a forgotten job is new: nothing is deleted


def test_folders_with_strange_names_make_a_plain_job_name(quick: Path) -> None:
    pair = Pair(quick, left="Ünï çødé!", right="x  Y")
    assert re.fullmatch(r"[a-z0-9-]+", pair.sync().document["job"])


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("left", "left"),
        ("left", "left/."),
        ("left", "left/inner"),
        ("left/inner", "left"),
        ("left", "link"),
        ("left", "link/inner"),
        ("left", "absent"),
        ("absent", "right"),
        ("left", "file"),
    ],
)
def test_two_folders_that_cannot_be_a_pair(pair: Pair, quick: Path, left: str, right: str) -> None:
    (pair.left / "inner").mkdir()
    (quick / "link").symlink_to(pair.left)
    (quick / "file").write_text("")
    before = disk.fingerprint(quick)
    for kind in ("sync", "mirror"):
        answer = pair.call(kind, quick / left, quick / right, "--json")
        assert answer.code == 2
        assert answer.document.keys() == {"syncline", "outcome", "errors"}
        assert answer.document["outcome"] == "error"
        assert answer.document["errors"][0].keys() == {"message", "file", "line", "hint"}
    shutil.rmtree(pair.state, ignore_errors=True)
    after = disk.fingerprint(quick)
    assert {path for path in before | after if before.get(path) != after.get(path)} <= {f"{quick}/"}


def test_a_folder_is_made_only_when_asked_for(pair: Pair, quick: Path) -> None:
    shutil.rmtree(pair.right)
    pair.write(left={"a": "1"})
    assert pair.sync(code=2).document["outcome"] == "error"
    assert not pair.right.exists()
    pair.sync("--create")
    pair.settled()


WRONG = (
    ("nonsense",),
    ("sync", "one"),
    ("sync", "left", "right", "--no-such-option"),
    ("sync", "left", "right", "--changed-both", "sometimes"),
    ("sync", "left", "right", "--trash-max-size", "huge"),
    ("run", "nobody"),
    ("plan", "nobody"),
    ("adopt", "nobody"),
    ("show", "19990101T000000Z-0000"),
    ("jobs", "forget", "nobody"),
    ("--config", "/nowhere/at/all.yaml", "status"),
)


@pytest.mark.parametrize("words", WRONG, ids=" ".join)
def test_wrong_usage_is_exit_code_2(spawned: Pair, words: tuple[str, ...]) -> None:
    pair = spawned
    answer = pair.call(*words)
    assert answer.code == 2
    assert answer.out == ""
    assert "Traceback" not in answer.err
    assert disk.read(pair.right) == {}


def test_options_are_remembered_until_others_are_given(pair: Pair) -> None:
    pair.write(left={"a": "1", "x.tmp": "2", "keep.tmp": "3", "cache/c": "4"})
    pair.sync("--exclude", "*.tmp", "--exclude", "!keep.tmp", "--exclude", "/cache/")
    assert disk.read(pair.right) == {"a": "=1", "keep.tmp": "=3"}
    assert pair.sync().actions == []
    pair.write(right={"y.tmp": "5"})
    assert pair.sync().actions == []
    # What leaves the scope is neither deleted nor touched; what enters it is new.
    pair.sync("--exclude", "a", code=None)
    assert disk.read(pair.right)["a"] == "=1"
    assert disk.read(pair.right)["x.tmp"] == "=2"
    assert disk.read(pair.left)["y.tmp"] == "=5"
    (pair.left / "a").unlink()
    pair.sync()
    assert disk.read(pair.right)["a"] == "=1"
    pair.sync("--exclude", "nothing")
    assert disk.read(pair.left)["a"] == "=1"
    pair.settled()


def test_ignored_files_stay_when_their_folder_is_deleted(pair: Pair) -> None:
    pair.write({"d/a": "1", "d/n/b": "2"}, {"d/mine.tmp": "3"})
    pair.sync("--exclude", "*.tmp")
    disk.write(pair.left, {"d": None})
    pair.sync()
    assert disk.read(pair.right) == {"d": "/", "d/mine.tmp": "=3"}
    assert disk.read(pair.left) == {}
    again = pair.sync()
    assert (again.actions, again.problems) == ([], [])
    pair.write(right={"d/new": "4"})
    pair.sync()
    assert disk.read(pair.left) == {"d": "/", "d/new": "=4"}


@pytest.mark.parametrize("folder", ["state", ".local/state [1]/# syncline"])
def test_the_state_directory_is_not_carried_along(pair: Pair, folder: str) -> None:
    pair.state = pair.left / folder
    pair.write(left={"a": "1", f"{folder}-not": "2"})
    pair.sync()
    assert {"a", f"{folder}-not"} <= disk.read(pair.right).keys()
    assert not [path for path in disk.paths(pair.right) if path.endswith("state.db")]
    assert pair.sync().document["outcome"] == "in-sync"
    pair.write(right={"b": "3"})
    assert pair.sync().actions == [("put-file", "left", "b")]


def test_litter_is_left_alone(pair: Pair) -> None:
    pair.write(left={".DS_Store": "1", "d/Thumbs.db": "2", "~$x.docx": "3", "lost+found/x": "4", "a": "5"})
    pair.sync()
    assert disk.read(pair.right) == {"a": "=5", "d": "/"}


def test_status_and_history_tell_what_was_run(pair: Pair) -> None:
    pair.write(left={"a": "1"})
    first = pair.sync().document["run"]
    pair.sync()
    pair.write(right={"b": "2"})
    second = pair.sync().document["run"]
    status = pair.call("status", "--json")
    (row,) = status.document["jobs"]
    assert row.keys() == {"job", "state", "in_sync", "last_run", "last_checked", "conflicts", "problems"}
    assert (row["job"], row["state"], row["in_sync"], row["last_run"]) == ("left-right", "idle", True, second)
    runs = pair.call("history", "--json").document["runs"]
    assert [run["run"] for run in runs] == [second, first]
    assert runs[0].keys() == {"run", "job", "started", "seconds", "outcome", "summary"}
    assert pair.call("history", "left-right", "--limit", "1", "--json").document["runs"] == runs[:1]
    assert pair.call("show", first[:-1], "--json").document["run"] == first
    for words in (("status",), ("history",), ("show", "last"), ("jobs", "list")):
        told = pair.call(*words)
        assert told.code == 0
        assert "left-right" in told.out


def test_many_jobs_in_one_call(pair: Pair, quick: Path) -> None:
    other = Pair(quick / "b", parent=pair.parent)
    other.state = pair.state
    names = [each.sync().document["job"] for each in (pair, other)]
    pair.write(left={"a": "1"})
    other.write(left={"a": "1"})
    other.right.rename(quick / "away")
    answer = pair.call("run", *names, "--json")
    assert answer.code == 3
    assert [job["outcome"] for job in answer.document["jobs"]] == ["done", "refused"]
    assert pair.call("plan", *names, "--json").code == 3


@pytest.mark.parametrize("text", ["jobs: {broken", "", "jobs: {}"], ids=["half written", "emptied", "another"])
def test_a_configuration_that_is_replaced_during_a_run_changes_nothing_of_it(
    home: Home, parent: Forks, text: str
) -> None:
    home.write("jobs: {j: {kind: twoway, left: left, right: right}}")
    home.make({"left/a": "1", "left/b": "2", "right/c": "3"})
    home.write(text, "other")
    args = ("--config", home.file, "--state-dir", home.state, "run", "j", "--json")
    done = parent.call(*args, at="create", do=f"cp other {home.file}", cwd=home.folder)
    assert "create" in done.steps
    assert (done.code, done.document["outcome"]) == (0, "done")
    assert home.tree("left") == home.tree("right") == {"a": "1", "b": "2", "c": "3"}
    assert parent.call(*args, cwd=home.folder).code == 2
