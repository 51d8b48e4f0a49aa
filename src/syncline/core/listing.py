"""The packed form of a directory: what a scan compares byte for byte, and what the base stores.

A listing is the records of one side's names, sorted by name; two listings are equal exactly when their bytes are. The
*beside* holds what a listing does not: contents known so far, and the names that are not agreed. Stored blobs carry
a checksum.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, ItemsView, Iterable, Iterator, Mapping

from syncline.core.model import Agreed, BaseDirectory, Entry, Hold, Kind, Listing, Look, Unagreed
from syncline.core.record import ATTRIBUTED, ATTRIBUTED_BY_WINDOWS, FILE, OWNED, OWNER, PLAIN, RECORD, kinds, split
from syncline.core.record import CHECKSUM_BYTES as CHECKSUM_BYTES
from syncline.core.record import same as same

_FLAGS = _SHORT = struct.Struct("<B")
_LENGTH = struct.Struct("<H")
_COUNT = struct.Struct("<I")
_AGREED, _UNVERIFIED, _RACY_LEFT, _RACY_RIGHT, _RESPELLED, _CONTENT = 1, 2, 4, 8, 16, 32
_SETTLED, _UNSETTLED = _AGREED, _RACY_LEFT | _RACY_RIGHT | _RESPELLED

UNREAD = _FLAGS.pack(_AGREED | _UNVERIFIED)
"""What a beside notes of a name that was taken for equal by size and time, on both sides under one spelling."""

BLAKE3, SHA256 = 1, 2
"""First byte of a file's content: the algorithm of the digest behind it."""


_KINDS = {kind.value: kind for kind in Kind}
"""Asked once for every name that is unpacked: `Kind(number)` takes three times as long."""


class Damaged(ValueError):
    """A stored blob does not carry the checksum it was written with."""


class Packed(Mapping[str, Entry]):
    """A listing that stays packed, in a sixth of the memory, until single entries are asked for; `rest` packs it again.

    Not for use by two threads.
    """

    __slots__ = ("_entries", "payload")

    def __init__(self, payload: bytes) -> None:
        self.payload = payload
        self._entries: dict[str, Entry] | None = None

    def rest(self) -> None:
        """Let go of the entries: nobody asks for one soon."""
        self._entries = None

    def __getitem__(self, name: str) -> Entry:
        if self._entries is None:
            self._entries = unpack(self.payload)
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries) if self._entries is not None else (name for name, _ in kinds(self.payload))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __bool__(self) -> bool:
        return bool(self.payload)

    def items(self) -> ItemsView[str, Entry]:
        """All entries; they are not kept."""
        return (unpack(self.payload) if self._entries is None else self._entries).items()


def pack(listing: Listing) -> bytes:
    """The bytes of a listing. A scan writes the same form without making entries."""
    if isinstance(listing, Packed):
        return listing.payload
    return b"".join(pack_entry(name, listing[name]) for name in sorted(listing))


def pack_entry(name: str, entry: Entry) -> bytes:
    """The record of one name of a listing."""
    encoded, kind = name.encode("utf-8", "surrogateescape"), int(entry.kind)
    if entry.windows is not None:
        encoded, kind = _SHORT.pack(entry.windows) + encoded, kind | ATTRIBUTED_BY_WINDOWS
    if entry.xattr is not None:
        encoded, kind = _SHORT.pack(len(entry.xattr)) + entry.xattr + encoded, kind | ATTRIBUTED
    if entry.owner is not None:
        encoded, kind = OWNER.pack(entry.owner) + encoded, kind | OWNED
    form = entry.mode, entry.size, entry.mtime_ns, entry.ctime_ns, entry.inode
    return RECORD.pack(kind, *form, len(encoded)) + encoded


def unpack(data: bytes) -> dict[str, Entry]:
    """The entries of a packed listing, without contents."""
    return dict(_records(data))


def inodes(look: Look) -> dict[str, int]:
    """The regular files that are seen of a directory, and the inode of each."""
    if isinstance(look, Packed):
        records = split(look.payload).items()
        return {name: RECORD.unpack_from(record)[5] for name, record in records if record[0] & PLAIN == FILE}
    seen = look if isinstance(look, Mapping) else {}
    return {name: entry.inode for name, entry in seen.items() if entry.kind is Kind.FILE}


def seal(payload: bytes) -> bytes:
    """`payload` with its checksum behind it, as it is stored."""
    return payload + _checksum(payload)


def unseal(blob: bytes) -> bytes:
    """The payload of a stored blob.

    Raises:
        Damaged: the checksum does not fit.
    """
    payload, checksum = blob[:-CHECKSUM_BYTES], blob[-CHECKSUM_BYTES:]
    if len(checksum) < CHECKSUM_BYTES or _checksum(payload) != checksum:
        raise Damaged("a stored directory does not carry the checksum it was written with")
    return payload


def subtree_digest(listings: Iterable[tuple[str, bytes]]) -> bytes:
    """One digest over the packed listings of a directory and all below it, by path relative to that directory."""
    digest = hashlib.blake2b(digest_size=16)
    for path, payload in sorted(listings):
        encoded = path.encode("utf-8", "surrogateescape")
        digest.update(_COUNT.pack(len(encoded)) + encoded + _COUNT.pack(len(payload)) + payload)
    return digest.digest()


def pack_base(left: Listing, right: Listing, base: BaseDirectory, fold: Callable[[str], str]) -> bytes:
    """The beside of a directory: flags and contents in the order of the left listing, then the names not agreed.

    Every agreed name must stand in both listings with the entry that was agreed; only its content is stored here.
    """
    notes, rest = pack_beside(left, right, base, fold)
    return b"".join(notes[name] for name in sorted(notes)) + rest


def pack_beside(
    left: Listing, right: Listing, base: BaseDirectory, fold: Callable[[str], str]
) -> tuple[dict[str, bytes], bytes]:
    """As `split_beside` finds it in what `pack_base` makes."""
    notes = {}
    for name in left:
        agreed = base.agreed.get(fold(name))
        if agreed is None or agreed.left_name != name or agreed.right_name not in right:
            notes[name] = _FLAGS.pack(0)
            continue
        respelled = agreed.right_name != name
        content = agreed.left.content
        note = _FLAGS.pack(_AGREED | _flags(agreed) | (_RESPELLED if respelled else 0))
        if content is not None:
            note += _text(content)
        if respelled:
            note += _text(agreed.right_name.encode("utf-8", "surrogateescape"))
        notes[name] = note
    held = (_pack_unagreed(key, base.unagreed[key]) for key in sorted(base.unagreed))
    return notes, _COUNT.pack(len(base.unagreed)) + b"".join(held)


def unpack_base(left: bytes, right: bytes, beside: bytes, fold: Callable[[str], str]) -> BaseDirectory:
    """What is remembered of a directory, from its three stored payloads."""
    on_left = unpack(left)
    notes, rest = split_beside(on_left, beside)
    return BaseDirectory(dict(unpack_notes(notes, on_left, unpack(right), fold)), dict(unpack_unagreed(rest)))


def split_beside(names: Iterable[str], beside: bytes) -> tuple[dict[str, bytes], bytes]:
    """What a beside notes of each name of the left listing it was packed with; and the part on names not agreed."""
    notes: dict[str, bytes] = {}
    start = 0
    for name in names:
        flags, end = beside[start], start + 1
        if flags & _CONTENT:
            end += 2 + beside[end] + (beside[end + 1] << 8)
        if flags & _RESPELLED:
            end += 2 + beside[end] + (beside[end + 1] << 8)
        notes[name] = beside[start:end]
        start = end
    return notes, beside[start:]


def unpack_notes(
    notes: Mapping[str, bytes], left: Listing, right: Listing, fold: Callable[[str], str]
) -> Iterator[tuple[str, Agreed]]:
    """What is agreed of these names, by folded name; they must stand in both listings."""
    for name, note in notes.items():
        flags = note[0]
        if flags & _AGREED:
            reader = _Reader(note, 1)
            content = reader.text() if flags & _CONTENT else None
            right_name = reader.name() if flags & _RESPELLED else name
            yield fold(name), _agreed(name, right_name, left[name], right[right_name], content, flags)


def unpack_unagreed(rest: bytes) -> Iterator[tuple[str, Unagreed]]:
    """The part of a beside on the names that are not agreed, by folded name."""
    reader = _Reader(rest)
    for _ in range(reader.number(_COUNT)):
        yield _unpack_unagreed(reader)


def settled(note: bytes) -> bool:
    """Whether a name is agreed, stands under one spelling on both sides, and every change of it would be seen."""
    return note[0] & (_SETTLED | _UNSETTLED) == _SETTLED


def with_contents(listing: Mapping[str, Entry], contents: Mapping[str, bytes]) -> dict[str, Entry]:
    """`listing` with the contents that became known."""
    return {name: _known(entry, contents.get(name)) for name, entry in listing.items()}


def _known(entry: Entry, content: bytes | None) -> Entry:
    if content is None or entry.content == content:
        return entry
    stamp = entry.kind, entry.size, entry.mtime_ns, entry.mode, entry.ctime_ns, entry.inode
    return Entry(*stamp, content, entry.owner, entry.xattr, entry.windows)


def _records(data: bytes) -> Iterator[tuple[str, Entry]]:
    position, end, width = 0, len(data), RECORD.size
    while position < end:
        kind, mode, size, mtime_ns, ctime_ns, inode, length = RECORD.unpack_from(data, position)
        position += width
        end_of_name, owner, xattr, windows = position + length, None, None, None
        if kind > PLAIN:
            if kind & OWNED:
                (owner,) = OWNER.unpack_from(data, position)
                position += OWNER.size
            if kind & ATTRIBUTED:
                end_of_digest = position + 1 + data[position]
                xattr, position = data[position + 1 : end_of_digest], end_of_digest
            if kind & ATTRIBUTED_BY_WINDOWS:
                windows, position = data[position], position + 1
            kind &= PLAIN
        name = data[position:end_of_name].decode("utf-8", "surrogateescape")
        position = end_of_name
        yield name, Entry(_KINDS[kind], size, mtime_ns, mode, ctime_ns, inode, None, owner, xattr, windows)


def _flags(agreed: Agreed) -> int:
    return (
        (_UNVERIFIED if agreed.unverified else 0)
        | (_RACY_LEFT if agreed.racy_left else 0)
        | (_RACY_RIGHT if agreed.racy_right else 0)
        | (_CONTENT if agreed.left.content is not None else 0)
    )


def _agreed(left_name: str, right_name: str, left: Entry, right: Entry, content: bytes | None, flags: int) -> Agreed:
    return Agreed(
        left_name,
        right_name,
        _known(left, content),
        _known(right, content),
        bool(flags & _UNVERIFIED),
        bool(flags & _RACY_LEFT),
        bool(flags & _RACY_RIGHT),
    )


def _pack_unagreed(key: str, value: Unagreed) -> bytes:
    parts = [_named(key), _named(value.name), _FLAGS.pack(value.hold)]
    before = value.before
    if before is None:
        return b"".join([*parts, _FLAGS.pack(0)])
    parts.append(_FLAGS.pack(_AGREED | _flags(before)))
    parts.append(pack({before.left_name: before.left}))
    parts.append(pack({before.right_name: before.right}))
    if before.left.content is not None:
        parts.append(_text(before.left.content))
    return b"".join(parts)


def _unpack_unagreed(reader: _Reader) -> tuple[str, Unagreed]:
    key, name, hold = reader.name(), reader.name(), Hold(reader.number(_FLAGS))
    flags = reader.number(_FLAGS)
    if not flags & _AGREED:
        return key, Unagreed(name, hold)
    left_name, left = reader.record()
    right_name, right = reader.record()
    content = reader.text() if flags & _CONTENT else None
    return key, Unagreed(name, hold, _agreed(left_name, right_name, left, right, content, flags))


def _text(data: bytes) -> bytes:
    return _LENGTH.pack(len(data)) + data


def _named(name: str) -> bytes:
    return _text(name.encode("utf-8", "surrogateescape"))


def _checksum(payload: bytes) -> bytes:
    return hashlib.blake2b(payload, digest_size=CHECKSUM_BYTES).digest()


class _Reader:
    """A position in a blob whose checksum has been verified."""

    def __init__(self, data: bytes, position: int = 0) -> None:
        self.data = data
        self.position = position

    def number(self, form: struct.Struct) -> int:
        (value,) = form.unpack_from(self.data, self.position)
        self.position += form.size
        return int(value)

    def text(self) -> bytes:
        length = self.number(_LENGTH)
        self.position += length
        return self.data[self.position - length : self.position]

    def name(self) -> str:
        return self.text().decode("utf-8", "surrogateescape")

    def record(self) -> tuple[str, Entry]:
        length = int(RECORD.unpack_from(self.data, self.position)[6])
        end = self.position + RECORD.size + length
        (pair,) = _records(self.data[self.position : end])
        self.position = end
        return pair
