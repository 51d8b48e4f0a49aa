"""Fails the run when a test named in tests/must_run.txt was skipped or not collected; asked for by SYNCLINE_MUST_RUN=1.

A skip is silent: a machine without a tool would otherwise turn a promise's only test off and stay green.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest


def pytest_configure(config: pytest.Config) -> None:
    # Under xdist the reports of all workers arrive in the process that started them; it alone can judge.
    if os.environ.get("SYNCLINE_MUST_RUN") == "1" and not hasattr(config, "workerinput"):
        config.pluginmanager.register(MustRun(config.rootpath / "tests" / "must_run.txt"))


class MustRun:
    """Collects what became of every test, and compares it with the list at the end."""

    def __init__(self, names: Path) -> None:
        self.names = read_names(names)
        self.ran: dict[str, set[str]] = {}  # node id -> its markers
        self.skipped: dict[str, tuple[set[str], str]] = {}  # node id -> its markers, and why
        self.objections: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped:  # an expected failure too: it shows no promise kept
            reason = getattr(report, "wasxfail", None)
            self.skipped[report.nodeid] = set(report.keywords), skip_reason(report) if reason is None else "xfail"
        elif report.when == "call":
            self.ran[report.nodeid] = set(report.keywords)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:  # a whole file
            self.skipped[report.nodeid] = set(), skip_reason(report)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        self.objections = [objection for name in self.names for objection in self.judge(name)]
        if self.objections and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.objections:
            terminalreporter.section("tests that must run and did not", red=True)
            for objection in self.objections:
                terminalreporter.line(objection)

    def judge(self, name: str) -> Iterator[str]:
        skipped = {node: why for node, (markers, why) in self.skipped.items() if names_test(name, node, markers)}
        yield from (f"{node}: skipped: {why}" for node, why in sorted(skipped.items()))
        if not skipped and not any(names_test(name, node, markers) for node, markers in self.ran.items()):
            yield f"{name}: no such test was run"


def read_names(path: Path) -> list[str]:
    """The lines of the list, without comments."""
    lines = (line.split("#", 1)[0].strip() for line in path.read_text("utf-8").splitlines())
    return [line for line in lines if line]


def names_test(name: str, node: str, markers: set[str]) -> bool:
    """Whether a line of the list means this test.

    A line is `@marker`, or a node id or its beginning up to a `::`, `[` or `/`, where `*` stands for anything.
    """
    if name.startswith("@"):
        return name[1:] in markers
    pattern = ".*".join(map(re.escape, name.rstrip("/").split("*")))
    return re.match(rf"{pattern}(?=::|\[|/|$)", node) is not None


def skip_reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Why, in the skip's own words."""
    match report.longrepr:
        case (_, _, str(reason)):
            return reason.removeprefix("Skipped: ")
        case other:
            return str(other)
