"""What was moved on one side: names of the base that are found elsewhere, by inode or by content.

A file is renamed when its inode is found under another name in scope and its size and time, else its digest, equal
the base: file systems give the inode of a deleted file to the next new one, so an inode alone means nothing. Where a
root has no inodes, the digest must be unique on both ends. A directory is renamed when, besides, something below its
new name is paired so. A name that is taken again by a new file was edited in place, as editors do that keep a backup.
"""

from __future__ import annotations

import unicodedata
from collections import deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from syncline.core import names
from syncline.core.draft import names_in
from syncline.core.listing import Packed
from syncline.core.model import SIDES, Agreed, Entry, Frozen, Hold, Kind, Place, Problem, RelPath, Side
from syncline.core.policy import Rules
from syncline.core.record import kinds
from syncline.core.trees import Contents, Looked, Trees, Triple

Thing = tuple[int, str]
"""A remembered name: the index of its directory in `Differing.all`, and its folded name."""

Spot = tuple[int, str]
"""Where something stands now on one side: the index of the directory, and the name as that side spells it."""

_CONTENTS = (Kind.FILE, Kind.LINK)
_MAY_MOVE = (Hold.WAITING, Hold.FAILED)


class Differing:
    """All directories that differ, with those above them that differ: what was deleted and created is in these."""

    def __init__(self, looked: Looked, rules: Rules, *, complete: bool = False) -> None:
        """`complete`: with the names that are steady, too."""
        self.rules = rules
        self.fold = rules.fold()
        self._complete = complete
        self.all: list[Triple] = []
        self.above: list[Thing | None] = []
        """For each directory: the one it lies in and its folded name there; None for a top."""
        self.below: list[dict[str, int]] = []
        for top in looked.tops():
            self._gather(top, looked)
        self._base = [remembered(at) for at in self.all]
        self._spelled: dict[tuple[Side, int], dict[str, str]] = {}

    def base(self, index: int) -> Mapping[str, Agreed]:
        """The names a directory had that may have moved, by folded name."""
        return self._base[index]

    def entries(self, side: Side, index: int) -> Mapping[str, Entry]:
        """What stands in a directory on one side; nothing where it is not there or was not seen."""
        look = self.all[index].look(side)
        return look if isinstance(look, Mapping) else {}

    def spelled(self, side: Side, index: int) -> Mapping[str, str]:
        """The names of a directory on one side that are in scope, by folded name; names that fold together left out."""
        found = self._spelled.get((side, index))
        if found is None:
            found = self._spelled[side, index] = self._spell(side, index)
        return found

    def path(self, side: Side, spot: Spot) -> RelPath:
        return names.join(self.all[spot[0]].path(side), spot[1])

    def entry(self, side: Side, spot: Spot) -> Entry:
        return self.entries(side, spot[0])[spot[1]]

    def base_path(self, side: Side, thing: Thing) -> RelPath:
        """Where a thing was when both sides agreed."""
        return names.join(self.all[thing[0]].path(side), self._base[thing[0]][thing[1]].name(side))

    def _gather(self, top: Triple, trees: Trees) -> None:
        stack: list[tuple[Triple, Thing | None]] = [(top, None)]
        while stack:
            at, above = stack.pop()
            index = len(self.all)
            if self._complete:
                at = at.complete(self.fold)
            self.all.append(at)
            self.above.append(above)
            self.below.append({})
            if above is not None:
                self.below[above[0]][above[1]] = index
            for name, collided in names_in(at, self.fold) if _has_directories(at) else ():
                known = (name.left, name.right, None if name.base is None else name.base.left)
                kinds = [entry.kind for entry in known if entry is not None]
                if collided or Kind.DIRECTORY not in kinds or Kind.MOUNT in kinds:
                    continue
                if self.rules.ignored(name.left_path, True) or self.rules.ignored(name.right_path, True):
                    continue
                spellings = names.basename(name.left_path), names.basename(name.right_path)
                child = trees.child(at, name.key, *spellings)
                if child is not None:
                    stack.append((child, (index, name.key)))

    def _spell(self, side: Side, index: int) -> dict[str, str]:
        at, found, twins = self.all[index], dict[str, str](), set[str]()
        for name, entry in self.entries(side, index).items():
            key = self.fold(name)
            if key in found:
                twins.add(key)
            if not self.rules.ignored(names.join(at.path(side), name), entry.kind is Kind.DIRECTORY):
                found[key] = name
        for key in twins:
            found.pop(key, None)
        return found


def _has_directories(at: Triple) -> bool:
    """Whether a name of a directory is one itself, on either side or in what is remembered."""
    for look in (at.left, at.right):
        if isinstance(look, Packed):
            if any(kind == Kind.DIRECTORY for _, kind in kinds(look.payload)):
                return True
        elif isinstance(look, Mapping) and any(entry.kind is Kind.DIRECTORY for entry in look.values()):
            return True
    known = (*at.base.agreed.values(), *(held.before for held in at.base.unagreed.values()))
    return any(agreed is not None and agreed.left.kind is Kind.DIRECTORY for agreed in known)


def remembered(at: Triple) -> Mapping[str, Agreed]:
    """The names a directory had that may have moved, by folded name."""
    earlier = at.base.unagreed.items()
    kept = {key: held.before for key, held in earlier if held.before is not None and held.hold in _MAY_MOVE}
    return {**at.base.agreed, **kept} if kept else at.base.agreed


def anything_missing(looked: Looked, rules: Rules) -> bool:
    """Whether any remembered name is not as it was on a side: without that, nothing can have moved. Looks only at what
    is remembered, which is little where everything is new."""
    stack = [top for top in looked.tops() if top.row is not None]
    while stack:
        at = stack.pop()
        for key, agreed in remembered(at).items():
            for side in SIDES:
                look, before = at.look(side), agreed.entry(side)
                entry = look.get(agreed.name(side)) if isinstance(look, Mapping) else None
                if not isinstance(look, Frozen) and (
                    entry is None or entry.inode != before.inode or entry.kind is not before.kind
                ):
                    return True
            if agreed.left.kind is Kind.DIRECTORY:
                child = looked.child(at, key, agreed.left_name, agreed.right_name)
                if child is not None and child.row is not None:
                    stack.append(child)
    return False


@dataclass(slots=True)
class Sight:
    """Where the remembered names stand now on one side. What was moved is in `moved`, too; what is gone is in neither.

    `stands[i]` is the directory in which that side now has what the base remembers of directory i. `needs`: contents
    that must be read before all can be paired.
    """

    side: Side
    place: dict[Thing, Spot] = field(default_factory=dict)
    moved: set[Thing] = field(default_factory=set)
    stands: dict[int, int] = field(default_factory=dict)
    owner: dict[int, int] = field(default_factory=dict)
    taken: dict[Spot, Thing] = field(default_factory=dict)
    unseen: set[int] = field(default_factory=set)
    needs: dict[Place, Entry] = field(default_factory=dict)


def sight(differing: Differing, side: Side, contents: Contents, single: Collection[Thing]) -> Sight:
    """Pair what is gone with what is new on one side; names in `single` are not to be paired."""
    excluded = set(single)
    while True:
        pairing = _Pairing(differing, side, contents, excluded)
        pairing.directories()
        pairing.files()
        retaken = pairing.retaken()
        if not retaken:
            return pairing.found
        excluded |= retaken


class _Pairing:
    def __init__(self, differing: Differing, side: Side, contents: Contents, excluded: Collection[Thing]) -> None:
        self._all, self._side, self._contents, self._excluded = differing, side, contents, excluded
        self.found = Sight(side)
        self._gone: list[Thing] = []
        self._weak: list[tuple[Thing, Spot]] = []
        self._gone_directories: list[Thing] = []
        self._weak_directories: list[tuple[Thing, Spot]] = []
        self._queue: deque[int] = deque()
        self._elsewhere: dict[Spot, Thing] = {}

    # -- directories, from the top ------------------------------------------------------------------------------------

    def directories(self) -> None:
        """Find where each remembered directory stands: under its name, under another one, or nowhere."""
        for index, above in enumerate(self._all.above):
            if above is None:
                self._stand(index, index)
        created: dict[int, Spot] | None = None
        while True:
            while self._queue:
                self._visit(self._queue.popleft())
            if self._weak_directories or self._gone_directories:
                created = self._directories_by_inode() if created is None else created
                if self._match_directories(created):
                    continue
            if self._weak_directories:
                self._settle_weak()
            elif self._gone_directories:
                gone, self._gone_directories = self._gone_directories, []
                for index, key in gone:
                    below = self._all.below[index].get(key)
                    if below is not None:
                        self._queue.append(below)
            else:
                return

    def _stand(self, index: int, now: int) -> None:
        look = self._all.all[now].look(self._side)
        if isinstance(look, Frozen):
            self.found.unseen.add(index)
        elif look is not None:
            self.found.stands[index] = now
            self.found.owner[now] = index
        self._queue.append(index)

    def _visit(self, index: int) -> None:
        """Find the names of one remembered directory where it stands now."""
        if index in self.found.unseen:
            return
        now = self.found.stands.get(index)
        spelled = {} if now is None else self._all.spelled(self._side, now)
        for key, agreed in self._all.base(index).items():
            thing, before = (index, key), agreed.entry(self._side)
            name = spelled.get(key)
            directory = before.kind is Kind.DIRECTORY
            if now is None or name is None:
                (self._gone_directories if directory else self._gone).append(thing)
                continue
            spot = (now, name)
            entry = self._all.entry(self._side, spot)
            if entry.kind is not before.kind:
                (self._gone_directories if directory else self._gone).append(thing)
            elif entry.inode != before.inode:
                (self._weak_directories if directory else self._weak).append((thing, spot))
            else:
                self._in_place(thing, spot, agreed)
        if now is not None:
            self._visit_unagreed(index, now)

    def _visit_unagreed(self, index: int, now: int) -> None:
        """Directories that are remembered although their name is not agreed stand under their name or nowhere."""
        for key, below in self._all.below[index].items():
            there = self._all.below[now].get(key)
            if key not in self._all.base(index) and self._all.all[below].row is not None and there is not None:
                self._stand(below, there)

    def _in_place(self, thing: Thing, spot: Spot, agreed: Agreed) -> None:
        self._put(thing, spot)
        if thing not in self._excluded and self._respelled(spot[1], agreed.name(self._side)):
            self.found.moved.add(thing)
        if agreed.left.kind is Kind.DIRECTORY:
            self._descend(thing, spot)

    def _put(self, thing: Thing, spot: Spot) -> None:
        self.found.place[thing] = spot
        self.found.taken[spot] = thing

    def _descend(self, thing: Thing, spot: Spot) -> None:
        index, now = self._all.below[thing[0]].get(thing[1]), self._all.below[spot[0]].get(self._all.fold(spot[1]))
        if index is not None and now is not None:
            self._stand(index, now)

    def _respelled(self, now: str, before: str) -> bool:
        """Whether a person wrote a name anew. A root that normalises shows another form by itself."""
        if now == before:
            return False
        composed = self._all.rules.ability(self._side).names.fold_unicode
        return not (composed and unicodedata.normalize("NFC", now) == unicodedata.normalize("NFC", before))

    def _directories_by_inode(self) -> dict[int, Spot]:
        found: dict[int, Spot] = {}
        for index in range(len(self._all.all)):
            entries = self._all.entries(self._side, index)
            for key, name in self._all.spelled(self._side, index).items():
                entry = entries[name]
                if entry.kind is Kind.DIRECTORY and entry.inode and key in self._all.below[index]:
                    found[entry.inode] = (index, name)
        return found

    def _match_directories(self, created: Mapping[int, Spot]) -> bool:
        """Pair directories that are not under their name with those that are under a new one; whether any was."""
        matched: set[Thing] = set()
        for thing in [*self._gone_directories, *(thing for thing, _ in self._weak_directories)]:
            below = self._all.below[thing[0]].get(thing[1])
            before = self._all.base(thing[0])[thing[1]].entry(self._side)
            spot = created.get(before.inode)
            if spot is None or below is None or spot in self.found.taken or thing in self._excluded:
                continue
            now = self._all.below[spot[0]][self._all.fold(spot[1])]
            if now in self.found.owner or not self._evidence(below, now):
                continue
            self._move(thing, spot)
            self._descend(thing, spot)
            matched.add(thing)
        if matched:
            self._gone_directories = [thing for thing in self._gone_directories if thing not in matched]
            self._weak_directories = [(thing, spot) for thing, spot in self._weak_directories if thing not in matched]
        return bool(matched)

    def _evidence(self, index: int, now: int) -> bool:
        """Whether a directory still has something of a remembered one."""
        there = {entry.inode: (name, entry) for name, entry in self._all.entries(self._side, now).items()}
        for key, agreed in self._all.base(index).items():
            before = agreed.entry(self._side)
            name, entry = there.get(before.inode, ("", None)) if before.inode else ("", None)
            if entry is None or entry.kind is not before.kind:
                continue
            if before.kind is not Kind.DIRECTORY:
                if _same_stamp(entry, before):
                    return True
                continue
            deeper = self._all.below[index].get(key), self._all.below[now].get(self._all.fold(name))
            if deeper[0] is not None and deeper[1] is not None and self._evidence(deeper[0], deeper[1]):
                return True
        return False

    def _settle_weak(self) -> None:
        """What has another inode under its old name was made anew there, unless something else moved to the name."""
        weak, self._weak_directories = self._weak_directories, []
        for thing, spot in weak:
            now = self._all.below[spot[0]].get(self._all.fold(spot[1]))
            if spot in self.found.taken or (now is not None and now in self.found.owner):
                self._gone_directories.append(thing)
            else:
                self._in_place(thing, spot, self._all.base(thing[0])[thing[1]])

    # -- files and links ----------------------------------------------------------------------------------------------

    def files(self) -> None:
        """Pair the files and links that are not under their name with those that are under a new one."""
        missing = [thing for thing in [*self._gone, *(thing for thing, _ in self._weak)] if thing not in self._excluded]
        if missing:
            self._match_files(missing)
        for thing, spot in self._weak:
            if thing not in self.found.place and spot not in self.found.taken:
                self._in_place(thing, spot, self._all.base(thing[0])[thing[1]])

    def _match_files(self, missing: list[Thing]) -> None:
        by_inode: dict[int, list[Thing]] = {}
        by_content: dict[bytes, list[Thing]] = {}
        sizes = set()
        for thing in missing:
            before = self._before(thing)
            if before.inode:
                by_inode.setdefault(before.inode, []).append(thing)
            elif before.kind is Kind.FILE and before.size and before.content is not None:
                by_content.setdefault(before.content, []).append(thing)
                sizes.add(before.size)
        read: dict[bytes, list[Spot]] = {}
        for spot, entry in self._new_files():
            if entry.inode:
                candidates = by_inode.get(entry.inode, [])
                chosen = next((thing for thing in candidates if self._is(thing, spot, entry)), None)
                if chosen is not None:
                    candidates.remove(chosen)
                    self._move(chosen, spot)
            elif entry.kind is Kind.FILE and entry.size in sizes and (content := self._read(spot, entry)) is not None:
                read.setdefault(content, []).append(spot)
        for content, spots in read.items():
            things = by_content.get(content, [])
            if len(spots) == len(things) == 1:
                self._move(things[0], spots[0])

    def _move(self, thing: Thing, spot: Spot) -> None:
        self._put(thing, spot)
        self.found.moved.add(thing)
        self._elsewhere[spot] = thing

    def _before(self, thing: Thing) -> Entry:
        return self._all.base(thing[0])[thing[1]].entry(self._side)

    def _new_files(self) -> Iterable[tuple[Spot, Entry]]:
        for index in range(len(self._all.all)):
            entries = self._all.entries(self._side, index)
            for name in self._all.spelled(self._side, index).values():
                if entries[name].kind in _CONTENTS and (index, name) not in self.found.taken:
                    yield (index, name), entries[name]

    def _is(self, thing: Thing, spot: Spot, entry: Entry) -> bool:
        """Whether what has the inode of a remembered file is that file: by size and time, else by its content."""
        before = self._before(thing)
        if before.kind is not entry.kind or before.size != entry.size:
            return False
        if before.mtime_ns == entry.mtime_ns:
            return True
        return before.content is not None and self._read(spot, entry) == before.content

    def _read(self, spot: Spot, entry: Entry) -> bytes | None:
        """The content of a new file; asked for where it is not known yet."""
        place = Place(self._side, self._all.path(self._side, spot))
        found = self._contents.get(place)
        if found is None:
            self.found.needs[place] = entry
        return None if isinstance(found, Problem) else found

    # -- names that were taken again ----------------------------------------------------------------------------------

    def retaken(self) -> set[Thing]:
        """What moved and whose old name holds something new: it counts as edited in place."""
        again: set[Thing] = set()
        for thing in self._elsewhere.values():
            now = self.found.stands.get(thing[0])
            name = None if now is None else self._all.spelled(self._side, now).get(thing[1])
            if now is not None and name is not None and (now, name) not in self._elsewhere:
                again.add(thing)
        return again


def _same_stamp(entry: Entry, before: Entry) -> bool:
    return entry.kind is before.kind and (entry.size, entry.mtime_ns) == (before.size, before.mtime_ns)
