"""The plugin that keeps CI from skipping what matters."""

from __future__ import annotations

import pytest

from tests.plugins import must_run

TESTS = """
    import pytest

    def test_runs(): pass

    @pytest.mark.parametrize("n", [1, 2])
    def test_half(n):
        if n == 2:
            pytest.skip("no xfs here")

    @pytest.mark.xfail
    def test_expected_to_fail(): assert False

    @pytest.mark.filterwarnings("ignore")
    def test_marked(): pytest.skip("not today")
"""
WHOLE_FILE_SKIPPED = "import pytest; pytest.skip('no such module', allow_module_level=True)"


@pytest.mark.parametrize(
    ("line", "node", "means_it"),
    [
        ("tests", "tests/test_a.py::test_b", True),
        ("tests/", "tests/test_a.py::test_b", True),
        ("tests/test_a.py", "tests/test_a.py::test_b", True),
        ("tests/test_a.py", "tests/test_a.py", True),
        ("tests/test_a", "tests/test_a.py::test_b", False),
        ("tests/test_a.py::test_b", "tests/test_a.py::test_b[1]", True),
        ("tests/test_a.py::test_b[1]", "tests/test_a.py::test_b[1]", True),
        ("tests/test_a.py::test_b[1]", "tests/test_a.py::test_b[2]", False),
        ("tests/test_a.py::test_b", "tests/test_a.py::test_bc", False),
        ("tests/test_a.py::test_b*", "tests/test_a.py::test_bc", True),
        ("*::test_b", "tests/test_a.py::test_b", True),
        ("@root", "tests/test_a.py::test_b", False),
        ("@slow", "tests/test_a.py::test_b", True),
    ],
)
def test_a_line_means_a_test(line: str, node: str, means_it: bool) -> None:
    assert must_run.names_test(line, node, {"slow", "test_b"}) is means_it


@pytest.mark.parametrize("workers", [0, 1])
def test_what_did_not_run_is_told_and_fails_the_run(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    listed = """
        # a comment
        test_it.py::test_runs       # good
        test_it.py::test_half
        test_it.py::test_expected_to_fail
        test_it.py::test_gone
        test_whole.py
        @filterwarnings
        @root
    """
    result = run(pytester, monkeypatch, listed, workers)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    lines = result.outlines
    section = lines[1 + next(i for i, line in enumerate(lines) if "tests that must run and did not" in line) :]
    assert section[:6] == [
        "test_it.py::test_half[2]: skipped: no xfs here",
        "test_it.py::test_expected_to_fail: skipped: xfail",
        "test_it.py::test_gone: no such test was run",
        "test_whole.py: skipped: no such module",
        "test_it.py::test_marked: skipped: not today",
        "@root: no such test was run",
    ]


def test_when_all_of_them_ran_other_skips_do_no_harm(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = run(pytester, monkeypatch, "test_it.py::test_runs\ntest_it.py::test_half[1]")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.no_fnmatch_line("*tests that must run*")


def test_without_being_asked_nothing_is_judged(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(pytester, monkeypatch, "test_it.py::test_gone", asked="0").ret == pytest.ExitCode.OK


def run(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, listed: str, workers: int = 0, asked: str = "1"
) -> pytest.RunResult:
    monkeypatch.setenv("SYNCLINE_MUST_RUN", asked)
    pytester.makepyfile(test_it=TESTS, test_whole=WHOLE_FILE_SKIPPED)
    pytester.mkdir("tests").joinpath("must_run.txt").write_text(listed, "utf-8")
    return pytester.runpytest_inprocess("-n", str(workers), plugins=[must_run])
