"""Whole runs against a strong disk in the coat of a weaker one: what one side folds, normalises or does not take comes
to rest in one run, and is not carried to and fro."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from functools import partial

import pytest

from syncline.compose import Desk, local_now
from syncline.core.model import Event, RunFinished, RunStarted
from syncline.engine import undo as undoing
from syncline.engine.world import Ask
from syncline.fs.bypath import PathRoot
from syncline.fs.opening import open_root
from syncline.fs.root import Capabilities
from syncline.store.db import Store
from syncline.store.runs import LAST, Runs
from tests.e2e import disk
from tests.e2e.disk import DIR, File, Tree
from tests.e2e.pair import Pair
from tests.fs.roots import APPLE, FAT

COMPOSED, DECOMPOSED = "caf\u00e9", "cafe\u0301"
COATS = {"apple": APPLE, "fat": replace(FAT, largest=100)}


def run(pair: Pair, coat: Capabilities, *, undo: bool = False) -> tuple[set[str], set[str]]:
    """Synchronise, the right root in a coat, or take the last run back: the actions, and the problems."""
    with Desk(
        Store.open(str(pair.state), now=local_now, write=True),
        write=True,
        opened=lambda path: PathRoot(path, coat) if path.endswith("right") else open_root(path),
    ) as desk:
        job = desk.adhoc("twoway", str(pair.left), str(pair.right), {}, create=True)
        taken_back = partial(undoing.undo, run=Runs(desk.store).find(LAST, job.id).id) if undo else None
        steps = desk.perform(job, Ask(), taken_back) if taken_back else desk.run(job, Ask())
        events: list[Event] = list(steps)
    assert isinstance(events[-1], RunFinished)
    (plan,) = [event.plan for event in events if isinstance(event, RunStarted)]
    told = {f"{type(action).__name__} {action.at.side} {action.at.path}" for action in plan.actions}
    return told, {f"{problem.reason} {problem.place.path}" for problem in plan.problems}


@dataclass(frozen=True)
class Scene:
    """What both sides agreed on, the names that are then exchanged for others on the left, what is written there, and
    in the end: what stands on the right, and what is told of the left."""

    says: str
    base: Tree
    moves: tuple[tuple[str, str], ...] = ()
    left: Tree = field(default_factory=dict)
    end: dict[str, str] = field(default_factory=dict)
    told: set[str] = field(default_factory=set)
    coats: tuple[str, ...] = tuple(COATS)

    def __str__(self) -> str:
        return self.says


SCENES = [
    Scene("a file in place of a folder", {"d/x": "1"}, (("d/x", "x"),), {"d": None, "D": "2"}, {"d": "=2", "x": "=1"}),
    Scene("a folder in place of a file", {"d": "1"}, left={"d": None, "D/x": "2"}, end={"d": "/", "d/x": "=2"}),
    Scene("renamed onto another spelling", {"a": "1", "b": "2"}, left={"b": None}, moves=(("a", "B"),)),
    Scene("files, folders and an old time", {}, left={COMPOSED: "1", "d/x": "2", "e": DIR, "odd": File("3", at=1.234)}),
    Scene(
        "edits and deletions",
        {"a": "1", "d/b": "2", "c": "3"},
        left={"a": "edited", "d": None},
        end={"a": "=edited", "c": "=3"},
    ),
    Scene("the other spelling", {COMPOSED: "1"}, ((COMPOSED, DECOMPOSED),), end={DECOMPOSED: "=1"}, coats=("apple",)),
    Scene(
        "both spellings",
        {COMPOSED: "1"},
        left={DECOMPOSED: "2"},
        end={COMPOSED: "=1"},
        told={f"name-collision {COMPOSED}"},
        coats=("apple",),
    ),
    Scene("another case", {"a": "1", "d/x": "2"}, (("a", "A"), ("d", "D")), end={"A": "=1", "D": "/", "D/x": "=2"}),
    Scene("both cases at first", {}, left={"A": "1", "a": "2", "b": "3"}, end={"b": "=3"}, told={"name-collision a"}),
    Scene("both cases later", {"A": "1"}, left={"a": "2"}, end={"A": "=1"}, told={"name-collision a"}),
    Scene(
        "a name it does not take",
        {"a": "1"},
        left={"b:c": "2"},
        end={"a": "=1"},
        told={"impossible-name b:c"},
        coats=("fat",),
    ),
    Scene(
        "a file and a folder renamed to names it does not take",
        {"a": "1", "d/x": "2"},
        (("a", "b:c"), ("d", "d?")),
        end={"a": "=1", "d": "/", "d/x": "=2"},
        told={"impossible-name b:c", "partly-kept a", "impossible-name d?", "partly-kept d"},
        coats=("fat",),
    ),
    Scene(
        "a file too large for it",
        {"a": "1", "b": "2", "d/c": "3"},
        left={"a": "edited", "b": "x" * 101, "d/c": "x" * 100, "d/e": "x" * 101},
        end={"a": "=edited", "b": "=2", "d": "/", "d/c": "=" + "x" * 100},
        told={"no-space b", "no-space d/e"},
        coats=("fat",),
    ),
]
ROWS = [pytest.param(scene, COATS[coat], id=f"{scene}-{coat}") for scene in SCENES for coat in scene.coats]


@pytest.mark.parametrize(("scene", "coat"), ROWS)
def test_it_comes_to_rest(pair: Pair, scene: Scene, coat: Capabilities) -> None:
    pair.write(scene.base)
    run(pair, coat)
    for old, new in scene.moves:
        os.rename(pair.left / old, pair.left / new)
    pair.write(scene.left)
    run(pair, coat)
    left = disk.read(pair.left)
    assert disk.read(pair.right) == (scene.end or left)
    assert run(pair, coat) == (set(), scene.told)
    assert run(pair, coat) == (set(), scene.told)
    assert (disk.read(pair.left), disk.read(pair.right)) == (left, scene.end or left)


@dataclass(frozen=True)
class Undone:
    """What was agreed, the names that a run then carries from the left to the right, what a person does to the right
    since, and what stands there once the run is taken back; what is told."""

    says: str
    base: Tree
    moves: tuple[tuple[str, str], ...]
    end: dict[str, str]
    since: tuple[tuple[str, str], ...] = ()
    left: Tree = field(default_factory=dict)
    told: set[str] = field(default_factory=set)

    def __str__(self) -> str:
        return self.says


UNDONE = [
    Undone("a file spelled otherwise", {"a": "1"}, (("a", "A"),), {"a": "=1"}),
    Undone("a folder spelled otherwise", {"d/x": "1"}, (("d", "D"),), {"d": "/", "d/x": "=1"}),
    Undone(
        "a folder spelled otherwise, and what is in it edited",
        {"d/x": "1", "d/y": "2"},
        (("d", "D"),),
        {"d": "/", "d/x": "=1", "d/y": "=2"},
        left={"D/x": "edited"},
    ),
    Undone("spelled otherwise once more since", {"ab": "1"}, (("ab", "AB"),), {"ab": "=1"}, since=(("AB", "Ab"),)),
    Undone("spelled as before since", {"ab": "1"}, (("ab", "AB"),), {"ab": "=1"}, since=(("AB", "ab"),)),
    Undone(
        "moved away since",
        {"a": "1", "b": "2"},
        (("a", "A"),),
        {"b": "=2", "c": "=1"},
        since=(("A", "c"),),
        told={"target-changed A", "target-changed a"},
    ),
]


@pytest.mark.parametrize("coat", COATS.values(), ids=[*COATS])
@pytest.mark.parametrize("scene", UNDONE, ids=str)
def test_another_spelling_is_taken_back(pair: Pair, scene: Undone, coat: Capabilities) -> None:
    pair.write(scene.base)
    run(pair, coat)
    for old, new in scene.moves:
        os.rename(pair.left / old, pair.left / new)
    pair.write(scene.left)
    run(pair, coat)
    for old, new in scene.since:
        os.rename(pair.right / old, pair.right / new)
    left = disk.read(pair.left)
    _, told = run(pair, coat, undo=True)
    assert disk.read(pair.right) == scene.end
    assert told == scene.told
    assert disk.read(pair.left) == left
    run(pair, coat)
    rest = disk.read(pair.left), disk.read(pair.right)
    assert run(pair, coat)[0] == set()
    assert (disk.read(pair.left), disk.read(pair.right)) == rest
