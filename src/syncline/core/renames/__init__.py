"""Carrying renames across: where everything belongs in the end, and both trees as they will be once it is there.

What `pairing` found on each side is settled name by name (base, left and right each have a place for it), and the trees
are rearranged: every remembered name, and what stands on either side, is shown where it will be after the renames. The
merge then sees nothing but content and properties. A rename whose place is not free on the other side, or that cannot
be done in any order, is not carried: there the name counts as deleted and made anew, which keeps every version as well.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from syncline.core import names
from syncline.core.model import SIDES, Kind, Side
from syncline.core.pairing import Differing, Sight, Thing, anything_missing, sight
from syncline.core.policy import Extras, Rules
from syncline.core.renames.arranged import Arranged
from syncline.core.renames.followed import Followed
from syncline.core.renames.homes import Homes
from syncline.core.renames.order import Order
from syncline.core.trees import Contents, Looked

__all__ = ["Followed", "follow"]


def follow(
    looked: Looked,
    rules: Rules,
    contents: Contents,
    held: Collection[Thing] = frozenset(),
    uncarried: Collection[Thing] = frozenset(),
) -> Followed | None:
    """What both sides moved since they agreed, carried across; None when nothing was moved.

    `contents` by where they stand now. `held`: things that are to be left where they are on both sides. `uncarried`:
    things whose renames count as deleted and made anew.
    """
    if not anything_missing(looked, rules):
        return None
    differing, complete = Differing(looked, rules), False
    single = set(uncarried)
    while True:
        sights = {side: sight(differing, side, contents, single) for side in SIDES}
        moved = sights[Side.LEFT].moved | sights[Side.RIGHT].moved
        if not complete and any(differing.base(index)[key].left.kind is Kind.DIRECTORY for index, key in moved):
            differing, complete = Differing(looked, rules, complete=True), True  # what is below goes elsewhere, too
            continue
        needs = {**sights[Side.LEFT].needs, **sights[Side.RIGHT].needs}
        if not moved and not needs:
            return None
        if needs:
            return Followed(looked, rules.fold(), needs=needs)
        alone = {thing for thing in moved if not all(_movable(differing, sights[side], thing) for side in SIDES)}
        if rules.extras is Extras.KEEP:
            alone |= sights[Side.RIGHT].moved - sights[Side.LEFT].moved
        alone |= _left_apart(differing, sights, moved)
        if not alone:
            homes = Homes(differing, sights, moved, {*moved.intersection(held), *_rotten(differing, moved)})
            arranged = Arranged(homes)
            order = None if arranged.blocked else Order(homes, arranged)
            alone = arranged.blocked if order is None else order.stuck
            if order is not None and not alone:
                return _drawn(looked, homes, arranged, order)
        single |= alone


def _drawn(looked: Looked, homes: Homes, arranged: Arranged, order: Order) -> Followed:
    followed = Followed(
        looked,
        homes.all.fold,
        renames=order.renames,
        conflicts=homes.conflicts,
        problems=homes.problems,
        things=order.things,
        stood=order.stood,
    )
    arranged.draw(followed, order.reached)
    return followed


def _rotten(differing: Differing, moved: Collection[Thing]) -> set[Thing]:
    """Moved things whose bytes nobody wrote: they are held wherever they go, until a person decides."""
    if not differing.rules.rotten:
        return set()
    paths = {thing: [(side, differing.base_path(side, thing)) for side in SIDES] for thing in moved}
    return {thing for thing, places in paths.items() if differing.rules.rotten.intersection(places)}


def _left_apart(differing: Differing, sights: Mapping[Side, Sight], moved: Collection[Thing]) -> set[Thing]:
    """Moved things at or below names that an undo left apart, which are left alone under whatever name; and folders
    around such names, for these keep their place. The rest of what is in such a folder goes along, name by name."""
    undone, fold = differing.rules.undone, differing.fold
    if not undone:
        return set()
    around = {fold(above) for conflict in undone.values() for above in names.ancestors(conflict.path)}
    found = set()
    for thing in moved:
        paths = [differing.base_path(side, thing) for side in SIDES]
        paths += [differing.path(side, sights[side].place[thing]) for side in SIDES if thing in sights[side].place]
        below = any(fold(each) in undone for path in paths for each in (path, *names.ancestors(path)))
        if below or any(fold(path) in around for path in paths):
            found.add(thing)
    return found


def _movable(differing: Differing, seen: Sight, thing: Thing) -> bool:
    """Whether a side has a thing, and could see into it where it is a directory."""
    return thing in seen.place and differing.below[thing[0]].get(thing[1]) not in seen.unseen
