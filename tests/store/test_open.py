"""The state database is opened whatever became of it, and whichever version wrote it."""

from __future__ import annotations

import os
import sqlite3
import stat

import pytest

from syncline.errors import StateError, StateTooNew
from syncline.store import db, file, migrate
from syncline.store.jobs import Jobs
from tests.store.conftest import JOB, killed_in_the_middle


def test_a_missing_one_is_made(state):
    with state.open() as store:
        assert store.notes == []
        assert store.first("PRAGMA journal_mode") == ("wal",)
        assert store.first("PRAGMA synchronous") == (2,)
        assert store.first("PRAGMA foreign_keys") == (1,)
        assert store.first("PRAGMA trusted_schema") == (0,)
        assert store.first("PRAGMA cell_size_check") == (1,)
        assert store.first("PRAGMA busy_timeout") == (5000,)
        assert store.first("PRAGMA application_id") == (file.APPLICATION_ID,)
        assert stat.S_IMODE(os.stat(f"{state.file}-wal").st_mode) == 0o600
    assert stat.S_IMODE(state.directory.stat().st_mode) == 0o700
    assert stat.S_IMODE(state.file.stat().st_mode) == 0o600
    assert state.names() == ["state.db"]


def test_what_was_stored_is_there_again(state):
    state.begin()
    assert state.jobs() == state.jobs(write=True) == ["docs-usb"]


# ---------------------------------------------------------------------------------------------------------------------
# Damage


def emptied(path):
    path.write_bytes(b"")


def garbage_header(path):
    path.write_bytes(b"\xa5" * 100 + path.read_bytes()[100:])


def text(path):
    path.write_text("this is no database\n" * 1000)


def half(path):
    os.truncate(path, path.stat().st_size // 2)


def cut_in_the_header(path):
    os.truncate(path, 60)


def zeroed(path):
    path.write_bytes(bytes(path.stat().st_size))


def all_pages_but_the_first_zeroed(path):
    data = path.read_bytes()
    path.write_bytes(data[:8192] + bytes(len(data) - 8192))


def middle_of_the_schema_overwritten(path):
    data = bytearray(path.read_bytes())
    at = data.index(b"CREATE TABLE directory")
    data[at : at + 1000] = b"\xff" * 1000
    path.write_bytes(data)


def a_word_of_the_schema_that_is_no_text(path):
    path.write_bytes(path.read_bytes().replace(b"CREATE TABLE directory", b"CREATE TABL\xf8 directory"))


def another_program_s(path):
    path.unlink()
    other = sqlite3.connect(path)
    other.executescript("CREATE TABLE bookmark (url); PRAGMA user_version = 3")
    other.close()


def an_empty_database(path):
    path.unlink()
    other = sqlite3.connect(path)
    other.executescript("CREATE TABLE t (x); DROP TABLE t")
    other.close()


def a_table_lost(path):
    other = sqlite3.connect(path)
    other.executescript("DROP TABLE action")
    other.close()


DAMAGES = [
    emptied,
    garbage_header,
    text,
    half,
    cut_in_the_header,
    zeroed,
    all_pages_but_the_first_zeroed,
    middle_of_the_schema_overwritten,
    a_word_of_the_schema_that_is_no_text,
    another_program_s,
    an_empty_database,
    a_table_lost,
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_one_is_moved_aside_and_a_new_one_begun(state, damage):
    state.begin()
    damage(state.file)
    bad = state.file.read_bytes()
    with state.open() as store:
        assert Jobs(store).all() == []
        (note,) = store.notes
        assert "damaged" in note and "state.db.bad-20261120T184500Z" in note and "deletes nothing" in note
        with store.transaction():
            Jobs(store).add(JOB)
    assert (state.directory / "state.db.bad-20261120T184500Z").read_bytes() == bad
    assert state.names() == ["state.db", "state.db.bad-20261120T184500Z"]
    with state.open() as store:
        assert store.notes == []
    assert state.jobs() == ["docs-usb"]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_one_is_only_told_of_when_it_is_looked_at(state, damage):
    state.begin()
    damage(state.file)
    before = state.picture()
    with state.open(write=False) as store:
        assert Jobs(store).all() == []
        (note,) = store.notes
        assert "damaged" in note and "left as it is" in note
    assert state.picture() == before


def test_two_damaged_ones_in_a_second_keep_names_of_their_own(state):
    for _ in range(2):
        state.begin()
        emptied(state.file)
    state.begin()
    assert state.names() == ["state.db", "state.db.bad-20261120T184500Z", "state.db.bad-20261120T184500Z-2"]


def test_a_large_one_is_not_read_through_and_a_broken_page_is_found_when_it_is_met(state, monkeypatch):
    state.begin()
    monkeypatch.setattr(db, "_QUICK_CHECK_BYTES", 0)
    root_page = sqlite3.connect(state.file).execute("SELECT rootpage FROM sqlite_schema WHERE name = 'job'").fetchone()
    data = bytearray(state.file.read_bytes())
    start = (root_page[0] - 1) * 8192
    data[start : start + 8192] = b"\xee" * 8192
    state.file.write_bytes(data)
    with state.open() as store:
        assert store.notes == []
        with pytest.raises(StateError, match="damaged") as caught:
            Jobs(store).all()
        assert "deletes nothing" in caught.value.hint
    assert state.names()[0] == "state.db.bad-20261120T184500Z"
    assert state.jobs(write=True) == []


def test_a_text_that_is_none_is_damage_when_it_is_met(state):
    state.begin()
    state.file.write_bytes(state.file.read_bytes().replace(b"docs-usb", b"docs\xffusb"))
    with state.open() as store:
        assert store.notes == []
        with pytest.raises(StateError, match="damaged"):
            Jobs(store).all()
    assert state.names()[0] == "state.db.bad-20261120T184500Z"
    assert state.jobs(write=True) == []


@pytest.mark.parametrize(
    ("word", "other"), [(b"last_checked", b"last_chexked"), (b"REFERENCES job (key)", b"REFERENCES job (kez)")]
)
def test_a_word_of_the_schema_that_is_another_one_is_damage_when_it_is_met(state, word, other):
    state.begin()
    state.file.write_bytes(state.file.read_bytes().replace(word, other))
    with state.open() as store:
        assert store.notes == []
        with pytest.raises(StateError, match="damaged"), store.transaction():
            Jobs(store).all()
            Jobs(store).forget(JOB.id)
    assert state.names()[0] == "state.db.bad-20261120T184500Z"
    assert state.jobs(write=True) == []


def test_a_journal_left_without_its_database_is_not_replayed_into_a_new_one(state):
    killed_in_the_middle(state)
    state.file.unlink()
    with state.open() as store:
        assert Jobs(store).all() == []
        assert "missing" in store.notes[0]
    assert "state.db.bad-20261120T184500Z-wal" in state.names()


JUNK = {
    "empty": b"",
    "a byte": b"x",
    "no header": bytes(31),
    "no magic": b"\xa5" * 9000,
    "no checksum": b"\x37\x7f\x06\x82" + b"\xa5" * 9000,
}


@pytest.mark.parametrize("junk", JUNK.values(), ids=JUNK.keys())
def test_a_junk_journal_hides_nothing(state, junk):
    state.begin()
    for name in ("state.db-wal", "state.db-shm"):
        (state.directory / name).write_bytes(junk)
        (state.directory / name).chmod(0o600)
    before = state.picture()
    assert state.jobs() == ["docs-usb"]
    assert state.picture() == before
    assert state.jobs(write=True) == ["docs-usb"]


# ---------------------------------------------------------------------------------------------------------------------
# Versions


def set_version(path, version):
    other = sqlite3.connect(path)
    other.execute(f"PRAGMA user_version = {version}")
    other.close()


@pytest.mark.parametrize("write", [True, False])
def test_a_newer_one_is_refused_untouched(state, write):
    state.begin()
    set_version(state.file, migrate.VERSION + 1)
    before = state.picture()
    with pytest.raises(StateTooNew) as caught:
        state.open(write=write)
    assert (
        f"version {migrate.VERSION + 1}" in caught.value.message and f"up to {migrate.VERSION}" in caught.value.message
    )
    assert caught.value.hint
    assert state.picture() == before


LATER = {
    1: "ALTER TABLE job ADD COLUMN colour TEXT; UPDATE job SET colour = 'red'",
    2: "ALTER TABLE job RENAME COLUMN colour TO hue; CREATE TABLE shade (name TEXT)",
}


@pytest.fixture
def later(monkeypatch):
    """This syncline is two versions on."""
    monkeypatch.setattr(migrate, "VERSION", 3)
    monkeypatch.setattr(migrate.upgrade_with_copies, "__defaults__", (LATER, 3))
    monkeypatch.setattr(migrate.upgrade, "__defaults__", (LATER, 3))


def test_an_older_one_is_brought_up_to_date_behind_copies(state, later, monkeypatch):
    with monkeypatch.context() as now:
        now.setattr(migrate, "VERSION", 1)
        now.setattr(migrate.upgrade_with_copies, "__defaults__", ({}, 1))
        state.begin()
    before = state.picture()
    with state.open(write=False) as store:
        assert store.all("SELECT name, hue FROM job") == [("docs-usb", "red")]
        assert store.notes == []
    assert state.picture() == before
    with state.open() as store:
        assert store.all("SELECT name, hue FROM job") == [("docs-usb", "red")]
        assert store.first("PRAGMA foreign_keys") == (1,)
        assert len(store.notes) == 2
    copies = ["state.db.v1-20261120T184500Z", "state.db.v2-20261120T184500Z"]
    assert state.names() == ["state.db", *copies]
    for number, name in enumerate(copies, start=1):
        copy = state.directory / name
        assert stat.S_IMODE(copy.stat().st_mode) == 0o600
        connection = sqlite3.connect(copy)
        assert connection.execute("PRAGMA user_version").fetchone() == (number,)
        assert connection.execute("SELECT name FROM job").fetchall() == [("docs-usb",)]
        connection.close()


def test_a_step_that_fails_leaves_the_version_before_it(state):
    state.begin()
    set_version(state.file, 1)
    connection = sqlite3.connect(state.file, isolation_level=None)
    wrong = {1: LATER[1], 2: "CREATE TABLE shade (name TEXT); UPDATE no_such_table SET x = 1"}
    with pytest.raises(sqlite3.OperationalError):
        migrate.upgrade_with_copies(connection, str(state.file), state.clock(), wrong, 3)
    assert migrate.version_of(connection) == 2
    assert connection.execute("SELECT name FROM sqlite_schema WHERE name = 'shade'").fetchall() == []
    assert connection.execute("SELECT colour FROM job").fetchall() == [("red",)]
    connection.close()


def test_every_older_version_has_a_step():
    assert sorted(migrate.STEPS) == list(range(1, migrate.VERSION))


def shape(connection):
    """Every table with its columns, every index with its text."""
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY 1")]
    columns = {name: connection.execute(f"PRAGMA table_info({name})").fetchall() for name in tables}
    return columns, connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'index' ORDER BY 1").fetchall()


def test_the_steps_lead_to_the_schema_of_today():
    fresh, grown = sqlite3.connect(":memory:"), sqlite3.connect(":memory:", isolation_level=None)
    fresh.executescript(migrate.schema())
    grown.executescript(migrate.schema())
    for table in ("suspect", "verified"):  # what version 1 did not have
        grown.execute(f"DROP TABLE {table}")
    grown.execute("PRAGMA user_version = 1")
    migrate.upgrade(grown)
    assert shape(grown) == shape(fresh)
    fresh.close()
    grown.close()
