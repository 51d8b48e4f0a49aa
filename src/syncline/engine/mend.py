"""Before anything new is begun: what a cut-off run left begun is finished, and its leftovers are cleared away."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from syncline.core.model import SIDES, Event, Outcome, RelPath, RunFinished, Side
from syncline.core.names import folding
from syncline.engine.world import World
from syncline.fs.locking import STAGING
from syncline.jobs.kind import Job
from syncline.store.jobs import Jobs
from syncline.store.journal import Journal
from syncline.store.runs import Run, Runs


@dataclass(frozen=True, slots=True)
class Mended:
    """What was found: places whose content is in doubt, and undos that were cut off and are to be gone on with."""

    suspects: frozenset[tuple[Side, RelPath]] = frozenset()
    undos: tuple[Run, ...] = ()


@dataclass(frozen=True, slots=True)
class Besides:
    """What was done besides a run, and what of that could not be: a sentence each."""

    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def mend(job: Job, world: World) -> Mended:
    """Finish what an interrupted run left begun, and clear the staging directories of the locked roots. Runs that were
    cut off are given an outcome, but for undos: `close` them once they are finished.

    Raises: PathError, RootLost, StateError.
    """
    store, journal, mended = world.store, Journal(world.store), Mended()
    if world.record is not None:
        suspects: set[tuple[Side, RelPath]] = set()
        if journal.unfinished(world.record.id):
            from syncline.execute.recover import recover  # here, for few runs need all that it loads

            fold = folding(*(world.roots[side].capabilities.names for side in SIDES))
            suspects = recover(world.roots, store, journal, world.record.id, fold).suspects
        cut_off = Runs(store).unfinished(world.record.id)
        for run in cut_off:
            give_modes_back(world, run.id)
        undos = tuple(run for run in cut_off if run.undoes is not None)
        close(world, [run for run in cut_off if run.undoes is None])
        mended = Mended(frozenset(suspects), undos)
    others = [run.id for each in Jobs(store).all() if each.id != job.id for run in Runs(store).unfinished(each.id)]
    for side in job.kind.written():
        if world.roots[side].names(STAGING):
            from syncline.execute.recover import clear_staging

            clear_staging(world.roots[side], world.run_id(), others)
    return mended


def give_modes_back(world: World, run: str) -> None:
    """See to the directories that a run opened, where it may not have come to the end. Raises: as `close_again`."""
    from syncline.execute.recover import close_again

    close_again(world.roots, Journal(world.store), run)


def close(world: World, cut_off: Iterable[Run]) -> None:
    """Give runs that a crash cut off an outcome. Raises: StateError."""
    runs, cut_off = Runs(world.store), list(cut_off)
    if cut_off:
        with world.store.transaction():
            for run in cut_off:
                note = "cut off; what it had begun was settled later"
                runs.finish(run.id, Outcome.INTERRUPTED, 0.0, note=note, document=run.document)


def told_of(event: Event, before: Besides) -> Event:
    """The end of a run, with what was and was not done before it was begun; any other event as it is."""
    if not isinstance(event, RunFinished):
        return event
    return replace(event, notes=(*before.notes, *event.notes), warnings=(*before.warnings, *event.warnings))
