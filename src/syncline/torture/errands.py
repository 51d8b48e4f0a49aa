"""What a person asks for by name: a conflict settled, something put back from the trash, the trash emptied.

An errand is chosen from what the state and the trash have at that moment, as a person would choose from a list.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial

from syncline.compose import Desk
from syncline.core.model import Event, Outcome, RelPath, RunFinished
from syncline.core.names import ancestors
from syncline.core.retention import Retention
from syncline.engine import Ask
from syncline.engine import resolve as resolving
from syncline.engine import trash as keeping
from syncline.engine import undo as undoing
from syncline.jobs.kind import Job
from syncline.store.conflicts import Conflicts, Recorded
from syncline.store.db import Store
from syncline.store.runs import LAST, Runs
from syncline.torture.oracle import Broken, Sight
from syncline.torture.users import PRIVATE, Node


@dataclass(frozen=True, slots=True)
class Errand:
    """`resolve` with the version to keep and the path (empty: all conflicts), `restore` with the run, the path and the
    new path (empty: its own), `undo` with the run, or `empty`; and what is known beforehand of what it is about."""

    verb: str
    how: str = ""
    path: RelPath = RelPath("")
    to: RelPath = RelPath("")
    conflicts: tuple[Recorded, ...] = ()
    contents: frozenset[bytes] = frozenset()


def chosen(store: Store, job: str, trash: Iterable[tuple[str, str]], before: Sight, op: list[object]) -> Errand | None:
    """The errand that an operation comes to as things stand, None where there is nothing to ask for.

    `trash` are run and path of what lies in the trash of either side.
    """
    match op:
        case ["resolve", str(keep), int(number), *_]:
            found = Conflicts(store).open_conflicts(job)
            if not found:
                return None
            path = found[number % len(found)].conflict.path if number else RelPath("")
            mine = [each for each in found if not path or path in each.conflict.called]
            return Errand("resolve", keep, path, conflicts=tuple(mine))
        case ["put-back", int(number), str(to), *_]:
            kept = sorted(trash)
            if not kept:
                return None
            run, lost = kept[number % len(kept)]
            top = f"{PRIVATE}/trash/{run}/"
            whole = (*before.left.items(), *before.right.items())
            contents = frozenset(node.content for place, node in whole if place.startswith(top))
            return Errand("restore", run, RelPath(lost), RelPath(to), contents=contents)
        case ["undo", *_]:
            return Errand("undo", Runs(store).find(LAST, job).id) if Runs(store).history(job, 1) else None
        case _:
            return Errand("empty")


def carried_out(desk: Desk, job: Job, ask: Ask, errand: Errand) -> Iterator[Event]:
    """Do an errand, telling what happens. Raises: as `Desk.perform`."""
    match errand.verb:
        case "resolve":
            paths = (errand.path,) if errand.path else ()
            choice = resolving.Choice(resolving.Keep(errand.how), paths)
            yield from desk.perform(job, ask, partial(resolving.resolve, choice=choice))
        case "restore":
            wish = keeping.Wish(errand.path, errand.how, errand.to or None)
            yield from desk.perform(job, ask, partial(keeping.restore, wish=wish))
        case "undo":
            yield from desk.perform(job, ask, partial(undoing.undo, run=errand.how))
        case _:
            with desk.world(job) as world:
                keeping.empty(job, world, Retention(), dry_run=False)
            yield RunFinished(None, Outcome.DONE, (), 0.0)


def arguments(errand: Errand, job: str) -> list[str]:
    """The same errand on the command line."""
    match errand.verb:
        case "resolve":
            what = ["--", job, errand.path] if errand.path else ["--all", "--", job]
            return ["resolve", "--keep", errand.how, "--json", *what]
        case "restore":
            to = [f"--to={errand.to}"] if errand.to else []
            return ["trash", "restore", "--run", errand.how, *to, "--json", "--", job, errand.path]
        case "undo":
            return ["undo", errand.how, "--json"]
        case _:
            return ["trash", "empty", "--json", "--", job]


def given_up(errand: Errand, before: Sight) -> set[bytes]:
    """The contents of which a person said that they need not live on (though they go to the trash)."""
    if errand.verb != "resolve" or errand.how == resolving.Keep.BOTH:
        return set()
    apart = [each.conflict for each in errand.conflicts if not each.conflict.names]  # of a name nothing is given up
    names = [name for conflict in apart for name in conflict.called]
    return {
        node.content
        for side in ("left", "right")
        for tree, key in ((before.tree(side), before.key), (before.raw(side), str))
        for path, node in tree.items()
        if node.content and any(f"{path}/".startswith(f"{key(name)}/") for name in names)
    }


def as_asked(errand: Errand, before: Sight, after: Sight) -> set[bytes]:
    """Check that what was asked for is done: the version that was to be kept, or was put back, stands at its path on
    both sides. The contents that came back. Raises: Broken."""
    if errand.verb == "restore":
        left, right = (_contents(after, side, errand.to or errand.path) for side in ("left", "right"))
        if not (back := left & right & errand.contents):
            raise Broken("what was put back stands on both sides", f"{errand.path!r}: {left} and {right}")
        return {content for content in back if content}
    names = [name for each in errand.conflicts for name in each.conflict.called]
    plain = len(set(names)) == len(names)  # otherwise the settling of one is the ground of the next
    for recorded in errand.conflicts if plain and errand.how in ("left", "right") else ():
        if not _among_several(before, recorded.conflict.path):
            _resolved(recorded, errand.how, before, after)
    return set()


def _among_several(before: Sight, path: RelPath) -> bool:
    """Whether a name, or one above it, is one of several that are the same to a side: which one is meant is open."""
    several = before.collisions("left") | before.collisions("right")
    return any(before.key(each) in several for each in (path, *ancestors(path)))


def _resolved(recorded: Recorded, keep: str, before: Sight, after: Sight) -> None:
    conflict = recorded.conflict
    path, clash, loser = conflict.path, conflict.clash, conflict.clash_from
    if conflict.names:
        path = conflict.names[0 if keep == "left" else 1]
    for side in ("left", "right"):
        if clash is None:
            wanted = _content(before, keep, path)
        elif all(_content(before, each, clash) is None for each in ("left", "right")):
            continue  # the clash file was removed: settled by that
        else:
            wanted = _content(before, side, clash if loser is not None and keep == loser.value else path)
            if _content(after, side, clash) is not None:
                raise Broken("a settled conflict leaves no clash file", f"{clash!r} on {side}")
        if _content(after, side, path) != wanted:
            told = f"{path!r} on {side} is {_content(after, side, path)!r}, not {wanted!r} of {keep}"
            raise Broken("a conflict is settled as was said", told)


def _content(sight: Sight, side: str, path: str) -> bytes | None:
    node = sight.tree(side).get(sight.key(path))
    return None if node is None else _shown(node)


def _contents(sight: Sight, side: str, path: str) -> set[bytes]:
    """What stands on a side under a name, and under all that are one with it."""
    return {_shown(node) for name, node in sight.raw(side).items() if sight.key(name) == sight.key(path)}


def _shown(node: Node) -> bytes:
    return node.content if node.kind == "file" else node.content or node.kind.encode()
