"""Each policy for conflicts, from the option to the files; and what is too large for the trash."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from tests.e2e import disk
from tests.e2e.disk import File, Touch, Tree
from tests.e2e.pair import Pair

BASE: Tree = {"a": "1", "b": "2", "c": "3"}
LEFT: Tree = {"a": File("left, newer", at=90), "b": File("left", at=10), "c": File("same time, left", at=50)}
RIGHT: Tree = {"a": File("right", at=10), "b": File("right, newer", at=90), "c": File("same time, on the right", at=50)}

NEWER, OLDER = {"a": "left, newer", "b": "right, newer"}, {"a": "right", "b": "left"}
ON_LEFT = {"a": "left, newer", "b": "left", "c": "same time, left"}
ON_RIGHT = {"a": "right", "b": "right, newer", "c": "same time, on the right"}

WINNERS = {
    "newest": {**NEWER, "c": ON_LEFT["c"]},
    "2": {**NEWER, "c": ON_LEFT["c"]},
    "oldest": {**OLDER, "c": ON_LEFT["c"]},
    "largest": {"a": "left, newer", "b": "right, newer", "c": ON_RIGHT["c"]},
    "smallest": {"a": "right", "b": "left", "c": ON_LEFT["c"]},
    "left": ON_LEFT,
    "right": ON_RIGHT,
}


@pytest.mark.parametrize("rule", ["changed-both", "created-both"])
@pytest.mark.parametrize("policy", WINNERS)
def test_one_version_wins_and_the_other_goes_to_the_trash(pair: Pair, rule: str, policy: str) -> None:
    if rule == "changed-both":
        pair.write(left=BASE)
        pair.sync()
    pair.write(LEFT, RIGHT)
    answer = pair.sync(f"--{rule}", policy)
    winners = {path: f"={content}" for path, content in WINNERS[policy].items()}
    assert pair.same() == winners
    for root, own in ((pair.left, ON_LEFT), (pair.right, ON_RIGHT)):
        assert disk.trash(root) == {path: f"={told}" for path, told in own.items() if winners[path] != f"={told}"}
    assert {(row["rule"], row["clash"]) for row in answer.document["conflicts"]} == {(rule, None)}
    assert {row["policy"] for row in answer.document["conflicts"]} == {{"2": "newest"}.get(policy, policy)}
    pair.settled()


@pytest.mark.parametrize("policy", ["hold", "3"])
def test_a_held_conflict_waits_and_the_rest_goes_on(pair: Pair, policy: str) -> None:
    pair.write(left=BASE)
    pair.sync("--changed-both", policy, "--created-both", policy)
    pair.write({**LEFT, "new": "4", "created": "left"}, {**RIGHT, "created": "right"})
    for _ in range(2):
        answer = pair.sync(code=1)
        assert answer.document["outcome"] == "needs-attention"
        assert {(row["path"], row["kept"]) for row in answer.document["conflicts"]} == {
            (path, None) for path in ("a", "b", "c", "created")
        }
        assert disk.read(pair.left)["a"] == "=left, newer"
        assert disk.read(pair.right)["a"] == "=right"
        assert disk.read(pair.right)["new"] == "=4"
    assert pair.call("status", "--json").document["jobs"][0]["conflicts"] == 4
    planned = pair.sync("--dry-run")
    assert planned.code == 0
    pair.write(RIGHT, {"created": "left"})  # somebody settles them by hand
    disk.write(pair.left, {"created": "left"})
    pair.sync()
    pair.settled()
    assert pair.call("status", "--json").document["jobs"][0]["conflicts"] == 0


@pytest.mark.parametrize(
    ("policy", "mode", "code"), [("left", 0o600, 0), ("right", 0o640, 0), ("newest", 0o640, 0), ("hold", None, 1)]
)
def test_properties_changed_on_both_sides(pair: Pair, policy: str, mode: int | None, code: int) -> None:
    pair.write(left={"a": File("1", 0o644), "d": disk.Dir(0o755)})
    pair.sync("--props-both", policy)
    pair.write({"a": Touch(mode=0o600), "d": Touch(mode=0o700)})
    time.sleep(0.05)  # the clock of a file system stands still for some milliseconds
    pair.write(right={"a": Touch(mode=0o640), "d": Touch(mode=0o750)})
    answer = pair.sync(code=code)
    assert {(row["path"], row["rule"]) for row in answer.document["conflicts"]} == {
        ("a", "props-both"),
        ("d", "props-both"),
    }
    modes = [(root / "a").stat().st_mode & 0o777 for root in (pair.left, pair.right)]
    assert modes == ([0o600, 0o640] if mode is None else [mode, mode])
    if mode is not None:
        pair.settled()


@pytest.mark.parametrize(
    ("policy", "code", "end", "told"),
    [
        ("left", 0, ("b", "b"), "both get the name b"),
        ("right", 0, ("c", "c"), "both get the name c"),
        ("hold", 1, ("b", "c"), "both stay so until you say which name holds"),
    ],
)
def test_renamed_on_both_sides_is_told_with_both_names(
    pair: Pair, policy: str, code: int, end: tuple[str, str], told: str
) -> None:
    pair.write(left={"a": "1", "keep": "2"})
    pair.sync("--props-both", policy)
    (pair.left / "a").rename(pair.left / "b")
    (pair.right / "a").rename(pair.right / "c")
    answer = pair.sync(code=code)
    (row,) = answer.document["conflicts"]
    assert (row.keys(), row["path"]) == ({"path", "rule", "policy", "kept", "clash"}, "a")
    said = "a was renamed on both sides, to b on left and to c on right"
    assert f"{said}; {told}" in answer.err
    assert [set(disk.read(root)) for root in (pair.left, pair.right)] == [{name, "keep"} for name in end]
    if policy == "hold":
        shown = pair.call("conflicts").out
        assert re.search(r"left .* b\n +right .* c\n +syncline resolve left-right a --keep left", shown), shown
        assert "syncline resolve left-right a --keep left" in pair.call("run", "left-right").out
        for name in ("a", "b", "c"):
            assert f"{said}; {told}" in " ".join(pair.call("explain", "left-right", name).out.split())
        (pair.right / "c").rename(pair.right / "b")
        pair.sync()
        assert pair.call("conflicts", "--json").document["conflicts"] == []
    pair.settled()


@pytest.mark.parametrize("kind", ["twoway", "mirror"])
def test_modes_are_left_alone_where_only_times_are_kept_in_step(pair: Pair, kind: str) -> None:
    one, two = ("left", "right") if kind == "twoway" else ("source", "target")
    config = pair.left.parent / "syncline.yaml"
    job = f"    kind: {kind}\n    {one}: {pair.left}\n    {two}: {pair.right}\n    properties: [mtime]\n"
    config.write_text(f"jobs:\n  pair:\n{job}", "utf-8")

    def run() -> list[tuple[str, str]]:
        answer = pair.call("--config", config, "run", "pair", "--json")
        assert answer.code == 0, answer
        return sorted((kind, str(path)) for kind, _, path in answer.actions)

    def modes(root: Path) -> dict[str, int]:
        return {name: (root / name).stat().st_mode & 0o777 for name in ("a", "b", "d")}

    pair.write(left={"a": File("1", 0o600), "b": File("2", 0o640), "d": disk.Dir(0o700)})
    assert run() == [("make-directory", "d"), ("put-file", "a"), ("put-file", "b")]
    assert modes(pair.right) == modes(pair.left) == {"a": 0o600, "b": 0o640, "d": 0o700}
    pair.write({"a": Touch(mode=0o644), "d": Touch(mode=0o755)}, {"b": Touch(mode=0o604)})
    assert run() == []
    pair.write(left={"b": File("3", 0o666), "a": Touch(at=50)})
    assert run() == [("put-file", "b"), ("set-properties", "a")]
    assert disk.read(pair.right) == {"a": "=1", "b": "=3", "d": "/"}
    assert modes(pair.left) == {"a": 0o644, "b": 0o666, "d": 0o755}
    assert modes(pair.right) == {"a": 0o600, "b": 0o604, "d": 0o700}
    assert run() == []


@pytest.mark.parametrize(
    ("said", "size", "kept"),
    [((), 20_000_000, True), ((), 20_000_001, False), (("--trash-max-size", "none"), 20_000_001, True)],
)
def test_what_is_too_large_for_the_trash_is_removed_outright(
    pair: Pair, said: tuple[str, ...], size: int, kept: bool
) -> None:
    with open(pair.left / "large", "wb") as stream:
        stream.truncate(size)
    pair.sync("--compare", "hash", *said)
    (pair.left / "large").unlink()
    answer = pair.sync()
    assert answer.actions == [("trash" if kept else "remove", "right", "large")]
    assert ("large" in disk.trash(pair.right)) is kept
    pair.settled()


def test_what_was_replaced_goes_to_the_trash_whatever_its_size(pair: Pair) -> None:
    pair.write(left={"a": "1" * 50})
    pair.sync("--trash-max-size", "10")
    pair.write(left={"a": "2" * 60})
    pair.sync()
    assert disk.trash(pair.right) == {"a": "=" + "1" * 50}
    (pair.right / "a").unlink()
    assert pair.sync().actions == [("remove", "left", "a")]
    assert disk.trash(pair.left) == {}


@pytest.mark.parametrize(("compare", "adopted"), [("quick", True), ("hash", False)])
def test_a_first_run_takes_equal_size_and_time_for_equal_unless_told_otherwise(
    pair: Pair, compare: str, adopted: bool
) -> None:
    pair.write({"a": File("left", at=5), "same": File("1", at=5)}, {"a": File("righ", at=5), "same": File("1", at=5)})
    answer = pair.sync("--compare", compare)
    assert (answer.actions == []) is adopted
    pair.write(left={"a": File("left!", at=50)})  # now they are read, and nothing that was never equal is replaced
    pair.sync()
    assert set(disk.unclashed(pair.same())) == {"a", "a_clash", "same"}
    pair.settled()
