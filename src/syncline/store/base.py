"""What is remembered of the directories of one job: one row per directory, its blobs as they are stored.

Sealing and packing is `syncline.core.listing`; nothing here looks into a blob.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from syncline.core.model import RelPath, Side
from syncline.core.names import ROOT, join
from syncline.store import children
from syncline.store.columns import to_bytes, to_text
from syncline.store.db import Store
from syncline.store.jobs import key_of

if TYPE_CHECKING:
    from syncline.store.children import Child

_COLUMNS = "id, parent, left_name, right_name, left, right, beside, attention, files, size"

_ROW = f"SELECT {_COLUMNS} FROM directory WHERE job = ? AND id = ?"  # noqa: S608
_NAMES = "SELECT id, parent, left_name, right_name FROM directory WHERE job = ? AND id = ?"
_CHILD_NAMES = "SELECT id, parent, left_name, right_name FROM directory WHERE job = ? AND parent IS ? ORDER BY id"
_CHILD_ROWS = f"SELECT {_COLUMNS} FROM directory WHERE job = ? AND parent IS ? ORDER BY id"  # noqa: S608

_INSERT = """
    INSERT INTO directory (job, parent, left_name, right_name, left, right, beside, attention, files, size)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""

_UPDATE = """
    UPDATE directory
    SET parent = ?, left_name = ?, right_name = ?, left = ?, right = ?, beside = ?, attention = ?, files = ?, size = ?
    WHERE job = ? AND id = ?
"""

_FORGET = """
    WITH RECURSIVE below (id) AS (
        SELECT id FROM directory WHERE job = ?1 AND id = ?2
        UNION SELECT directory.id FROM below JOIN directory ON directory.job = ?1 AND directory.parent = below.id
    )
    DELETE FROM directory WHERE id IN (SELECT id FROM below)
"""

_UPWARDS = """
    WITH RECURSIVE up (depth, parent, left_name, right_name) AS (
        SELECT 0, parent, left_name, right_name FROM directory WHERE job = ?1 AND id = ?2
        UNION ALL
        SELECT depth + 1, directory.parent, directory.left_name, directory.right_name
        FROM up JOIN directory ON directory.id = up.parent AND directory.job = ?1
        WHERE depth < 5000
    )
    SELECT left_name, right_name FROM up ORDER BY depth DESC
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One directory as it is stored. `id` is None before it is; a name is None where that side has not got it.

    `left`, `right` and `beside` are sealed; `files` and `size` count the agreed regular files directly in it.
    """

    id: int | None
    parent: int | None
    left_name: str | None
    right_name: str | None
    left: bytes | None = None
    right: bytes | None = None
    beside: bytes | None = None
    attention: bool = False
    files: int = 0
    size: int = 0

    @property
    def both(self) -> bool:
        """Whether both sides have the directory."""
        return self.left_name is not None and self.right_name is not None

    def name(self, side: Side) -> str | None:
        return self.left_name if side is Side.LEFT else self.right_name

    def sealed(self, side: Side) -> bytes | None:
        return self.left if side is Side.LEFT else self.right


class Named(NamedTuple):
    """Where a stored directory stands: its id and that of the one above it, and its names, as those of a `Row`."""

    id: int
    parent: int | None
    left: str | None
    right: str | None

    @property
    def both(self) -> bool:
        """Whether both sides have the directory."""
        return self.left is not None and self.right is not None


class BaseStore:
    """The rows of one job; one that is not remembered has none. Writes need an open transaction of the caller's.

    Raises:
        StateError: from every method, when the database cannot be read or written.
    """

    def __init__(self, store: Store, job: str) -> None:
        self._store = store
        self._job = key_of(store, job)

    @property
    def store(self) -> Store:
        return self._store

    @property
    def key(self) -> int:
        """The job's row; 0, to which nothing belongs, for a job that is not remembered."""
        return self._job

    def children(self, side: Side, parent: int | None) -> dict[str, Child]:
        """The directories in a directory, by their name on one side. `parent=None` gives the root, named `""`."""
        return children.children(self._store.all(children.QUESTION[side.value], (self._job, parent)))

    def row(self, id: int) -> Row | None:
        """One directory; None if it is not remembered."""
        found = self._store.first(_ROW, (self._job, id))
        return None if found is None else _row(found)

    def child_rows(self, parent: int | None) -> list[Row]:
        """The directories in a directory, also those that only one side has. `parent=None` gives the root."""
        return [_row(found) for found in self._store.all(_CHILD_ROWS, (self._job, parent))]

    def named(self, id: int) -> Named | None:
        """As `row`, without what is long."""
        found = self._store.first(_NAMES, (self._job, id))
        return None if found is None else _named(*found)

    def child_names(self, parent: int | None) -> list[Named]:
        """As `child_rows`, without what is long."""
        return [_named(*found) for found in self._store.all(_CHILD_NAMES, (self._job, parent))]

    def paths(self, id: int) -> tuple[RelPath | None, RelPath | None]:
        """The directory's path on the left and on the right; None where that side has not got it."""
        steps = self._store.all(_UPWARDS, (self._job, id))
        return _path([left for left, _ in steps]), _path([right for _, right in steps])

    def totals(self) -> tuple[int, int]:
        """How many regular files are remembered, and their bytes."""
        found = self._store.first("SELECT sum(files), sum(size) FROM directory WHERE job = ?", (self._job,))
        files, size = found or (0, 0)
        return files or 0, size or 0

    def write(self, row: Row) -> int:
        """Store a directory, a new one when its id is None; returns its id. Raises: KeyError: it was forgotten."""
        values = (
            row.parent,
            to_bytes(row.left_name),
            to_bytes(row.right_name),
            row.left,
            row.right,
            row.beside,
            row.attention,
            row.files,
            row.size,
        )
        if row.id is None:
            return int(self._store.do(_INSERT, (self._job, *values)).lastrowid or 0)
        if self._store.do(_UPDATE, (*values, self._job, row.id)).rowcount != 1:
            raise KeyError(row.id)
        return row.id

    def forget(self, id: int) -> None:
        """Forget a directory and all below it."""
        self._store.do(_FORGET, (self._job, id))

    def clear(self) -> None:
        """Forget every directory of the job."""
        self._store.do("DELETE FROM directory WHERE job = ?", (self._job,))


def _named(id: int, parent: int | None, left: bytes | None, right: bytes | None) -> Named:
    return Named(id, parent, to_text(left), to_text(right))


def _row(found: tuple[Any, ...]) -> Row:
    id, parent, left_name, right_name, left, right, beside, attention, files, size = found
    return Row(id, parent, to_text(left_name), to_text(right_name), left, right, beside, attention != 0, files, size)


def _path(names: list[bytes | None]) -> RelPath | None:
    if not names:
        return None
    path = ROOT
    for name in names:
        if name is None:
            return None
        path = join(path, name.decode("utf-8", "surrogateescape")) if name else path
    return path
