"""Letting a program of the user's merge two versions of a file, before a run begins to act.

The program sees copies in a directory of its own, never the tree. What it makes is staged beside the left tree, and
from there goes to both sides like any other copy; what it cannot make is kept twice. So the actions of a run are known
before the first of them, and a crash here leaves nothing but copies.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

from syncline.core import names
from syncline.core.model import SIDES, Action, Agreed, Entry, Kind, Place, PutFile, RelPath, Side
from syncline.core.trees import Merging
from syncline.engine.look import Findings
from syncline.engine.world import World
from syncline.errors import PathError, StateError, SynclineError
from syncline.execute.transfer import STAGING
from syncline.fs.root import Reader, Root
from syncline.jobs.kind import Job
from syncline.scanner.client import content_of, new_digest, same_file
from syncline.services import commands
from syncline.store.journal import Journal

FOLDER = "merging-"
"""How directories for copies begin, in the state directory."""

MOST_TRIED = 5
"""So many versions in the trash are looked at for the one both sides came from."""


@dataclass(frozen=True, slots=True)
class _Staged:
    """What a program made, beside the left tree."""

    place: Place
    entry: Entry


class _Failed(Exception):
    """Two versions were not merged; why, in plain words."""


@contextmanager
def merged(job: Job, world: World, findings: Findings, run: str) -> Iterator[Findings]:
    """The findings with everything merged that a program could merge; the rest is kept twice, and told in the notes.

    `run` is the id under which it will be carried out. What was staged is removed at the end. Stops early when the
    world says so, with what it then has.

    Raises: RootLost, StateError.
    """
    merges = findings.wanted.merges
    if not merges:
        yield findings
        return
    done: dict[RelPath, _Staged] = {}
    failed: dict[RelPath, str] = {}
    hung: set[tuple[str, ...]] = set()
    try:
        with _folder(os.path.dirname(world.store.path)) as folder:
            for number, (path, wanted) in enumerate(sorted(merges.items()), 1):
                staged = RelPath(f"{STAGING}/new-{run}-merged-{number}")
                try:
                    done[path] = _merge(job, world, path, _as_they_stand(wanted, findings), folder, staged, hung)
                except _Failed as failure:
                    failed[path] = str(failure)
                except PathError as error:
                    failed[path] = error.detail
        yield _settled(findings, done, failed)
    finally:
        for each in done.values():
            with suppress(SynclineError):
                world.roots[Side.LEFT].remove(each.place.path)


def _settled(findings: Findings, done: Mapping[RelPath, _Staged], failed: Mapping[RelPath, str]) -> Findings:
    """The findings with what was merged in them. The plan keeps its id: it is the one that was shown and approved."""
    plan = findings.plan
    if failed:
        findings = findings.without(frozenset(failed))
    begun: set[RelPath] = set()
    actions = [_from_staged(action, done, begun) for action in findings.plan.actions]
    notes = (*plan.notes, *_told(failed))
    return replace(findings, plan=replace(findings.plan, id=plan.id, actions=actions, objections=(), notes=notes))


def _from_staged(action: Action, done: Mapping[RelPath, _Staged], begun: set[RelPath]) -> Action:
    """An action with what was merged. Of two the first makes sure that both versions are as they were; it changes one
    of them, so the second only needs what was merged, also when a crash comes between."""
    found = done.get(action.group) if action.group is not None else None
    if found is None or not isinstance(action, PutFile):
        return action
    made = found.entry
    entry = replace(action.entry, size=made.size, mtime_ns=made.mtime_ns, content=made.content)
    because = replace(action.because, place=found.place, entry=made) if action.group in begun else action.because
    begun |= {action.group} if action.group is not None else set()
    return replace(action, source=found.place, source_entry=made, entry=entry, because=because)


def _as_they_stand(wanted: Merging, findings: Findings) -> Merging:
    """The versions where they are now: the renames of the plan come later."""
    return replace(wanted, places={side: findings.actual(place) for side, place in wanted.places.items()})


def _told(failed: Mapping[RelPath, str]) -> Iterator[str]:
    """A sentence for each reason for which files were not merged."""
    by_reason: dict[str, list[RelPath]] = {}
    for path, reason in failed.items():
        by_reason.setdefault(reason, []).append(path)
    for reason, paths in by_reason.items():
        more = "" if len(paths) == 1 else f" and {len(paths) - 1:,} more"
        yield f"{names.printable(paths[0])}{more} not merged, both versions are kept: {reason}"


def _merge(
    job: Job, world: World, path: RelPath, wanted: Merging, folder: str, staged: RelPath, hung: set[tuple[str, ...]]
) -> _Staged:
    """Let the program make one version, and stage it. Raises: _Failed, PathError."""
    program = os.path.basename(wanted.by.argv[0])
    if world.stopped() is not None:
        raise _Failed("the run was interrupted")
    if wanted.by.argv in hung:
        raise _Failed(f"{program} was not asked again in this run")
    work = tempfile.mkdtemp(dir=folder)
    try:
        # The program may go by the name: of the file type, say.
        name = names.basename(path)
        files = {mark: os.path.join(work, mark, name) for mark in ("base", "left", "right", "output")}
        for file in files.values():
            os.mkdir(os.path.dirname(file), 0o700)
        for side in SIDES:
            _copy(world.roots[side], wanted.places[side].path, wanted.entries[side], files[side.value])
        _copy_base(job, world, path, wanted.base, files["base"])
        argv = commands.filled(wanted.by.argv, files)
        ended = commands.run(argv, directory=work, stop=lambda: world.stopped() is not None)
        if ended.code != 0:
            if ended.code is None and world.stopped() is None:
                hung.add(wanted.by.argv)
            raise _Failed(f"{program} {ended.told}")
        return _stage(world.roots[Side.LEFT], staged, files["output"], program, int(world.now().timestamp() * 1e9))
    except OSError as error:
        raise _Failed(f"its copies could not be made: {error.strerror}") from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _copy(root: Root, path: RelPath, expect: Entry, file: str) -> None:
    """Copy what the plan saw. Raises: _Failed: it is something else by now; PathError, OSError."""
    reader = root.open(path)
    try:
        if not same_file(expect, reader.opened):
            raise _Failed("was changed after the plan was made")
        size, _ = _write(reader, file)
        if size != expect.size or not same_file(expect, reader.entry):
            raise _Failed("was changed while it was copied")
    finally:
        reader.close()


def _copy_base(job: Job, world: World, path: RelPath, base: Agreed | None, file: str) -> None:
    """Copy the version both sides last agreed on, if the trash still has it; else an empty file. Raises: OSError."""
    for side, kept in _kept(job, world, path, base):
        root = world.roots[side]
        try:
            entry = root.entry(kept)
            if base is None or entry is None or entry.kind is not Kind.FILE or entry.size != base.left.size:
                continue
            reader = root.open(kept)
            try:
                if _write(reader, file)[1] == base.left.content:
                    return
            finally:
                reader.close()
        except PathError:
            continue
    with open(file, "wb"):
        pass


def _kept(job: Job, world: World, path: RelPath, base: Agreed | None) -> list[tuple[Side, RelPath]]:
    """Where in the trash versions of a path are, the latest first."""
    if base is None or base.left.content is None or world.record is None:
        return []
    steps = [step for step in Journal(world.store).of_path(world.record.id, path) if step.trash is not None]
    own = [step for step in reversed(steps) if step.action.at.path == path]
    return [(step.action.at.side, step.trash) for step in own[:MOST_TRIED] if step.trash is not None]


def _write(reader: Reader, file: str) -> tuple[int, bytes]:
    """Write a content to a new file of ours; its size and digest. Raises: PathError, OSError."""
    digest, size = new_digest(), 0
    with open(file, "wb") as opened:
        for block in reader.blocks():
            digest.update(block)
            size += opened.write(block)
    return size, content_of(digest)


def _stage(root: Root, staged: RelPath, file: str, program: str, now_ns: int) -> _Staged:
    """Bring what a program made beside the tree. Raises: _Failed: there is none; PathError, OSError."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise _Failed(f"{program} ended well and left no {{output}}") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _Failed(f"{program} left an {{output}} that is no file")
    with open(descriptor, "rb") as opened:
        writer = root.create(staged)
        try:
            digest = new_digest()
            for block in iter(lambda: opened.read(1 << 20), b""):
                digest.update(block)
                writer.write(block)
            entry = writer.finish(mtime_ns=now_ns, mode=None)
        except BaseException:
            writer.abandon()
            raise
    return _Staged(Place(Side.LEFT, staged), replace(entry, content=content_of(digest)))


@contextmanager
def _folder(directory: str) -> Iterator[str]:
    """A private directory for copies, locked while it is used. Raises: StateError."""
    _clear_old(directory)
    try:
        folder = tempfile.mkdtemp(prefix=FOLDER, dir=directory)
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise StateError(f"no directory for copies can be made in {directory}: {error.strerror}") from error
    try:
        _lock(descriptor)
        yield folder
    finally:
        os.close(descriptor)
        shutil.rmtree(folder, ignore_errors=True)


def _clear_old(directory: str) -> None:
    """Remove the copies of runs that were killed: nobody holds their locks."""
    with suppress(OSError):
        for name in os.listdir(directory):
            if name.startswith(FOLDER):
                with suppress(OSError):
                    descriptor = os.open(os.path.join(directory, name), os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
                    try:
                        if _lock(descriptor):
                            shutil.rmtree(os.path.join(directory, name), ignore_errors=True)
                    finally:
                        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    try:
        import fcntl
    except ImportError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
