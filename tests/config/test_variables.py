"""`.env` and the plain variables."""

from __future__ import annotations

import pytest

from syncline import config
from syncline.config import Setup
from syncline.errors import ConfigurationRefused

JOB = "jobs:\n  a: {kind: twoway, left: '${LEFT}', right: /two}\n"


def left_of(home, **environment):
    home.write(JOB)
    return home.load(**environment).jobs[0].left.path


def plain(home, monkeypatch, **environment):
    monkeypatch.setattr(config, "default_file", lambda: str(home.folder / "none"))
    return config.load(Setup(None, environment, str(home.folder)), str(home.state))


def test_the_file_beside_it_is_read_and_the_environment_wins(home):
    home.write("# ours\nexport LEFT='/from/file'\n", ".env")
    assert left_of(home) == "/from/file"
    assert left_of(home, LEFT="/from/environment") == "/from/environment"


@pytest.mark.parametrize(
    ("text", "line"), [("A=1\n\nthis is none\n", 3), ("A='1\n", 1), ("# x\n# y\n\n\n= 3\nA=1\n", 5)]
)
def test_a_line_that_is_none(home, text, line):
    home.write(text, ".env")
    home.write(JOB)
    with pytest.raises(ConfigurationRefused) as caught:
        home.load(LEFT="/x")
    assert (caught.value.file, caught.value.line) == (str(home.folder / ".env"), line)


def test_plain_variables_make_a_mirror(home, monkeypatch):
    home.write(
        "SOURCE_DIR=pictures\nDEST_DIR=/media/usb/p\nMOUNT_POINT=/media/usb\nLOG_FILE=~/s.log\nMGS=MG1\n", ".env"
    )
    monkeypatch.setenv("HOME", "/home/ada")
    found = plain(home, monkeypatch, DEST_DIR="/media/other")
    (job,) = found.jobs
    assert (job.name, job.kind, job.left.path, job.right.path) == (
        "default", "mirror", f"{home.folder}/pictures", "/media/other",
    )  # fmt: skip
    assert (job.mount, found.log.file) == ("/media/usb", "/home/ada/s.log")
    assert found.notes == ("MGS: not yet, this version sends no messages",)


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({}, None),
        ({"SOURCE_DIR": "", "DEST_DIR": ""}, None),
        ({"SOURCE_DIR": "/x"}, "SOURCE_DIR is set, but DEST_DIR is not"),
        ({"DEST_DIR": "/x"}, "DEST_DIR is set, but SOURCE_DIR is not"),
        ({"DEST_DIR": "/x", "SOURCE_DIR": "/x/y"}, "lies inside"),
    ],
)
def test_plain_variables_that_make_no_job_stop_nothing_else(home, monkeypatch, environment, told):
    found = plain(home, monkeypatch, **environment)
    assert found.jobs == ()
    assert (found.wanting is None) if told is None else (found.wanting is not None and told in found.wanting.message)


def test_a_configuration_file_sets_plain_variables_aside(home):
    home.write("jobs:\n")
    assert home.load(SOURCE_DIR="/x", DEST_DIR="/y").jobs == ()
