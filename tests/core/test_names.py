"""Names: what a root can hold, how they fold together, clash names, and how they are shown."""

from __future__ import annotations

import pytest

from syncline.core import names
from syncline.core.model import RelPath
from syncline.core.names import NameRules

WINDOWS = NameRules(True, False, ':*?"<>|\\', False, True, 255, True)


@pytest.mark.parametrize(
    ("name", "obstacle"),
    [
        ("plain.txt", None),
        ("a:b", "':'"),
        ("a\\b", "'\\\\'"),
        ("tab\t", "'\\\\t'"),
        ("dot.", "dot or a space"),
        ("blank ", "dot or a space"),
        ("...", "dot or a space"),
        ("con", "reserved"),
        ("CON.txt", "reserved"),
        ("com1.a.b", "reserved"),
        ("lpt²", "reserved"),
        ("com10", None),
        ("console", None),
        ("nul ", "dot or a space"),
        ("n" * 255, None),
        ("n" * 256, "255 bytes"),
        ("é" * 127, None),
        ("é" * 128, "255 bytes"),
        ("bad\udcff", "UTF-8"),
    ],
)
def test_what_a_root_cannot_hold_is_said_with_the_character(name: str, obstacle: str | None) -> None:
    found = names.impossible(name, WINDOWS)
    assert found is None if obstacle is None else found is not None and obstacle in found


@pytest.mark.parametrize(
    ("name", "rules", "obstacle"),
    [
        ("plain", NameRules(ascii_only=True), None),
        ("caf\u00e9", NameRules(ascii_only=True), "'\u00e9'"),
        ("\u00e9" * 255, NameRules(max_bytes=765, max_units=255), None),
        ("\u00e9" * 256, NameRules(max_bytes=765, max_units=255), "255 characters"),
        ("\U0001f600" * 127, NameRules(max_bytes=765, max_units=255), None),
        ("\U0001f600" * 128, NameRules(max_bytes=765, max_units=255), "255 characters"),
        (".SyncLine", NameRules(fold_case=True), "its own files"),
        (".syncline", NameRules(fold_case=True), None),
        (".SyncLine", NameRules(), None),
    ],
)
def test_what_a_trial_finds_is_said_too(name: str, rules: NameRules, obstacle: str | None) -> None:
    found = names.impossible(name, rules)
    assert found is None if obstacle is None else found is not None and obstacle in found


@pytest.mark.parametrize("name", ["a:b", "dot.", "con", "tab\t", "bad\udcff", "\n"])
def test_a_root_without_demands_holds_anything(name: str) -> None:
    assert names.impossible(name, NameRules()) is None


@pytest.mark.parametrize(
    ("left", "right", "one", "other", "same"),
    [
        (NameRules(), NameRules(), "a", "A", False),
        (NameRules(), NameRules(fold_case=True), "a", "A", True),
        (NameRules(fold_case=True), NameRules(), "STRASSE", "straße", True),
        (NameRules(fold_case=True, simple_case=True), NameRules(), "STRASSE", "straße", False),
        (NameRules(fold_case=True, simple_case=True), NameRules(), "STRAßE", "straße", True),
        (NameRules(fold_case=True, simple_case=True), NameRules(), "ᾀ", "ᾈ", True),
        (NameRules(fold_case=True, simple_case=True), NameRules(), "ς", "Σ", True),
        (NameRules(fold_case=True, simple_case=True), NameRules(fold_case=True), "STRASSE", "straße", True),
        (NameRules(), NameRules(fold_unicode=True), "é", "e\u0301", True),
        (NameRules(), NameRules(fold_unicode=True), "é", "É", False),
        (NameRules(), NameRules(fold_case=True), "é", "e\u0301", False),
        (NameRules(fold_case=True), NameRules(fold_unicode=True), "É", "e\u0301", True),
    ],
)
def test_names_match_by_the_weaker_root(left: NameRules, right: NameRules, one: str, other: str, same: bool) -> None:
    fold = names.folding(left, right)
    assert (fold(one) == fold(other)) == same
    assert fold(fold(one)) == fold(one)


@pytest.mark.parametrize(
    ("name", "clash"),
    [
        ("a.txt", "a_clash_M.txt"),
        ("a", "a_clash_M"),
        ("a.b.txt", "a.b_clash_M.txt"),
        ("r.tar.gz", "r_clash_M.tar.gz"),
        ("R.TAR.XZ", "R_clash_M.TAR.XZ"),
        (".tar.gz", ".tar_clash_M.gz"),
        (".env", ".env_clash_M"),
        (".env.local", ".env_clash_M.local"),
        ("..odd", "..odd_clash_M"),
        ("Dr. Jekyll and Mr. Hyde", "Dr. Jekyll and Mr. Hyde_clash_M"),
        ("v1." + "x" * 40, "v1." + "x" * 40 + "_clash_M"),
        ("a.", "a_clash_M."),
    ],
)
def test_clash_names(name: str, clash: str) -> None:
    assert names.clash_name(name, "M", lambda candidate: False) == clash


def test_a_clash_name_that_is_taken_is_numbered() -> None:
    taken = {"a_clash_M.txt", "a_clash_M-2.txt"}
    assert names.clash_name("a.txt", "M", taken.__contains__) == "a_clash_M-3.txt"


@pytest.mark.parametrize("stem", ["n" * 251, "é" * 125, "n" + "é" * 125, "\udcff" * 251])
@pytest.mark.parametrize("longest", [255, 143])
def test_a_long_name_is_cut_between_characters(stem: str, longest: int) -> None:
    found = names.clash_name(f"{stem}.txt", "202611201845", lambda candidate: False, longest)
    data = found.encode("utf-8", "surrogateescape")
    assert longest - 1 <= len(data) <= longest
    assert found.endswith("_clash_202611201845.txt")
    assert stem.startswith(found.removesuffix("_clash_202611201845.txt"))


def test_a_number_is_not_cut_away() -> None:
    found = names.clash_name("n" * 255, "M", lambda candidate: not candidate.endswith("-12"))
    assert len(found) == 255
    assert found.endswith("_clash_M-12")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é 日本", "plain é 日本"),
        ("a\nb\tc\rd", "a\\nb\\tc\\rd"),
        ("\x1b[31m", "\\x1b[31m"),
        ("a\x00b", "a\\x00b"),
        ("bad\udcff", "bad\\xff"),
        ("\u202eexe", "\\u202eexe"),
        ("\u2028", "\\u2028"),
        ("\U000e0001", "\\U000e0001"),
        ("\x9b", "\\x9b"),
    ],
)
def test_nothing_shown_disturbs_a_terminal(text: str, shown: str) -> None:
    assert names.printable(text) == shown
    assert names.printable(text).isprintable()


def test_paths() -> None:
    assert names.join(names.ROOT, "a") == "a"
    assert names.join(RelPath("a"), "b") == "a/b"
    assert [names.parent(RelPath(path)) for path in ("a/b/c", "a", "")] == ["a/b", "", ""]
    assert [names.basename(RelPath(path)) for path in ("a/b/c", "a", "")] == ["c", "a", ""]
    assert names.ancestors(RelPath("a/b/c")) == ["a/b", "a", ""]
    assert names.ancestors(names.ROOT) == []
