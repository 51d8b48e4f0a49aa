"""The one place that puts a world together: state, jobs, roots, clock. What asks (command line, daemon) begins here."""

from __future__ import annotations

import os
import shlex
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields, replace
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from syncline import engine
from syncline.config.identity import remembered, settle
from syncline.config.values import Configuration, ConfiguredJob
from syncline.core import filters, names, retention
from syncline.core.guard import Limits
from syncline.core.model import SIDES, Event, Guard, MergeWith, Objection, Plan, Policy, RelPath, Side
from syncline.core.policy import Durability, Extras
from syncline.core.retention import Versions
from syncline.core.spelling import CONTENT_POLICIES, PROPERTY_POLICIES, merge_command, properties
from syncline.engine import Ask, World
from syncline.errors import RunRefused, UsageError
from syncline.fs.answering import wait_for
from syncline.fs.opening import open_root
from syncline.fs.probe import ON_REQUEST, below, filesystem_id, may_keep
from syncline.fs.root import Root
from syncline.jobs import mirror, twoway
from syncline.jobs.kind import Job, JobKind, Options, PathRule, Settings, keeps
from syncline.services import commands
from syncline.store.db import Store
from syncline.store.jobs import Job as Remembered
from syncline.store.jobs import Jobs, adhoc_name
from syncline.store.runs import run_id

NO_CONFIGURATION = Configuration()
"""Only ad-hoc jobs."""

KINDS: Mapping[str, JobKind] = {kind.name: kind for kind in (twoway.KIND, mirror.KIND)}
"""Every kind of job there is."""

_VALUES: Mapping[str, Callable[[Any], object]] = {
    "changed_both": lambda said: _content_policy(said),
    "created_both": lambda said: _content_policy(said),
    "props_both": lambda said: _one_of(Policy(said), *PROPERTY_POLICIES),
    "extras": Extras,
    "ignore": tuple,
    "limits": lambda limits: Limits(**limits),
    "versions": lambda said: None if said is None else _versions(said),
    "rules": lambda rules: tuple(map(_rule, rules)),
    "durability": Durability,
    "properties": properties,
    "compare": lambda said: _one_of(said, "quick", "hash"),
}
"""How stored options become settings, where they are not stored as they are."""


def local_now() -> datetime:
    """The present time with the zone of this machine."""
    return datetime.now().astimezone()


def never() -> int | None:
    """No signal has come."""
    return None


def random_token() -> str:
    """The part of a run's id that the clock does not give."""
    return os.urandom(2).hex()


class Desk:
    """Where jobs are found, made and run, over one open state.

    `notes` are loud sentences about what opening the state brought to light: show them.
    """

    def __init__(
        self,
        store: Store,
        *,
        write: bool,
        now: Callable[[], datetime] = local_now,
        interrupted: Callable[[], int | None] = never,
        opened: Callable[[str], Root] | None = None,
        token: Callable[[], str] = random_token,
        configuration: Configuration = NO_CONFIGURATION,
    ) -> None:
        """`opened` opens the root at a path, if not as ever; `token` tells two runs of one second apart."""
        self.store = store
        self.notes = store.notes
        self._write = write
        self._now = now
        self._interrupted = interrupted
        self._opened = open_root if opened is None else opened
        self._token = token
        self._configuration = configuration
        self._new_ids: dict[str, str] = {}
        self._answering: set[str] = set()

    @classmethod
    def open(
        cls,
        state_dir: str,
        *,
        write: bool,
        now: Callable[[], datetime] = local_now,
        interrupted: Callable[[], int | None] = never,
        configuration: Configuration = NO_CONFIGURATION,
    ) -> Desk:
        """A desk over the state in `state_dir`. Without `write` nothing on disk is changed, not even made.

        Raises: StateError, StateTooNew.
        """
        store = Store.open(state_dir, now=now, write=write)
        return cls(store, write=write, now=now, interrupted=interrupted, configuration=configuration)

    def close(self) -> None:
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def adhoc(self, kind: str, left: str, right: str, given: Mapping[str, object], *, create: bool) -> Job:
        """The job of two folders: the remembered one, or a new one. What is `given` replaces what was said before.

        Raises: UsageError: the folders are unnamed, one, nested, missing and never seen, or belong to a configured job;
        RootLost, Interrupted: one of them gives no answer.
        """
        kind_of_job = KINDS[kind]
        for name, path in zip(kind_of_job.root_names, (left, right), strict=True):
            if not path:
                raise UsageError(f"{name} is an empty word", hint="name a folder; for the one you are in, say .")
            self._await_answer(os.path.expanduser(path))
        paths = [os.path.realpath(os.path.expanduser(path)) for path in (left, right)]
        self._refuse_configured(paths)
        record, swapped = self._remembered(kind, paths[0], paths[1])
        if record is None:
            _check_folders(kind_of_job, paths, create=create and self._write)
        options = {**({} if record is None else record.options), **_stored(kind_of_job, given)}
        if record is None:
            taken = {job.name for job in Jobs(self.store).all()} | {job.name for job in self._configuration.jobs}
            name = adhoc_name(os.path.basename(paths[0]), os.path.basename(paths[1]), taken.__contains__)
            return _job(kind_of_job, uuid.uuid4().hex, name, paths[0], paths[1], options)
        if swapped:
            paths.reverse()
        return _job(kind_of_job, record.id, record.name, paths[0], paths[1], options)

    def job(self, name: str, *, gone: bool = False) -> Job:
        """A job by its name: a configured one, or one that is remembered.

        With `gone` also one that stood in the configuration once.

        Raises: UsageError, with the nearest names there are.
        """
        configured = self._configuration.job(name)
        if configured is not None:
            return self._from_configuration(configured)
        record = Jobs(self.store).by_name(name)
        if record is None:
            from difflib import get_close_matches

            near = get_close_matches(name, [job.name for job in self.jobs()], n=1)
            hint = f"did you mean {near[0]!r}?" if near else "'syncline jobs list' shows the jobs there are"
            raise self._configuration.wanting or UsageError(f"no job is called {name!r}", hint=hint)
        if not record.adhoc and not gone:
            raise _not_configured(record, self._configuration)
        return _from_record(record)

    def jobs(self) -> list[Job]:
        """Every job: the configured ones in their order, then those that are only remembered, by name."""
        configured = [self._from_configuration(job) for job in self._configuration.jobs]
        known = {job.id for job in configured} | {job.name for job in configured}
        records = Jobs(self.store).all()
        return configured + [_from_record(each) for each in records if not {each.id, each.name} & known]

    def configured(self) -> list[Job]:
        """Every configured job. Raises: UsageError: there is none, and why."""
        if not self._configuration.jobs:
            raise self._configuration.wanting or self._nothing_configured()
        return [self._from_configuration(job) for job in self._configuration.jobs]

    def plan(self, job: Job, ask: Ask) -> Plan:
        """What a run of the job would do now; changes nothing. Raises: RunRefused, RootLost."""
        world = self._world(job)
        try:
            return engine.plan(self._without_state(job), world, ask)
        finally:
            _close(world)

    def run(self, job: Job, ask: Ask) -> Iterator[Event]:
        """Run a job, telling what happens.

        Raises: UsageError, RunRefused, RootLocked, Interrupted, RootLost, StateError.
        """
        yield from self._in_world(job, ask, engine.run)

    def adopt(self, job: Job, ask: Ask) -> Iterator[Event]:
        """Take both roots as they stand and synchronise as for the first time. Raises: as `run`."""
        yield from self._in_world(job, ask, engine.adopt)

    def perform(self, job: Job, ask: Ask, act: Callable[[Job, World, Ask], Iterator[Event]]) -> Iterator[Event]:
        """Let `act` (of `syncline.engine`) do something in the world of a job. Raises: as `run`, and as `act`."""
        yield from self._in_world(job, ask, act)

    @contextmanager
    def world(self, job: Job) -> Iterator[World]:
        """The world of a job, its roots opened, for a look. Raises: UsageError, RunRefused, RootLost, StateError."""
        world = self._world(job)
        try:
            yield world
        finally:
            _close(world)

    def forget(self, job: Job) -> None:
        """Drop everything that is remembered of a job. Its folders and their trash stay as they are."""
        with self.store.transaction():
            Jobs(self.store).forget(job.id)

    def _in_world(self, job: Job, ask: Ask, carry_out: Callable[[Job, World, Ask], Iterator[Event]]) -> Iterator[Event]:
        world = self._world(job)
        try:
            if not ask.dry_run:
                reserved = [each.name for each in self._configuration.jobs]
                record = settle(self.store, world.record, job.name, job.options, adhoc=job.adhoc, reserved=reserved)
                world.record = record
            yield from carry_out(self._without_state(job), world, ask)
        finally:
            _close(world)

    def _world(self, job: Job) -> World:
        for side in SIDES:
            self._await_answer(job.root(side))
        if job.mount is not None and not os.path.ismount(job.mount):
            raise _not_mounted(job.mount)
        record = Jobs(self.store).by_id(job.id)
        missing = [side for side in SIDES if not os.path.isdir(job.root(side))]
        if missing:
            raise _missing(job, missing[0], known=record is not None)
        _refuse_nested(job)
        roots = {side: self._opened(job.root(side)) for side in SIDES}
        for root in roots.values():
            able: dict[str, Any] = {each: may_keep(root, each) for each in ON_REQUEST if keeps(job.settings, each)}
            if able:
                root.trust(replace(root.capabilities, **able))
        return World(
            roots=roots,
            store=self.store,
            record=record,
            now=self._now,
            run_id=lambda: run_id(self._now(), self._token()),
            stopped=self._interrupted,
            filesystems={side: filesystem_id(job.root(side)) for side in SIDES},
        )

    def _await_answer(self, path: str) -> None:
        """Nothing is asked of a file system that has not answered once. Raises: RootLost, Interrupted."""
        if path not in self._answering:
            wait_for(path, self._interrupted)
            self._answering |= {path, os.path.realpath(path)}

    def _without_state(self, job: Job) -> Job:
        """The job with the state directory out of its scope, should that lie in one of its roots: it changes while it
        is copied, and what is copied would be one more state."""
        state = os.path.realpath(os.path.dirname(self.store.path))
        roots = [os.path.realpath(job.root(side)) for side in SIDES]
        inside = [os.path.relpath(state, root) for root in roots if state.startswith(root.rstrip(os.sep) + os.sep)]
        if not inside:
            return job
        settings: Any = job.settings
        patterns = [filters.exactly(RelPath(path.replace(os.sep, "/"))) for path in inside]
        return replace(job, settings=replace(settings, ignore=(*settings.ignore, *patterns)))

    def _from_configuration(self, said: ConfiguredJob) -> Job:
        """A configured job with the identity that its memory has; a new one keeps its identity as long as the desk."""
        record = remembered(said, self._configuration.jobs, Jobs(self.store).all())
        identity = record.id if record is not None else self._new_ids.setdefault(said.name, uuid.uuid4().hex)
        job = _job(KINDS[said.kind], identity, said.name, *said.pair(), said.options)
        return replace(job, adhoc=False, mount=said.mount)

    def _refuse_configured(self, paths: Sequence[str]) -> None:
        for job in self._configuration.jobs:
            if sorted(job.pair()) == sorted(paths):
                told = f"these folders belong to the configured job {job.name}"
                raise UsageError(told, hint=f"syncline run {names.pasted(job.name)}")

    def _nothing_configured(self) -> UsageError:
        file, known = self._configuration.file, ", ".join(job.name for job in self.jobs() if job.adhoc)
        told = "no jobs are configured" + ("" if file is None else f" in {file}")
        if known:
            return UsageError(told, hint=f"name one of the remembered jobs: {known}")
        return UsageError(told, hint="begin with: syncline sync LEFT RIGHT, or write jobs down: syncline config init")

    def _remembered(self, kind: str, left: str, right: str) -> tuple[Remembered | None, bool]:
        """The job of this kind with these folders, and whether they are swapped there; a mirror has a direction."""
        for record in Jobs(self.store).all():
            pair = (record.left_path, record.right_path)
            if pair not in ((left, right), (right, left)):
                continue
            if not record.adhoc:
                raise _not_configured(record, self._configuration)
            if record.kind == kind and (pair == (left, right) or kind == twoway.KIND.name):
                return record, pair != (left, right)
        return None, False


def plan(
    left: str, right: str, *, kind: str = "twoway", state_dir: str | None = None, full: bool = False, **options: object
) -> Plan:
    """What synchronising two folders would do now. Changes nothing on disk.

    `kind` is `twoway` or `mirror` (left is the source); `options` are the settings of that kind by name
    (`syncline.jobs.twoway.TwoWay`, `syncline.jobs.mirror.Mirror`); `full` reads all content again.

    Raises: UsageError, RunRefused, RootLost (`syncline.errors`).
    """
    with Desk.open(state_dir or default_state_dir(), write=False) as desk:
        return desk.plan(desk.adhoc(kind, left, right, options, create=False), Ask(dry_run=True, full=full))


def run(
    left: str,
    right: str,
    *,
    kind: str = "twoway",
    state_dir: str | None = None,
    approve: str | None = None,
    full: bool = False,
    note: str | None = None,
    create: bool = False,
    **options: object,
) -> Iterator[Event]:
    """Synchronise two folders, yielding what happens (`syncline.core.model.Event`); it goes on while it is iterated.

    `approve` is the id of a plan that was read, `note` is kept in the history of runs, `create` makes missing folders
    on the first run. Everything else as in `plan`.

    Raises: UsageError, RunRefused, RootLocked, RootLost, StateError (`syncline.errors`).
    """
    with Desk.open(state_dir or default_state_dir(), write=True) as desk:
        job = desk.adhoc(kind, left, right, options, create=create)
        yield from desk.run(job, Ask(approve=approve, full=full, note=note))


def default_state_dir() -> str:
    """Where the state is kept unless something else is said: `SYNCLINE_STATE_DIR`, else the user's state directory."""
    import platformdirs

    return os.environ.get("SYNCLINE_STATE_DIR") or platformdirs.user_state_dir("syncline", appauthor=False)


def _close(world: World) -> None:
    for root in world.roots.values():
        root.close()


def _missing(job: Job, side: Side, *, known: bool) -> UsageError | RunRefused:
    name, path = job.kind.root_name(side), job.root(side)
    if not known:
        hint = "check the path, or say --create to make it" if job.adhoc else "make that folder, or mend its path"
        return UsageError(f"{name} {path} is not there", hint=hint)
    detail = f"{name} {path} is not there"
    remedy = "connect its drive and run it again; if it is gone for good: syncline jobs forget " + job.word
    return RunRefused(detail, (Objection(Guard.ROOT_MISSING, detail, remedy),), hint=remedy)


def _not_mounted(mount: str) -> RunRefused:
    detail, remedy = f"nothing is mounted on {mount}", "connect its drive and run it again"
    return RunRefused(detail, (Objection(Guard.ROOT_MISSING, detail, remedy),), hint=remedy)


def _not_configured(record: Remembered, configuration: Configuration) -> UsageError:
    where = configuration.file or "any configuration that is read"
    forget = f"syncline jobs forget {names.pasted(record.name)}"
    return UsageError(
        f"these folders were those of the configured job {record.name}, which does not stand in {where}",
        hint=f"name its file with --config, or drop what is remembered: {forget}",
    )


def _check_folders(kind: JobKind, paths: list[str], *, create: bool) -> None:
    """Raises: UsageError: one folder twice, one inside the other, or a missing one that is not to be made."""
    for name, path in zip(kind.root_names, paths, strict=True):
        if os.path.lexists(path) and not os.path.isdir(path):
            raise UsageError(f"{name} {path} is not a folder", hint="name two folders")
    one, other = paths
    if one == other or _same(one, other):
        raise UsageError(f"{one} and {other} are the same folder", hint="name two different folders")
    for inner, outer in ((one, other), (other, one)):
        if inner.startswith(outer.rstrip(os.sep) + os.sep):
            raise UsageError(f"{inner} lies inside {outer}", hint="name two folders that do not contain each other")
    for name, path in zip(kind.root_names, paths, strict=True):
        if os.path.isdir(path):
            continue
        if not create:
            raise UsageError(f"{name} {path} is not there", hint="check the path, or say --create to make it")
        os.makedirs(path, exist_ok=True)


def _refuse_nested(job: Job) -> None:
    """Raises: UsageError: the tree of one root holds the other, which a mount shows at another place."""
    for outer, inner in ((Side.LEFT, Side.RIGHT), (Side.RIGHT, Side.LEFT)):
        path = below(job.root(outer), job.root(inner))
        if path is not None:
            told = f"{job.root(inner)} shows {os.path.join(job.root(outer), path)} by a mount"
            where = f"inside {job.kind.root_name(outer)}" if path else f"the same folder as {job.kind.root_name(outer)}"
            raise UsageError(
                f"{job.kind.root_name(inner)} is {where}: {told.rstrip(os.sep)}",
                hint="name two folders that do not contain each other, or unmount that one",
            )


def _same(one: str, other: str) -> bool:
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False


def _stored(kind: JobKind, given: Mapping[str, object]) -> Options:
    """Options as they are stored. Raises: UsageError: this kind of job does not have one of them."""
    known = {field.name for field in fields(kind.settings)}
    stored: dict[str, Any] = {}
    for name, value in given.items():
        if name not in known:
            raise UsageError(f"a {kind.name} job has no option {name!r}")
        try:
            stored[name] = _storable(value)
        except ValueError as error:
            raise UsageError(f"{name}: {error}") from error
    return stored


def _storable(value: object) -> Any:
    if isinstance(value, Limits):
        return asdict(value)
    if isinstance(value, tuple):
        return list(value)
    command = merge_command(value) if isinstance(value, str) else None
    return value if command is None else f"merge: {commands.joined(commands.found(command, os.getcwd()))}"


def _settings(kind: JobKind, options: Options) -> Settings:
    """The settings these options make. Raises: UsageError: one of them has a value it cannot have."""
    values: dict[str, Any] = {}
    for name, value in options.items():
        try:
            values[name] = _VALUES[name](value) if name in _VALUES else value
        except (TypeError, ValueError) as error:
            raise UsageError(f"{name} cannot be {value!r}: {error}") from error
    settings: Settings = kind.settings(**values)
    return settings


def _content_policy(said: str) -> Policy | MergeWith:
    command = merge_command(said)
    if command is None:
        return Policy(_one_of(said, *CONTENT_POLICIES))
    return MergeWith(command, tuple(shlex.split(command)))


def _one_of(said: str, *allowed: str) -> str:
    if said not in allowed:
        raise ValueError(f"it is one of {', '.join(allowed)}")
    return said


def _rule(said: Mapping[str, Any]) -> PathRule:
    policies: Any = {
        name: _VALUES[name](said[name]) for name in ("changed_both", "created_both", "props_both") if name in said
    }
    return PathRule(said["match"], said.get("ignore"), **policies)


def _versions(said: Mapping[str, Any]) -> Versions:
    return Versions(said.get("keep"), said.get("for"), retention.steps(said.get("thin", ())))


def _job(kind: JobKind, identity: str, name: str, left: str, right: str, options: Options) -> Job:
    return Job(identity, name, kind, left, right, _settings(kind, options), options)


def _from_record(record: Remembered) -> Job:
    kind = KINDS[record.kind]
    return replace(
        _job(kind, record.id, record.name, record.left_path, record.right_path, record.options), adhoc=record.adhoc
    )
