"""What an undo takes away: which folders go to the trash in one piece, and what goes piece by piece."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from syncline.core import names
from syncline.core.model import Because, Entry, Kind, Place, Reason, RelPath, Remove, Trash, Why
from syncline.core.undo import BringBack, Inverse, Stays, TakeAway
from syncline.engine.ground import Ground
from syncline.engine.undo.sight import Eyes, Then, by_path, leave_nothing
from syncline.errors import PathError
from syncline.execute import transfer


class Leaving:
    """What goes to the trash in one piece, and what piece by piece. `renamed`: what a rename takes out of it before."""

    def __init__(self, ground: Ground, eyes: Eyes, steps: dict[Place, Inverse], renamed: Collection[Place]) -> None:
        self.ground, self.eyes, self.steps, self.renamed = ground, eyes, steps, frozenset(renamed)
        self._whole: dict[Place, bool] = {}
        self._above = {Place(each.side, above) for each in renamed for above in names.ancestors(each.path)}

    def whole(self, place: Place) -> bool:
        """Whether all that stands in a directory goes."""
        if place not in self._whole:
            now = self.eyes.actual(place) or place
            self._whole[place] = all(
                Place(now.side, names.join(now.path, name)) in self.renamed
                or self.goes(Place(place.side, names.join(place.path, name)))
                for name in self.eyes.names(place)
            )
        return self._whole[place]

    def goes(self, place: Place) -> bool:
        """Whether a name is free once all that goes has gone."""
        if self.eyes.actual(place) in self.renamed:
            return True
        step = self.steps.get(place)
        if not isinstance(step, TakeAway):
            return False
        return step.present.kind is not Kind.DIRECTORY or self.whole(place)

    def apart(self, place: Place) -> bool:
        """Whether a rename takes something out of a directory."""
        return self.eyes.actual(place) in self._above

    def removals(self, then: dict[Place, Then], groups: Mapping[Place, RelPath]) -> Iterator[Trash | Remove]:
        """Directories of which all goes are moved to the trash in one piece, unless a rename takes part of it."""
        gone: set[Place] = set()
        for place in sorted(self.steps, key=by_path):
            step = self.steps[place]
            if isinstance(step, BringBack) and step.replaces_folder:
                if not self.apart(place):
                    gone.add(place)
                continue
            if not isinstance(step, TakeAway):
                continue
            if Place(place.side, names.parent(place.path)) in gone:
                gone.add(place)
                then[place] = Then(None, place)
            elif step.present.kind is Kind.DIRECTORY and not self.whole(place):
                told = "a folder that the run made; something else stands in it now, so it stays"
                self.steps[place] = Stays(place, Reason.PARTLY_KEPT, told)
            else:
                removal = self.removal(place, step.present, groups.get(place))
                if removal is not None:
                    yield removal
                    then[place] = Then(None, place)
                    if isinstance(removal, Trash) and step.present.kind is Kind.DIRECTORY:
                        gone.add(place)

    def removal(self, place: Place, present: Entry, group: RelPath | None) -> Trash | Remove | None:
        """What removes something; None where it must stay, which is told."""
        because, actual = Because(Why.UNDO, place, present), self.eyes.actual(place) or place
        try:
            if present.kind is not Kind.DIRECTORY:
                return Trash(place, present, because, int(present.kind is Kind.FILE), present.size, None, group)
            if not self.eyes.names(place) or self.apart(place):
                return Remove(place, present, because, group)
            files = size = 0
            for _, inner in self.ground.tree(actual, leave_nothing):
                files += inner.kind is Kind.FILE
                size += inner.size
            seen = transfer.subtree(self.ground.roots[actual.side], actual.path)
            return Trash(place, present, because, files, size, seen, group)
        except PathError as error:
            self.steps[place] = Stays(place, Reason(error.reason), error.detail)
            return None
