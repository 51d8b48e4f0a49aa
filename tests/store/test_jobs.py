"""The jobs that are remembered."""

from __future__ import annotations

import os
import re
import sqlite3
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.core.model import Conflict, Kept, Policy, RelPath, Rule
from syncline.errors import UsageError
from syncline.store.base import BaseStore, Row
from syncline.store.conflicts import Approvals, Conflicts
from syncline.store.jobs import Job, JobChange, Jobs, adhoc_name
from syncline.store.runs import Runs
from tests.store.conftest import JOB

OTHER = replace(
    JOB,
    id="cd" * 16,
    name="other",
    left_path="/o/l",
    right_path="/o/r\udcfe",
    options={"exclude": ["*.tmp", "\udcff"]},
    adhoc=False,
    created="2026-01-01T00:00:00.000000Z",
    generation=7,
    begun=True,
    complete=True,
    scope="s",
    left_marker="m1",
    right_marker="m2",
    left_filesystem="f1",
    right_filesystem="f2",
    last_checked="2026-01-02T00:00:00.000000Z",
    in_sync=False,
    problems=3,
    last_summary={"copied": 1},
)


def test_a_job_comes_back_as_it_was(store):
    jobs = Jobs(store)
    assert jobs.add(OTHER) == OTHER
    assert jobs.by_name("other") == jobs.by_id("cd" * 16) == jobs.get("other") == OTHER
    assert jobs.by_name("docs-usb") == replace(JOB, created="2026-11-20T18:45:00.000000Z")
    assert [job.name for job in jobs.all()] == ["docs-usb", "other"]


@pytest.mark.parametrize("field", [field.name for field in fields(Job) if field.name not in ("id", "created")])
def test_every_field_can_be_changed_alone(store, field):
    jobs = Jobs(store)
    before = jobs.get("docs-usb")
    jobs.change(JOB.id, **{field: getattr(OTHER, field)})
    assert jobs.by_id(JOB.id) == replace(before, **{field: getattr(OTHER, field)})
    assert field in JobChange.__annotations__


def test_what_is_no_field_or_no_job_is_not_changed(store):
    jobs = Jobs(store)
    with pytest.raises(TypeError):
        jobs.change(JOB.id, **{"id = 'x', name": "y"})  # type: ignore[arg-type]  # what is wrong here on purpose
    with pytest.raises(KeyError):
        jobs.change("nobody", name="y")


@pytest.mark.parametrize(
    ("one", "other", "found"),
    [
        ("/home/docs", "/media/usb\udcff", ("docs-usb", False)),
        ("/media/usb\udcff", "/home/docs", ("docs-usb", True)),
        ("/home/docs", "/media/usb", None),
        ("/home/docs", "/home/docs", None),
    ],
)
def test_a_job_is_found_by_its_pair_in_both_orders(store, one, other, found):
    pair = Jobs(store).by_pair(one, other)
    assert (pair and (pair[0].name, pair[1])) == found


def test_a_job_that_is_not_there_is_refused_naming_those_that_are(store):
    assert Jobs(store).by_name("nobody") is None
    with pytest.raises(UsageError) as caught:
        Jobs(store).get("nobody")
    assert "docs-usb" in caught.value.hint


def test_two_jobs_of_one_name_are_impossible(store):
    with pytest.raises(sqlite3.IntegrityError):
        Jobs(store).add(replace(OTHER, name="docs-usb"))


def test_a_forgotten_job_goes_with_all_that_it_owns(store):
    jobs = Jobs(store)
    jobs.add(OTHER)
    for id in (JOB.id, OTHER.id):
        BaseStore(store, id).write(Row(None, None, "", ""))
        Runs(store).start(id, id, plan="p", kind="run", roots={})
        Conflicts(store).record(id, id, Conflict(RelPath("a"), Rule.TYPE_BOTH, Policy.HOLD, None, None, None))
        Approvals(store).remember(f"plan of {id}", id, [])
    jobs.forget(JOB.id)
    assert [job.name for job in jobs.all()] == ["other"]
    for table in ("directory", "run", "conflict", "approval"):
        assert store.first(f"SELECT count(*) FROM {table}") == (1,), table


@pytest.mark.parametrize(
    ("left", "right", "taken", "name"),
    [
        ("docs", "usb", [], "docs-usb"),
        ("docs", "usb", ["docs-usb"], "docs-usb-2"),
        ("docs", "usb", ["docs-usb", "docs-usb-2"], "docs-usb-3"),
        ("My Documents", "NAS (2)", [], "my-documents-nas-2"),
        ("Größe", "Été", [], "grosse-ete"),
        ("İ", "ﬁle", [], "i-file"),
        ("", "文件", [], "folder-folder"),
        ("..", "a\udcffb", [], "folder-a-b"),
        ("a" * 300, "b", [], "a" * 40 + "-b"),
    ],
)
def test_the_name_of_an_ad_hoc_job(left, right, taken, name):
    assert adhoc_name(left, right, taken.__contains__) == name


@given(st.binary(max_size=40), st.binary(max_size=40), st.integers(0, 3))
def test_any_folders_make_a_name_of_plain_characters(left, right, number):
    taken: list[str] = []
    for _ in range(number + 1):
        taken.append(adhoc_name(os.fsdecode(left), os.fsdecode(right), taken.__contains__))
    assert len(set(taken)) == number + 1
    assert all(re.fullmatch(r"[a-z0-9-]+", name) for name in taken)


def test_kept_is_stored_by_its_value(store):
    Conflicts(store).record(JOB.id, None, Conflict(RelPath("a"), Rule.TYPE_BOTH, Policy.LEFT, Kept.LEFT, None, None))
    assert store.first("SELECT kept, typeof(kept) FROM conflict") == ("left", "text")
