"""Whatever a configuration file holds, it is taken or refused in plain words, and never a traceback."""

from __future__ import annotations

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from syncline import config
from syncline.config import Setup
from syncline.errors import ConfigurationRefused

VALID = """\
jobs:
  office:
    kind: twoway
    left: ${A}/x
    right: /b
    ignore: ["*.tmp", '!k']
    rules: [{match: "*.docx", changed_both: 3}]
    trash: {max_size: 20MB}
log: {level: info, keep: 3}
"""
PIECES = st.sampled_from(
    [*"\n :-[]{}&*!|>'\"%@`,#$\t\0\x85?", "  ", "${A}", "$$", "- ", "jobs:", "<<: *a", "&a ", "---\n"]
)


@st.composite
def broken(draw):
    """The valid text with pieces put in and parts cut out."""
    text = VALID
    for _ in range(draw(st.integers(1, 4))):
        at, cut = draw(st.integers(0, len(text))), draw(st.integers(0, 12))
        text = text[:at] + draw(PIECES | st.text(max_size=3)) + text[at + cut :]
    return text.encode("utf-8", "surrogatepass")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(broken(), st.binary(max_size=80)))
@example(b"\xef\xbb\xbfjobs:\n")
@example(b"jobs: {a: {kind: [x], left: {}, right: 3, rules: {}, when: []}}")
@example(b"jobs: {a: {kind: mirror, source: '~nobody-at-all/x', target: '~'}}")
@example(b"jobs:\r\n  a:\r\n    kind: mirror\r\n    source: /x\r\n    target: /y\r\n")
def test_taken_or_refused(tmp_path, content):
    file = tmp_path / "c.yaml"
    file.write_bytes(content)
    try:
        config.load(Setup(str(file), {"A": "/a"}, "/"), str(tmp_path / "state"))
    except ConfigurationRefused as refused:
        lines = content.count(b"\n") + content.count(b"\r") + content.count(b"\xc2\x85") + 1
        assert all(
            error.message and error.line is not None and 1 <= error.line <= lines + 1 for error in refused.errors
        )
