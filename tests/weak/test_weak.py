"""FAT, exFAT and NTFS, really mounted: what they cannot hold is told and left alone, all else comes in step."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from syncline.core.model import RelPath
from syncline.errors import PathError
from syncline.fs.opening import open_root
from tests.e2e import disk
from tests.e2e.disk import DIR, File, Link, Touch
from tests.e2e.forks import Forks
from tests.weak import kernel
from tests.weak.mounts import KERNEL, KINDS, SYSTEMS, Mount
from tests.weak.pairs import WeakPair

pytestmark = pytest.mark.root

each_kind = pytest.mark.parametrize("kind", KINDS)
each_folding = pytest.mark.parametrize("kind", [kind for kind in KINDS if SYSTEMS[kind].one_name])

IN_A_KERNEL = (
    "test_scenario[first sync both ways-vfat]",
    "test_a_name_it_does_not_take_is_held_with_its_character[vfat]",
    "test_two_names_that_are_one_there_are_held_both[vfat]",
    "test_two_names_that_are_two_there_are_both_brought[vfat]",
    "test_an_edit_within_one_step_of_its_times_is_found[vfat]",
    "test_a_root_gives_a_name_another_spelling[vfat]",
    "test_a_rename_in_case_alone_leaves_one_name[vfat]",
    "test_a_time_it_cannot_keep_stays_on_the_strong_side[1969-vfat]",
    "test_a_time_it_cannot_keep_stays_on_the_strong_side[2242-vfat]",
    "test_a_file_too_large_for_it_is_held_uncopied[vfat]",
    "test_a_plan_shows_what_a_run_does[vfat]",
)
STRIDE = 1 if os.environ.get("SYNCLINE_LONG") == "1" else 6


@dataclass(frozen=True)
class Scenario:
    """What stands on both sides at first, what is done to each then, and what stands on both in the end.

    `trash`: what is in the trash of a side then. `problems`: (reason, side, path) of what is told.
    """

    name: str
    left: disk.Tree = field(default_factory=dict)
    right: disk.Tree = field(default_factory=dict)
    then_left: disk.Tree = field(default_factory=dict)
    then_right: disk.Tree = field(default_factory=dict)
    end: dict[str, str] = field(default_factory=dict)
    trash: dict[str, dict[str, str]] = field(default_factory=dict)


SCENARIOS = [
    Scenario(
        "first sync both ways",
        left={"left": "1", "folder/inner/file": "22", "empty": DIR, "odd time": File("3", at=10.123456789)},
        right={"right": "44", "other/file": "5"},
        end={
            "left": "=1",
            "folder": "/",
            "folder/inner": "/",
            "folder/inner/file": "=22",
            "empty": "/",
            "odd time": "=3",
            "right": "=44",
            "other": "/",
            "other/file": "=5",
        },
    ),
    Scenario(
        "equal on both sides at first, an odd second apart from the step",
        left={"same": File("1", at=11)},
        right={"same": File("1", at=11)},
        end={"same": "=1"},
    ),
    Scenario(
        "edited on the strong side: the old version is in the trash of the weak one",
        left={"a": File("old", at=0), "d/b": File("old too", at=0)},
        then_left={"a": File("new", at=100), "d/b": File("newer too", at=100)},
        end={"a": "=new", "d": "/", "d/b": "=newer too"},
        trash={"right": {"a": "=old", "d": "/", "d/b": "=old too"}},
    ),
    Scenario(
        "edited on the weak side",
        left={"a": File("old", at=0)},
        then_right={"a": File("new", at=100)},
        end={"a": "=new"},
        trash={"left": {"a": "=old"}},
    ),
    Scenario(
        "deleted on the strong side: to the trash of the weak one, folders too",
        left={"a": "1", "d/b": "2", "d/e/c": "3", "stays": "4"},
        then_left={"a": None, "d": None},
        end={"stays": "=4"},
        trash={"right": {"a": "=1", "d": "/", "d/b": "=2", "d/e": "/", "d/e/c": "=3"}},
    ),
    Scenario(
        "deleted on the weak side",
        left={"a": "1", "d/b": "2", "stays": "4"},
        then_right={"a": None, "d": None},
        end={"stays": "=4"},
        trash={"left": {"a": "=1", "d": "/", "d/b": "=2"}},
    ),
    Scenario(
        "edited on both sides: two versions, on both sides",
        left={"a.txt": File("old", at=0), "b.txt": File("old", at=0)},
        then_left={"a.txt": File("left", at=100), "b.txt": File("left", at=200)},
        then_right={"a.txt": File("right", at=200), "b.txt": File("right", at=100)},
        end={"a.txt": "=right", "a_clash.txt": "=left", "b.txt": "=left", "b_clash.txt": "=right"},
    ),
    Scenario(
        "deleted on one side, edited on the other",
        left={"a": File("old", at=0), "b": File("old", at=0)},
        then_left={"a": None, "b": File("new", at=100)},
        then_right={"a": File("new", at=100), "b": None},
        end={"a": "=new", "b": "=new"},
    ),
    Scenario(
        "a file becomes a folder, a folder a file",
        left={"a": File("1", at=0), "d/b": File("2", at=0)},
        then_left={"a": None, "a/inner": "3"},
        then_right={"d": None},
        end={"a": "/", "a/inner": "=3"},
    ),
    Scenario(
        "a folder becomes a file",
        left={"d/b": File("2", at=0)},
        then_left={"d": "now a file"},
        end={"d": "=now a file"},
        trash={"right": {"d": "/", "d/b": "=2"}},
    ),
    Scenario(
        "a touch and a mode: the time goes across, the mode has nowhere to go",
        left={"a": File("1", at=0, mode=0o600)},
        then_left={"a": Touch(at=100, mode=0o640)},
        end={"a": "=1"},
    ),
    Scenario(
        "a long name and a deep path",
        left={"n" * 255: "1", "/".join("d" * 50 for _ in range(20)) + "/f": "2"},
        end={
            "n" * 255: "=1",
            **{"/".join(["d" * 50] * count): "/" for count in range(1, 21)},
            "/".join(["d" * 50] * 20) + "/f": "=2",
        },
    ),
    Scenario("a larger file", left={"large": b"0123456789abcdef" * 100_000}, end={}),
]


@each_kind
@pytest.mark.parametrize("case", SCENARIOS, ids=lambda case: case.name)
def test_scenario(case: Scenario, pair: WeakPair) -> None:
    pair.write(case.left, case.right)
    pair.sync()
    pair.same()
    pair.steady()
    if case.then_left or case.then_right:
        pair.write(case.then_left, case.then_right)
        pair.sync()
        pair.steady()
    found = disk.unclashed(pair.same())
    assert not case.end or found == case.end
    for side, expected in case.trash.items():
        assert disk.trash(pair.left if side == "left" else pair.right) == expected
    assert disk.staged(pair.left) == disk.staged(pair.right) == []


@each_kind
def test_a_name_it_does_not_take_is_held_with_its_character(kind: str, pair: WeakPair) -> None:
    names = SYSTEMS[kind].impossible
    pair.write({"good": "1", **{name: "x" for name, _ in names}, "d": DIR, **{f"d/{name}": DIR for name, _ in names}})
    for _ in range(2):
        answer = pair.sync(code=1)
        told = {row["path"]: (row["reason"], row["detail"]) for row in answer.document["problems"]}
        assert set(told) == {name for name, _ in names} | {f"d/{name}" for name, _ in names}
        for name, character in names:
            assert told[name][0] == told[f"d/{name}"][0] == "impossible-name", (name, told[name])
            assert character in told[name][1], (name, told[name])
        assert pair.listed() == {"good", "d"}
        assert set(disk.read(pair.left)) == {"good", "d", *told}
    pair.steady(code=1)
    os.rename(pair.left / names[0][0], pair.left / "possible")  # the remedy
    assert ("put-file", "right", "possible") in pair.sync(code=1).actions


@each_folding
def test_two_names_that_are_one_there_are_held_both(kind: str, pair: WeakPair) -> None:
    for number, (one, other) in enumerate(SYSTEMS[kind].one_name):
        pair.write({f"{number}/{one}": "1", f"{number}/{other}": "2", f"{number}/free": "3"})
    answer = pair.sync(code=1)
    collided = {path for reason, _, path in answer.problems if reason == "name-collision"}
    assert collided == {
        f"{number}/{other}" for number, pair_ in enumerate(SYSTEMS[kind].one_name) for other in [max(pair_)]
    }
    for number, (one, other) in enumerate(SYSTEMS[kind].one_name):
        assert set(os.listdir(pair.left / str(number))) == {one, other, "free"}
        assert set(os.listdir(pair.right / str(number))) == {"free"}
    pair.steady(code=1)
    for number, (one, _) in enumerate(SYSTEMS[kind].one_name):
        os.rename(pair.left / str(number) / one, pair.left / str(number) / "other")
    pair.sync()
    pair.same()
    pair.steady()


@each_kind
def test_two_names_that_are_two_there_are_both_brought(kind: str, pair: WeakPair) -> None:
    expected: dict[str, str] = {}
    for number, (one, other) in enumerate(SYSTEMS[kind].two_names):
        pair.write({f"{number}/{one}": "1", f"{number}/{other}": "2"})
        expected |= {f"{number}": "/", f"{number}/{one}": "=1", f"{number}/{other}": "=2"}
    pair.sync()
    assert pair.same() == expected
    pair.steady()


@each_kind
def test_a_plan_shows_what_a_run_does(kind: str, pair: WeakPair) -> None:
    """A plan may try nothing, and knows what the last run found."""
    pair.write({"first": "1"})
    pair.sync()
    for number, (one, other) in enumerate((*SYSTEMS[kind].one_name, *SYSTEMS[kind].two_names)):
        pair.write({f"pair {number}/{one}": "1", f"pair {number}/{other}": "2"})
    for number, (name, _) in enumerate(SYSTEMS[kind].impossible):
        pair.write({f"{number}/{name}": "x"})
    before = disk.fingerprint(pair.left, pair.right)
    planned = pair.sync("--dry-run", code=None)
    assert disk.fingerprint(pair.left, pair.right) == before
    done = pair.sync(code=None)
    assert planned.actions == done.actions
    assert planned.problems == done.problems
    assert pair.sync("--dry-run").actions == []


@each_folding
def test_a_second_spelling_of_an_agreed_name_is_held(kind: str, pair: WeakPair) -> None:
    pair.write({"a": "agreed"})
    pair.sync()
    pair.write({"A": "new"})
    answer = pair.sync(code=1)
    assert [reason for reason, _, _ in answer.problems] == ["name-collision"]
    assert disk.read(pair.left) == {"a": "=agreed", "A": "=new"}
    assert disk.read(pair.right) == {"a": "=agreed"}
    pair.steady(code=1)


@each_folding
def test_the_private_folder_stays_private_under_another_spelling(kind: str, pair: WeakPair) -> None:
    pair.write({"a": "1"})
    pair.sync()
    os.rename(pair.right / ".syncline", pair.right / "aside")
    os.rename(pair.right / "aside", pair.right / ".Syncline")
    pair.write({"b": "2"})
    assert pair.sync().actions == [("put-file", "right", "b")]
    assert disk.read(pair.left) == {"a": "=1", "b": "=2"}
    assert pair.sync().actions == []


@each_kind
def test_a_rename_in_case_alone_leaves_one_name(kind: str, pair: WeakPair) -> None:
    """Never two, never none: whatever the spelling on each side, it is one file with its content."""
    pair.write({"name": "1", "folder/inner": "2"})
    pair.sync()
    os.rename(pair.left / "name", pair.left / "NAME")
    os.rename(pair.left / "folder", pair.left / "Folder")
    for _ in range(2):
        assert pair.sync().problems == []
        for root in (pair.left, pair.right):
            found = [(path.lower(), told) for path, told in disk.read(root).items()]
            assert sorted(found) == [("folder", "/"), ("folder/inner", "=2"), ("name", "=1")]
    assert disk.read(pair.left) == disk.read(pair.right) == {"NAME": "=1", "Folder": "/", "Folder/inner": "=2"}
    pair.steady()
    (pair.right / "NAME").write_text("edited")
    pair.sync()
    assert disk.read(pair.left) == {"NAME": "=edited", "Folder": "/", "Folder/inner": "=2"}
    pair.steady()


@each_kind
def test_a_root_gives_a_name_another_spelling(kind: str, pair: WeakPair) -> None:
    """The kernel's FAT calls that done and does nothing."""
    pair.write({}, {"name": "1", "folder/inner": "2", "taken": "3"})
    root = open_root(str(pair.right))
    root.rename(RelPath("name"), RelPath("NAME"))
    root.rename(RelPath("folder"), RelPath("Folder"))
    assert disk.read(pair.right) == {"NAME": "=1", "Folder": "/", "Folder/inner": "=2", "taken": "=3"}
    with pytest.raises(PathError):
        root.rename(RelPath("NAME"), RelPath("taken"))
    root.close()
    pair.mount.remount()
    assert disk.read(pair.right) == {"NAME": "=1", "Folder": "/", "Folder/inner": "=2", "taken": "=3"}


@each_kind
@pytest.mark.parametrize("at_s", [-31_536_000, 0, 283_996_800, 2**33], ids=["1969", "1970", "1979", "2242"])
def test_a_time_it_cannot_keep_stays_on_the_strong_side(kind: str, at_s: int, pair: WeakPair) -> None:
    """As it is, also when the file system shows another one once it was mounted again."""
    odd = File("1", at=at_s - disk.START_S)
    both = {"both": odd} if at_s < 2**31 else {}
    pair.write({"a": odd, "d/b": odd, **both}, both)
    pair.sync()
    for _ in range(2):
        pair.steady()
        for path in ("a", "d/b", *both):
            assert (pair.left / path).stat().st_mtime == at_s, path
        if pair.mount.system.all_times:
            pair.same()
        pair.mount.remount()
        pair.sync()
    pair.write(right={"a": File("edited there", at=100)})
    pair.sync()
    assert disk.read(pair.left)["a"] == "=edited there"
    pair.steady()


@each_kind
def test_a_file_too_large_for_it_is_held_uncopied(kind: str, pair: WeakPair) -> None:
    """Where the file system has no such limit, its disk here is too small."""
    pair.write({"a": "1"})
    with (pair.left / "large").open("wb") as large:
        large.truncate(1 << 32)
    if SYSTEMS[kind].largest is None:
        assert pair.sync(code=3).guards == ["no-space"]
        return
    for expected in ([("put-file", "right", "a")], []):
        answer = pair.sync(code=1)
        assert (answer.actions, answer.problems) == (expected, [("no-space", "left", "large")])
        assert f"{SYSTEMS[kind].largest:,} bytes" in answer.document["problems"][0]["detail"]
    assert disk.read(pair.right) == {"a": "=1"}


@each_kind
def test_links(kind: str, pair: WeakPair) -> None:
    pair.write({"link": Link("file"), "file": "1"})
    os.link(pair.left / "file", pair.left / "second")
    answer = pair.sync(code=0 if SYSTEMS[kind].links else 1)
    if SYSTEMS[kind].links:
        assert pair.same() == {"file": "=1", "second": "=1", "link": "-> file"}
    else:
        assert ("impossible-name", "left", "link") in answer.problems
        assert disk.read(pair.right) == {"file": "=1", "second": "=1"}
    pair.steady(code=answer.code)


@each_kind
def test_modes_of_the_strong_side_survive(kind: str, pair: WeakPair) -> None:
    """What the weak side shows as permissions is not read from it."""
    pair.write({"a": File("1", mode=0o600, at=0), "d": disk.Dir(0o700)})
    pair.sync()
    pair.write({}, {"a": File("from the weak side", at=100), "new": "2"})
    pair.sync()
    assert (pair.left / "a").stat().st_mode & 0o777 == 0o600
    assert (pair.left / "d").stat().st_mode & 0o777 == 0o700
    assert (pair.left / "new").stat().st_mode & 0o777 == 0o644
    pair.same()
    pair.steady()


@each_kind
def test_an_edit_within_one_step_of_its_times_is_found(kind: str, pair: WeakPair) -> None:
    """Same size, and perhaps the same time: what was young when it was read is read again."""
    pair.write({}, {"a": "1"})
    pair.sync()
    with (pair.right / "a").open("r+") as stream:
        stream.write("2")
    pair.sync()
    assert pair.same() == {"a": "=2"}


@each_kind
def test_an_edit_whose_time_was_put_back_is_told_by_verify(kind: str, pair: WeakPair) -> None:
    """Without a status time nothing but its bytes shows it: a run carries nothing, and destroys nothing."""
    pair.write({"a": File("1", at=0)})
    pair.sync()
    before = (pair.right / "a").stat()
    (pair.right / "a").write_text("2")
    os.utime(pair.right / "a", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert pair.sync().actions == []
    told = pair.call("verify", f"{pair.left.name}-{pair.right.name}", "--json")
    assert (told.code, [row["path"] for row in told.document["suspects"]]) == (1, ["a"])
    assert pair.sync("--full", code=1).actions == []
    assert (disk.read(pair.left), disk.read(pair.right)) == ({"a": "=1"}, {"a": "=2"})


@pytest.mark.skipif(bool(KERNEL), reason="not in that kernel")
@each_kind
def test_a_driver_that_died_is_a_root_that_is_not_there(kind: str, tmp_path: Path, parent: Forks) -> None:
    mount = Mount(kind)
    try:
        pair = WeakPair(tmp_path, mount, "folder", parent)
        pair.write({"a": "1", "b": "2"})
        pair.sync()
        (pair.left / "b").unlink()
        mount.kill()
        for args in ((), ("--dry-run",)):
            answer = pair.sync(*args, code=None)
            assert answer.code in (3, 4), str(answer)
            assert str(pair.right) in answer.err
        assert disk.read(pair.left) == {"a": "=1"}
        mount.remount()
        assert disk.read(pair.right) == {"a": "=1", "b": "=2"}
        pair.sync()
        assert pair.same() == {"a": "=1"}
    finally:
        mount.close()


@each_kind
def test_a_name_that_is_too_long_on_the_strong_side_is_held(kind: str, pair: WeakPair) -> None:
    """255 characters are 255 bytes on one side and 510 on the other."""
    pair.write({"a": "1"}, {"é" * 255: "2"})
    answer = pair.sync(code=1)
    assert answer.problems == [("impossible-name", "right", "é" * 255)]
    assert (disk.read(pair.left), pair.listed()) == ({"a": "=1"}, {"a", "é" * 255})
    pair.steady(code=1)


@each_kind
def test_a_kill_at_a_step_loses_nothing(kind: str, pair: WeakPair) -> None:
    pair.write(
        {"edited": File("1", at=0), "gone/inner": File("2", at=0), "both": File("3", at=0), "there": File("4", at=0)}
    )
    pair.sync()
    counted, step = 0, 1
    while True:
        pair.write(
            {"edited": File(f"edited {step}", at=step * 10), "gone": None, "both": File(f"left {step}", at=step * 10)},
            {"both": File(f"right {step}", at=step * 10 + 5), "there": File(f"there {step}", at=step * 10)},
        )
        seen = {f"=edited {step}", f"=left {step}", f"=right {step}", f"=there {step}"}
        killed = pair.killed(step)
        if killed.code != -9:
            break
        counted += 1
        pair.sync()
        everything = [*disk.read(pair.left).values(), *disk.trash(pair.left).values()]
        everything += [*disk.read(pair.right).values(), *disk.trash(pair.right).values()]
        assert seen <= set(everything), f"killed at step {step}, {killed}"
        pair.same()
        pair.quiet()
        assert disk.staged(pair.left) == disk.staged(pair.right) == []
        pair.write({"gone/inner": File(f"2 {step}", at=0)})
        pair.sync()
        step += STRIDE
    assert counted > 5


@pytest.mark.skipif(bool(KERNEL), reason="this is that kernel")
def test_fat_in_a_kernel_of_its_own(tmp_path: Path) -> None:
    """Some of the above once more, on FAT as Linux itself has it. Everything is slow there: a second for a run."""
    chosen = [f"tests/weak/test_weak.py::{name}" for name in IN_A_KERNEL]
    code, said = kernel.pytest_inside("vfat", chosen, tmp_path, timeout_s=500)
    assert code == 0, said
    assert re.search(rf"\b{len(chosen)} passed", said), said


@pytest.mark.skipif(bool(KERNEL), reason="not in that kernel")
def test_a_driver_that_loses_files_is_refused(tmp_path: Path, parent: Forks) -> None:
    """fusefat forgets what is in a folder that is renamed, and shows it empty."""
    mount = Mount("fusefat")
    try:
        pair = WeakPair(tmp_path, mount, "folder", parent)
        pair.write({"a": "1"}, {"b": "2"})
        answer = pair.sync(code=3)
        assert "folder that is renamed" in answer.err and "another driver" in answer.err
        assert (disk.read(pair.left), disk.read(pair.right)) == ({"a": "=1"}, {"b": "=2"})
    finally:
        mount.close()
