"""Drawing an undo up: the actions that do what was decided, in their order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from syncline.core import access, guard, names, policy
from syncline.core.model import (
    SIDES,
    Action,
    Because,
    Entry,
    Kind,
    MakeDirectory,
    Objection,
    Place,
    Problem,
    PutFile,
    PutLink,
    Reason,
    RelPath,
    Rename,
    SetProperties,
    Why,
)
from syncline.core.undo import BringBack, Inverse, Nothing, Reset, Stays, TakeAway
from syncline.engine.errand import Errand
from syncline.engine.look import accessible
from syncline.engine.undo.decision import Decision
from syncline.engine.undo.sides import Sides
from syncline.engine.undo.sight import Then, by_path, leave_nothing
from syncline.errors import PathError


class Drawing:
    """An undo while it is drawn up from a decision. `asked`: whether a guard may still object."""

    def __init__(self, decision: Decision, *, asked: bool) -> None:
        self.decision, self.asked = decision, asked
        self.ground, self.eyes, self.leaving = decision.ground, decision.eyes, decision.leaving
        self.steps, self.stays = decision.steps, list(decision.stays)
        self.then: dict[Place, Then] = {}
        self.first: list[Action] = []
        self.back: list[tuple[int, Rename]] = []
        self.makes: list[Action] = []
        self.puts: list[Action] = []
        self.removals: list[Action] = []
        self.modes: list[Action] = []

    def errand(self) -> Errand:
        """All of it."""
        self.first += sorted(self.decision.leaving_first.removals({}, {}), key=_deepest)
        self._rename()
        self.removals += self.leaving.removals(self.then, self.decision.groups)
        self.removals.sort(key=_deepest)
        for place in sorted(self.steps, key=self._new_first):
            self._bring_back(self.steps[place])
        for stays in self.decision.late.values():
            self._bring_back(stays)
        return self._drawn()

    def _new_first(self, place: Place) -> tuple[str, bool, tuple[str, str]]:
        """By path, but of what belongs together first what is new: so no version is replaced whose copy fails."""
        step = self.steps[place]
        replaces = isinstance(step, BringBack) and step.present is not None
        return self.decision.groups.get(place, place.path), replaces, by_path(place)

    def _rename(self) -> None:
        """The renames back, the last one first, and what stands where after them."""
        gone: list[Place] = []
        decision, trail = self.decision, self.decision.trail
        for number in sorted(decision.renames, reverse=True):
            rename, step = trail.renames[number], decision.renames[number]
            side, at, to = rename.at.side, rename.at, Place(rename.at.side, rename.to)
            because = Because(Why.UNDO, to, step.present)
            back = Rename(to, at.path, step.present, because, rename.group, step.over, step.over is not None)
            self.back.append((number, back))
            here = decision.now(to, number + 1)
            self.then[trail.start_of(at, number)[0]] = Then(step.present, here, moved=True)
            if step.over is not None:
                self.then[trail.start_of(to, number)[0]] = Then(step.over, decision.now(at, number + 1), moved=True)
            if not self.eyes.one_name(at, to):  # another spelling is the same name, and not free
                gone += [here, Place(side, trail.start_of(to, number)[0].path)]
        for place in gone:
            if place not in self.then and self.eyes.actual(place) is None:
                self.then[place] = Then(None, place)

    def _bring_back(self, step: Inverse) -> None:
        match step:
            case Stays(at, reason, detail):
                self.stays.append(Problem(at, reason, detail))
            case Reset(at, present, entry, values):
                action = SetProperties(at, present, Because(Why.UNDO, at, present), entry, values=values)
                (self.modes if entry.kind is Kind.DIRECTORY else self.puts).append(action)
                self.then[at] = Then(entry, self.eyes.actual(at) or at)
            case BringBack():
                self._put(step)
            case Nothing() | TakeAway():
                pass

    def _put(self, step: BringBack) -> None:
        at, present, because = step.at, step.present, Because(Why.UNDO, step.at, step.present)
        group = self.decision.groups.get(at, at.path if step.aside or step.replaces_folder else None)
        if step.replaces_folder and present is not None:
            removal = self.leaving.removal(at, present, group)
            if removal is None:
                return self._bring_back(self.steps[at])
            within = [each for each in self.removals if each.at.side is at.side and _is_below(each.at.path, at.path)]
            self.removals = [each for each in self.removals if each not in within]
            self.puts += [*within, removal]
            present = None
        try:
            inside = (
                list(self.ground.tree(step.kept, leave_nothing)) if step.kept is not None and step.is_folder else []
            )
        except PathError as error:
            self.steps[at] = stays = Stays(at, Reason(error.reason), error.detail)
            return self._bring_back(stays)
        self._made(at, present, because, step.entry, step.kept, step.copy, group, step.values)
        for relative, entry in inside:
            assert step.kept is not None
            place = Place(at.side, names.join(at.path, relative))
            if self._decided_below(at, place):
                continue
            kept = Place(step.kept.side, names.join(step.kept.path, relative))
            there = self.decision.entry(place) if step.keeps_folder else None
            if there is None or (there.kind is entry.kind is Kind.DIRECTORY):
                self._made(place, there, Because(Why.UNDO, place, there), entry, kept, entry, None)
            else:
                self.then[place] = Then(there, self.eyes.actual(place) or place)
        if step.aside and step.kept is not None and step.copy is not None:
            kept, copy = step.kept, step.copy
            removal = self.leaving.removal(kept, copy, group)
            if removal is not None:
                # only once its version stands at its own name again
                reason = Because(Why.UNDO, at, step.present if step.keeps_folder else step.entry)
                (self.removals if step.is_folder else self.puts).append(replace(removal, because=reason))
                self.then[kept] = Then(None, kept)

    def _decided_below(self, top: Place, place: Place) -> bool:
        """Whether something else than that it comes back with a folder was decided of a place in it, or above it."""
        below = [place.path, *(each for each in names.ancestors(place.path) if _is_below(each, top.path))]
        return any(isinstance(self.steps.get(Place(top.side, each)), BringBack | Stays) for each in below)

    def _made(
        self,
        at: Place,
        present: Entry | None,
        because: Because,
        entry: Entry,
        kept: Place | None,
        copy: Entry | None,
        group: RelPath | None,
        values: bytes | None = None,
    ) -> None:
        self.then[at] = Then(entry, self.eyes.actual(kept or at) or at)
        match entry.kind:
            case Kind.DIRECTORY:
                there = present is not None and present.kind is Kind.DIRECTORY
                if not there:
                    self.makes.append(MakeDirectory(at, present, because, entry, None, group, kept, values))
                differs = present is not None and not policy.same_properties(present, entry)
                if entry.mode & 0o700 != 0o700 or (there and differs):
                    self.modes.append(SetProperties(at, None, because, entry, group))
            case Kind.LINK:
                assert kept is not None
                self.puts.append(PutLink(at, present, because, entry, kept, None, group))
            case _:
                assert kept is not None and copy is not None
                self.puts.append(PutFile(at, present, because, entry, kept, copy, None, group))

    def _drawn(self) -> Errand:
        self.makes.sort(key=lambda action: (action.at.path.count("/"), action.at.path, action.at.side))
        self.modes.sort(key=_deepest)
        actions = self._opened()
        stayed = {place.path for place, step in self.steps.items() if isinstance(step, Stays)}
        sides = Sides(self.decision, self.then, stayed)
        sides.tell_apart(place for place, step in self.steps.items() if isinstance(step, Nothing))
        return Errand(
            actions=actions,
            conflicts=sides.apart,
            stays=self.stays,
            touched=sides.together,
            guarded=lambda plan: self._objections(actions, plan) if self.asked else [],
            begun=sides.open,
            closing=sides.close,
        )

    def _opened(self) -> list[Action]:
        """All actions in their order: what frees the earlier names, the renames, and all else. A folder that is made
        again for what a rename brings into it is made just before that."""
        makes = {action.at: action for action in self.makes if isinstance(action, MakeDirectory)}
        first, moved = list(self.first), set[Place]()
        for number, rename in self.back:
            side = rename.at.side
            for path in reversed(names.ancestors(rename.to)):
                found = self.decision.start(Place(side, path), number)
                make = makes.pop(found, None)
                if make is not None:
                    moved.add(found)
                    at = Place(side, path)
                    first.append(replace(make, at=at, because=replace(make.because, place=at)))
            first.append(rename)
        rest = [*(each for each in self.makes if each.at not in moved), *self.puts, *self.removals, *self.modes]
        early = [(action, self.decision.trail.end) for action in self.first]
        parents = access.parents(rest) | {
            self.decision.start(place, moment)
            for action, moment in [*early, *((rename, number) for number, rename in self.back)]
            for place in access.parents([action])
        }
        return list(accessible(self.decision.world, rest, self.eyes.actual, parents - moved, first))

    def _objections(self, actions: Sequence[Action], plan: str) -> list[Objection]:
        job, roots = self.ground.job, self.ground.roots
        files, size = self.ground.base.totals()
        space = {side: roots[side].space() for side in job.kind.written()}
        return guard.objections(
            actions,
            plan,
            guard.Situation(
                job=job.name,
                names={side: job.kind.root_name(side) for side in SIDES},
                roots={side: roots[side].path for side in SIDES},
                remembered_files=files,
                remembered_bytes=size,
                changed=dict.fromkeys(SIDES, 0),
                free_bytes={side: space[side].free_bytes if side in space else None for side in SIDES},
                free_inodes={side: space[side].free_inodes if side in space else None for side in SIDES},
                mirror=False,
                first=False,
                source_empty=False,
                target_empty=False,
                limits=job.settings.limits,
                command=f"syncline undo {self.decision.run}",
            ),
        )


def _is_below(path: RelPath, above: RelPath) -> bool:
    return path.startswith(f"{above}/")


def _deepest(action: Action) -> tuple[int, str, str]:
    return -action.at.path.count("/"), action.at.path, action.at.side
