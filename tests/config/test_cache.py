"""The parsed form that is kept: believed only for the very same text and variables."""

from __future__ import annotations

import subprocess
import sys

import pytest

from syncline.config import cache
from syncline.errors import ConfigurationRefused

TEXT = """
jobs:
  a:
    kind: twoway
    left: ${LEFT}
    right: /two
    limits: {deletes: 7}
    rules:
      - match: "*.a"
        changed_both: 3
log: {level: debug}
"""


@pytest.fixture
def parsed(monkeypatch):
    """How often a text was parsed."""
    from syncline.config import parse

    real, seen = parse.parse, []

    def counted(*args):
        seen.append(args)
        return real(*args)

    monkeypatch.setattr(parse, "parse", counted)
    return seen


def test_kept_and_equal(home, parsed):
    home.write(TEXT)
    first = home.load(True, LEFT="/one")
    assert home.load(LEFT="/one") == first and len(parsed) == 1
    (file,) = (home.state / "cache").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600


def test_only_writing_commands_keep_it(home):
    home.write(TEXT)
    home.load(LEFT="/one")
    assert not home.state.exists()


@pytest.mark.parametrize("change", ["text", "variable", "unset", "dotenv", "home", "damage", "cut", "code"])
def test_not_believed_after_a_change(home, parsed, monkeypatch, change):
    home.write(TEXT)
    before = home.load(True, LEFT="/one", HOME="/home/ada")
    environment = {"LEFT": "/one", "HOME": "/home/ada"}
    (kept,) = (home.state / "cache").iterdir()
    match change:
        case "text":
            home.write(TEXT.replace("7", "8"))  # the same size
        case "variable":
            environment["LEFT"] = "/new"
        case "unset":
            del environment["LEFT"]
        case "dotenv":
            home.write("OTHER=1\n", ".env")
        case "home":
            environment["HOME"] = "/home/bob"
        case "damage":
            kept.write_bytes(kept.read_bytes().replace(b'"deletes": 7', b'"deletes": 9'))
        case "cut":
            kept.write_bytes(kept.read_bytes()[:-9])
        case "code":
            monkeypatch.setattr(cache, "FORM", 2)
    if change == "unset":
        with pytest.raises(ConfigurationRefused):
            home.load(**environment)
    else:
        assert (home.load(**environment) == before) is (change not in ("text", "variable"))
    assert len(parsed) == 2


def test_links_are_looked_up_every_time(home):
    home.make({"one/x": "", "two/x": ""})
    (home.folder / "link").symlink_to("one")
    home.write("jobs:\n  a: {kind: twoway, left: link, right: two}\n")
    assert home.load(True).jobs[0].pair() == (f"{home.folder}/one", f"{home.folder}/two")
    (home.folder / "link").unlink()
    (home.folder / "link").symlink_to("two")
    with pytest.raises(ConfigurationRefused, match="is the same folder"):
        home.load()


def test_a_variable_is_not_in_it(home):
    home.write(TEXT + "    # left\n")
    home.load(True, LEFT="/one", UNUSED="canary")
    (kept,) = (home.state / "cache").iterdir()
    assert b"canary" not in kept.read_bytes() and b"UNUSED" not in kept.read_bytes()


def test_no_parser_is_loaded_for_a_kept_form(home):
    home.write(TEXT)
    home.load(True, LEFT="/one", HOME="/x")
    script = (
        "import sys\nfrom syncline import config\n"
        f"config.load(config.Setup({str(home.file)!r}, {{'LEFT': '/one', 'HOME': '/x'}}, '/'), {str(home.state)!r})\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('pydantic', 'ruamel', 'dotenv')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env=home.environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
