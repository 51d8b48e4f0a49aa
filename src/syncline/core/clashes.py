"""How two different versions under one name are settled: by policy, and with a clash name where both are kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from syncline.core import names, policy
from syncline.core.draft import Draft, Name, carried
from syncline.core.model import SIDES, Conflict, Hold, Kept, Kind, MergeWith, Policy, Rule, Side, Want, Why
from syncline.core.trees import Fate, Merged, Merging


def settle(draft: Draft, merged: Merged, name: Name, rule: Rule) -> Fate:
    """Settle two different versions of one name by the policy of `rule`; both of them are files or links."""
    chosen = draft.policy(name, rule)
    side = policy.winner(chosen, name.there(Side.LEFT), name.there(Side.RIGHT), draft.rules)
    if side is None:
        return held(draft, merged, name, rule)
    by = draft.merger(name, rule)
    if by is not None:
        return merge_with(draft, merged, name, rule, by, side)
    if chosen is Policy.KEEP_BOTH:
        return keep_both(draft, merged, name, rule, chosen, side)
    entry = carried(draft.rules, side, name.there(side), name.there(side.other))
    draft.put(name, side, entry, name.because(side, Why.CONFLICT))
    note(draft, name, rule, chosen, side)
    return draft.agree(merged, name, name.there(side).content)


def keep_both(draft: Draft, merged: Merged, name: Name, rule: Rule, chosen: Policy, winner: Side) -> Fate:
    """Give `winner` the name on both sides, and the other version a clash name on both sides."""
    loser = winner.other
    clash = free_name(draft, merged, name, loser)
    spread(draft, merged, name, loser, clash)
    entry = carried(draft.rules, winner, name.there(winner), name.there(loser))
    aside = names.join(name.at.path(loser), clash)
    draft.put(name, winner, entry, name.because(winner, Why.CONFLICT), aside, name.left_path)
    note(draft, name, rule, chosen, winner, clash)
    return draft.agree(merged, name, name.there(winner).content)


def merge_with(draft: Draft, merged: Merged, name: Name, rule: Rule, by: MergeWith, newer: Side) -> Fate:
    """Want on both sides what a program makes of the two versions. Until it ran, its size is taken for that of the
    larger one, its time and mode for those of the newer one."""
    size = max(name.there(side).size for side in SIDES)
    for side in SIDES:
        entry = name.there(side) if side is newer else carried(draft.rules, newer, name.there(newer), name.there(side))
        wanted = replace(entry, size=size, content=None)
        source = name.place(side.other)
        draft.want(name, side, Want(wanted, name.because(side.other, Why.CONFLICT), source, group=name.left_path))
    places = {side: name.place(side) for side in SIDES}
    entries = {side: name.there(side) for side in SIDES}
    draft.wanted.merges[name.left_path] = Merging(places, entries, name.before(Kind.FILE), by)
    draft.wanted.conflicts.append(
        Conflict(name.left_path, rule, Policy.MERGE, Kept.MERGED, name.left, name.right, name.base, command=by.command)
    )
    return draft.agree(merged, name, None)


def spread(draft: Draft, merged: Merged, name: Name, loser: Side, clash: str) -> None:
    """Bring the version that loses its name to the other side, under its clash name. On its own side it gets that
    name by the act that replaces it (`Want.aside`)."""
    entry = name.there(loser)
    path = names.join(name.at.path(loser.other), clash)
    wanted = Want(
        carried(draft.rules, loser, entry, None),
        name.because(loser, Why.CONFLICT),
        source=name.place(loser),
        group=name.left_path,
    )
    draft.wanted.wants[loser.other][path] = wanted
    draft.see(name)
    merged.contents[draft.fold(clash)] = entry.content


def held(draft: Draft, merged: Merged, name: Name, rule: Rule) -> Fate:
    """List a conflict that waits for a person, and leave the name alone until then."""
    draft.wanted.conflicts.append(
        Conflict(name.left_path, rule, Policy.HOLD, None, name.left, name.right, name.base),
    )
    return draft.hold(merged, name, Hold.WAITING)


def note(draft: Draft, name: Name, rule: Rule, chosen: Policy, winner: Side, clash: str | None = None) -> None:
    """List a conflict that was settled for `winner`; the other version got the name `clash`, if there is one."""
    draft.wanted.conflicts.append(
        Conflict(
            name.left_path,
            rule,
            chosen,
            Kept(winner.value),
            name.left,
            name.right,
            name.base,
            None if clash is None else names.join(name.at.left_path, clash),
            None if clash is None else winner.other,
        )
    )


def free_name(draft: Draft, merged: Merged, name: Name, loser: Side) -> str:
    """A clash name that is free on both sides, for the version that loses its own."""
    if not merged.taken:
        for side in SIDES:
            look = name.at.whole(side)
            if isinstance(look, Mapping):
                merged.taken.update(map(draft.fold, look))
    longest = min(draft.rules.left.names.max_bytes, draft.rules.right.names.max_bytes)
    spelled = names.clash_name(
        names.basename(name.path(loser)),
        draft.rules.minute,
        lambda candidate: draft.fold(candidate) in merged.taken,
        longest,
    )
    merged.taken.add(draft.fold(spelled))
    return spelled
