"""Every key, right and wrong in every way; each message with its line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from pydantic import BaseModel

from syncline.config import schema
from tests.config.conftest import SOURCE

TWO_WAYS = "jobs:\n  office:\n    kind: twoway\n    left: /one\n    right: /two\n"
ONE_WAY = "jobs:\n  usb:\n    kind: mirror\n    source: /one\n    target: /two\n"


@dataclass(frozen=True)
class Key:
    """One key: where it stands, values it takes, values it does not take with a part of what is said of them."""

    text: str
    takes: tuple[str, ...]
    refuses: tuple[tuple[str, str], ...] = ()
    later: tuple[str, ...] = ()
    """Values that mean something which this version does not do."""


LIST = ("x", "expects a list")
POLICY = (("4", "is no policy"), ("maybe", "is no policy"), ("[1]", "expects a policy"), ("yes", "is no policy"))
SIZE = (("20XB", "is no size"), ("-1", "is no size"), ("true", "expects a size"), ("", "expects a size, not nothing"))
TIME = (("30", "is no duration"), ("3 weeks", "is no duration"), ("[1]", "expects a duration"), ("", "not nothing"))
FLAG = (("no", "expects true or false, not 'no'"), ("1", "expects true or false"), ("", "not nothing"))
FOLDER = (("", "expects a folder, not nothing"), ("[a]", "expects a folder, not a list"), ("3", "expects a folder"))
CONTENT = ("keep-both", "keep_both", "1", "2", "3", "newest", "hold", "oldest", "largest", "smallest", "left", "right")
MERGING = ('"merge: sh -c true {left} {right} {output}"', '{merge: "/bin/sh {base} {left} {right} {output}"}')
NO_MERGING = (
    ("merge", "'merge' needs a command"),
    ('"merge:"', "'merge' needs a command"),
    ("{merge: sh}", "lacks {left} and {right} and {output}"),
    ('{merge: "no-such-tool {left} {right} {output}"}', "there is no program 'no-such-tool' in the PATH"),
    ('{merge: "./no-such-tool {left} {right} {output}"}', "no-such-tool is not there"),
    ('{merge: "sh \'x {left} {right} {output}"}', "no closing quotation"),
    ("{merge: }", "expects a command"),
    ("{merge: [sh]}", "expects a command"),
    ("{merge: sh, with: x}", "expects a policy"),
)
NO_PROPERTIES = (*POLICY, ("oldest", "no policy"), *((said, "policy") for said in MERGING))
NOT_YET = "not yet"

COMMON = {
    "kind": Key("kind: {}", (), (("twowai", 'did you mean "twoway"?'), ("3", "expects one of twoway, mirror"))),
    "ignore": Key(
        "ignore: {}", ('["*.tmp", "!a", "#x"]', "[]", ""), (LIST, ("[3]", "pattern"), ('["["]', "stands for no path"))
    ),
    "ignore_litter": Key("ignore_litter: {}", ("true", "false"), FLAG),
    "limits": Key("limits: {}", ("", "{}"), (("3", "expects a block of keys"), ("{x: 1}", "unknown key"))),
    "limits.deletes": Key(
        "limits: {{deletes: {}}}", ("0", "25", "none"), (("-1", "from 0 to"), ("1.5", "whole number"), ("x", "not 'x'"))
    ),
    "limits.deletes_percent": Key(
        "limits: {{deletes_percent: {}}}", ("0", "2.5", "100", "none"), (("101", "from 0 to 100"), ("true", "a number"))
    ),
    "properties": Key(
        "properties: {}",
        ("[mtime, mode]", "[mode, mtime]", "[mtime]", "[mtime, owner]", "[mtime, mode, owner, xattr, windows]"),
        (
            LIST,
            ("[x]", "expects one of mtime, mode, owner, xattr, windows, not 'x'"),
            ("[mode]", "lacks mtime"),
            ("[]", "lacks mtime"),
            ("[mtime, 3]", "expects a list"),
        ),
    ),
    "compare": Key("compare: {}", ("quick", "hash"), (("fast", "expects one of quick, hash"), ("1", "expects one of"))),
    "history": Key("history: {}", ("", "{}"), (("3", "expects a block of keys"),)),
    "history.keep_for": Key("history: {{keep_for: {}}}", ("90d", "2160h", "1d", "0", "none"), TIME),
    "durability": Key(
        "durability: {}",
        ("batch", "each", '"off"', "off"),
        (("3", "expects one of"), ("file", "one of batch, each, off")),
    ),
    "verify": Key("verify: {}", ("stream",), (("3", "expects a text"),), ("reread",)),
    "parallel": Key("parallel: {}", ("2",), (("0", "from 1 to 64"), ("x", "a whole number"), ("65", "from 1")), ("4",)),
    "large_above": Key("large_above: {}", ("64MB", "64000000"), SIZE, ("1GB",)),
    "bandwidth": Key("bandwidth: {}", ("none",), SIZE[:2], ("5MB", "5MB/s")),
    "cross_filesystems": Key("cross_filesystems: {}", ("false",), FLAG, ("true",)),
    "watch": Key("watch: {}", ("auto",), (("often", "expects one of"),), ("events", "poll", "off")),
    "debounce": Key("debounce: {}", ("0.3s",), TIME, ("2s",)),
    "schedule": Key("schedule: {}", ("none",), (("daily", "is no schedule"),), ('"*/30 * * * *"',)),
    "full_scan": Key("full_scan: {}", ("6h",), TIME, ("1h",)),
    "when": Key("when: {}", (), (("3", "expects a block of keys"), ("{}", "missing key drive"))),
    "when.drive": Key("when: {{drive: {}}}", (), (("[x]", "expects a text"),), ("USB",)),
    "when.every": Key("when: {{drive: X, every: {}}}", (), TIME, ("1h",)),
    "trash": Key("trash: {}", ("", "{}"), (("3", "expects a block of keys"), ("{siz: 1}", "unknown key"))),
    "trash.max_size": Key("trash: {{max_size: {}}}", ("20MB", "20MiB", "4096", "none"), SIZE),
    "trash.keep_for": Key("trash: {{keep_for: {}}}", ("30d", "7d", "0", "none"), TIME),
    "trash.replaced": Key("trash: {{replaced: {}}}", ("true", "false"), FLAG),
    "trash.max_total": Key("trash: {{max_total: {}}}", ("5GB", "0", "none"), SIZE),
    "versions": Key("versions: {}", ("", "{}"), (("3", "expects a block of keys"), ("{kep: 1}", "unknown key"))),
    "versions.keep": Key(
        "versions: {{keep: {}}}", ("1", "10", "none"), (("0", "from 1 to"), ("x", "whole number"), ("1.5", "whole"))
    ),
    "versions.for": Key("versions: {{for: {}}}", ("90d", "1y", "4w", "none"), TIME),
    "versions.thin": Key(
        "versions: {{thin: {}}}",
        ("[]", "[1d: all, 30d: daily, 1y: weekly]", '["1d: all", "none: yearly"]', "[6h: hourly, 60w: monthly]"),
        (
            ("x", "expects a list of steps"),
            ("[1d]", "is no step"),
            ("[1d: often]", "is no step"),
            ("[30: all]", "is no duration"),
            ("[30d: all, 1d: daily]", "further back"),
            ("[{1d: all, 2d: daily}]", "expects a step"),
            ("[3]", "is no step"),
        ),
    ),
    "rules": Key(
        "rules: {}", ("[]", "", '[{match: "*.a"}]'), (LIST, ("[3]", "expects a block"), ("[{}]", "key match"))
    ),
    "rules.match": Key(
        "rules: [{{match: {}}}]",
        ('"*.docx"', "/a/", "a b"),
        (("3", "pattern"), ('"!a"', "ignore: false"), ('"["', "no path")),
    ),
    "rules.ignore": Key("rules: [{{match: a, ignore: {}}}]", ("true", "false"), FLAG),
}
OF_TWO_WAYS = {
    "left": Key("left: {}", (), FOLDER),
    "right": Key("right: {}", (), FOLDER),
    "changed_both": Key("changed_both: {}", (*CONTENT, *MERGING), (*POLICY, *NO_MERGING)),
    "created_both": Key("created_both: {}", (*CONTENT, *MERGING), (*POLICY, *NO_MERGING)),
    "props_both": Key(
        "props_both: {}",
        ("1", "2", "3", "newest", "left", "hold", "right"),
        NO_PROPERTIES,
    ),
    "rules.changed_both": Key("rules: [{{match: a, changed_both: {}}}]", (*CONTENT, *MERGING), (*POLICY, *NO_MERGING)),
    "rules.created_both": Key("rules: [{{match: a, created_both: {}}}]", (*CONTENT, *MERGING), (*POLICY, *NO_MERGING)),
    "rules.props_both": Key("rules: [{{match: a, props_both: {}}}]", ("1", "right"), POLICY),
}
OF_MIRROR = {
    "source": Key("source: {}", (), FOLDER),
    "target": Key("target: {}", (), FOLDER),
    "extras": Key("extras: {}", ("keep", "trash", "delete"), (("drop", "expects one of"), ("1", "expects one of"))),
}
BLOCKS = {
    "daemon.listen": Key("daemon: {{listen: {}}}", ("127.0.0.1:8385",), (("3", "an address"),), ("0.0.0.0:80",)),
    "daemon.password": Key("daemon: {{password: {}}}", (), (("[x]", "expects a text"),), ("canary",)),
    "notify.targets": Key("notify: {{targets: {}}}", ("{}", ""), (("3", "a block"),), ('{a: "mailto://canary"}',)),
    "notify.on": Key(
        "notify: {{on: {}}}", ("[conflict, failure, refused, offline]",), (LIST, ("[x]", "expects one of")), ("[run]",)
    ),
    "notify.digest": Key("notify: {{digest: {}}}", ("15m", "900s"), TIME, ("0",)),
    "log.level": Key("log: {{level: {}}}", ("debug", "info", "warning", "error"), (("loud", "expects one of"),)),
    "log.format": Key("log: {{format: {}}}", ("text", "json"), (("xml", "expects one of"),)),
    "log.max_size": Key("log: {{max_size: {}}}", ("10MB",), (*SIZE, ("none", "at least"), ("1", "at least"))),
    "log.keep": Key("log: {{keep: {}}}", ("0", "5"), (("-1", "from 0 to"), ("x", "whole number"))),
}

NAME = "a job's name has no / or \\, no unprintable characters, no space at its ends, and no - at its beginning"

TABLES = {"office": {**COMMON, **OF_TWO_WAYS}, "usb": {**COMMON, **OF_MIRROR}, "": BLOCKS}


def text_of(job: str, line: str) -> tuple[str, int]:
    """A file with that line in that job, and the number of the line; what the job has there already is left out."""
    head = {"office": TWO_WAYS, "usb": ONE_WAY, "": ""}[job]
    kept = [one for one in head.splitlines() if one.split(":")[0].strip() != line.split(":")[0].strip() or not job]
    return "\n".join([*kept, f"    {line}" if job else line]) + "\n", len(kept) + 1


def cases(wanted: str) -> Iterator[tuple[str, str, str, str]]:
    for job, table in TABLES.items():
        for name, key in table.items():
            match wanted:
                case "takes":
                    yield from ((job, name, key.text.format(value), "") for value in key.takes)
                case "refuses":
                    yield from ((job, name, key.text.format(value), told) for value, told in key.refuses)
                case _:
                    yield from ((job, name, key.text.format(value), NOT_YET) for value in key.later)


@pytest.mark.parametrize(("job", "name", "line", "told"), list(cases("takes")))
def test_taken(home, job, name, line, told):
    text, _ = text_of(job, line)
    home.write(text)
    assert len(home.load().jobs) == bool(job)


@pytest.mark.parametrize(("job", "name", "line", "told"), [*cases("refuses"), *cases("later")])
def test_refused(home, job, name, line, told):
    text, number = text_of(job, line)
    faults = home.faults(text)
    assert all(fault.startswith(f"{number}: ") and "canary" not in fault for fault in faults)
    said = [fault for fault in faults if told in fault]
    assert len(said) == 1 and name.split(".")[0] in said[0]
    assert all(NOT_YET in fault for fault in faults if fault not in said)


def keys_of(model: type[BaseModel], before: str = "") -> Iterator[str]:
    from syncline.config.parse import _model_in

    for name, field in model.model_fields.items():
        inner = _model_in(field.annotation)
        yield f"{before}{name}"
        if inner is not None:
            yield from keys_of(inner, f"{before}{name}.")


def test_the_tables_have_every_key():
    assert set(TABLES["office"]) == set(keys_of(schema.TwoWay))
    assert set(TABLES["usb"]) == set(keys_of(schema.Mirror))
    assert set(BLOCKS) == {key for name, model in schema.BLOCKS.items() for key in keys_of(model, f"{name}.")}


def test_what_does_nothing_yet_is_a_key():
    keys = {key for table in (TABLES["office"], TABLES["usb"]) for key in table}
    assert schema.NOT_YET["jobs"] <= keys and schema.NOT_YET["jobs"] >= schema.FIXED
    assert {f"{block}.{key}" for block in schema.BLOCKS for key in schema.NOT_YET[block]} <= set(BLOCKS)


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        (
            TWO_WAYS.replace("left", "lefft"),
            ["2: jobs.office: missing key left", '4: jobs.office.lefft: unknown key (did you mean "left"?)'],
        ),
        ("jobs:\n  a:\n    left: /x\n    right: /y\n", ["2: jobs.a: missing key kind, one of twoway, mirror"]),
        ("jobs:\n  a: {kind: mirror}\n", ["2: jobs.a: missing key source", "2: jobs.a: missing key target"]),
        ("jobs:\n  a:\n", ["2: jobs.a: expects a block of keys: kind, and the two folders"]),
        ("jobs: [a]\n", ["1: jobs: expects jobs by name, each a block of keys"]),
        ("- a\n", ["1: expects blocks of keys (jobs:, log:, daemon:, notify:)"]),
        ("job:\n", ['1: job: unknown key (did you mean "jobs"?)']),
        (TWO_WAYS + TWO_WAYS.removeprefix("jobs:\n"), ["6: jobs.office: given twice, first in line 2"]),
        (TWO_WAYS + "    left: /three\n", ["6: jobs.office.left: given twice, first in line 4"]),
        (ONE_WAY + "    changed_both: 1\n", ["6: jobs.usb.changed_both: unknown key (only a twoway job has it)"]),
        (
            TWO_WAYS + "    trash: {max_sise: 1}\n",
            ['6: jobs.office.trash.max_sise: unknown key (did you mean "max_size"?)'],
        ),
        (
            TWO_WAYS + "    rules:\n      - match: a\n        ignored: true\n",
            ['8: jobs.office.rules[0].ignored: unknown key (did you mean "ignore"?)'],
        ),
        (TWO_WAYS.replace("/two", "/one"), ["5: jobs.office.right: is the same folder as left, /one"]),
        (TWO_WAYS.replace("/two", "/one/in/it"), ["5: jobs.office.right: /one/in/it lies inside left, /one"]),
        (ONE_WAY.replace("/two", "/"), ["5: jobs.usb.target: source, /one, lies inside it"]),
        ("jobs:\n  a/b: {kind: twoway, left: /x, right: /y}\n", [f"2: jobs.a/b: {NAME}"]),
        ("jobs:\n  -a: {kind: twoway, left: /x, right: /y}\n", [f"2: jobs.-a: {NAME}"]),
    ],
)
def test_the_whole_message(home, text, faults):
    assert home.faults(text) == faults


def test_every_key_is_in_the_documentation():
    page = (SOURCE.parent / "docs/configuration.md").read_text("utf-8")
    keys = {part for table in TABLES.values() for name in table for part in name.split(".")}
    assert [key for key in sorted(keys) if f"`{key}" not in page and f"{key}:" not in page] == []


def test_everything_is_told_at_once(home):
    faults = home.faults(
        """
        jobs:
          office:
            kind: twoway
            lefft: /one
            right: /two
            watch: poll
            trash: {max_size: big, keep_for: 1}
          office: {}
          usb:
            kind: mirror
            source: a
            target: a/b
            paralel: 3
            extras: ${NOWHERE}
        log: {level: loud}
        """
    )
    assert [fault.split(":")[0] for fault in faults] == ["2", "4", "6", "7", "7", "8", "12", "13", "14", "15"]
