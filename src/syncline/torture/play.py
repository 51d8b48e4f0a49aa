"""Playing a case: users act, the engine runs behind a gate, and the oracle looks after every step."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, cast

from syncline.compose import Desk
from syncline.core import puts, wire
from syncline.core.model import (
    SIDES,
    ActionDone,
    ActionFailed,
    Event,
    Objection,
    Outcome,
    Problem,
    Progress,
    RunFinished,
    RunStarted,
    Side,
)
from syncline.core.names import folding
from syncline.engine import Ask
from syncline.engine import verify as verifying
from syncline.errors import Interrupted, PathError, RunRefused, SynclineError
from syncline.execute import batches
from syncline.execute.transfer import ATTEMPTS
from syncline.fs import windows
from syncline.fs.bypath import PathRoot
from syncline.fs.opening import open_root
from syncline.fs.probe import capabilities_of
from syncline.fs.root import Capabilities, Root
from syncline.fs.tried import PATH as TRIED
from syncline.jobs.kind import Job
from syncline.store.conflicts import Conflicts, Problems
from syncline.store.db import Store
from syncline.torture import errands, oracle, users
from syncline.torture.case import Case, Op
from syncline.torture.errands import Errand
from syncline.torture.gate import STATE, Crash, Endless, Fault, Gate, GatedConnection, GatedRoot
from syncline.torture.oracle import Broken, Ran, Sight
from syncline.torture.users import PRIVATE, Users, tree_at

EDITS = {"edit", "late", "beside"}
"""The ways in which a user may edit during a run."""


@dataclass(frozen=True, slots=True)
class Order:
    """What the engine is told: to run (under the approval of a plan; `adopt`: as for the first time), or an errand."""

    approve: str | None = None
    adopt: bool = False
    errand: Errand | None = None


RUN = Order()
"""An ordinary run."""

Run = Callable[["World", Gate, Order], Ran]
"""Lets the engine do once what it is told, behind a gate."""


@dataclass(frozen=True, slots=True)
class Last:
    """The run that could be taken back now: what stood before it, the names it changed, whether its undo was begun."""

    run: str | None
    before: Sight
    names: set[tuple[str, str]]
    begun: bool = False


@dataclass(slots=True)
class World:
    """Two folders, their users, a state, and what the engine is told."""

    users: Users
    case: Case
    run: Run
    state: str
    options: dict[str, Any]
    capabilities: dict[str, Capabilities]
    key: Callable[[str], str] = str
    base: Sight | None = None
    store: Store | None = None
    begun: set[tuple[str, str]] = field(default_factory=set)
    unknown: bool = False
    whole: bool = True
    meddled: bool = False
    odd: bool = False
    rough: bool = False
    marked: bytes | None = None
    dated: bool = False
    last: Last | None = None
    put_back: dict[str, set[bytes]] = field(default_factory=dict)
    gone_again: set[bytes] = field(default_factory=set)
    runs: int = 0
    log: list[str] = field(default_factory=list)

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.users.clock_s, UTC)

    def token(self) -> str:
        self.runs += 1
        return f"{self.runs:04x}"

    def look(self) -> Sight:
        return Sight(tree_at(self.users.root("left")), tree_at(self.users.root("right")), self.key)

    def close(self) -> None:
        """Close the state; the next run opens it again."""
        store, self.store = self.store, None
        if store is not None:
            store.close()

    @property
    def gentle(self) -> bool:
        """Whether every version is kept at a live path, whatever the conflict."""
        said = [self.options, *self.options.get("rules", ())]
        policies = {each.get(rule, "keep-both") for each in said for rule in ("changed_both", "created_both")}
        self.rough = self.rough or policies != {"keep-both"}
        return self.case.kind == "twoway" and not self.rough


def play(case: Case, top: str, run: Run | None = None, *, keep: bool = False) -> str:
    """Play a case in a new folder `top`; a digest of all that passed the gate.

    Raises: Broken.
    """
    top = os.path.realpath(top)
    os.makedirs(top)
    strong = _capabilities(top)
    able = {side.value: replace(strong, **case.lacking(side.value)) for side in SIDES}
    rules = {side: each.names for side, each in able.items() if each.names != strong.names}
    world = World(Users(top, rules), case, run or run_here, os.path.join(top, "state"), dict(case.options), able)
    if any(each.fold_case or each.fold_unicode for each in rules.values()):
        world.key = folding(*(able[side.value].names for side in SIDES))
    try:
        outside = tree_at(world.users.outside)
        with _batches(case.batch), _as_on_windows(world):
            for op in case.ops:
                _step(world, op)
            _settle(world)
        oracle.outside_untouched(outside, tree_at(world.users.outside))
        return blake2b("\n".join(world.log).encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()
    finally:
        world.close()
        if not keep:
            shutil.rmtree(top, ignore_errors=True)


@contextmanager
def _batches(actions: int | None) -> Iterator[None]:
    """The engine with batches of so few actions that small cases have several."""
    before = batches.BATCH_ACTIONS, puts.LARGE
    batches.BATCH_ACTIONS, puts.LARGE = actions or before[0], actions or before[1]
    try:
        yield
    finally:
        batches.BATCH_ACTIONS, puts.LARGE = before


@contextmanager
def _as_on_windows(world: World) -> Iterator[None]:
    """Where a job keeps attributes of Windows, another one takes the place of that of NTFS; they are left out where no
    folder can keep it."""
    before, asked = windows.ATTRIBUTE, world.options.get("properties", ())
    if "windows" in asked and world.users.keep_windows():
        windows.ATTRIBUTE = users.WINDOWS
    elif "windows" in asked:
        world.options["properties"] = [each for each in asked if each != "windows"]
    try:
        yield
    finally:
        windows.ATTRIBUTE = before


def _step(world: World, op: Op) -> None:
    if op[0] not in ("sync", "undo", "plan"):
        world.last = None
    match op:
        case ["sync", how]:
            sync(world, how)
        case ["resolve" | "put-back" | "empty" | "undo", *_, dict(how)]:
            errand(world, op, how)
        case ["plan"]:
            _plan(world)
        case ["verify", percent]:
            _verify(world, float(percent))
        case ["lose"]:
            world.meddled = True
            world.close()
            shutil.rmtree(world.state, ignore_errors=True)
            world.base = None
        case ["garble", how, number]:
            world.meddled = True
            world.base = None
            world.close()
            _garble(os.path.join(world.state, "state.db"), how, number)
        case ["keep"]:
            world.close()
            with suppress(FileNotFoundError):
                shutil.copytree(world.state, world.state + ".kept", dirs_exist_ok=True)
                world.marked = _marker(world) if world.whole else None
        case ["restore"]:
            world.meddled = True
            world.close()
            if os.path.isdir(world.state + ".kept"):
                shutil.rmtree(world.state, ignore_errors=True)
                os.rename(world.state + ".kept", world.state)
                world.base = None
                world.unknown = True
                world.dated = world.marked is not None and _marker(world) not in (world.marked, None)
        case ["set", option, value]:
            world.odd = world.odd or option == "ignore"
            if world.case.kind == "twoway" or option == "ignore":
                world.options[option] = value
                world.base = None
        case _:
            world.meddled = world.meddled or op[0] == "unmark"
            world.odd = world.odd or op[0] == "fifo"
            world.users.act(op)


def _garble(path: str, how: str, number: int) -> None:
    """Damage the state: cut it off, or change one byte somewhere."""
    with suppress(FileNotFoundError), open(path, "r+b") as stream:
        size = os.path.getsize(path)
        if how == "cut":
            stream.truncate(number % 2 * size // 2)
        else:
            stream.seek(number * 7919 % size)
            byte = stream.read(1)
            stream.seek(-1, os.SEEK_CUR)
            stream.write(bytes((byte[0] ^ (1 << number % 8),)))


def _marker(world: World) -> bytes | None:
    """What the right root says of the runs it has seen."""
    try:
        with open(os.path.join(world.users.root("right"), ".syncline", "root.json"), "rb") as stream:
            return stream.read()
    except FileNotFoundError:
        return None


def sync(world: World, how: dict[str, Any]) -> Ran:
    """Let the engine run, with what befalls it, and look at what it did."""
    gentle, apart = world.gentle, _left_apart(world)
    before, ran, gate, after = _watched(world, how, RUN)
    if not EDITS & how.keys() and not world.meddled:
        oracle.left_alone(apart, before, after)
    _remember_last(world, ran, how, before, after)
    if world.dated and ran.plan is not None and not ran.plan.first:
        raise Broken("an old copy of the state is not believed", repr(ran.plan.notes))
    world.dated = world.dated and ran.plan is None
    if world.case.kind == "mirror" and not EDITS & how.keys():
        oracle.source_untouched(before, after)
    if ran.outcome is not None and how.get("fault", ("",))[0] == "exchange" and _left_over(world):
        raise Broken("nothing left in staging", f"{_left_over(world)} after {gate.failed}")
    world.whole = ran.good
    if ran.good:
        world.begun.clear()
        world.unknown = False
        _after_good(world, ran, before, after, gentle=gentle)
    else:
        world.base = None
        if ran.plan is not None:
            world.begun |= oracle.places(ran.plan.actions)
        world.unknown = world.unknown or ran.plan is None
    return ran


def _remember_last(world: World, ran: Ran, how: dict[str, Any], before: Sight, after: Sight) -> None:
    """What an undo would have to bring back now; an undo that was cut off has been finished by a good run."""
    last, quiet = world.last, not EDITS & how.keys() and not world.meddled
    if ran.good and quiet and last is not None and last.begun:
        told = _asked(world, "SELECT document FROM run WHERE kind = 'undo' ORDER BY key DESC LIMIT 1")
        reasons = {str(row["path"]) for (document,) in told for row in json.loads(document).get("problems", ())}
        if ran.plan is not None:  # what this run did besides, to names of which the undone one knew nothing
            reasons |= {path for _, path in oracle.places(ran.plan.actions) - last.names}
        oracle.taken_back(last.before, after, last.names, reasons)
    world.last = None
    if ran.good and quiet and ran.plan is not None and ran.acts and (last is None or not last.begun):
        world.last = Last(_latest(world), before, oracle.places(ran.plan.actions))


def _undone(world: World, last: Last | None, told: Errand, ran: Ran, before: Sight, after: Sight) -> None:
    """A run that was taken back is as if it had not been, but for what is told; so is the undo, when that is undone."""
    world.last = None
    if last is not None and last.run != told.how:
        last = None
    if ran.good and ran.plan is not None:
        if last is not None:
            oracle.taken_back(last.before, after, last.names, {str(each.place.path) for each in ran.plan.problems})
        if ran.acts and not world.meddled and world.whole:  # else a run that was cut off was finished before
            world.last = Last(_latest(world), before, oracle.places(ran.plan.actions))
    elif ran.crashed and last is not None and _to_be_finished(world):
        world.last = replace(last, begun=True)


def _asked(world: World, question: str) -> list[tuple[Any, ...]]:
    """What the state answers; nothing where there is none that can be read."""
    if world.store is None and not os.path.exists(os.path.join(world.state, "state.db")):
        return []
    with suppress(SynclineError), _reading(world) as store:
        return store.all(question)
    return []


def _latest(world: World) -> str | None:
    """The run that `last` means."""
    return next((run for (run,) in _asked(world, "SELECT id FROM run ORDER BY key DESC LIMIT 1")), None)


def _to_be_finished(world: World) -> bool:
    """Whether an undo was cut off, so that the next run goes on with it."""
    return bool(_asked(world, "SELECT id FROM run WHERE kind = 'undo' AND outcome IS NULL"))


def _left_apart(world: World) -> set[str]:
    """The names that an undo left apart, and that therefore no run may touch; none while an undo must be finished, nor
    any at which an action was begun: somebody resolved them, and was cut off."""
    rows = _asked(
        world,
        "SELECT path FROM conflict WHERE open = 1 AND rule = 'undone'"
        " AND path NOT IN (SELECT path FROM action WHERE state = 'begun')",
    )
    return set() if _to_be_finished(world) else {bytes(path).decode("utf-8", "surrogateescape") for (path,) in rows}


def errand(world: World, op: Op, how: dict[str, Any]) -> None:
    """Let the engine do what a person asks for by name, with what befalls it, and look at what it did."""
    told = _chosen(world, op)
    if told is None:
        return
    world.users.ledger.destroyed |= errands.given_up(told, world.look())
    if told.verb == "undo":
        gone = world.put_back.pop(told.how, set())
        world.gone_again |= gone
        world.users.ledger.destroyed |= gone
    last, world.last = world.last, None
    before, ran, gate, after = _watched(world, how, Order(errand=told))
    if told.verb == "undo":
        _undone(world, last, told, ran, before, after)
    if world.dated and ran.plan is not None and ran.acts:
        raise Broken("an old copy of the state is not believed", repr(told))
    if ran.good and ran.outcome is Outcome.DONE and world.case.kind == "twoway":
        _put_back(world, told, ran, before, after)
    elif ran.error == "refused" and world.whole and not world.meddled and not gate.failed:
        raise Broken("what a person asks for is done", repr(ran.said))
    unfinished = _to_be_finished(world)  # the next run goes on with it, and it may have touched nothing yet
    if unfinished or before.tree("left") != after.tree("left") or before.tree("right") != after.tree("right"):
        world.base = None
    if ran.crashed or unfinished or (ran.plan is not None and not ran.good):
        actions = ran.plan.actions if ran.plan is not None else ()
        world.begun |= oracle.places(actions) | oracle.inside(actions, before)
        world.unknown = world.unknown or ran.plan is None
        world.whole = False


def _put_back(world: World, told: Errand, ran: Ran, before: Sight, after: Sight) -> None:
    """What a person put back after somebody had destroyed it is to stay, until that run is undone; and once more when
    that undo is."""
    ledger, back = world.users.ledger, errands.as_asked(told, before, after)
    if told.verb == "undo":
        back = world.gone_again & after.live("left") & after.live("right")
    world.gone_again -= back
    if ran.acts and (run := _latest(world)) is not None:
        world.put_back[run] = back & ledger.destroyed
    ledger.destroyed -= back


def _chosen(world: World, op: Op) -> Errand | None:
    """What a person asks for, from what is open and what is in the trash."""
    before = world.look()
    trash = {
        (run, path)
        for tree in (before.left, before.right)
        for where, node in tree.items()
        if where.startswith(f"{PRIVATE}/trash/") and node.kind in ("file", "link") and where.count("/") > 2
        for run, _, path in [where.removeprefix(f"{PRIVATE}/trash/").partition("/")]
    }
    if world.store is None and not os.path.isdir(world.state):
        return None
    with suppress(SynclineError), _reading(world) as store:
        jobs = [str(identity) for (identity,) in store.all("SELECT id FROM job")]
        return errands.chosen(store, jobs[0], trash, before, op) if jobs else None
    return None


@contextmanager
def _reading(world: World) -> Iterator[Store]:
    """The state, for a look."""
    store = world.store or Store.open(world.state, now=world.now, write=False)
    try:
        yield store
    finally:
        if store is not world.store:
            store.close()


def _watched(world: World, how: dict[str, Any], order: Order) -> tuple[Sight, Ran, Gate, Sight]:
    """Let the engine do something, with what befalls it, and look at what must be true at every instant."""
    before = world.look()
    ledger = world.users.ledger
    known, meanwhile = set(ledger.born), set(ledger.lately)
    ledger.lately.clear()
    gate = _gate(world, how)
    ran = world.run(world, gate, order)
    if ran.plan is not None:
        oracle.guarded(ran.plan, before)
    if order.errand is None:  # what a person asks for by name need not be seen to be gone on the other side
        if ran.plan is not None:
            oracle.unseen_kept(ran.plan, gate.failed)
        ran = _through_guards(world, gate, ran)
    ran.troubled = ran.troubled or bool(gate.failed) or bool(EDITS & how.keys())
    after = world.look()
    must = before.contents() - (before.parked() & meanwhile) | (ledger.born.keys() - known)
    if order.errand is not None and order.errand.verb == "empty":
        must -= before.trashed() - before.live("left") - before.live("right") - before.parked()
    kept = world.options.get("versions")
    if kept is not None and order.errand is None:
        must -= before.trashed() - before.live("left") - before.live("right") - before.parked()
        oracle.versions_kept(before, after, kept["keep"])
    if world.users.leapt:
        must -= before.trashed() - before.live("left") - before.live("right") - before.parked()
    oracle.nothing_lost(must - ledger.lately, after, ledger)
    ledger.lately.clear()
    oracle.nothing_torn(after, ledger)
    if ran.plan is not None and not world.meddled:
        _journalled(world, ran)
    if ran.good or (ran.crashed and not gate.failed):
        oracle.durable(ran.changes)  # a call that failed passed the gate as well, and is nothing to make durable
    if not world.unknown:
        oracle.nothing_unplanned(ran, world.begun)
    if gate.failed and not ran.crashed:
        _told(ran, gate, _left_apart(world))
    world.log.append(f"{ran.outcome} {ran.error} {ran.crashed} {[(s.where, s.kind, s.paths) for s in ran.changes]}")
    return before, ran, gate, after


def _journalled(world: World, ran: Ran) -> None:
    """What was changed stands in the journal, even when the process died right after it."""
    with _reading(world) as store:
        actions = [wire.decode_action(action) for (action,) in store.all("SELECT action FROM action")]
    known = oracle.places(actions)
    for step in ran.changes:
        if step.where == STATE or step.kind in ("flush", "lock") or not step.paths:
            continue
        for path in step.paths:
            if path.split("/")[0] != PRIVATE and (step.where, path) not in known:
                raise Broken("nothing is changed that is not in the journal", f"{step}")


def _gate(world: World, how: dict[str, Any]) -> Gate:
    gate = Gate(crash=how.get("crash"))
    if EDITS & how.keys():
        gate.edit, op = how.get("edit", (None, None))
        gate.late, op = how.get("late", (None, op))
        *gate.beside, op = how.get("beside", ("", 0, op))
        gate.edits = lambda step: world.users.intrude(op, step)
    if "fault" in how:
        gate.fault = Fault(*how["fault"])
    return gate


def _through_guards(world: World, gate: Gate, ran: Ran) -> Ran:
    """Approve what may be approved, adopt what must be adopted; in this game the user has looked."""
    order = RUN
    for _ in range(2):
        if gate.failed or not (ran.outcome is Outcome.REFUSED or ran.error == "refused"):
            return ran
        if ran.approve is None and not world.meddled:
            raise Broken("after a crash nothing is to be repaired by hand", f"{ran.said}")
        order = Order(ran.approve, order.adopt or ran.approve is None)
        world.log.append(f"refused: {ran.said}")
        passed = len(gate.changes), len(gate.reads)
        ran = world.run(world, gate, order)
        ran.changes, ran.reads = gate.changes[passed[0] :], gate.reads[passed[1] :]
    if ran.outcome is Outcome.REFUSED or ran.error == "refused":
        raise Broken("a refused run can go ahead as it says", f"{ran.said}")
    return ran


def _after_good(world: World, ran: Ran, before: Sight, after: Sight, *, gentle: bool) -> None:
    excused = reported(world)
    clean = not excused and not world.options.get("ignore")
    read = world.options.get("compare") == "hash"
    if gentle:
        oracle.no_wrong_delete(after, world.users.ledger, both=clean and read)
    if world.base is not None and clean and read and gentle and ran.plan is not None and not ran.plan.first:
        oracle.one_side_only(world.base, before, after, oracle.renamed(ran.plan.actions))
        oracle.respelled(world.base, before, after, world.users.rules)
        oracle.both_kept_once(world.base, before, after)
    world.base = after if clean and oracle.same_trees(after.tree("left"), after.tree("right")) else None


def _told(ran: Ran, gate: Gate, apart: set[str]) -> None:
    """An error that was met is told: in the outcome, as a problem or failure, or as the error of the whole run. Where
    an undo could not see whether the sides are `apart` still, that waits for the next run."""
    if ran.outcome in (Outcome.DONE, Outcome.IN_SYNC) and not ran.said:
        kinds = {step.kind for step in gate.failed}
        if kinds <= {"entry", "names"} or all(TRIED in step.paths for step in gate.failed):
            return  # a look ahead, tidying up, or a hint: what matters is asked again, and everything else was done
        if kinds <= {"open", "read", "read-link"} and all(path in apart for step in gate.failed for path in step.paths):
            return
        if gate.fault is not None and gate.fault.error == "EBUSY" and len(gate.failed) < ATTEMPTS:
            return  # what is in use for a moment is tried again
        if gate.fault is not None and gate.fault.error == "ENOENT" and kinds == {"make-directory"}:
            return  # the folders above are made, and then this one
        raise Broken("every fault is told", f"{[(s.where, s.kind, s.paths) for s in gate.failed]} -> {ran.outcome}")


def _plan(world: World) -> None:
    """A plan changes nothing, and is what the next run does."""
    world.close()
    before = world.look(), _state_files(world)
    with _desk(world, Gate(), write=False) as (desk, job), suppress(SynclineError):
        desk.plan(job, Ask(dry_run=True))
    after = world.look(), _state_files(world)
    if before != after:
        raise Broken("a plan changes nothing", f"a folder or the state differs: {before[1].keys() ^ after[1].keys()}")


def _verify(world: World, percent: float) -> None:
    """Nobody's disk rots here: whatever users and runs did, nothing is suspect; and reading changes nothing."""
    before, came = world.look(), None
    with _desk(world, Gate(), write=True) as (desk, job), suppress(SynclineError), desk.world(job) as place:
        came = [*verifying.verify(job, place, percent)][-1]
    if isinstance(came, verifying.Verification) and came.suspects:
        raise Broken("a healthy tree is not suspect", repr(came.suspects))
    if before != world.look():
        raise Broken("verifying changes nothing", "a folder differs")


def _state_files(world: World) -> dict[str, bytes]:
    """The files of the state; SQLite's index of its log holds locks and is no content."""
    return {path: b"" if path.endswith("-shm") else node.content for path, node in tree_at(world.state).items()}


def _settle(world: World) -> None:
    """With no further edits both sides come in step within two runs, and then nothing happens any more."""
    excuse = True
    for number in range(3):
        ran = sync(world, {})
        if ran.error == "StateError" and world.meddled and number == 0:
            continue  # the damage was met; what was moved aside is not met again
        if ran.outcome is Outcome.FAILED and number == 0 and _linked(world):
            continue  # the other name of a file that was moved shows another status time: looked at again
        if not ran.good:
            raise Broken("convergence", f"{ran.outcome} {ran.error} {ran.said}")
        if not ran.acts:
            break
        if number == 2 or (number == 1 and not excuse):
            raise Broken(
                "convergence", f"run {number + 1} still does {list(ran.plan.actions)[:3] if ran.plan else ran.acts}"
            )
        # what a hard link shows on one side only, and what a clash holds inside, is seen by the second run
        excuse = ran.conflicts > 0 or _linked(world)
    after = world.look()
    excused = [*reported(world), *oracle.waiting_above(_left_apart(world), after)]
    oracle.held_rightly(after, _problems(world), world.users.rules)
    quick = world.options.get("compare") == "quick"
    oracle.in_step(after, [*excused, *_ignored(world, after)], quick=quick, bare=world.odd)
    if _left_over(world):
        raise Broken("nothing left in staging", repr(_left_over(world)))
    _state_is_sound(world)
    gate = Gate()
    again = _through_guards(world, gate, world.run(world, gate, RUN))
    if excused or again.outcome is Outcome.NEEDS_ATTENTION:
        if again.acts or not again.good:
            raise Broken("convergence", f"{again.outcome} {again.error} {again.acts} actions")
    else:
        oracle.quiet(again, after, world.look(), leapt=world.users.leapt)


def _linked(world: World) -> bool:
    sight = world.look()
    for whole in (sight.left, sight.right):
        inodes = [node.inode for node in whole.values() if node.kind == "file"]
        if len(set(inodes)) < len(inodes):
            return True
    return False


def _ignored(world: World, after: Sight) -> list[str]:
    patterns = world.options.get("ignore") or []
    names = {pattern.strip("/*") for pattern in patterns}
    paths = after.tree("left").keys() | after.tree("right").keys()
    return [path for path in paths if any(part in names or part.endswith(".gz") for part in path.split("/"))] + [
        path for path in paths if any(path == name or path.startswith(name + "/") for name in names)
    ]


def _left_over(world: World) -> list[str]:
    return [name for side in ("left", "right") for name in _staged(world, side)]


def _staged(world: World, side: str) -> list[str]:
    if world.case.kind == "mirror" and side == "left":
        return []
    try:
        return os.listdir(os.path.join(world.users.root(side), ".syncline", "staging"))
    except FileNotFoundError:
        return []


def _state_is_sound(world: World) -> None:
    connection = sqlite3.connect(f"file:{world.state}/state.db?mode=ro", uri=True)
    try:
        begun = connection.execute("SELECT count(*) FROM action WHERE state = 'begun'").fetchone()
        running = connection.execute("SELECT count(*) FROM run WHERE outcome IS NULL").fetchone()
        if begun != (0,) or running != (0,):
            raise Broken("recovery is complete", f"{begun} actions begun, {running} runs unfinished")
    finally:
        connection.close()


def reported(world: World) -> list[str]:
    """The paths that the state lists: problems, and conflicts that wait for a person."""
    found = [str(problem.place.path) for problem in _problems(world)]
    with _reading(world) as store:
        for (identity,) in store.all("SELECT id FROM job"):
            open_conflicts = Conflicts(store).open_conflicts(identity)
            found += [str(known.conflict.path) for known in open_conflicts if known.conflict.kept is None]
    return found


def _problems(world: World) -> list[Problem]:
    with _reading(world) as store:
        jobs = [identity for (identity,) in store.all("SELECT id FROM job")]
        return [seen.problem for job in jobs for seen in Problems(store).of_job(job)]


# the engine in this process


def run_here(world: World, gate: Gate, order: Order) -> Ran:
    """Let the engine run in this process, until its end or its pretended death."""
    ran = Ran()
    try:
        with _desk(world, gate, write=True) as (desk, job):
            for event in _events(desk, job, order):
                _note(ran, event)
    except Crash:
        ran.crashed = True
    except Endless as error:
        raise Broken("a run comes to an end", "the same steps again and again") from error
    except RunRefused as refused:
        ran.error = "refused"
        ran.said += [objection.guard.value for objection in refused.objections if isinstance(objection, Objection)]
    except Interrupted:
        ran.error = "interrupted"
    except SynclineError as error:
        ran.error = type(error).__name__
        ran.said.append(str(error))
    ran.crashed = ran.crashed or gate.dead
    ran.troubled = bool(ran.error)
    ran.changes, ran.reads = list(gate.changes), list(gate.reads)
    return ran


def _events(desk: Desk, job: Job, order: Order) -> Iterator[Event]:
    ask = Ask(approve=order.approve)
    if order.errand is not None:
        return errands.carried_out(desk, job, ask, order.errand)
    return desk.adopt(job, ask) if order.adopt else desk.run(job, ask)


def _note(ran: Ran, event: Event) -> None:
    match event:
        case RunStarted(plan=plan):
            ran.plan = replace(plan, actions=list(plan.actions))  # also where they lie in a spool
            ran.acts, ran.conflicts = len(plan.actions), len(plan.conflicts)
            ran.approve = next((objection.approve for objection in plan.objections if objection.approve), None)
            ran.said += [problem.detail for problem in plan.problems]
            ran.said += [objection.guard.value for objection in plan.objections]
        case ActionDone():
            ran.done.append(event)
        case ActionFailed(problem=problem):
            ran.said.append(problem.detail)
        case RunFinished(outcome=outcome, warnings=warnings):
            ran.outcome = outcome
            ran.said += warnings
        case Progress():
            pass


@contextmanager
def _desk(world: World, gate: Gate, *, write: bool) -> Iterator[tuple[Desk, Job]]:
    store = world.store or Store.open(world.state, now=world.now, write=write)
    real = store.connection
    store.connection = cast(sqlite3.Connection, GatedConnection(real, gate))
    roots = {os.path.realpath(world.users.root(side.value)): side for side in SIDES}

    def opened(path: str) -> Root:
        able = world.capabilities[roots[path].value]
        root = PathRoot(path, able) if roots[path].value in world.users.rules else open_root(path, able)
        return cast(Root, GatedRoot(root, roots[path], gate))

    desk = Desk(store, write=write, now=world.now, opened=opened, token=world.token)
    sound = False
    try:
        left, right = world.users.root("left"), world.users.root("right")
        yield desk, desk.adhoc(world.case.kind, left, right, world.options, create=False)
        sound = True
    finally:
        store.connection = real
        if write and sound and not gate.dead and not gate.failed:
            world.store = store
        else:
            world.store = None
            desk.close()


def _capabilities(top: str) -> Capabilities:
    """What the file system can do; where its times are seen to move with every change, that is taken at its word."""
    known = capabilities_of(top)
    path = os.path.join(top, "trial")
    seen = set()
    for number in range(20):
        with open(path, "w") as stream:
            stream.write(str(number))
        seen.add(os.stat(path).st_ctime_ns)
    os.unlink(path)
    return replace(known, granularity_ns=1000) if len(seen) == 20 else known


__all__ = ["PathError", "Side", "World", "play", "run_here", "sync"]
