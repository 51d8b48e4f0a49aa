"""The stored form of one name in a listing, and the names that are ours.

Here and not in `model` or `listing`, because the small process that reads a root imports this module and must not
pay for more. Nothing belongs here that makes an object per name.
"""

from __future__ import annotations

import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

RECORD = struct.Struct("<BHQqqQH")
"""kind, mode, size, mtime_ns, ctime_ns, inode, length of what follows: the name, behind what else is kept."""

_OWN = slice(struct.calcsize("<BHQq"), struct.calcsize("<BHQqqQ"))

OWNED = 0x80
"""Added to the kind where an owner stands before the name."""

OWNER = struct.Struct("<Q")
"""User id and group id, four bytes each."""

ATTRIBUTED = 0x40
"""Added to the kind where a digest of extended attributes stands before the name, behind the owner: its length, a byte,
and then so many."""

ATTRIBUTED_BY_WINDOWS = 0x20
"""Added to the kind where the attributes of Windows stand before the name, behind all else: a byte."""

PLAIN = 0x1F
"""What of the kind is the kind."""

FILE, DIRECTORY, LINK, SPECIAL, UNKNOWN, MOUNT = 1, 2, 3, 4, 5, 6
"""What stands at a path; `syncline.core.model.Kind` gives these numbers their meaning."""

PERMISSIONS = 0o777
"""The mode bits that are compared and carried. Set-id and sticky bits are neither read nor carried."""

PRIVATE = ".syncline"
"""The directory of ours in each root; one that holds a marker is never synchronised, at whatever depth."""

MARKER = "root.json"
"""The file in the private directory that says which root this is."""

CHECKSUM_BYTES = 8
"""How many bytes of checksum follow a listing where it is stored."""

LATEST_NS, EARLIEST_NS = (1 << 63) - 1, -(1 << 63)
LARGEST = (1 << 63) - 1
"""The times a record can hold (years 1677 to 2262). File systems hold later ones: those are read as the last one."""


def same(blob: bytes | None, payload: bytes) -> bool:
    """Whether a stored blob holds exactly this payload."""
    return blob is not None and len(blob) == len(payload) + CHECKSUM_BYTES and blob.startswith(payload)


def alike(one: bytes, other: bytes) -> bool:
    """Whether two records differ in nothing but what every disk gives by itself: status time and inode."""
    return one[: _OWN.start] == other[: _OWN.start] and one[_OWN.stop :] == other[_OWN.stop :]


def kinds(payload: bytes) -> Iterator[tuple[str, int]]:
    """The names of a packed listing, and what stands there."""
    for name, record in split(payload).items():
        yield name, record[0] & PLAIN


def split(payload: bytes) -> dict[str, bytes]:
    """The names of a packed listing, in its order, and the record of each."""
    found = {}
    start, end, width = 0, len(payload), RECORD.size
    while start < end:
        position = start + width
        after = position + payload[position - 2] + (payload[position - 1] << 8)
        kind = payload[start]
        if kind > PLAIN:
            position += OWNER.size if kind & OWNED else 0
            position += 1 + payload[position] if kind & ATTRIBUTED else 0
            position += 1 if kind & ATTRIBUTED_BY_WINDOWS else 0
        found[payload[position:after].decode("utf-8", "surrogateescape")] = payload[start:after]
        start = after
    return found
