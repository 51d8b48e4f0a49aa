"""A row of the merge tables: two trees and their base, what becomes of them, and how that is checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from syncline.core.model import SIDES, Policy, Rule, Side
from syncline.core.names import NameRules
from syncline.core.policy import Ability
from tests.core.trees import SECOND_NS, normal, show
from tests.core.world import Round, World, rules, world

CHANGED, CREATED, PROPS = Rule.CHANGED_BOTH, Rule.CREATED_BOTH, Rule.PROPS_BOTH
HOLD, NEWEST, LEFT, RIGHT = Policy.HOLD, Policy.NEWEST, Policy.LEFT, Policy.RIGHT
FAT = Ability(mode=False, symlinks=False, granularity_ns=2 * SECOND_NS, names=NameRules(True, True, '<>:"|?*'))
NO_MODE, NO_LINKS = Ability(mode=False), Ability(symlinks=False)
OWNED = (Ability(owner=True), Ability(owner=True))
FOLDS_CASE, WINDOWS = (
    Ability(names=NameRules(fold_case=True)),
    Ability(names=NameRules(True, False, ':*?"<>|', False, True)),
)


@dataclass(frozen=True)
class Row:
    """`after` is what both sides show in the end, `after_right` what the right shows where it is something else.

    `conflicts`: `path:rule:kept`. `problems`: `L:path:reason`. `trash`: `R:a=1`, what each side's trash holds.
    """

    says: str
    base: str | None
    left: str
    right: str
    after: str
    after_right: str | None = None
    conflicts: str = ""
    problems: str = ""
    trash: str = ""
    policies: Mapping[Rule, Policy] = field(default_factory=dict)
    abilities: tuple[Ability, Ability] = (Ability(), Ability())
    quick: bool = False
    reread: bool = False
    modes: bool = True
    swap: bool = True

    def mirrored(self) -> Row:
        after = self.after if self.after_right is None else self.after_right
        return replace(
            self,
            base=None if self.base is None else _swap_base(self.base),
            left=self.right,
            right=self.left,
            after=after,
            after_right=None if self.after_right is None else self.after,
            conflicts=" ".join(sorted(_swap_word(item) for item in self.conflicts.split())),
            problems=" ".join(sorted(_swap_side(item) for item in self.problems.split())),
            trash=" ".join(sorted(_swap_side(item) for item in self.trash.split())),
            policies={rule: {LEFT: RIGHT, RIGHT: LEFT}.get(kept, kept) for rule, kept in self.policies.items()},
            abilities=(self.abilities[1], self.abilities[0]),
        )

    def world(self) -> World:
        left, right = self.abilities
        options = {"left": left, "right": right, "quick": self.quick, "reread": self.reread, "modes": self.modes}
        return world(self.base, self.left, self.right, rules(self.policies, **options))


def check(row: Row) -> None:
    made = row.world()
    done = made.run()
    left, right = row.after, row.after if row.after_right is None else row.after_right
    assert (show(made.trees[Side.LEFT]), show(made.trees[Side.RIGHT])) == (normal(left), normal(right))
    assert conflicts(done) == " ".join(sorted(row.conflicts.split()))
    assert problems(done) == sorted(row.problems.split())
    assert trash(made) == sorted(row.trash.split())
    assert made.run().actions == []
    last = made.run()
    assert last.actions == []
    if not (last.conflicts or last.problems or row.reread):
        assert not made.look().changed, "a third look has nothing left to do"


def conflicts(done: Round) -> str:
    return " ".join(sorted(f"{item.path}:{item.rule}:{item.kept}" for item in done.conflicts))


def problems(done: Round) -> list[str]:
    return sorted(f"{item.place.side[0].upper()}:{item.place.path}:{item.reason}" for item in done.problems)


def trash(made: World) -> list[str]:
    found = []
    for side in SIDES:
        held = {path: node for at, path, node in made.trash if at is side}
        found += [f"{side[0].upper()}:{token}" for token in show(held).split()]
    return sorted(found)


def _swap_side(item: str) -> str:
    return {"L": "R", "R": "L"}[item[0]] + item[1:]


def _swap_word(item: str) -> str:
    path, rule, kept = item.rsplit(":", 2)
    return f"{path}:{rule}:{ {'left': 'right', 'right': 'left'}.get(kept, kept) }"


def _swap_base(base: str) -> str:
    tokens = []
    for token in base.split():
        head, _, flags = token.partition("!")
        if "|" in head:
            path, _, contents = head.partition("=")
            head = f"{path}={'|'.join(reversed(contents.split('|')))}"
        tokens.append(head + (f"!{flags.translate(str.maketrans('lr', 'rl'))}" if flags else ""))
    return " ".join(tokens)
