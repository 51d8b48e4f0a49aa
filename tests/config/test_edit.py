"""Edits by the program, and the file to begin with."""

from __future__ import annotations

import stat

import pytest

from syncline.config import starter
from syncline.config.edit import set_value
from syncline.core.spelling import duration_text, parse_duration, parse_size, size_text
from syncline.errors import ConfigurationRefused, UsageError

TEXT = """\
# My jobs.

jobs:
  office:                     # the important one
    kind: twoway
    left: "/srv/share"        # fast
    right: /mnt/pcloud
    ignore: ["*.tmp", '/cache/']
    rules:                    # first match wins
      - match: "*.docx"
        changed_both: hold
      # nothing more

    trash: {max_size: 20MB}   # small

log: {level: info}
# the end
"""


@pytest.mark.parametrize(
    ("path", "value", "before", "after"),
    [
        (("jobs", "office", "left"), "/srv/new", '    left: "/srv/share"        #', '    left: "/srv/new"'),
        (("jobs", "office", "trash", "max_size"), "1GB", "max_size: 20MB}   # small", "max_size: 1GB}"),
        (("log", "level"), "debug", "log: {level: info}", "log: {level: debug}"),
    ],
)
def test_one_value_is_changed_and_all_else_stays(home, path, value, before, after):
    home.file.write_text(TEXT)
    home.file.chmod(0o640)
    set_value(home.setup(), path, value)
    changed, old = home.file.read_text().splitlines(), TEXT.splitlines()
    (line,) = [number for number, (one, other) in enumerate(zip(old, changed, strict=True)) if one != other]
    assert before in old[line] and after in changed[line]
    assert [part.partition("#")[2] for part in changed] == [part.partition("#")[2] for part in old]
    assert stat.S_IMODE(home.file.stat().st_mode) == 0o640
    home.load()


def test_a_new_key_is_added(home):
    home.file.write_text(TEXT)
    set_value(home.setup(), ("jobs", "office", "limits", "deletes"), 100)
    assert home.load().job("office").options["limits"] == {"deletes": 100}
    assert all(line in home.file.read_text().splitlines() for line in TEXT.splitlines())


def test_a_link_goes_on_leading_to_the_file(home):
    (home.folder / "real.yaml").write_text(TEXT)
    home.file.symlink_to("real.yaml")
    set_value(home.setup(), ("log", "level"), "error")
    assert home.file.is_symlink() and "error" in (home.folder / "real.yaml").read_text()


@pytest.mark.parametrize(("path", "value"), [(("jobs", "office", "left"), ""), (("log", "levle"), "info")])
def test_what_would_be_wrong_is_not_written(home, path, value):
    home.file.write_text(TEXT)
    with pytest.raises(ConfigurationRefused):
        set_value(home.setup(), path, value)
    assert home.file.read_text() == TEXT
    assert sorted(one.name for one in home.folder.iterdir()) == ["syncline.yaml"]


def test_the_starter_is_valid_with_and_without_its_comment_signs(home):
    starter.write(str(home.file))
    assert home.load().jobs == ()
    assert stat.S_IMODE(home.file.stat().st_mode) == 0o600
    text = home.file.read_text()
    lines = text.splitlines()
    begin = lines.index("jobs:")
    active = [line.replace("# ", "", 1) if ":" in line or "  - " in line else "" for line in lines[begin + 1 :]]
    active = [line for line in active if not line.strip().startswith(("Two folders", "A target"))]
    home.file.write_text("\n".join(["jobs:", *active]))
    assert [job.name for job in home.load().jobs] == ["documents", "pictures-to-usb"]
    with pytest.raises(UsageError, match="there already"):
        starter.write(str(home.file))


@pytest.mark.parametrize("size", ["none", "0", "1", "4096", "20kB", "20MB", "20MiB", "3GiB", "1TB", "1500"])
def test_sizes_there_and_back(size):
    assert parse_size(size_text(parse_size(size))) == parse_size(size)


@pytest.mark.parametrize("time", ["0", "0.3s", "90s", "10m", "6h", "30d", "36h", "1.5h"])
def test_durations_there_and_back(time):
    assert parse_duration(duration_text(parse_duration(time))) == parse_duration(time)


@pytest.mark.parametrize("time", ["", "3", "s", "-1s", "1q", "1 d d", "١s", "1e3s"])
def test_no_duration(time):
    with pytest.raises(ValueError, match="is no duration"):
        parse_duration(time)
