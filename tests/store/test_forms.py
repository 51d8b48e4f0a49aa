"""Stored forms: whatever is written comes back equal, and nothing that was not written is believed."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncline.core import listing, model, wire
from syncline.core.model import (
    Because,
    Conflict,
    Entry,
    Kind,
    Place,
    Plan,
    PutFile,
    RelPath,
    Side,
    Trash,
    Why,
)
from tests.store.values import ACTIONS, BARE, NAMES, Directory, directories

VALUES = (model.Entry, model.Place, model.Because, model.Conflict, model.Problem, model.Agreed, model.Objection)


@given(ACTIONS)
def test_an_action_comes_back(action):
    text = wire.encode(action)
    assert text.isascii()
    assert wire.decode_action(text) == action
    assert type(wire.decode_action(text)) is type(action)
    assert wire.decode(type(action), text) == action


@pytest.mark.parametrize("kind", VALUES, ids=lambda kind: kind.__name__)
@given(data=st.data())
@settings(max_examples=40)
def test_a_value_comes_back(kind, data):
    value = data.draw(st.from_type(kind))
    back = wire.decode(kind, wire.encode(value))
    assert back == value
    assert repr(back) == repr(value)  # enumerations too are what they were, not only equal


@given(ACTIONS, st.from_type(model.Problem), st.booleans())
@settings(max_examples=40)
def test_an_event_comes_back(action, problem, skipped):
    for event in (
        model.ActionDone(3, action),
        model.ActionFailed(3, action, problem, skipped),
        model.Progress(1, 2, 3, 4, RelPath("a\udcff")),
        model.RunFinished("r", model.Outcome.DONE, (problem,), 0.5),
    ):
        assert wire.decode(model.Event, wire.encode(event)) == event


ENTRY = Entry(Kind.FILE, 9, 3, 0o644, 4, 5, b"\x01\xff")
PUT = PutFile(
    Place(Side.RIGHT, RelPath("a\udcff")),
    None,
    Because(Why.CREATED, Place(Side.LEFT, RelPath("a")), ENTRY),
    ENTRY,
    Place(Side.LEFT, RelPath("a")),
    ENTRY,
)

STORED = {
    '["put-file",["right","a\\udcff"],null,["created",["left","a"],[1,9,3,420,4,5,"01ff",null,null,null]],[1,9,3,420,4,5,"01ff",null,null,null],'
    '["left","a"],[1,9,3,420,4,5,"01ff",null,null,null],null,null,false]': PUT,
    '["trash",["left","d"],[2,0,0,493,0,0,null,null,null,null],["deleted",["right","d"],null],3,99,"ab",null]': Trash(
        Place(Side.LEFT, RelPath("d")),
        Entry(Kind.DIRECTORY, mode=0o755),
        Because(Why.DELETED, Place(Side.RIGHT, RelPath("d")), None),
        3,
        99,
        b"\xab",
    ),
}


def test_an_entry_stored_before_owners_and_attributes_were_kept_means_the_same():
    for tail in ("]", ",null]", ",null,null]"):
        old = wire.encode(PUT).replace('"01ff",null,null,null]', '"01ff"' + tail)
        assert old.count('"01ff"' + tail) == 3
        assert wire.decode_action(old) == PUT


@pytest.mark.parametrize("text", STORED)
def test_what_an_earlier_version_stored_means_the_same(text):
    assert wire.encode(STORED[text]) == text
    assert wire.decode_action(text) == STORED[text]


def test_an_action_stored_before_it_had_all_its_fields_means_the_same():
    assert wire.decode_action(wire.encode(PUT).replace(",false]", "]")) == PUT


def test_fields_that_are_missing_at_the_end_take_their_defaults():
    assert wire.decode(Entry, "[1,9]") == Entry(Kind.FILE, 9)
    assert wire.decode(Entry, '[1,9,0,0,0,0,null,null,null,null,"of a later version"]') == Entry(Kind.FILE, 9)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "{}",
        "[]",
        "null",
        "7",
        '"put-file"',
        '["no-such-action"]',
        '["put-file"]',
        wire.encode(PUT)[:-1],
        wire.encode(PUT).replace('"right"', '"middle"'),
        wire.encode(PUT).replace("[1,9", "[9,9"),
        wire.encode(PUT).replace("01ff", "01f"),
        wire.encode(PUT).replace("420", '"420"'),
        wire.encode(PUT).replace("420", "true"),
        "[" * 100_000,
    ],
)
def test_what_is_no_action_is_told(text):
    with pytest.raises(wire.Unreadable):
        wire.decode_action(text)


@given(st.text(max_size=60) | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps))
def test_any_text_is_an_action_or_unreadable(text):
    with suppress(wire.Unreadable):
        wire.decode_action(text)


@given(st.lists(ACTIONS, max_size=3), st.lists(st.from_type(model.Objection), max_size=2))
@settings(max_examples=40)
def test_a_plan_comes_back(actions, objections):
    started = model.RunStarted(
        "r", Plan("p", "j", "twoway", tuple(actions), objections=tuple(objections), notes=("n",))
    )
    assert wire.decode(model.Event, wire.encode(started)) == started


def test_what_is_no_value_of_the_model_is_refused():
    for value in (object(), {1, 2}, Plan):
        with pytest.raises(TypeError):
            wire.encode(value)


def test_every_action_and_event_has_a_name_of_its_own():
    names = [wire.tag(kind) for union in (model.Action, model.Event) for kind in get_args(union)]
    assert len(set(names)) == len(names)
    assert {"put-file", "make-directory", "set-properties", "run-command"} <= set(names)


# ---------------------------------------------------------------------------------------------------------------------
# Packed directories


@given(st.dictionaries(NAMES, BARE, max_size=10))
def test_a_listing_comes_back(entries):
    assert listing.unpack(listing.pack(entries)) == entries


@given(st.dictionaries(NAMES, BARE, max_size=10), st.randoms())
def test_equal_listings_are_equal_bytes(entries, random):
    items = list(entries.items())
    random.shuffle(items)
    assert listing.pack(dict(items)) == listing.pack(entries)


@given(directories())
def test_what_is_remembered_of_a_directory_comes_back(directory: Directory):
    left, right, base = directory
    beside = listing.pack_base(left, right, base, str.lower)
    assert listing.unpack_base(listing.pack(left), listing.pack(right), beside, str.lower) == base


@given(directories(), st.data())
def test_one_flipped_bit_anywhere_is_damage(directory: Directory, data):
    left, right, base = directory
    for payload in (listing.pack(left), listing.pack(right), listing.pack_base(left, right, base, str.lower)):
        sealed = bytearray(listing.seal(payload))
        assert listing.unseal(bytes(sealed)) == payload and listing.same(bytes(sealed), payload)
        sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
        with pytest.raises(listing.Damaged):
            listing.unseal(bytes(sealed))


def test_every_byte_of_a_blob_is_under_its_checksum():
    sealed = listing.seal(listing.pack({"a": Entry(Kind.FILE, 9), "b": Entry(Kind.LINK, 1)}))
    for position in range(len(sealed)):
        for wrong in (sealed[:position], sealed[:position] + bytes([sealed[position] ^ 0xFF]) + sealed[position + 1 :]):
            with pytest.raises(listing.Damaged):
                listing.unseal(wrong)


def test_a_conflict_of_an_agreed_pair_comes_back():
    agreed = model.Agreed("A", "a", ENTRY, ENTRY, racy_left=True)
    conflict = Conflict(RelPath("a"), model.Rule.UNDONE, model.Policy.HOLD, None, ENTRY, None, agreed)
    assert wire.decode(Conflict, wire.encode(conflict)) == conflict
