"""Every exception of syncline, with its exit code and the hint that tells a person what to do next.

    SynclineError                  1  (never raised itself)
    ├── UsageError                 2  wrong arguments, options or configuration; nothing was touched
    │   ├── ConfigurationRefused   2  everything that is wrong with the configuration, at once
    │   └── StateTooNew            2  the state database was written by a later version
    ├── RunRefused                 3  no plan can be made: a root is missing or is not the one remembered
    ├── RootLocked                 5  another run holds one of the roots
    ├── Interrupted          130/143  a signal stopped the run; what was begun was finished or rolled back
    ├── StateError                 4  the state database cannot be read or written (full disk, permissions)
    ├── RootLost                   4  a root vanished, was replaced, became read-only or does not answer
    ├── ScanFailed                 4  a process that read a root broke down; nothing was changed
    └── PathError                     one path could not be handled; below the engine this becomes a `Problem`

A failure of one path is data (`syncline.core.model.Problem`); only the failure of a whole run leaves the engine as
an exception. `OSError` is translated in `syncline.fs` and nowhere else.
"""

from __future__ import annotations

from collections.abc import Sequence


class SynclineError(Exception):
    """Something a person has to know about: `message` says what and where, `hint` what to do next."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(SynclineError):
    """Arguments, options or configuration are wrong; nothing was touched."""

    exit_code = 2

    def __init__(self, message: str, *, hint: str = "", file: str | None = None, line: int | None = None) -> None:
        super().__init__(message, hint=hint)
        self.file = file
        self.line = line


class ConfigurationRefused(UsageError):
    """The configuration is wrong; `errors` are its faults, each with its place."""

    def __init__(self, errors: Sequence[UsageError]) -> None:
        first = errors[0]
        super().__init__(first.message, hint=first.hint, file=first.file, line=first.line)
        self.errors = tuple(errors)


class StateTooNew(UsageError):
    """The state database belongs to a later version of syncline; it is left untouched."""


class RunRefused(SynclineError):
    """A guard refused before a plan could be made. `objections` are `syncline.core.model.Objection` values."""

    exit_code = 3

    def __init__(self, message: str, objections: Sequence[object] = (), *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.objections = tuple(objections)


class RootLocked(SynclineError):
    """Another run holds the root; `holder` is what its lock file says about it."""

    exit_code = 5

    def __init__(self, message: str, *, holder: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.holder = holder


class Interrupted(SynclineError):
    """A signal asked the run to stop. `exit_code` is 128 plus the number of the signal."""

    def __init__(self, signal_number: int) -> None:
        super().__init__("interrupted; what was begun was finished or rolled back", hint="run it again to go on")
        self.exit_code = 128 + signal_number


class StateError(SynclineError):
    """The state database cannot be read or written."""

    exit_code = 4


class RootLost(SynclineError):
    """A root vanished, was replaced by something else, became read-only, or its file system gives no answer."""

    exit_code = 4


class ScanFailed(SynclineError):
    """A process that read a root broke down; what it had not seen is not taken for gone."""

    exit_code = 4


class PathError(SynclineError):
    """One path could not be handled. `reason` is a value of `syncline.core.model.Reason`, `side` one of `Side` there,
    empty where nobody said which."""

    exit_code = 4

    def __init__(self, reason: str, path: str, detail: str, *, side: str = "") -> None:
        super().__init__(f"{path}: {detail}")
        self.side = side
        self.reason = reason
        self.path = path
        self.detail = detail
