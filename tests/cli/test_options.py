"""Sizes, policies, and what is made of wrong options."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest

from syncline.cli import frame, main
from syncline.cli.options import CONTENT_POLICY, NO_LIMIT, PROPERTY_POLICY, parse_size, said
from syncline.cli.running import again_command
from syncline.core.names import pasted, pasted_path


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("4096", 4096),
        ("12B", 12),
        ("20kB", 20_000),
        ("20KB", 20_000),
        ("20MB", 20_000_000),
        ("20 MB", 20_000_000),
        ("1.5GB", 1_500_000_000),
        ("2TB", 2_000_000_000_000),
        ("20KiB", 20_480),
        ("20MiB", 20_971_520),
        ("0.5GiB", 536_870_912),
        ("none", None),
        ("None", None),
    ],
)
def test_size(text: str, size: int | None) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "MB", "-1", "1.5", "20M", "20 furlongs", "1e6", "0x10", "1,5MB", "٣MB", "nan"])
def test_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="is no size"):
        parse_size(text)


@pytest.mark.parametrize(
    ("text", "content", "properties"),
    [
        ("1", "keep-both", "newest"),
        ("2", "newest", "left"),
        ("3", "hold", "hold"),
        ("newest", "newest", "newest"),
        ("RIGHT", "right", "right"),
        ("keep_both", "keep-both", None),
        ("keep-both", "keep-both", None),
        ("oldest", "oldest", None),
        ("largest", "largest", None),
        ("smallest", "smallest", None),
        ("4", None, None),
        ("merge: x", None, None),
    ],
)
def test_policy(text: str, content: str | None, properties: str | None) -> None:
    for kind, expected in ((CONTENT_POLICY, content), (PROPERTY_POLICY, properties)):
        if expected is None:
            with pytest.raises(click.BadParameter):
                kind.convert(text, None, None)
        else:
            assert kind.convert(text, None, None).value == expected


def test_only_what_was_said_is_given() -> None:
    assert said(ignore=(), compare=None, trash_max_size=NO_LIMIT, extras="keep") == {
        "trash_max_size": None,
        "extras": "keep",
    }


WRONG = {
    "no command of that name": ["snyc", "a", "b"],
    "one folder": ["sync", "a"],
    "three folders": ["sync", "a", "b", "c"],
    "no such option": ["sync", "a", "b", "--bogus"],
    "an option of the other kind": ["mirror", "a", "b", "--changed-both", "1"],
    "a wrong policy": ["sync", "a", "b", "--changed-both", "4"],
    "a policy that properties do not have": ["sync", "a", "b", "--props-both", "keep-both"],
    "a wrong size": ["sync", "a", "b", "--trash-max-size", "many"],
    "a wrong word": ["mirror", "a", "b", "--extras", "burn"],
    "loud and quiet": ["sync", "a", "b", "-v", "-q"],
    "a pattern that stands for nothing": ["sync", "a", "b", "--exclude", "["],
    "a folder that is an empty word": ["sync", "", "b"],
    "no number of hours": ["status", "--hours", "nan"],
    "more hours than there are": ["status", "--hours", "1e300"],
    "no part of the bytes": ["verify", "a-b", "--percent", "nan"],
    "folders that are not there": ["sync", "missing-1", "missing-2"],
    "a missing configuration": ["--config", "missing.yaml", "plan"],
    "a missing configuration, said later": ["plan", "--config", "missing.yaml"],
    "no state directory": ["status", "--state-dir", ""],
    "no job": ["run"],
    "all jobs": ["run", "--all"],
    "all jobs and one": ["run", "--all", "job"],
    "an unknown job": ["plan", "job"],
    "one approval for two jobs": ["run", "a", "b", "--approve", "x"],
    "an unknown run": ["show", "2026"],
    "no run yet": ["show", "last"],
    "a history of nothing": ["history", "--limit", "0"],
    "forget an unknown job": ["jobs", "forget", "job"],
    "jobs, but no such command": ["jobs", "eat"],
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_usage(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SYNCLINE_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.delenv("SYNCLINE_CONFIG", raising=False)
    assert main(WRONG[case]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("syncline: ")
    assert "Traceback" not in told.err
    assert not (tmp_path / "state" / "syncline.log").exists() or "Traceback" not in log_of(tmp_path)

    assert main([*WRONG[case], "--json"]) == 2
    document = json.loads(capsys.readouterr().out)
    assert (document["syncline"], document["outcome"]) == (1, "error")
    assert [set(error) for error in document["errors"]] == [{"message", "file", "line", "hint"}]


def log_of(tmp_path: Path) -> str:
    return (tmp_path / "state" / "syncline.log").read_text("utf-8")


def commands() -> list[list[str]]:
    names = [[name] for name in frame.COMMANDS]
    return [*names, *([["jobs", name] for name in ("list", "show", "forget")])]


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_help_has_examples(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command, "--help"]) == 0
    told = capsys.readouterr().out
    assert "Examples:\n    syncline " in told
    assert all(len(line) <= 80 for line in told.splitlines())


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    told = capsys.readouterr().out
    assert [name for name in frame.COMMANDS if f"\n  {name} " not in told] == []
    assert main([]) == 2


@pytest.mark.parametrize(
    ("args", "again"),
    [
        (["sync", "a", "b", "-n"], "syncline sync a b"),
        (["sync", "-nv", "a b", "c", "--json"], "syncline sync 'a b' c"),
        (["mirror", "a", "b", "--approve", "x", "--exclude", "-n"], "syncline mirror a b --exclude -n"),
        (["mirror", "a", "b", "--approve=x"], "syncline mirror a b"),
        (["plan", "plan"], "syncline run plan"),
        (["check", "docs", "--state-dir", "s"], "syncline run docs --state-dir s"),
        (["run", "plan"], "syncline run plan"),
        (["sync", "--", "-n", "b"], "syncline sync -- -n b"),
        (["sync", "x\udcff", "b"], "syncline sync $'x\\xff' b"),
    ],
)
def test_the_command_that_does_it(args: list[str], again: str) -> None:
    assert again_command(args) == again


def test_the_command_for_one_of_several_jobs() -> None:
    assert again_command(["run", "one", "two", "-q"], without=["two"]) == "syncline run one"


def test_a_pasted_word_cannot_disturb_the_terminal() -> None:
    assert pasted("a'\\\x1b\n\u202e") == "$'a\\x27\\x5c\\x1b\\x0a\\xe2\\x80\\xae'"


def test_a_pasted_path_is_no_option() -> None:
    assert [pasted_path(path) for path in ("-rf", "a-b", "-a b")] == ["./-rf", "a-b", "'./-a b'"]
