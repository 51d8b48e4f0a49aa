"""Playing a case: users act, the engine runs behind a gate, and the oracle looks after every step."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import suppress
from dataclasses import replace
from hashlib import blake2b
from typing import Any

from syncline.core import wire
from syncline.core.model import (
    SIDES,
    Outcome,
)
from syncline.core.names import folding
from syncline.engine import Ask
from syncline.engine import verify as verifying
from syncline.errors import SynclineError
from syncline.execute.transfer import ATTEMPTS, STAGING
from syncline.fs.tried import PATH as TRIED
from syncline.torture import errands, oracle
from syncline.torture.case import Case, Op
from syncline.torture.errands import Errand
from syncline.torture.gate import STATE, Fault, Gate
from syncline.torture.inside import as_on_windows, capabilities_at, desk_of, in_batches, run_here
from syncline.torture.oracle import Broken, Ran, Sight
from syncline.torture.users import PRIVATE, Users, tree_at
from syncline.torture.world import (
    RUN,
    Last,
    Order,
    Run,
    World,
    asked,
    latest,
    left_apart,
    left_over,
    marker,
    problems,
    reading,
    reported,
    state_files,
    state_is_sound,
    to_be_finished,
)

EDITS = {"edit", "late", "beside"}
"""The ways in which a user may edit during a run."""


def play(case: Case, top: str, run: Run | None = None, *, keep: bool = False) -> str:
    """Play a case in a new folder `top`; a digest of all that passed the gate.

    Raises: Broken.
    """
    top = os.path.realpath(top)
    os.makedirs(top)
    strong = capabilities_at(top)
    able = {side.value: replace(strong, **case.lacking(side.value)) for side in SIDES}
    rules = {side: each.names for side, each in able.items() if each.names != strong.names}
    world = World(Users(top, rules), case, run or run_here, os.path.join(top, "state"), dict(case.options), able)
    if any(each.fold_case or each.fold_unicode for each in rules.values()):
        world.key = folding(*(able[side.value].names for side in SIDES))
    try:
        outside = tree_at(world.users.outside)
        with in_batches(case.batch), as_on_windows(world):
            for op in case.ops:
                _step(world, op)
            _settle(world)
        oracle.outside_untouched(outside, tree_at(world.users.outside))
        return blake2b("\n".join(world.log).encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()
    finally:
        world.close()
        if not keep:
            shutil.rmtree(top, ignore_errors=True)


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
                world.marked = marker(world) if world.whole else None
        case ["restore"]:
            world.meddled = True
            world.close()
            if os.path.isdir(world.state + ".kept"):
                shutil.rmtree(world.state, ignore_errors=True)
                os.rename(world.state + ".kept", world.state)
                world.base = None
                world.unknown = True
                world.dated = world.marked is not None and marker(world) not in (world.marked, None)
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


def sync(world: World, how: dict[str, Any]) -> Ran:
    """Let the engine run, with what befalls it, and look at what it did."""
    gentle, apart, cut_off = world.gentle, left_apart(world), _cut_off(world)
    before, ran, gate, after = _watched(world, how, RUN)
    if not EDITS & how.keys() and not world.meddled:
        oracle.left_alone(apart, before, after)
    _remember_last(world, ran, how, before, after)
    if world.last is not None:
        finished = frozenset(path for _, path in cut_off)
        world.last = replace(world.last, names=world.last.names - cut_off, finished=finished)
    if world.dated and ran.plan is not None and not ran.plan.first:
        raise Broken("an old copy of the state is not believed", repr(ran.plan.notes))
    world.dated = world.dated and ran.plan is None
    if world.case.kind == "mirror" and not EDITS & how.keys():
        oracle.source_untouched(before, after)
    if ran.outcome is not None and how.get("fault", ("",))[0] == "exchange" and left_over(world):
        raise Broken("nothing left in staging", f"{left_over(world)} after {gate.failed}")
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


def _cut_off(world: World) -> set[tuple[str, str]]:
    """The places of what a run that was cut off had begun: the next run finishes it, and it is not that one's own."""
    begun = asked(world, "SELECT action FROM action WHERE state = 'begun'")
    with suppress(wire.Unreadable):
        return oracle.places([wire.decode_action(action) for (action,) in begun])
    return set()


def _remember_last(world: World, ran: Ran, how: dict[str, Any], before: Sight, after: Sight) -> None:
    """What an undo would have to bring back now; an undo that was cut off has been finished by a good run."""
    last, quiet = world.last, not EDITS & how.keys() and not world.meddled
    if ran.good and quiet and last is not None and last.begun:
        told = asked(world, "SELECT document FROM run WHERE kind = 'undo' ORDER BY key DESC LIMIT 1")
        reasons = {str(row["path"]) for (document,) in told for row in json.loads(document).get("problems", ())}
        reasons |= last.finished
        if ran.plan is not None:  # what this run did besides, to names of which the undone one knew nothing
            reasons |= {path for _, path in oracle.places(ran.plan.actions) - last.names}
        oracle.taken_back(last.before, after, last.names, reasons)
    world.last = None
    if ran.good and quiet and ran.plan is not None and ran.acts and (last is None or not last.begun):
        world.last = Last(latest(world), before, oracle.places(ran.plan.actions))


def _undone(world: World, last: Last | None, told: Errand, ran: Ran, before: Sight, after: Sight) -> None:
    """A run that was taken back is as if it had not been, but for what is told; so is the undo, when that is undone."""
    world.last = None
    if last is not None and last.run != told.how:
        last = None
    if ran.good and ran.plan is not None:
        if last is not None:
            reasons = {str(each.place.path) for each in ran.plan.problems}
            oracle.taken_back(last.before, after, last.names, reasons | last.finished)
        if ran.acts and not world.meddled and world.whole:  # else a run that was cut off was finished before
            world.last = Last(latest(world), before, oracle.places(ran.plan.actions))
    elif ran.crashed and last is not None and to_be_finished(world):
        world.last = replace(last, begun=True)


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
    unfinished = to_be_finished(world)  # the next run goes on with it, and it may have touched nothing yet
    touched = any(before.tree(side) != after.tree(side) for side in ("left", "right"))
    if unfinished or ran.crashed or touched:  # what it had begun may be done by the next run
        world.base = None
    if ran.crashed or unfinished or (ran.plan is not None and not ran.good):
        actions = ran.plan.actions if ran.plan is not None else ()
        world.begun |= oracle.places(actions) | oracle.inside(actions, before)
        if unfinished and told.verb == "undo":
            world.begun |= _taken_back(world, told.how, before)
        world.unknown = world.unknown or ran.plan is None
        world.whole = False


def _taken_back(world: World, run: str, before: Sight) -> set[tuple[str, str]]:
    """Every name that a run changed, with all that it took away: whoever goes on with its undo may find a name as the
    run left it that was otherwise when the undo was shown."""
    known = asked(world, "SELECT run.id, action.action FROM action JOIN run ON run.key = action.run")
    trash, changed = f"{PRIVATE}/trash/{run}/", set[tuple[str, str]]()
    with suppress(wire.Unreadable):
        changed = oracle.places(wire.decode_action(action) for each, action in known if each == run)
    return changed | {
        (side, where.removeprefix(trash))
        for side, whole in (("left", before.left), ("right", before.right))
        for where in whole
        if where.startswith(trash)
    }


def _put_back(world: World, told: Errand, ran: Ran, before: Sight, after: Sight) -> None:
    """What a person put back after somebody had destroyed it is to stay, until that run is undone; and once more when
    that undo is."""
    ledger, back = world.users.ledger, errands.as_asked(told, before, after)
    if told.verb == "undo":
        back = world.gone_again & after.live("left") & after.live("right")
    world.gone_again -= back
    if ran.acts and (run := latest(world)) is not None:
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
    with suppress(SynclineError), reading(world) as store:
        jobs = [str(identity) for (identity,) in store.all("SELECT id FROM job")]
        return errands.chosen(store, jobs[0], trash, before, op) if jobs else None
    return None


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
    ledger.lately = meanwhile & before.parked() & after.parked()  # copies of what a user removed since may still go
    oracle.nothing_torn(after, ledger)
    if ran.plan is not None and not world.meddled:
        _journalled(world, ran)
    if ran.good or (ran.crashed and not gate.failed):
        oracle.durable(ran.changes)  # a call that failed passed the gate as well, and is nothing to make durable
    if not world.unknown:
        oracle.nothing_unplanned(ran, world.begun)
    if gate.failed and not ran.crashed:
        _told(ran, gate, left_apart(world), latest(world))
    world.log.append(f"{ran.outcome} {ran.error} {ran.crashed} {[(s.where, s.kind, s.paths) for s in ran.changes]}")
    return before, ran, gate, after


def _journalled(world: World, ran: Ran) -> None:
    """What was changed stands in the journal, even when the process died right after it."""
    with reading(world) as store:
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


def _told(ran: Ran, gate: Gate, apart: set[str], run: str | None) -> None:
    """An error that was met is told: in the outcome, as a problem or failure, or as the error of the whole run. Where
    an undo could not see whether the sides are `apart` still, that waits for the next run; and what recovery could not
    finish of a run before this `run` is planned anew."""
    if ran.outcome in (Outcome.DONE, Outcome.IN_SYNC) and not ran.said:
        kinds = {step.kind for step in gate.failed}
        if kinds <= {"entry", "names"} or all(TRIED in step.paths for step in gate.failed):
            return  # a look ahead, tidying up, or a hint: what matters is asked again, and everything else was done
        if kinds <= {"open", "read", "read-link"} and all(path in apart for step in gate.failed for path in step.paths):
            return
        if all(any(_is_of_another(path, run) for path in step.paths) for step in gate.failed):
            return
        if gate.fault is not None and gate.fault.error == "EBUSY" and len(gate.failed) < ATTEMPTS:
            return  # what is in use for a moment is tried again
        if gate.fault is not None and gate.fault.error == "ENOENT" and kinds == {"make-directory"}:
            return  # the folders above are made, and then this one
        raise Broken("every fault is told", f"{[(s.where, s.kind, s.paths) for s in gate.failed]} -> {ran.outcome}")


def _is_of_another(path: str, run: str | None) -> bool:
    """Whether a path in staging was named by another run."""
    return path.startswith(f"{STAGING}/") and run is not None and run not in path


def _plan(world: World) -> None:
    """A plan changes nothing, and is what the next run does."""
    world.close()
    before = world.look(), state_files(world)
    with desk_of(world, Gate(), write=False) as (desk, job), suppress(SynclineError):
        desk.plan(job, Ask(dry_run=True))
    after = world.look(), state_files(world)
    if before != after:
        raise Broken("a plan changes nothing", f"a folder or the state differs: {before[1].keys() ^ after[1].keys()}")


def _verify(world: World, percent: float) -> None:
    """Nobody's disk rots here: whatever users and runs did, nothing is suspect; and reading changes nothing."""
    before, came = world.look(), None
    with desk_of(world, Gate(), write=True) as (desk, job), suppress(SynclineError), desk.world(job) as place:
        came = [*verifying.verify(job, place, percent)][-1]
    if isinstance(came, verifying.Verification) and came.suspects:
        raise Broken("a healthy tree is not suspect", repr(came.suspects))
    if before != world.look():
        raise Broken("verifying changes nothing", "a folder differs")


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
    excused = [*reported(world), *oracle.waiting_above(left_apart(world), after)]
    oracle.held_rightly(after, problems(world), world.users.rules)
    quick = world.options.get("compare") == "quick"
    oracle.in_step(after, [*excused, *_ignored(world, after)], quick=quick, bare=world.odd)
    if left_over(world):
        raise Broken("nothing left in staging", repr(left_over(world)))
    state_is_sound(world)
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
