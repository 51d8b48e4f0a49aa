"""The state database is opened whatever became of it; looking at it leaves no trace."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import threading

import pytest

from syncline.errors import StateError, StateTooNew
from syncline.store import db, file, migrate
from syncline.store.jobs import Jobs
from tests.store.conftest import JOB


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
    data[2000:6000] = b"\xff" * 4000
    path.write_bytes(data)


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
    assert state.names() == ["state.db.bad-20261120T184500Z"]
    assert state.jobs(write=True) == []


def test_a_journal_left_without_its_database_is_not_replayed_into_a_new_one(state):
    killed_in_the_middle(state)
    state.file.unlink()
    with state.open() as store:
        assert Jobs(store).all() == []
        assert "missing" in store.notes[0]
    assert "state.db.bad-20261120T184500Z-wal" in state.names()


@pytest.mark.parametrize("junk", [b"", b"x", os.urandom(31), os.urandom(9000), b"\x37\x7f\x06\x82" + os.urandom(9000)])
def test_a_junk_journal_hides_nothing(state, junk):
    state.begin()
    (state.directory / "state.db-wal").write_bytes(junk)
    (state.directory / "state.db-shm").write_bytes(junk)
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
    assert f"version {migrate.VERSION + 1}" in caught.value.message and f"up to {migrate.VERSION}" in caught.value.message
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


# ---------------------------------------------------------------------------------------------------------------------
# Looking


def test_looking_where_nothing_is_makes_nothing(state):
    assert state.jobs() == []
    assert not state.directory.exists()
    state.directory.mkdir()
    before = state.picture()
    assert state.jobs() == []
    assert state.picture() == before


def test_looking_leaves_the_directory_as_it_was(state):
    state.begin()
    before = state.picture()
    with state.open(write=False) as store:
        assert len(Jobs(store).all()) == 1
        assert state.picture() == before
    assert state.picture() == before


@pytest.mark.parametrize("rows", [0, 1, 500])
def test_looking_after_a_kill_leaves_the_directory_as_it_was_and_sees_what_was_committed(state, rows):
    killed_in_the_middle(state, rows)
    before = state.picture()
    assert len(state.jobs()) == 1 + rows
    assert state.picture() == before


def test_changing_a_store_opened_to_look_is_an_error(state):
    state.begin()
    with state.open(write=False) as store:
        with pytest.raises(StateError):
            Jobs(store).forget(JOB.id)
        with pytest.raises(RuntimeError), store.transaction():
            pass
    with state.open(write=False) as store:
        assert len(Jobs(store).all()) == 1


def test_a_look_beside_a_writer_sees_one_moment_and_never_waits(state):
    state.begin()
    with state.open() as writer, writer.transaction():
        Jobs(writer).change(JOB.id, name="half-done")
        assert state.jobs() == ["docs-usb"]
    with state.open() as writer, state.open(write=False) as looker:
        assert [job.name for job in Jobs(looker).all()] == ["half-done"]
        with writer.transaction():
            Jobs(writer).change(JOB.id, name="done")
        assert [job.name for job in Jobs(looker).all()] == ["half-done"]
        assert not looker.stale()
    assert state.jobs() == ["done"]


def test_a_look_that_began_alone_knows_when_a_run_wrote_meanwhile(state):
    state.begin()
    with state.open(write=False) as looker:
        assert not looker.stale()
        with state.open() as writer, writer.transaction():
            Jobs(writer).change(JOB.id, name="done")
        assert looker.stale()


# ---------------------------------------------------------------------------------------------------------------------
# Transactions


def test_a_transaction_is_whole_or_nothing(store):
    with pytest.raises(ZeroDivisionError), store.transaction():
        Jobs(store).change(JOB.id, name="x")
        _ = 1 / 0
    assert Jobs(store).all() == [Jobs(store).get("docs-usb")]
    with store.transaction():
        Jobs(store).change(JOB.id, name="y")
    assert Jobs(store).by_name("y")


def test_an_inner_transaction_joins_the_outer_one(store):
    with pytest.raises(ZeroDivisionError), store.transaction():
        with store.transaction():
            Jobs(store).change(JOB.id, name="x")
        _ = 1 / 0
    assert Jobs(store).by_name("x") is None


def test_a_failed_inner_transaction_is_not_stored_though_its_failure_is_passed_over(store):
    with pytest.raises(RuntimeError), store.transaction():
        try:
            with store.transaction():
                Jobs(store).change(JOB.id, name="x")
                _ = 1 / 0
        except ZeroDivisionError:
            pass
    assert Jobs(store).by_name("x") is None
    with store.transaction():
        Jobs(store).change(JOB.id, name="z")
    assert Jobs(store).by_name("z")


def killed_in_the_middle(state, rows=1):
    """A process committed `rows` jobs, wrote one more, and was killed before it could commit that one."""
    state.begin()
    script = f"""
import os, signal
from dataclasses import replace
from tests.store.conftest import JOB, Clock
from syncline.store.db import Store
from syncline.store.jobs import Jobs
store = Store.open({str(state.directory)!r}, now=Clock(), write=True)
store.connection.execute("PRAGMA wal_autocheckpoint = 0")
with store.transaction():
    for number in range({rows}):
        Jobs(store).add(replace(JOB, id=str(number), name=str(number)))
with store.transaction():
    Jobs(store).add(replace(JOB, id="lost", name="lost"))
    os.kill(os.getpid(), signal.SIGKILL)
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    ended = subprocess.run([sys.executable, "-c", script], env=environment, check=False)
    assert ended.returncode == -9
    assert "state.db-wal" in state.names()


def test_a_kill_before_the_commit_loses_that_transaction_and_no_other(state):
    killed_in_the_middle(state)
    assert state.jobs(write=True) == ["0", "docs-usb"]
    assert state.names() == ["state.db"]


def test_first_starts_at_the_same_time_agree_on_one_database(state):
    stores, failures = [], []

    def start():
        try:
            with state.open() as store:
                stores.append(store.first("SELECT count(*) FROM job"))
        except Exception as error:  # noqa: BLE001 - handed to the thread that judges
            failures.append(error)

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == [] and len(stores) == 8
    assert state.names() == ["state.db"]


# ---------------------------------------------------------------------------------------------------------------------
# The disk


@pytest.fixture
def small(state):
    """The state directory is a file system of 1 MB."""
    state.directory.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1M,mode=700", "none", state.directory], check=True)
    yield state
    subprocess.run(["umount", "--lazy", state.directory], check=True)


def fill(directory):
    with open(directory / "filler", "wb", buffering=0) as stream:
        try:
            while True:
                stream.write(bytes(4096))
        except OSError:
            pass


@pytest.mark.root
def test_a_disk_full_from_the_start_is_told_in_plain_words(small):
    fill(small.directory)
    with pytest.raises(StateError, match="no space left") as caught:
        small.open()
    assert "free some space" in caught.value.hint
    assert small.names() == ["filler"]
    (small.directory / "filler").unlink()
    small.begin()
    assert small.jobs() == ["docs-usb"]


@pytest.mark.root
def test_a_disk_that_fills_up_loses_the_transaction_and_nothing_else(small):
    small.begin()
    with small.open() as store:
        fill(small.directory)
        with pytest.raises(StateError, match="no space left"), store.transaction():
            Jobs(store).change(JOB.id, options={"big": "x" * 500_000})
        assert Jobs(store).get("docs-usb").options == {}
        (small.directory / "filler").unlink()
        with store.transaction():
            Jobs(store).change(JOB.id, name="after")
    assert small.jobs() == ["after"]


@pytest.mark.root
def test_a_sound_database_on_a_full_disk_is_told_or_opened(small):
    small.begin()
    fill(small.directory)
    assert small.jobs() == ["docs-usb"]
    with pytest.raises(StateError, match="no space left"):
        small.open()
    (small.directory / "filler").unlink()
    assert small.jobs(write=True) == ["docs-usb"]


@pytest.mark.root
def test_a_read_only_disk_can_be_looked_at_and_not_written(small):
    small.begin()
    subprocess.run(["mount", "-o", "remount,ro", small.directory], check=True)
    assert small.jobs() == ["docs-usb"]
    with pytest.raises(StateError, match="cannot be") as caught, small.open() as store, store.transaction():
        pass
    assert "writable" in caught.value.hint


def test_a_state_directory_that_is_a_file_is_told(state):
    state.directory.write_text("")
    for write in (True, False):
        with pytest.raises(StateError, match="cannot be used"):
            state.open(write=write)


MOUNTS = [
    "22 1 8:1 / / rw - ext4 /dev/sda1 rw",
    "23 22 0:44 / /home rw - nfs4 server:/home rw",
    "24 23 0:45 / /home/local rw - xfs /dev/sdb1 rw",
    "25 22 0:46 / /mnt/with\\040space rw shared:1 - fuse.sshfs host: rw",
    "26 22 0:47 / /box rw - fuse.fuse-overlayfs fuse-overlayfs rw",
]


@pytest.mark.parametrize(
    ("directory", "kind"),
    [
        ("/var/state", None),
        ("/home/me/state", "nfs4"),
        ("/homely", None),
        ("/home/local/state", None),
        ("/mnt/with space/state", "fuse.sshfs"),
        ("/box/state", None),
    ],
)
def test_a_network_file_system_is_known(directory, kind):
    assert file._filesystem(MOUNTS, directory) == kind


def test_the_mount_table_of_this_machine_can_be_read(tmp_path):
    file.network_filesystem(str(tmp_path))
