"""What a person sees: at 80 and 200 columns, in a pipe, without Unicode, and with names that mean harm."""

from __future__ import annotations

import io
from collections.abc import Iterable

import pytest
from rich.cells import cell_len
from rich.console import Console

from syncline.cli import show
from syncline.cli.terminal import Screen
from syncline.core.model import Guard, Kept, Objection, Outcome, Policy, Reason, Rule, Why
from syncline.core.report import Report
from tests.cli.events import (
    HOSTILE,
    LEFT,
    PLAN,
    conflict,
    make,
    plan,
    problem,
    put,
    remove,
    rename,
    report,
    trash,
)

LONG = "photos/2026/" + "a-very-long-folder-name/" * 6 + "picture.jpg"


def lines(made: Report, *, width: int | None = None, unicode: bool = True, **how: object) -> list[str]:
    out: list[str] = []
    screen = Screen(out.extend, width=width, unicode=unicode)
    show.run(screen, made.head(), made.rows, **how)  # type: ignore[arg-type]  # a table of options
    return "".join(out).splitlines()


def busy() -> Report:
    return report(
        plan(
            make("reports"),
            put("reports/2026.pdf", 1_100_000),
            put("notes.md", 2_300, Why.CHANGED),
            put("answer.txt", 12, to=LEFT),
            rename("old name", "new name"),
            trash("attic", files=40, size=9_000),
            remove("film.mkv", 2_000_000_000),
            conflicts=[
                conflict("letter.odt", clash="letter_clash_202611210204.odt"),
                conflict("held.txt", None, policy=Policy.HOLD),
            ],
            problems=[problem("secret", Reason.UNREADABLE, "permission denied")],
        ),
        Outcome.NEEDS_ATTENTION,
    )


@pytest.mark.parametrize(
    ("policy", "told"),
    [
        (Policy.NEWEST, "the version of left holds (newest), the other one is in the trash"),
        (Policy.KEEP_BOTH, "the version of left holds, the other one is in the trash"),
        (Policy.HOLD, "the version of left holds, the other one is in the trash"),
    ],
)
def test_a_policy_is_named_where_it_chose(policy: Policy, told: str) -> None:
    made = report(plan(conflicts=[conflict("c", Kept.LEFT, policy=policy)]), Outcome.DONE)
    assert any(line.endswith(f"; {told}") for line in lines(made))


def test_of_what_an_undo_left_nothing_is_said_to_be_in_the_trash() -> None:
    made = report(plan(conflicts=[conflict("c", Kept.LEFT, rule=Rule.UNDONE, policy=Policy.HOLD)]), Outcome.DONE)
    assert any(line.endswith("the version of left holds on both sides") for line in lines(made))


def test_a_run_in_a_pipe() -> None:
    assert lines(busy()) == [
        "docs-usb: /home/u/docs ↔ /media/usb/docs",
        "left → right",
        "  copied 2 files (1.1 MB)",
        "    + reports/2026.pdf    1.1 MB  new",
        "    ~ notes.md            2.3 kB  changed",
        "  made 1 folder",
        "    + reports",
        "  renamed 1 item",
        "    > old name → new name",
        "  moved 1 item to the trash (9.0 kB)",
        "    - attic    9.0 kB  deleted on the left",
        "  deleted 1 item, not recoverable (2.0 GB)",
        "    - film.mkv    2.0 GB  deleted on the left",
        "right → left",
        "  copied 1 file (12 B)",
        "    + answer.txt      12 B  new",
        "1 problem",
        "    ! left: secret  unreadable: permission denied",
        "1 conflict settled",
        "    ! letter.odt",
        "      changed on both sides; the name keeps the version of left, the other one is "
        "letter_clash_202611210204.odt",
        "1 conflict waiting for you",
        "    ! held.txt",
        "      changed on both sides; nothing was touched",
        "done, and something needs you in 0.1 s: copied 3 files (1.1 MB), renamed 1 item, made 1 folder, "
        "moved 40 files to the trash, deleted 1 item for good (2 conflicts, 1 problem) · run 20261121T020450Z-1a2b",
    ]


def test_the_same_without_unicode() -> None:
    told = lines(busy(), unicode=False)
    assert "\n".join(told).isascii()
    assert told[:2] == ["docs-usb: /home/u/docs <-> /media/usb/docs", "left -> right"]


def long_names() -> Report:
    wide = "短い/名前" * 12
    return report(plan(put(LONG, 1_000), put(wide, 5), put("b", 1), rename(LONG, "new/" + LONG)), Outcome.DONE)


def test_80_columns() -> None:
    assert lines(long_names(), width=80)[3:8] == [
        "    + photos/2026/a-very-…me/a-very-long-folder-name/picture.jpg    1.0 kB  new",
        "    + 短い/名前短い/名前…前短い/名前短い/名前短い/名前短い/名前        5 B  new",
        "    + b                                                                1 B  new",
        "  renamed 1 item",
        "    > photos/202…older-name/picture.jpg → new/photos…older-name/picture.jpg",
    ]


def test_200_columns() -> None:
    told = lines(long_names(), width=200)
    assert told[3] == f"    + {LONG}    1.0 kB  new"
    assert told[7].count("…") == 2
    assert "…" not in told[3] + told[4]


@pytest.mark.parametrize(
    ("width", "told"),
    [
        (None, ["! one two, three four five six · end"]),
        (40, ["! one two, three four five six · end"]),
        (34, ["! one two, three four five six", "  · end"]),
        (18, ["! one two, three", "  four five six", "  · end"]),
        (4, ["!", "  one", "  two,", "  three", "  four", "  five", "  six", "  ·", "  end"]),
    ],
)
def test_what_fits_no_line_is_broken_between_words(width: int | None, told: list[str]) -> None:
    out: list[str] = []
    Screen(out.extend, width=width).lines("!", " one two, three four five six", " · end", indent=2)
    assert "".join(out).splitlines() == told


@pytest.mark.parametrize("width", [80, 120, 200])
def test_a_line_of_an_action_fits(width: int) -> None:
    actions = [line for line in lines(long_names(), width=width) if line.startswith("    ")]
    assert max(map(cell_len, actions)) < width
    assert len({cell_len(line) for line in actions if line.endswith("B  new")}) == 1  # one column


def test_verbose_and_pipes_show_names_whole() -> None:
    for told in (lines(long_names(), width=80, verbose=True), lines(long_names())):
        assert any(f"{LONG} → new/{LONG}" in line for line in told)


def test_a_long_list_is_folded() -> None:
    made = report(plan(*(put(f"f{number:04}", 1) for number in range(2_355))), Outcome.PLANNED, dry_run=True)
    told = lines(made, again="syncline run docs-usb")
    assert told[2:4] == ["  copy 2,355 files (2.4 kB)", "    + f0000       1 B  new"]
    assert told[13] == "    … and 2,345 more (-v shows all)"
    assert told[-1] == "  to do it: syncline run docs-usb"
    assert len(lines(made, again="syncline run docs-usb", verbose=True)) == len(told) - 11 + 2_355


@pytest.mark.parametrize("width", [None, 80, 200])
@pytest.mark.parametrize("colour", [False, True])
def test_no_name_reaches_the_terminal_raw(width: int | None, colour: bool) -> None:
    made = report(
        plan(
            put(HOSTILE, 1),
            rename(HOSTILE, HOSTILE + "2"),
            trash(HOSTILE),
            conflicts=[conflict(HOSTILE, clash=HOSTILE), conflict(HOSTILE, None)],
            problems=[problem(HOSTILE, detail=HOSTILE)],
        ),
        Outcome.FAILED,
        failed=[3],
    )
    out: list[str] = []
    console = (
        Console(file=io.StringIO(), force_terminal=True, width=width, color_system="truecolor") if colour else None
    )
    screen = Screen(out.extend, width=width, console=console)
    show.run(screen, made.head(), made.rows)
    show.refusal(screen, [Objection(Guard.ROOT_MISSING, HOSTILE, HOSTILE)], None)
    told = "".join(out)
    assert "\x1b[31m\n[" not in told
    assert not any(bad in told for bad in ("\udcff", "\u202e"))
    assert "[bold]" in told or width == 80  # no markup, shown as it is
    assert ":smile:" in told  # no emoji either
    assert ("\x1b[" in told) is colour


END = {
    "in sync": (report(plan(), Outcome.IN_SYNC), "✓ in sync: 5 files on both sides"),
    "planned": (
        report(plan(put("a", 9)), Outcome.PLANNED, dry_run=True),
        f"plan {PLAN}: copy 1 file (9 B); nothing was changed",
    ),
    "refused": (report(plan(put("a", 9)), Outcome.REFUSED), f"plan {PLAN}: copy 1 file (9 B); nothing was changed"),
    "failed": (
        report(plan(put("a", 9), put("b", 1)), Outcome.FAILED, failed=[1]),
        "✗ not all was done in 0.1 s: copied 1 file (1 B) (1 failed action, 1 problem) · run 20261121T020450Z-1a2b",
    ),
    "interrupted": (
        report(plan(put("a", 9), put("b", 1)), Outcome.INTERRUPTED, reached=1),
        "interrupted: copied 1 file (9 B); run it again to go on · run 20261121T020450Z-1a2b",
    ),
}


@pytest.mark.parametrize("case", END)
def test_the_last_line(case: str) -> None:
    made, last = END[case]
    assert lines(made)[-1] == last


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (report(plan(put("a", 9)), Outcome.DONE), False),
        (report(plan(problems=[problem("p", Reason.SPECIAL_FILE)]), Outcome.IN_SYNC), False),
        (report(plan(put("a", 9), conflicts=[conflict("c", Kept.LEFT)]), Outcome.DONE), False),
        (report(plan(conflicts=[conflict("c", None)]), Outcome.NEEDS_ATTENTION), True),
        (report(plan(put("a", 9)), Outcome.FAILED, failed=[1]), True),
        (report(plan(put("a", 9)), Outcome.REFUSED), True),
    ],
)
def test_quiet_tells_only_what_needs_a_person(made: Report, told: bool) -> None:
    assert bool(lines(made, quiet=True)) is told


def refused(objections: Iterable[Objection], again: str | None = "syncline mirror a b") -> list[str]:
    out: list[str] = []
    show.refusal(Screen(out.extend), list(objections), again)
    return "".join(out).splitlines()


def test_a_refusal_ends_with_the_command_that_approves_it() -> None:
    assert refused([Objection(Guard.FIRST_MIRROR_EXTRAS, "3 names would go", "look", PLAN)]) == [
        "refused (first-mirror-extras): 3 names would go",
        "  '--extras keep' leaves them where they are.",
        "  to see all of it:         syncline mirror a b --dry-run -v",
        f"  if that is what you want: syncline mirror a b --approve {PLAN}",
    ]


def test_what_cannot_be_approved_says_what_to_do() -> None:
    missing = Objection(Guard.ROOT_MISSING, "left /x is not there", "connect its drive")
    assert refused([missing]) == [
        "refused (root-missing): left /x is not there",
        "  connect its drive",
        "  then: syncline mirror a b",
    ]
    both = refused([missing, Objection(Guard.TOO_MANY_DELETES, "30 files would go", "look", PLAN)])
    assert not any("--approve" in line for line in both)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1_000, "1.0 kB"),
        (12_345, "12.3 kB"),
        (123_456, "123 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (5_000_000_000_000_000, "5000 TB"),
    ],
)
def test_size(number: int, text: str) -> None:
    assert show.size(number) == text
