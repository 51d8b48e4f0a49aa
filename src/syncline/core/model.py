"""All nouns of the product, as frozen values. Units are in the names: `_ns` nanoseconds since 1970, sizes in bytes.

Two roots are always called left and right here; what a mirror calls source is left, what it calls target is right.
Nothing in this module does anything but describe.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import NewType

from syncline.core import record
from syncline.core.record import PERMISSIONS as PERMISSIONS
from syncline.core.record import PRIVATE as PRIVATE

RelPath = NewType("RelPath", str)
"""A path relative to its root: POSIX separators, no leading slash, `""` for the root itself, undecodable bytes as
surrogate escapes. Built by `join` in `syncline.core.names` and nowhere else."""


class Side(StrEnum):
    """One of the two roots of a job."""

    LEFT = "left"
    RIGHT = "right"

    __hash__ = str.__hash__  # Enum's own is a function in Python, and sides are keys everywhere

    @property
    def other(self) -> Side:
        return Side.RIGHT if self is Side.LEFT else Side.LEFT


SIDES = (Side.LEFT, Side.RIGHT)


class Kind(IntEnum):
    """What stands at a path. The numbers are part of the stored form."""

    FILE = record.FILE
    DIRECTORY = record.DIRECTORY
    LINK = record.LINK
    SPECIAL = record.SPECIAL  # FIFO, socket, device: never opened, never followed
    UNKNOWN = record.UNKNOWN  # the name is there, but what it is could not be read
    MOUNT = record.MOUNT  # a directory that belongs to another file system


@dataclass(frozen=True, slots=True)
class Entry:
    """What one side's stat said of one name, and what is known of its content.

    `inode` and `ctime_ns` are 0 where the root does not keep them; they are never compared across sides.
    `mode` holds the permission bits only. A directory's size and times are 0: they are no property of it.
    `content` is a digest with its algorithm (see `syncline.core.listing`) for a file, the target's bytes for a link,
    None where it is not known. `owner` is the user id and, in the lower 32 bits, the group id of a file or directory,
    `xattr` the digest of its extended attributes (see `syncline.fs.xattrs`), `windows` its attributes of Windows (1
    read-only, 2 hidden, 4 system), on roots that are to keep them; else None.
    """

    kind: Kind
    size: int = 0
    mtime_ns: int = 0
    mode: int = 0
    ctime_ns: int = 0
    inode: int = 0
    content: bytes | None = None
    owner: int | None = None
    xattr: bytes | None = None
    windows: int | None = None


class Reason(StrEnum):
    """Why a path could not be brought into step."""

    UNREADABLE = "unreadable"
    BUSY = "busy"
    IMPOSSIBLE_NAME = "impossible-name"
    NAME_COLLISION = "name-collision"
    SPECIAL_FILE = "special-file"
    OTHER_FILE_SYSTEM = "other-file-system"
    CHANGED_WHILE_COPIED = "changed-while-copied"
    TARGET_CHANGED = "target-changed"
    NO_SPACE = "no-space"
    PARTLY_KEPT = "partly-kept"
    HARD_LINK = "hard-link"


@dataclass(frozen=True, slots=True)
class Frozen:
    """A directory that is there but was not seen: nothing below it is gone, nothing below it is touched."""

    reason: Reason
    detail: str


Listing = Mapping[str, Entry]
"""The names of one directory on one side, private directories left out."""

Look = Listing | Frozen | None
"""What a scan saw of a directory: its listing, that it could not be read, or that it is surely not there."""


class Hold(IntEnum):
    """Why a name is in a directory's listing and yet not agreed. The numbers are part of the stored form."""

    IGNORED = 1  # out of scope
    LEFTOVER = 2  # a deleted directory that stays only for the ignored files in it
    FOREIGN = 3  # special file, or not readable
    KEPT = 4  # only on one side, and meant to be so (a mirror that keeps extras)
    WAITING = 5  # a conflict under `hold`, or an impossible name: looked at again in every run
    FAILED = 6  # an action failed or was not reached: looked at again in every run
    MOUNTED = 7  # a mount point: frozen, also once it is none any more


ATTENTION = frozenset({Hold.FOREIGN, Hold.WAITING, Hold.FAILED, Hold.MOUNTED})
"""The holds for which a directory is looked at again although its bytes did not change."""


@dataclass(frozen=True, slots=True)
class Agreed:
    """One name as it stood when both sides agreed: each side's own spelling and entry.

    `unverified`: taken for equal by size and time alone. `racy_left`, `racy_right`: the stamp was taken so soon
    after the last change that a further change could hide behind it; the content is hashed next time.
    """

    left_name: str
    right_name: str
    left: Entry
    right: Entry
    unverified: bool = False
    racy_left: bool = False
    racy_right: bool = False

    def entry(self, side: Side) -> Entry:
        return self.left if side is Side.LEFT else self.right

    def name(self, side: Side) -> str:
        return self.left_name if side is Side.LEFT else self.right_name

    def racy(self, side: Side) -> bool:
        return self.racy_left if side is Side.LEFT else self.racy_right


@dataclass(frozen=True, slots=True)
class Unagreed:
    """A name that stands in a stored listing but is not agreed, with what had been agreed of it before, if anything."""

    name: str
    hold: Hold
    before: Agreed | None = None


@dataclass(frozen=True, slots=True)
class BaseDirectory:
    """What is remembered of one directory: agreed names and names that are not, both by folded key."""

    agreed: Mapping[str, Agreed] = field(default_factory=dict)
    unagreed: Mapping[str, Unagreed] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Place:
    """A path on one side."""

    side: Side
    path: RelPath


class Why(StrEnum):
    """Why an action is taken. The first five are followed by the side that caused it."""

    CREATED = "created"
    CHANGED = "changed"
    DELETED = "deleted"
    PROPERTIES = "properties"
    RENAMED = "renamed"
    EDITED_AFTER_DELETE = "edited-after-delete"
    CONFLICT = "conflict"
    TYPE_CHANGE = "type-change"
    EXTRA = "extra"
    UNDO = "undo"
    RECOVER = "recover"


SIDED = frozenset({Why.CREATED, Why.CHANGED, Why.DELETED, Why.PROPERTIES, Why.RENAMED})


@dataclass(frozen=True, slots=True)
class Because:
    """What justifies an act: the place on the other side and what was seen there (None: absent)."""

    why: Why
    place: Place
    entry: Entry | None


@dataclass(frozen=True, slots=True)
class Want:
    """What should stand at a path.

    `source` is where the content comes from; None means that the content that stands there stays and only
    properties are set. `aside` is the name the present version moves to instead of the trash. `group` ties the
    wants of one conflict or type change together. `superseded`: what stands there is the version both sides had
    agreed on, unchanged since. `whole` is not for wants: see `Gone`.
    """

    entry: Entry
    because: Because
    source: Place | None = None
    aside: RelPath | None = None
    group: RelPath | None = None
    superseded: bool = False


@dataclass(frozen=True, slots=True)
class Gone:
    """Nothing should stand at a path. A path that is not mentioned is not touched.

    `whole`: of this directory everything goes that stands below it, and all of it has been seen.
    `outright`: may not go to the trash by the user's wish (`extras: delete`).
    `recoverable`: must go to the trash whatever its size (an unverified pair).
    """

    because: Because
    whole: bool = False
    outright: bool = False
    recoverable: bool = False
    group: RelPath | None = None


class Rule(StrEnum):
    """The block of the matrix a conflict falls under."""

    CHANGED_BOTH = "changed-both"
    CREATED_BOTH = "created-both"
    PROPS_BOTH = "props-both"
    TYPE_BOTH = "type-both"
    UNDONE = "undone"


class Policy(StrEnum):
    """How conflicts are settled; not every rule takes every policy."""

    KEEP_BOTH = "keep-both"
    NEWEST = "newest"
    HOLD = "hold"
    OLDEST = "oldest"
    LARGEST = "largest"
    SMALLEST = "smallest"
    LEFT = "left"
    RIGHT = "right"
    MERGE = "merge"


@dataclass(frozen=True, slots=True)
class MergeWith:
    """The policy `merge: COMMAND`: a program makes one version of two. `command`: as it is written; `argv`: its
    arguments, in which `{base}`, `{left}`, `{right}` and `{output}` stand for files."""

    command: str
    argv: tuple[str, ...]

    def __str__(self) -> str:
        return f"merge: {self.command}"


class Kept(StrEnum):
    """Whose version stands at the path after a conflict was settled."""

    LEFT = "left"
    RIGHT = "right"
    BOTH = "both"
    MERGED = "merged"


@dataclass(frozen=True, slots=True)
class Conflict:
    """A path on which the sides disagree, and what was done about it. `kept` is None under `hold`. `command` is what
    merges the versions, where a program does.

    `whole`: of an undo, the path is left alone with all below it; else only the modes of two directories. `names`: the
    path on the left and on the right, where each side renamed it to another one.
    """

    path: RelPath
    rule: Rule
    policy: Policy
    kept: Kept | None
    left: Entry | None
    right: Entry | None
    base: Agreed | None = None
    clash: RelPath | None = None
    clash_from: Side | None = None
    command: str | None = None
    whole: bool = False
    names: tuple[RelPath, ...] = ()

    @property
    def called(self) -> tuple[RelPath, ...]:
        """Every path under which a person may mean it."""
        return (self.path, *self.names) if self.clash is None else (self.path, self.clash)

    @property
    def settled_by(self) -> str:
        """The policy as a person writes it."""
        return self.policy.value if self.command is None else f"{self.policy.value}: {self.command}"


@dataclass(frozen=True, slots=True)
class Problem:
    """A path that could not be brought into step, in plain words."""

    place: Place
    reason: Reason
    detail: str


class Guard(StrEnum):
    """Reasons not to start."""

    ROOT_MISSING = "root-missing"
    MARKER_MISSING = "marker-missing"
    MARKER_DIFFERS = "marker-differs"
    STATE_OLDER = "state-older"
    SOURCE_EMPTY = "source-empty"
    INCOMPLETE_SCAN = "incomplete-scan"
    TOO_MANY_DELETES = "too-many-deletes"
    ALL_CHANGED = "all-changed"
    FIRST_MIRROR_EXTRAS = "first-mirror-extras"
    NO_SPACE = "no-space"


APPROVABLE = frozenset({Guard.TOO_MANY_DELETES, Guard.ALL_CHANGED, Guard.FIRST_MIRROR_EXTRAS, Guard.SOURCE_EMPTY})
"""The guards that `--approve PLAN` can satisfy. For the others something else must be done first."""


@dataclass(frozen=True, slots=True)
class Objection:
    """A reason not to start: which guard, what it saw, how to go ahead. `approve` is the plan's id where it helps."""

    guard: Guard
    detail: str
    remedy: str
    approve: str | None = None


@dataclass(frozen=True, slots=True)
class MakeDirectory:
    """`like`: the directory whose extended attributes it gets. `values`: those attributes, where they stand nowhere."""

    at: Place
    expect: Entry | None
    because: Because
    entry: Entry
    aside: RelPath | None = None
    group: RelPath | None = None
    like: Place | None = None
    values: bytes | None = None


@dataclass(frozen=True, slots=True)
class PutFile:
    """Bring the content of `source` to `at`. `source_entry` is what the plan saw at the source.

    `outright`: what it replaces is not kept.
    """

    at: Place
    expect: Entry | None
    because: Because
    entry: Entry
    source: Place
    source_entry: Entry
    aside: RelPath | None = None
    group: RelPath | None = None
    outright: bool = False


@dataclass(frozen=True, slots=True)
class PutLink:
    """Make a symbolic link with the target of the one at `source`; its bytes are `entry.content` once known.

    `outright`: what it replaces is not kept.
    """

    at: Place
    expect: Entry | None
    because: Because
    entry: Entry
    source: Place
    aside: RelPath | None = None
    group: RelPath | None = None
    outright: bool = False


@dataclass(frozen=True, slots=True)
class Rename:
    """Move to the name `to`. `over` is what the plan saw there: it goes to the trash, or comes to `at` with `swap`."""

    at: Place
    to: RelPath
    expect: Entry | None
    because: Because
    group: RelPath | None = None
    over: Entry | None = None
    swap: bool = False


@dataclass(frozen=True, slots=True)
class SetProperties:
    """`was`: the extended attributes it replaces, once it is begun; `values`: those it sets, from then on, or before
    where they stand nowhere. Packed, see `syncline.fs.xattrs`."""

    at: Place
    expect: Entry | None
    because: Because
    entry: Entry
    group: RelPath | None = None
    was: bytes | None = None
    values: bytes | None = None


@dataclass(frozen=True, slots=True)
class Trash:
    """Move to the trash: a file, a link, or a directory whose whole subtree the plan has seen.

    `files` and `size` count what goes with it; `seen` is `syncline.core.listing.subtree_digest` of a directory.
    """

    at: Place
    expect: Entry | None
    because: Because
    files: int = 1
    size: int = 0
    seen: bytes | None = None
    group: RelPath | None = None


@dataclass(frozen=True, slots=True)
class Remove:
    """Remove outright: a file or link that is not kept in the trash, or an empty directory. `was`: the extended
    attributes of such a directory, once it is begun."""

    at: Place
    expect: Entry | None
    because: Because
    group: RelPath | None = None
    was: bytes | None = None


@dataclass(frozen=True, slots=True)
class RunCommand:
    at: Place
    expect: Entry | None
    because: Because
    argv: tuple[str, ...]
    group: RelPath | None = None


Action = MakeDirectory | PutFile | PutLink | Rename | SetProperties | Trash | Remove | RunCommand


@dataclass(frozen=True, slots=True)
class Counts:
    """Regular files in scope before the run, and what of them is on both sides."""

    left: int = 0
    right: int = 0
    both: int = 0

    @property
    def only_left(self) -> int:
        return self.left - self.both

    @property
    def only_right(self) -> int:
        return self.right - self.both


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run would do, in the order in which it would be done. `actions` is iterated, never indexed."""

    id: str
    job: str
    kind: str
    actions: Collection[Action]
    conflicts: tuple[Conflict, ...] = ()
    problems: tuple[Problem, ...] = ()
    objections: tuple[Objection, ...] = ()
    agreed: int = 0
    counts: Counts = Counts()
    first: bool = False
    notes: tuple[str, ...] = ()


class Outcome(StrEnum):
    """How a run or plan ended."""

    IN_SYNC = "in-sync"
    DONE = "done"
    PLANNED = "planned"
    NEEDS_ATTENTION = "needs-attention"
    REFUSED = "refused"
    FAILED = "failed"
    LOCKED = "locked"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class RunStarted:
    run: str | None
    plan: Plan


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run has come: bytes and actions done of all that were planned."""

    done_bytes: int
    total_bytes: int
    done_actions: int
    total_actions: int
    path: RelPath | None = None


@dataclass(frozen=True, slots=True)
class ActionDone:
    """An action was carried out. `number` is its place in the plan's order, from 1."""

    number: int
    action: Action


@dataclass(frozen=True, slots=True)
class ActionFailed:
    """An action that was not carried out; `skipped` where its reason no longer held and the path is planned anew."""

    number: int
    action: Action
    problem: Problem
    skipped: bool = False


@dataclass(frozen=True, slots=True)
class RunFinished:
    """How it ended. `notes`: what was done besides, a sentence each; `warnings`: what of that could not be done."""

    run: str | None
    outcome: Outcome
    problems: tuple[Problem, ...] = ()
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


Event = RunStarted | Progress | ActionDone | ActionFailed | RunFinished
