"""The log: its lines, its rotation, and that it never stops anything."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from syncline import log


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    log.close()


def lines(state: Path) -> list[str]:
    return (state / log.NAME).read_text("utf-8").splitlines()


def test_a_line_carries_time_zone_part_run_and_job(tmp_path: Path) -> None:
    log.setup(str(tmp_path), verbose=False, write=True)
    log.bound("engine", job="docs", run="r1", path="a b").warning("moved %d", 3, extra={"more": "x"})
    log.part("state").info("opened")
    first, second = lines(tmp_path)
    stamp = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d"
    assert re.fullmatch(stamp + r' WARNING engine run=r1 job=docs: moved 3 path="a b" more=x', first)
    assert re.fullmatch(stamp + r" INFO    state: opened", second)
    assert os.stat(tmp_path / log.NAME).st_mode & 0o777 == 0o600


def test_no_name_can_forge_a_line(tmp_path: Path) -> None:
    log.setup(str(tmp_path), verbose=False, write=True)
    log.bound("run", path="p\x1b[2J\udcff").info("copied %s", "a\n2026 forged")
    try:
        raise ValueError("b\rad\n\x1b")
    except ValueError:
        log.part("cli").exception("internal")
    told = lines(tmp_path)
    assert told[0].endswith(r"run: copied a\n2026 forged path=p\x1b[2J\xff")
    assert all(line.isprintable() for line in told)
    assert all(line.startswith("    ") for line in told[2:])


def test_the_state_directory_is_made_only_to_write(tmp_path: Path) -> None:
    state = tmp_path / "state"
    log.setup(str(state), verbose=False, write=False)
    log.part("run").info("looked")
    assert not state.exists()
    log.setup(str(state), verbose=False, write=True)
    assert not state.exists()  # not before there is something to say
    log.part("run").info("ran")
    assert len(lines(state)) == 1
    log.setup(str(state), verbose=False, write=False)
    log.part("run").info("looked again")
    assert len(lines(state)) == 2


def test_it_rotates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "MAX_BYTES", 200)
    monkeypatch.setattr(log, "KEEP", 2)
    log.setup(str(tmp_path), verbose=False, write=True)
    for number in range(20):
        log.part("run").info("line %d", number)
    assert sorted(os.listdir(tmp_path)) == ["syncline.log", "syncline.log.1", "syncline.log.2"]


def test_it_follows_when_another_process_rotated(tmp_path: Path) -> None:
    log.setup(str(tmp_path), verbose=False, write=True)
    log.part("run").info("one")
    os.rename(tmp_path / log.NAME, tmp_path / "syncline.log.1")
    log.part("run").info("two")
    assert lines(tmp_path)[0].endswith("run: two")


def full_disk(state: Path) -> None:
    os.symlink("/dev/full", state / log.NAME)


def a_directory_in_the_way(state: Path) -> None:
    (state / log.NAME).mkdir()


def a_file_for_a_directory(state: Path) -> None:
    state.rmdir()
    state.write_text("in the way")


@pytest.mark.parametrize("fault", [full_disk, a_directory_in_the_way, a_file_for_a_directory])
def test_a_failing_log_stops_nothing_and_is_told_once(
    fault: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = tmp_path / "state"
    state.mkdir()
    assert callable(fault)
    fault(state)
    log.setup(str(state), verbose=False, write=True)
    for number in range(3):
        log.part("run").info("line %d", number)
    log.close()
    told = capsys.readouterr().err
    assert told.count("the log cannot be written") == 1
    assert "line 0" in told


def test_it_recovers_when_there_is_room_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    full_disk(tmp_path)
    log.setup(str(tmp_path), verbose=False, write=True)
    log.part("run").info("lost")
    os.unlink(tmp_path / log.NAME)
    log.part("run").info("kept")
    assert [line.partition(": ")[2] for line in lines(tmp_path)] == ["kept"]


def test_verbose_shows_the_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log.setup(str(tmp_path), verbose=True, write=True)
    log.part("run").info("hello")
    log.part("run").debug("details")
    assert capsys.readouterr().err.count("\n") == len(lines(tmp_path)) == 1


def test_other_libraries_are_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger().handlers[:]
    log.setup(str(tmp_path), verbose=True, write=True)
    assert logging.getLogger().handlers == root
