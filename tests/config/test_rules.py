"""Rules by path: which policy holds where, and what is out of scope."""

from __future__ import annotations

import time

import pytest

from syncline.core.filters import ignored_by
from syncline.core.model import Policy, RelPath, Rule
from syncline.jobs import mirror, twoway
from syncline.jobs.kind import PathRule, patterns
from syncline.jobs.mirror import Mirror
from syncline.jobs.twoway import TwoWay

CHANGED, CREATED, PROPS, TYPE = Rule.CHANGED_BOTH, Rule.CREATED_BOTH, Rule.PROPS_BOTH, Rule.TYPE_BOTH

RULES = (
    PathRule("/office/**/*.docx", changed_both=Policy.HOLD),
    PathRule("*.docx", changed_both=Policy.NEWEST, created_both=Policy.LEFT),
    PathRule("/cache/", props_both=Policy.RIGHT, ignore=False),
    PathRule("*", created_both=Policy.OLDEST),
)


@pytest.mark.parametrize(
    ("path", "rule", "policy"),
    [
        ("office/a/b.docx", CHANGED, Policy.HOLD),  # the first one that matches
        ("office/a/b.docx", CREATED, Policy.LEFT),  # the first one that matches and says something of it
        ("office/a/b.docx", TYPE, Policy.HOLD),
        ("office/a/b.docx", PROPS, Policy.NEWEST),  # none says anything: that of the job
        ("b.docx", CHANGED, Policy.NEWEST),
        ("b.docx/in/it", CHANGED, Policy.NEWEST),  # below a directory that matches
        ("x/cache/a", PROPS, Policy.NEWEST),
        ("cache/a", PROPS, Policy.RIGHT),
        ("cache/a", CREATED, Policy.OLDEST),
        ("a.txt", CHANGED, Policy.KEEP_BOTH),
    ],
)
def test_the_first_rule_that_matches_wins(path, rule, policy):
    assert twoway.KIND.policy(TwoWay(rules=RULES))(RelPath(path), rule) is policy


def test_without_rules_the_job_decides():
    settings = TwoWay(changed_both=Policy.LEFT, created_both=Policy.RIGHT, props_both=Policy.HOLD)
    chosen = twoway.KIND.policy(settings)
    assert [chosen(RelPath("a"), rule) for rule in (CHANGED, CREATED, PROPS)] == [
        Policy.LEFT, Policy.RIGHT, Policy.HOLD,
    ]  # fmt: skip
    assert mirror.KIND.policy(Mirror())(RelPath("a"), CHANGED) is Policy.LEFT


@pytest.mark.parametrize(
    ("path", "out"),
    [
        ("a.tmp", True),
        ("keep/a.tmp", False),
        ("keep/deep/a.tmp", True),
        ("b.log", True),
        (".DS_Store", True),
        ("c", False),
    ],
)
def test_rules_say_what_is_ignored_over_the_list(path, out):
    settings = TwoWay(
        ignore=("*.tmp",),
        rules=(
            PathRule("/keep/deep/*.tmp", ignore=True),
            PathRule("/keep/**/*.tmp", ignore=False),
            PathRule("*.log", ignore=True),
            PathRule("b.log", ignore=False),  # too late
        ),
    )
    assert ignored_by(patterns(settings))(RelPath(path), False) is out


def test_ninety_thousand_paths_in_a_moment():
    rules = tuple(PathRule(f"/d{n}/**/*.x{n}", changed_both=list(Policy)[n % 3]) for n in range(20))
    chosen = twoway.KIND.policy(TwoWay(rules=rules))
    began = time.process_time()
    for n in range(90_000):
        chosen(RelPath(f"folder{n % 300}/inner/file{n}.txt"), CHANGED)
    assert time.process_time() - began < 5  # about half a second; a pattern compiled per path would take minutes
