"""Looking leaves no trace, a transaction is whole or nothing, and a disk that is full or read-only is told of."""

from __future__ import annotations

import subprocess
import threading

import pytest

from syncline.errors import StateError
from syncline.store import file
from syncline.store.jobs import Jobs
from tests.store.conftest import JOB, in_another_process, killed_in_the_middle

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


def test_opening_it_again_does_not_cost_the_locks_of_the_one_that_is_open(state):
    state.begin()
    with state.open() as first:
        first.connection.execute("PRAGMA wal_autocheckpoint = 0")
        for write in (True, False):
            state.open(write=write).close()
        in_another_process(state, "pass")  # opens and closes: as the last one it would take the log away
        with first.transaction():
            Jobs(first).change(JOB.id, name="still-here")
        assert in_another_process(state, "print(Jobs(store).all()[0].name)") == "still-here"
    assert state.jobs() == ["still-here"]


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
