"""Whatever a user can meet by name has its place in the documentation: commands, options, settings, errors, values."""

from __future__ import annotations

import dataclasses
import inspect
import re
import sqlite3
import tomllib
from collections.abc import Iterator
from enum import Enum
from typing import Any

import click
import pytest

from syncline import errors, queries
from syncline.cli.frame import ALIASES, COMMANDS, root
from syncline.cli.options import common
from syncline.config.parse import parse
from syncline.config.variables import FOLDERS, MESSAGES
from syncline.core import listing, model, report
from syncline.core.filters import LITTER
from syncline.core.guard import Limits
from syncline.core.model import SIDED, BaseDirectory, Entry, Hold, Kind, Unagreed, Why
from syncline.core.record import RECORD
from syncline.store import migrate
from tests.docs import pages
from tests.docs.pages import headings, read, rows, section, spans

COMMANDS_PAGE, TROUBLE, MATRIX = read("commands.md"), read("troubleshooting.md"), read("matrix.md")
STATE, PYTHON, GLOSSARY = read("state.md"), read("python.md"), read("glossary.md")
CONFIGURATION = read("configuration.md")


# commands and options


def commands(group: click.Group = root, above: str = "syncline") -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield f"{above} {name}", command
        if isinstance(command, click.Group):
            yield from commands(command, f"{above} {name}")


ALL = dict(commands())


@common
def nothing() -> None:
    """Nothing: it has the common options."""


COMMON = {option for each in click.command(nothing).params for option in each.opts if not getattr(each, "hidden", 0)}
GLOBAL = {option for each in root.params for option in each.opts} | {"-h", "--help"}


def options(command: click.Command) -> set[str]:
    """The options of a command that are shown in its help."""
    return {
        option
        for each in command.params
        if isinstance(each, click.Option) and not each.hidden
        for option in (*each.opts, *each.secondary_opts)
    }


def words(text: str) -> set[str]:
    """Options that a text names."""
    return {word for span in spans(text) for word in re.findall(r"(?<![\w-])--?[a-z][a-z-]*", span)}


def test_every_command_has_a_section_and_no_other_has() -> None:
    told = {title.replace("`", "") for _, title in headings(COMMANDS_PAGE) if title.startswith("`syncline ")}
    assert told == set(ALL)


@pytest.mark.parametrize("name", ALL)
def test_every_option_of_a_command_is_in_its_section(name: str) -> None:
    own, told = options(ALL[name]), section(COMMANDS_PAGE, name)
    if own >= COMMON:
        assert "(#common-options)" in told
        own -= COMMON
    assert own - words(told) == set()
    if not isinstance(ALL[name], click.Group):
        assert words(told) - options(ALL[name]) - GLOBAL - {"--dry-run"} == set()


def test_common_and_global_options() -> None:
    assert COMMON - words(section(COMMANDS_PAGE, "Common options")) == set()
    assert GLOBAL - words(section(COMMANDS_PAGE, "Global options")) == set()


def test_every_choice_of_an_option_is_in_its_section() -> None:
    for name, command in ALL.items():
        for each in command.params:
            if isinstance(each.type, click.Choice):
                assert "|".join(each.type.choices) in section(COMMANDS_PAGE, name).replace(r"\|", "|"), each.opts


def test_aliases() -> None:
    for alias, name in ALIASES.items():
        assert alias in spans(section(COMMANDS_PAGE, f"syncline {name}"))


def test_what_is_said_not_to_be_there_is_not() -> None:
    said = spans(section(COMMANDS_PAGE, "Not there yet"))
    assert said
    assert said & {name.removeprefix("syncline ") for name in ALL} == set()


def test_ignored_litter() -> None:
    assert set(LITTER) - spans(COMMANDS_PAGE) == set()


def test_environment() -> None:
    sources = (pages.ROOT / "src").rglob("*.py")
    named = {name for source in sources for name in re.findall(r"\bSYNCLINE_[A-Z_]+", source.read_text("utf-8"))}
    assert named - set(re.findall(r"\bSYNCLINE_[A-Z_]+", COMMANDS_PAGE)) == set()


NAMED = r"(?<=[\"'(` ])syncline ([a-z]{3,})(?= (?:[A-Z{]|[a-z]+ \{)|[`'\"])"


def test_commands_that_messages_name_are_there() -> None:
    known = {*COMMANDS, *ALIASES}
    wrong = []
    for source in sorted((pages.ROOT / "src").rglob("*.py")):
        for word in re.findall(
            r"(?<=[\"'(` ])syncline ([a-z]{3,})(?= (?:[A-Z{]|[a-z]+ \{)|[`'\"])", source.read_text()
        ):
            if word not in known:
                wrong.append((source.name, word))
    assert wrong == []


# values


def values(kind: type[Enum]) -> set[str]:
    return {str(each.value) for each in kind}


def titles(text: str, above: str) -> set[str]:
    """The headings directly below a heading."""
    return {title.replace("`", "") for _, title in headings(section(text, above))}


def test_every_guard_has_a_section() -> None:
    assert titles(TROUBLE, "Guards") == values(model.Guard)


def test_guards_that_can_be_approved_say_so() -> None:
    said = {guard for guard in values(model.Guard) if "*Approvable.*" in section(TROUBLE, guard)}
    assert said == {guard.value for guard in model.APPROVABLE}


def test_every_reason_of_a_problem_has_a_section() -> None:
    told = {title.removeprefix("Problem ") for title in titles(TROUBLE, "Problems")}
    assert told == values(model.Reason)


def test_every_section_of_a_guard_or_problem_says_what_to_do_next() -> None:
    for title in titles(TROUBLE, "Guards") | titles(TROUBLE, "Problems") | titles(TROUBLE, "Other messages"):
        assert title == "hard-link" or "Next:" in section(TROUBLE, title), title


def test_every_why_is_told() -> None:
    names = ("left", "right", "source", "target")
    whys = {f"{why.value}-{name}" for why in SIDED for name in names} | {why.value for why in Why if why not in SIDED}
    assert whys - spans(section(COMMANDS_PAGE, "An action")) == set()


def test_every_rule_policy_and_outcome_is_told() -> None:
    assert values(model.Rule) - spans(section(COMMANDS_PAGE, "A conflict")) == set()
    assert values(model.Kept) - spans(section(COMMANDS_PAGE, "A conflict")) == set()
    assert values(model.Policy) - spans(section(MATRIX, "Policies")) == set()
    assert values(model.Outcome) - spans(section(COMMANDS_PAGE, "A plan or run")) == set()


def test_every_action_and_its_states_are_told() -> None:
    told = spans(section(COMMANDS_PAGE, "An action"))
    actions = {report.action_name(object.__new__(kind)) for kind in model.Action.__args__}
    assert actions | {report.PLANNED, report.DONE, report.FAILED, report.SKIPPED} <= told


def test_every_key_of_a_document_is_told() -> None:
    told = spans(section(COMMANDS_PAGE, "JSON"))
    documents = [
        *(report.Document, report.ActionRow, report.ConflictRow, report.ProblemRow, report.ObjectionRow),
        *(report.ErrorRow, report.Summary),
    ]
    assert {key for document in documents for key in document.__annotations__} - told == set()
    quoted = set(re.findall(r'"(\w+)"', section(COMMANDS_PAGE, "Other documents")))
    answers = [queries.JobRow, queries.StatusRow, queries.RunRow]
    assert {key for answer in answers for key in answer.__annotations__} - quoted == set()


def test_exit_codes() -> None:
    told = {number for row in rows(section(COMMANDS_PAGE, "Exit codes")) for number in re.findall(r"\d+", row[0])}
    assert told == {str(code) for code in report._BY_WEIGHT}


# Python


def kinds(module: object, of: type) -> dict[str, Any]:
    return {name: kind for name, kind in vars(module).items() if inspect.isclass(kind) and issubclass(kind, of)}


def test_every_error_is_told_with_its_exit_code() -> None:
    told = {row[0].strip("`"): row[1] for row in rows(section(PYTHON, "Errors"))}
    assert set(told) == set(kinds(errors, errors.SynclineError))
    for name, kind in kinds(errors, errors.SynclineError).items():
        if name != "Interrupted":
            assert told[name] == str(kind.exit_code), name


def test_every_event_is_told() -> None:
    events = {kind.__name__ for kind in model.Event.__args__}
    assert {row[0].strip("`") for row in rows(section(PYTHON, "Events"))} == events


def test_every_setting_is_told_with_its_default() -> None:
    from syncline.compose import KINDS

    tables = re.split(r"^Of `", section(PYTHON, "Settings"), flags=re.MULTILINE)[1:]
    told = {table.partition("`")[0]: {row[0]: row[1] for row in rows(table)} for table in tables}
    assert set(told) == set(KINDS)
    for name, kind in KINDS.items():
        settings = kind.settings()
        real = {f"`{each.name}`": f"`{plain(getattr(settings, each.name))}`" for each in dataclasses.fields(settings)}
        assert told[name] == real


def plain(value: object) -> str:
    return str(value) if isinstance(value, Enum | str) else repr(value)


def test_the_public_interface_is_told() -> None:
    import syncline

    assert set(syncline.__all__) <= spans(PYTHON)
    for name in ("plan", "run"):
        for parameter in inspect.signature(getattr(syncline, name)).parameters:
            assert re.search(rf"`syncline\.{name}\([^`]*\b{parameter}\b", PYTHON, re.DOTALL), (name, parameter)
    methods = {name for name, _ in inspect.getmembers(syncline.Desk, inspect.isfunction) if not name.startswith("_")}
    told = " ".join(spans(PYTHON))
    assert {name for name in methods - {"close"} if f"{name}(" not in told} == set()


# the configuration


def told_keys(title: str) -> dict[str, list[str]]:
    found = {}
    for row in rows(section(CONFIGURATION, title)):
        for key in spans(row[0]):
            found[key] = row[1:]
    return found


def test_plain_variables_are_told() -> None:
    assert {*FOLDERS, *MESSAGES} == set(told_keys("Without a file"))


def test_the_example_of_the_configuration_is_a_valid_one() -> None:
    example = next(block.text for block in pages.blocks(CONFIGURATION) if block.language == "yaml")
    reading = parse(example, "/syncline.yaml", {})
    assert [fault.message for fault in reading.document.faults] == []
    assert len(reading.jobs) == 2


# the state


def test_every_table_and_column_is_told() -> None:
    connection = sqlite3.connect(":memory:")
    connection.executescript(migrate.schema())
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    for table in tables:
        if table.startswith("sqlite_"):
            continue
        title = next(title for _, title in headings(STATE) if f"`{table}`" in title)
        columns = {name for _, name, *_ in connection.execute(f"PRAGMA table_info({table})")}
        assert columns - spans(section(STATE, title.replace("`", ""))) == set(), table
    connection.close()
    assert f"version {migrate.VERSION};" in STATE


def hexadecimal(title: str) -> bytes:
    (block,) = [block.text for block in pages.blocks(section(STATE, title)) if block.language == "hex"]
    return bytes.fromhex(re.sub(r"\s", "", block))


LISTED = {
    "a.txt": Entry(Kind.FILE, 5, 1_700_000_000 * 10**9, 0o644, 1_700_000_001 * 10**9, 4711),
    "d": Entry(Kind.DIRECTORY, mode=0o755, inode=4712),
}


def test_the_packed_listing_is_as_told() -> None:
    assert hexadecimal("The packed listing") == listing.pack(LISTED)
    last = list(rows(section(STATE, "The packed listing")))
    assert [row[0] for row in last if row[-1].startswith("the name")] == [str(RECORD.size)]


def test_the_beside_is_as_told() -> None:
    entry = LISTED["a.txt"]
    agreed = {"a.txt": model.Agreed("a.txt", "a.txt", entry, entry, unverified=True)}
    base = BaseDirectory(agreed, {"x.tmp": Unagreed("x.tmp", Hold.IGNORED)})
    assert hexadecimal("The beside") == listing.pack_base(LISTED, LISTED, base, lambda name: name)


@pytest.mark.parametrize(("kind", "title"), [(Kind, "The packed listing"), (Hold, "The beside")])
def test_the_numbers_that_are_stored_are_told(kind: type[Kind] | type[Hold], title: str) -> None:
    told = {tuple(row[:2]) for row in rows(section(STATE, title)) if len(row) >= 2}
    for each in kind:
        assert any(number == str(each.value) and f"`{each.name}`" in text for number, text in told), each


def test_which_holds_are_looked_at_again() -> None:
    told = {row[0]: row[2] for row in rows(section(STATE, "The beside")) if len(row) == 3}
    for hold in Hold:
        assert told[str(hold.value)] == ("yes" if hold in model.ATTENTION else "no"), hold


# words and layers


def test_every_noun_of_the_model_is_in_the_glossary() -> None:
    nouns = {
        name
        for name, kind in vars(model).items()
        if inspect.isclass(kind) and kind.__module__ == model.__name__ and not name.startswith("_")
    }
    assert nouns - spans(GLOSSARY) == set()


def test_the_limits_of_the_guards_are_those_that_are_told() -> None:
    limits = Limits()
    text = section(TROUBLE, "too-many-deletes")
    assert f"More than {limits.deletes} files" in text
    assert f"{limits.deletes_percent:.0f} %" in text


def test_every_layer_is_in_the_architecture() -> None:
    top = pages.ROOT / "src" / "syncline"
    parts = {path.name + "/" for path in top.iterdir() if path.is_dir() and (path / "__init__.py").exists()}
    parts |= {path.name for path in top.glob("*.py")} - {"__init__.py", "__main__.py"}
    text = section(read("architecture.md"), "Layers")
    assert parts - spans(text) == set()
    (drawn,) = re.findall(r"(?:^    .*\n?)+", text, re.MULTILINE)
    (layers,) = (
        contract["layers"]
        for contract in tomllib.loads((pages.ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"][
            "contracts"
        ]
        if contract["id"] == "layers"
    )
    there = [[name for name in re.findall(r"\w+", layer) if {f"{name}/", f"{name}.py"} & parts] for layer in layers]
    assert [re.findall(r"\w+", layer) for layer in drawn.split(">")] == [layer for layer in there if layer]


def test_every_package_we_use_is_decided() -> None:
    """A package that comes later may have a decision of its own."""
    project = tomllib.loads((pages.ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    used = {re.split(r"[^\w.-]", line)[0] for line in project["dependencies"]}
    decided = {word for page in sorted((pages.DOCS / "decisions").glob("*.md")) for word in spans(read(page))}
    assert used - decided == set()
