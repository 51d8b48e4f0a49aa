"""Which directories are remembered in a directory, on one side: the one question that a walk asks the state.

Apart from `base`, because the small process that reads a root needs this much of the state and no more.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    Child = tuple[int, bytes | None, bool]

QUESTION = {
    "left": "SELECT left_name, id, left, attention FROM directory WHERE job = ? AND parent IS ?",
    "right": "SELECT right_name, id, right, attention FROM directory WHERE job = ? AND parent IS ?",
}
"""By side; asked with a job's key and a row's id, None for what is above the root."""

MOMENT = "SELECT generation, begun FROM job WHERE key = ?"
"""What tells whether two readers of the state see the same rows: nobody changes one without changing this."""

PRECAUTIONS = (
    "PRAGMA trusted_schema = OFF",
    "PRAGMA cell_size_check = ON",
    "PRAGMA mmap_size = 0",  # an I/O error behind a map is a signal that kills, not an error
)
"""A database may come from anywhere: nothing in its schema is trusted, no code is loaded for it."""


def children(rows: Iterable[tuple[bytes | None, int, bytes | None, int]]) -> dict[str, Child]:
    """The answer, by name: row id, sealed listing, and whether to look at the directory although its bytes are the
    same. The root is named `""`."""
    return {
        name.decode("utf-8", "surrogateescape"): (row, sealed, attention != 0)
        for name, row, sealed, attention in rows
        if name is not None
    }
