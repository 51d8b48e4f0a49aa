"""Any value of the model, for property tests."""

from __future__ import annotations

import os
from typing import Any, get_args

from hypothesis import strategies as st

from syncline.core import model
from syncline.core.model import Agreed, BaseDirectory, Entry, Hold, Kind, RelPath, Unagreed

NAMES = (
    st.binary(min_size=1, max_size=20)
    .filter(lambda name: b"/" not in name and b"\0" not in name and name not in (b".", b".."))
    .map(os.fsdecode)
)
PATHS = st.lists(NAMES, max_size=4).map("/".join).map(RelPath)

_NS = st.integers(-(2**62), 2**62)

ENTRIES = st.builds(
    Entry,
    kind=st.sampled_from(Kind),
    size=st.integers(0, 2**63 - 1),
    mtime_ns=_NS,
    mode=st.integers(0, 0o777),
    ctime_ns=_NS,
    inode=st.integers(0, 2**64 - 1),
    content=st.none() | st.binary(max_size=40),
)

st.register_type_strategy(Entry, ENTRIES)
st.register_type_strategy(RelPath, PATHS)

ACTIONS: st.SearchStrategy[Any] = st.one_of([st.from_type(kind) for kind in get_args(model.Action)])

# A listing knows no contents; a file's content is the same on both sides of what was agreed.
BARE = st.builds(
    Entry,
    kind=st.sampled_from(Kind),
    size=st.integers(0, 2**64 - 1),
    mtime_ns=_NS,
    mode=st.integers(0, 0o777),
    ctime_ns=_NS,
    inode=st.integers(0, 2**64 - 1),
)


def agreed(left_name: str, right_name: str) -> st.SearchStrategy[Agreed]:
    return st.builds(
        lambda left, right, content, *flags: Agreed(
            left_name, right_name, known(left, content), known(right, content), *flags
        ),
        BARE,
        BARE,
        st.none() | st.binary(max_size=40),
        st.booleans(),
        st.booleans(),
        st.booleans(),
    )


def known(entry: Entry, content: bytes | None) -> Entry:
    return Entry(entry.kind, entry.size, entry.mtime_ns, entry.mode, entry.ctime_ns, entry.inode, content)


def bare(entry: Entry) -> Entry:
    return known(entry, None)


Directory = tuple[dict[str, Entry], dict[str, Entry], BaseDirectory]


@st.composite
def directories(draw: st.DrawFn) -> Directory:
    """Both listings of a directory and what is remembered of it; names differ by `.lower()` between the sides."""
    left, right, known_names, held = {}, {}, {}, {}
    for name in draw(st.lists(NAMES, max_size=8, unique_by=str.lower)):
        other = draw(st.sampled_from([name, name.lower(), name.upper()]))
        if other.lower() != name.lower():
            other = name
        match draw(st.integers(0, 3)):
            case 0:
                both = draw(agreed(name, other))
                left[name], right[other], known_names[name.lower()] = bare(both.left), bare(both.right), both
            case 1:
                left[name] = draw(BARE)
                held[name.lower()] = Unagreed(name, draw(st.sampled_from(Hold)), draw(st.none() | agreed(name, other)))
            case 2:
                right[other] = draw(BARE)
                held[name.lower()] = Unagreed(other, draw(st.sampled_from(Hold)))
            case _:
                left[name] = draw(BARE)
    return left, right, BaseDirectory(known_names, held)
