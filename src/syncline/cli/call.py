"""One call of the program: what was said globally, and the three ways out (answers, messages, exit code)."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from syncline.errors import RootLocked, RunRefused, SynclineError, UsageError

if TYPE_CHECKING:
    from syncline.config import Configuration, Setup

INTERNAL_ERROR = 4
WRITE_FAILED = 4
"""The exit code where all went well but the answer could not be written."""


class Call:
    """`json` stands from the start, so that wrong usage too is told in the form that was asked for.

    A plain class, and no module is imported here that `--help` has no use for: it is to appear at once.
    """

    def __init__(self, args: tuple[str, ...], json: bool = False, state: str | None = None) -> None:
        self.args = args
        self.json = json
        self.config: str | None = None
        self.state = state
        self.answered = False
        self.trouble = 0

    @staticmethod
    def of(args: Sequence[str]) -> Call:
        options = args[: args.index("--")] if "--" in args else args
        return Call(tuple(args), "--json" in options)

    def configure(self, config: str | None, state_dir: str | None) -> None:
        """Take over global options; those not given leave what is known.

        Raises:
            UsageError: that is no name of a file, or of a directory.
        """
        if config is not None:
            if not config:
                raise UsageError("--config needs the name of a file")
            self.config = os.path.abspath(os.path.expanduser(config))
        if state_dir is not None:
            if not state_dir:
                raise UsageError("--state-dir needs the name of a directory")
            self.state = os.path.abspath(os.path.expanduser(state_dir))

    def state_dir(self) -> str:
        """The state directory, absolute; it need not be there."""
        if self.state is None:
            import platformdirs

            self.state = os.path.abspath(platformdirs.user_state_dir("syncline", appauthor=False))
        return self.state

    def setup(self) -> Setup:
        """Where the configuration comes from."""
        from syncline.config import Setup

        return Setup(self.config, os.environ, _working_directory())

    def configuration(self, *, keep: bool = False) -> Configuration:
        """The configuration in force; with `keep` its parsed form is kept. Raises: ConfigurationRefused, UsageError."""
        from syncline import config

        return config.load(self.setup(), self.state_dir(), keep=keep)

    def say(self, text: str) -> None:
        """A message for a person, on standard error."""
        from syncline.core.names import printable

        self.complain([printable(text), "\n"])

    def tell(self, error: SynclineError) -> None:
        """What went wrong and what to do next, on standard error."""
        if isinstance(error, UsageError) and error.file is not None:
            self.say(f"{error.file}:{error.line or 1}: {error.message}")
        else:
            self.say(f"syncline: {error.message}")
        if error.hint:
            self.say(f"  {error.hint}")

    def answer(self, document: Mapping[str, object]) -> None:
        """The one JSON document of this call."""
        import json

        self.pour([json.dumps(document)])

    def pour(self, chunks: Iterable[str]) -> None:
        """The one JSON document of this call, in pieces."""
        self.answered = True
        self.write(chunks)
        self.write(["\n"])
        self.flush()

    def write(self, chunks: Iterable[str]) -> None:
        """Text on standard output. A reader that went away stops nothing; a full disk is told once."""
        try:
            for chunk in chunks:
                if self.trouble:
                    return
                sys.stdout.write(chunk)
        except OSError as error:
            self.unwritten(error)

    def complain(self, chunks: Iterable[str]) -> None:
        """Text on standard error, behind what was answered so far."""
        self.flush()
        with suppress(OSError, ValueError):  # nobody listens
            for chunk in chunks:
                sys.stderr.write(chunk)
            sys.stderr.flush()

    def flush(self) -> None:
        """Bring what was written to its reader."""
        try:
            sys.stdout.flush()
        except OSError as error:
            self.unwritten(error)

    def unwritten(self, error: OSError) -> None:
        """Note that standard output takes nothing any more."""
        _discard_stdout()
        if error.errno in (errno.EPIPE, errno.EINVAL):  # EINVAL: a closed pipe on Windows
            self.trouble = self.trouble or -1
        else:
            self.trouble = WRITE_FAILED
            self.say(f"syncline: the answer could not be written: {error.strerror}")

    def refuse(self, errors: Sequence[SynclineError]) -> int:
        """Say why nothing came of this call; its exit code."""
        for error in errors:
            self.tell(error)
        if self.json and not self.answered:
            from syncline.core import report

            first = errors[0]
            ended = isinstance(first, RunRefused | RootLocked)
            self.answer(dict(report.refusal_document(first) if ended else report.error_document(errors)))
        return errors[0].exit_code

    def fail(self, error: BaseException) -> int:
        """Say that the program itself failed; the exit code."""
        told = self.fault(error)
        if self.json and not self.answered:
            from syncline.core import report

            self.answer(dict(report.error_document([told])))
        return INTERNAL_ERROR

    def fault(self, error: BaseException) -> SynclineError:
        """Say that the program itself failed, in a sentence that is returned; the traceback goes to the log."""
        told = SynclineError(f"internal error: {type(error).__name__}: {error}", hint=self._logged(error))
        self.tell(told)
        return told

    def close(self, code: int) -> int:
        """The exit code, after what was written has reached its reader."""
        self.flush()
        return code or max(self.trouble, 0)

    def _logged(self, error: BaseException) -> str:
        from syncline import log

        try:
            state_dir = self.state_dir()
            there = os.path.isdir(state_dir)
            log.setup(state_dir, verbose=False, write=False)
            log.bound("cli", command=" ".join(self.args)).error("internal error", exc_info=error)
            log.close()
        except Exception:  # noqa: BLE001  what it is told about has failed already
            there = False
        if there:
            return f"this is a fault of syncline; the details are in {log.path(state_dir)}"
        return "this is a fault of syncline"


def _working_directory() -> str:
    try:
        return os.getcwd()
    except OSError:  # it was removed
        return os.sep


def _discard_stdout() -> None:
    """Let the interpreter's last flush go nowhere instead of failing again."""
    with suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
