"""Objections, and the approval of a person that lets a plan go ahead all the same."""

from __future__ import annotations

from syncline.core import plan as planning
from syncline.core.model import APPROVABLE, Objection, Plan
from syncline.engine.world import Ask, World
from syncline.store.conflicts import Approvals
from syncline.store.jobs import Jobs


def unapproved(world: World, plan: Plan, ask: Ask) -> list[Objection]:
    """The objections that `--approve` does not meet: it approves the removals and replacements of one plan."""
    if ask.approve is None or not plan.objections:
        return list(plan.objections)
    approved = ask.approve == plan.id
    if not approved and world.record is not None:
        removals = Approvals(world.store).removals(ask.approve, world.record.id)
        approved = isinstance(removals, list) and set(planning.losses(plan.actions)) <= set(removals)
    return [objection for objection in plan.objections if not (approved and objection.guard in APPROVABLE)]


def remember_refusal(world: World, plan: Plan) -> None:
    """Keep what a refused plan would remove and replace, so that it can be approved. Raises: StateError."""
    if world.record is not None:
        with world.store.transaction():
            Approvals(world.store).remember(plan.id, world.record.id, list(planning.losses(plan.actions)))
            Jobs(world.store).change(world.record.id, in_sync=False)
