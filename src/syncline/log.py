"""The log: one rotating file `syncline.log` in the state directory, and on request the same lines on standard error.

Lines carry fields (part, run, job), and what a file name may hold is escaped in one place, the formatter. A log that
cannot be written never stops anything: it is said once, then the work goes on. Nothing here decides when to log.
"""

from __future__ import annotations

import json
import logging
import logging.handlers
import os
import sys
from collections.abc import MutableMapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from syncline.core.names import printable

NAME = "syncline.log"
MAX_BYTES = 10_000_000
KEEP = 5

_LOGGER = "syncline"
_FIELDS = "syncline_fields"

if TYPE_CHECKING:
    Adapter = logging.LoggerAdapter[logging.Logger]
else:
    Adapter = logging.LoggerAdapter


def setup(
    state_dir: str,
    verbose: bool,
    write: bool,
    *,
    level: str = "info",
    format: str = "text",
    max_bytes: int | None = None,
    keep: int | None = None,
    file: str | None = None,
) -> None:
    """Let everything that is logged from now on go to the log in `state_dir`, with `verbose` to standard error too.

    Without `write` no directory is made for it: where the state directory is missing, there is no log. `format` is
    `text` or `json`, one object a line. A log of `max_bytes` is put aside, `keep` such files stay. `file` is another
    place for it.
    """
    close()
    logger = logging.getLogger(_LOGGER)
    logger.setLevel(getattr(logging, level.upper()))
    logger.propagate = False
    lines = _JsonLines() if format == "json" else _Lines()
    place = path(state_dir) if file is None else file
    size, files = MAX_BYTES if max_bytes is None else max_bytes, KEEP if keep is None else keep
    logger.addHandler(_File(place, write, lines, size, files))
    if verbose:
        logger.addHandler(_Screen())


def close() -> None:
    """Stop logging; what was logged is on the disk."""
    logger = logging.getLogger(_LOGGER)
    for handler in logger.handlers[:]:
        logger.removeHandler(handler)
        handler.close()


def path(state_dir: str) -> str:
    """Where the log of a state directory is."""
    return os.path.join(state_dir, NAME)


def part(name: str) -> logging.Logger:
    """The logger of one part of the program."""
    return logging.getLogger(f"{_LOGGER}.{name}")


def bound(name: str, **fields: object) -> Adapter:
    """The logger of a part, every line of which carries `fields` (`run`, `job`, `path` ...)."""
    return _Bound(part(name), fields)


class _Bound(Adapter):
    """Puts the bound fields beside those that a call gives as `extra={...}`."""

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        fields = {**(self.extra or {}), **(kwargs.pop("extra", None) or {})}
        return msg, {**kwargs, "extra": {_FIELDS: fields}}


class _Lines(logging.Formatter):
    """`2026-11-21T02:04:50.123+01:00 INFO    engine run=... job=docs: copied path=a.txt`, tracebacks indented."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created).astimezone().isoformat(timespec="milliseconds")
        name = record.name.removeprefix(f"{_LOGGER}.")
        fields = getattr(record, _FIELDS, {})
        head = "".join(f" {key}={_quoted(fields[key])}" for key in ("run", "job") if fields.get(key) is not None)
        tail = "".join(f" {key}={_quoted(value)}" for key, value in fields.items() if key not in ("run", "job"))
        line = f"{moment} {record.levelname:<7} {name}{head}: {printable(record.getMessage())}{tail}"
        if record.exc_info:
            trace = self.formatException(record.exc_info).splitlines()
            line = "\n".join([line, *(f"    {printable(part)}" for part in trace)])
        return line


class _JsonLines(logging.Formatter):
    """One JSON object a line: time, level, part, message, the fields, and the traceback where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        told: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created).astimezone().isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "part": record.name.removeprefix(f"{_LOGGER}."),
            "message": record.getMessage(),
            **{key: value for key, value in getattr(record, _FIELDS, {}).items() if value is not None},
        }
        if record.exc_info:
            told["traceback"] = self.formatException(record.exc_info)
        return json.dumps(told, default=str)


class _File(logging.handlers.RotatingFileHandler):
    """The log's file, opened with the first line; it survives a full disk and another process that rotates it."""

    def __init__(self, file: str, write: bool, lines: logging.Formatter, max_bytes: int, keep: int) -> None:
        super().__init__(file, "a", max_bytes, keep, "utf-8", delay=True, errors="backslashreplace")
        self.setFormatter(lines)
        self._directory = os.path.dirname(self.baseFilename)
        self._write = write
        self._told = False

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._look()
            present = os.path.isdir(self._directory)
            if not present and self._write:
                os.makedirs(self._directory, mode=0o700, exist_ok=True)
        except OSError:
            self.handleError(record)
            return
        if present or self._write:
            super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:
        stream, self.stream = self.stream, None
        try:
            if stream is not None:
                stream.close()
        except OSError:
            pass
        if self._told:
            return
        self._told = True
        reason = printable(str(sys.exc_info()[1]))
        _say(f"the log cannot be written ({reason}); the work goes on without it\n{self.format(record)}")

    def close(self) -> None:
        try:
            super().close()
        except OSError:  # a full disk: nothing more can be done for the last line
            self.stream = None

    def _open(self) -> Any:
        # Opened as private: the names of all files of a person stand in it.
        descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        return open(descriptor, "a", encoding=self.encoding, errors=self.errors)  # closed by the handler

    def _look(self) -> None:
        """Leave a file that is the log no longer: another process has rotated it."""
        if self.stream is None:
            return
        try:
            found = os.stat(self.baseFilename)
        except FileNotFoundError:
            found = None
        ours = os.fstat(self.stream.fileno())
        if found is None or (found.st_dev, found.st_ino) != (ours.st_dev, ours.st_ino):
            stream, self.stream = self.stream, None
            stream.close()


class _Screen(logging.Handler):
    """Standard error as it is at the moment: a progress bar puts its own in front of it."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(_Lines())

    def emit(self, record: logging.LogRecord) -> None:
        _say(self.format(record))


def _say(text: str) -> None:
    try:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):  # closed, or there is none
        pass


def _quoted(value: object) -> str:
    text = printable(str(value))
    return f'"{text}"' if " " in text or not text else text
