"""What is remembered of the directories of a job."""

from __future__ import annotations

from dataclasses import replace

import pytest

from syncline.core.listing import Damaged, pack, seal, unpack, unseal
from syncline.core.model import Entry, Kind, Side
from syncline.store.base import BaseStore, Row
from syncline.store.jobs import Jobs
from tests.store.conftest import JOB

LEFT, RIGHT = Side.LEFT, Side.RIGHT


@pytest.fixture
def base(store):
    return BaseStore(store, JOB.id)


@pytest.fixture
def tree(store, base):
    """`""`, `Photos` (right: `photos`), `Photos/2026`, `only-left`, `only-right` by name of the right, or left."""
    ids = {}
    with store.transaction():
        ids[""] = base.write(Row(None, None, "", "", b"L0", b"R0", b"B0", files=2, size=30))
        ids["photos"] = base.write(Row(None, ids[""], "Photos", "photos", b"L1", b"R1", b"B1", True, 1, 4))
        ids["2026"] = base.write(Row(None, ids["photos"], "2026", "2026\udcff", b"L2", b"R2", b"B2", files=3, size=6))
        ids["only-left"] = base.write(Row(None, ids[""], "only-left", None, b"L3", None, None))
        ids["only-right"] = base.write(Row(None, ids[""], None, "only-right", None, b"R4", None))
        ids["deep"] = base.write(Row(None, ids["only-left"], "deep", None, b"L5", None, None))
    return ids


def test_children_are_those_of_one_side_by_its_own_names(base, tree):
    assert base.children(LEFT, None) == {"": (tree[""], b"L0", False)}
    assert base.children(RIGHT, None) == {"": (tree[""], b"R0", False)}
    assert base.children(LEFT, tree[""]) == {
        "Photos": (tree["photos"], b"L1", True),
        "only-left": (tree["only-left"], b"L3", False),
    }
    assert base.children(RIGHT, tree[""]) == {
        "photos": (tree["photos"], b"R1", True),
        "only-right": (tree["only-right"], b"R4", False),
    }
    assert base.children(RIGHT, tree["photos"]) == {"2026\udcff": (tree["2026"], b"R2", False)}
    assert base.children(LEFT, tree["2026"]) == {}


def test_children_come_from_one_look_into_the_index(store, base, tree):
    for side in Side:
        plan = store.all(f"EXPLAIN QUERY PLAN SELECT {side}_name, id, {side}, attention FROM directory "
                         "WHERE job = ? AND parent IS ?", (1, None))  # fmt: skip
        assert [step[3] for step in plan] == ["SEARCH directory USING INDEX directory_children (job=? AND parent=?)"]
    (step,) = store.all("EXPLAIN QUERY PLAN SELECT sum(files), sum(size) FROM directory WHERE job = ?", (1,))
    assert "COVERING INDEX directory_children" in step[3]


def test_child_rows_are_those_of_both_sides_whole(base, tree):
    assert [row.id for row in base.child_rows(tree[""])] == [tree["photos"], tree["only-left"], tree["only-right"]]
    assert base.child_rows(tree["photos"]) == [
        Row(tree["2026"], tree["photos"], "2026", "2026\udcff", b"L2", b"R2", b"B2", False, 3, 6)
    ]
    assert base.row(tree["photos"]) == base.child_rows(tree[""])[0]
    assert base.row(999) is None


@pytest.mark.parametrize(
    ("name", "left", "right"),
    [
        ("", "", ""),
        ("photos", "Photos", "photos"),
        ("2026", "Photos/2026", "photos/2026\udcff"),
        ("only-left", "only-left", None),
        ("only-right", None, "only-right"),
        ("deep", "only-left/deep", None),
    ],
)
def test_paths_are_found_by_walking_up(base, tree, name, left, right):
    assert base.paths(tree[name]) == (left, right)


def test_the_path_of_what_is_not_remembered_is_none(base, tree):
    assert base.paths(999) == (None, None)


def test_totals_are_sums_over_the_job(base, store, tree):
    assert base.totals() == (6, 40)
    base.forget(tree["photos"])
    assert base.totals() == (2, 30)
    base.clear()
    assert base.totals() == (0, 0)


def test_a_row_is_changed_and_moved(base, tree):
    moved = replace(base.row(tree["2026"]), parent=tree[""], left_name="y", right=None, right_name=None, attention=True)
    assert base.write(moved) == tree["2026"]
    assert base.row(tree["2026"]) == moved
    assert base.paths(tree["2026"]) == ("y", None)
    assert base.children(LEFT, tree["photos"]) == {}


def test_what_is_forgotten_goes_with_all_below_it(base, tree):
    base.forget(tree["only-left"])
    assert base.row(tree["deep"]) is None and base.row(tree["only-right"]) is not None
    with pytest.raises(KeyError):
        base.write(Row(tree["deep"], tree["only-left"], "deep", None))
    base.forget(tree[""])
    assert base.children(LEFT, None) == {}


def test_jobs_do_not_see_each_other_s_rows(store, base, tree):
    with store.transaction():
        Jobs(store).add(replace(JOB, id="cd" * 16, name="other"))
    other = BaseStore(store, "cd" * 16)
    assert other.children(LEFT, None) == {} and other.row(tree[""]) is None and other.totals() == (0, 0)
    other.forget(tree[""])
    other.clear()
    with pytest.raises(KeyError):
        other.write(Row(tree[""], None, "", ""))
    assert base.totals() == (6, 40)


def test_a_job_that_is_not_remembered_has_no_rows(state):
    with state.open(write=False) as store:
        nobody = BaseStore(store, "ef" * 16)
        assert nobody.children(LEFT, None) == {} and nobody.totals() == (0, 0)


def test_a_second_root_is_impossible(base, tree):
    import sqlite3

    with pytest.raises(sqlite3.IntegrityError):
        base.write(Row(None, None, "", ""))


def test_a_byte_that_changed_on_the_disk_is_noticed_when_the_row_is_read(state):
    state.begin()
    listing = {f"file {number}": Entry(Kind.FILE, number, 10**18, 0o644, 10**18, number) for number in range(100)}
    with state.open() as store, store.transaction():
        id = BaseStore(store, JOB.id).write(Row(None, None, "", "", seal(pack(listing)), None, None))
    data = state.file.read_bytes()
    assert data.count(b"file 77") == 1
    state.file.write_bytes(data.replace(b"file 77", b"file 7g"))
    with state.open() as store:
        assert store.notes == []
        row = BaseStore(store, JOB.id).row(id)
        assert row is not None and row.left is not None
        with pytest.raises(Damaged):
            unpack(unseal(row.left))
