"""The text of a configuration: YAML 1.2, variables, and what is refused whatever it says."""

from __future__ import annotations

import os

import pytest

from syncline.config import MAX_BYTES
from syncline.config.text import MAX_NODES, read
from syncline.errors import ConfigurationRefused

JOB = "jobs:\n  a:\n    kind: twoway\n    left: {}\n    right: /two\n"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"), ("yes", "yes"), ("NO", "NO"), ("on", "on"), ("true", True), ("False", False),
        ("2001-01-01", "2001-01-01"), ("022", 22), ("0o17", "0o17"), ("1_000", "1_000"), ("12:30", "12:30"),
        ("1.5", 1.5), ("1e3", 1000.0), ("~", None), ("", None), ("null", None), ("'1'", "1"), ('"true"', "true"),
        ("[a, 1]", ["a", 1]), ("{a: 1}", {"a": 1}), ("|\n  a\n  b", "a\nb\n"), ("&x 1", 1),
    ],
)  # fmt: skip
def test_values_are_those_of_yaml_1_2(text, value):
    document = read(f"k: {text}\n", "f", {})
    assert document.data == {"k": value} and document.faults == []


@pytest.mark.parametrize(
    ("text", "value", "told"),
    [
        ("${A}", "one", None),
        ("${A}/x/${B}", "one/x/two: {}", None),
        ("$$HOME", "$HOME", None),
        ("$${A}", "${A}", None),
        ("${NOWHERE}", "", "the variable NOWHERE is not set"),
        ("$A", "A", "a variable is written ${NAME}"),
        ("${A", "", "a variable is written ${NAME}"),
        ("${A:-b}", "", "a variable is written ${NAME}"),
        ("a$", "a", "a variable is written ${NAME}"),
    ],
)
def test_variables(text, value, told):
    document = read(f'k: "{text}"\n', "f", {"A": "one", "B": "two: {}"})
    assert document.data == {"k": value}
    assert [fault.line for fault in document.faults] == ([] if told is None else [1])
    assert all(told in fault.message for fault in document.faults)


def test_a_variable_may_be_a_number_or_yes_or_no(home):
    home.write(JOB.format("/one") + '    limits: {deletes: "${N}"}\n    ignore_litter: ${F}\n')
    (job,) = home.load(N="7", F="false").jobs
    assert job.options == {"limits": {"deletes": 7}, "ignore_litter": False}


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ("a:\n\t- b\n", 2, "cannot start any token"),
        ("a: 1\n b: 2\n", 2, "mapping values are not allowed"),
        ("a: 'x\n", 2, "unexpected end"),
        ("---\na: 1\n---\nb: 1\n", 3, "more than one document"),
        ("ignore: [*.tmp]\n", 1, "must stand in quotes"),
        ("ignore:\n  - !keep\n", 2, "must stand in quotes"),
        ("a: @x\n", 1, "must stand in quotes"),
        ("a: 1\nb: {c: ${X}}\n", 2, "${NAME} must stand in quotes"),
        ("a: \x01\n", 1, "no YAML text"),
        ("[" * 5000, 1, "nested too deeply"),
        ("a: &x [*x]\n", 1, "contains itself"),
        ("? [a]\n: 1\n", 1, "a key must be a word"),
    ],
)
def test_what_is_no_text_of_ours(text, line, told):
    faults = read(text, "f", {}).faults
    assert faults[0].line == line and told in faults[0].message


def test_aliases_are_taken_but_not_bombs(home):
    home.write(
        JOB.format("/one") + '    ignore: &list ["*.tmp"]\n  b: {kind: mirror, source: /x, target: /y, ignore: *list}\n'
    )
    assert [job.options["ignore"] for job in home.load().jobs] == [["*.tmp"], ["*.tmp"]]
    bomb = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9))
    (fault,) = read(bomb, "f", {}).faults
    assert f"more than {MAX_NODES} values" in fault.message


@pytest.mark.parametrize(
    ("content", "line", "told"),
    [
        (b"#" * (MAX_BYTES + 1), 1, "larger than"),
        (b"jobs:\n  \xff\n", 2, "no UTF-8 text"),
        (None, 1, "no regular file"),
    ],
)
def test_no_file_of_ours(home, content, line, told):
    if content is None:
        os.mkfifo(home.file)
        os.close(os.open(home.file, os.O_RDONLY | os.O_NONBLOCK))
        with pytest.raises(Exception, match="there is no configuration file"):
            home.load()
        return
    home.file.write_bytes(content)
    with pytest.raises(ConfigurationRefused) as caught:
        home.load()
    assert caught.value.line == line and told in caught.value.message


@pytest.mark.skipif(os.name != "posix", reason="modes of POSIX")
def test_a_file_that_everyone_may_write_is_refused(home):
    home.write(JOB.format("/one"))
    home.file.chmod(0o666)
    with pytest.raises(ConfigurationRefused, match="chmod o-w"):
        home.load()


def test_folders_are_relative_to_the_file_and_tilde_is_home(home, monkeypatch):
    monkeypatch.setenv("HOME", "/home/ada")
    home.write(
        "jobs:\n  a: {kind: twoway, left: sub/x, right: ~/y}\n  b: {kind: mirror, source: ../x, target: /z/../t}\n"
    )
    one, two = home.load().jobs
    assert (one.left.path, one.right.path) == (f"{home.folder}/sub/x", "/home/ada/y")
    assert (two.left.path, two.right.path) == (f"{home.folder.parent}/x", "/t")


def test_folders_that_are_one_through_a_link(home):
    (home.folder / "real").mkdir()
    (home.folder / "link").symlink_to("real")
    assert home.faults("jobs:\n  a: {kind: twoway, left: real, right: link}\n") == [
        f"2: jobs.a.right: is the same folder as left, {home.folder}/real"
    ]
    (fault,) = home.faults("jobs:\n  a: {kind: twoway, left: link/in, right: real}\n")
    assert fault.endswith(f"left, {home.folder}/real/in, lies inside it")


def test_two_jobs_may_share_folders(home):
    home.write("jobs:\n  a: {kind: twoway, left: /x, right: /y}\n  b: {kind: mirror, source: /x/in, target: /y}\n")
    assert [job.name for job in home.load().jobs] == ["a", "b"]
