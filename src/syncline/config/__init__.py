"""What a person configured: the file `syncline.yaml`, or plain variables, as checked values.

`load` is what every command begins with; it reads the parsed form where one is kept. The parsers themselves (YAML,
models, `.env`) are loaded only when they are needed, and nowhere else in the program.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from syncline.config import cache
from syncline.config.values import Configuration, ConfiguredJob, LogSettings, Root, overlaps
from syncline.config.variables import Variables, dotenv_text, plain_configuration, variables
from syncline.errors import ConfigurationRefused, UsageError

if TYPE_CHECKING:
    from syncline.config.parse import Reading

__all__ = ["Configuration", "ConfiguredJob", "LogSettings", "Root", "Setup", "default_file", "load", "study"]

MAX_BYTES = 256 * 1024
"""No configuration is larger; reading one that is would only take time and memory."""


@dataclass(frozen=True, slots=True)
class Setup:
    """Where the configuration comes from. `file`: that was named; None: the default one, if it is there."""

    file: str | None
    environment: Mapping[str, str]
    directory: str

    def find(self) -> str | None:
        """The file to be read. Raises: UsageError: one was named that is not there."""
        if self.file is not None:
            if not os.path.isfile(self.file):
                hint = f"'syncline --config {self.file} config init' writes one to begin with"
                raise UsageError(f"there is no configuration file {self.file}", hint=hint)
            return self.file
        found = default_file()
        return found if os.path.isfile(found) else None


@dataclass(frozen=True, slots=True)
class Study:
    """A configuration together with where everything in it comes from."""

    configuration: Configuration
    variables: Variables
    reading: Reading | None = None


def default_file() -> str:
    """Where the configuration is unless something else is said."""
    import platformdirs

    return os.path.join(platformdirs.user_config_dir("syncline", appauthor=False), "syncline.yaml")


def load(setup: Setup, state_dir: str, *, keep: bool = False) -> Configuration:
    """The configuration in force. With `keep` its parsed form is kept for the next time.

    Raises: ConfigurationRefused, with everything that is wrong; UsageError: there is no such file.
    """
    file = setup.find()
    if file is None:
        return plain_configuration(setup.directory, setup.environment)[0]
    text = content(file)
    dotenv = dotenv_text(os.path.dirname(file))
    key = cache.Key.of(file, text, dotenv)
    known = cache.read(state_dir, key, setup.environment)
    if known is not None:
        faults = overlaps(known.jobs)  # links may lead elsewhere by now
        if faults:
            raise ConfigurationRefused(faults)
        return known
    found = _parsed(file, text, dotenv, setup)
    if keep and found.reading is not None:
        cache.write(state_dir, key, found.configuration, _used(found.reading), setup.environment)
    return found.configuration


def study(setup: Setup) -> Study:
    """The configuration in force with its origins; nothing kept is believed. Raises: as `load`."""
    file = setup.find()
    if file is None:
        configuration, found = plain_configuration(setup.directory, setup.environment)
        if configuration.wanting is not None:
            raise configuration.wanting
        return Study(configuration, found)
    return _parsed(file, content(file), dotenv_text(os.path.dirname(file)), setup)


def content(file: str) -> str:
    """The text of a configuration file. Raises: ConfigurationRefused."""
    try:
        with open(file, "rb") as opened:
            found = os.fstat(opened.fileno())
            data = opened.read(MAX_BYTES + 1) if stat.S_ISREG(found.st_mode) else b""
    except OSError as error:
        raise _refused(f"cannot be read: {error.strerror}", file) from error
    if not stat.S_ISREG(found.st_mode):
        raise _refused("is no regular file", file)
    if os.name == "posix" and found.st_mode & stat.S_IWOTH:
        raise _refused(f"can be written by everyone on this machine; chmod o-w {file}", file)
    if len(data) > MAX_BYTES:
        raise _refused(f"is larger than {MAX_BYTES // 1024} KiB", file)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ConfigurationRefused([UsageError("is no UTF-8 text", file=file, line=line)]) from error


def _parsed(file: str, text: str, dotenv: str | None, setup: Setup) -> Study:
    from syncline.config.parse import parse

    found = variables(os.path.dirname(file), dotenv, setup.environment)
    reading = parse(text, file, found.values)
    jobs = reading.configured()
    faults = [*reading.document.faults, *overlaps(jobs)]
    if faults:
        raise ConfigurationRefused(sorted(faults, key=lambda fault: fault.line or 0))
    return Study(Configuration(file, jobs, reading.log()), found, reading)


def _used(reading: Reading) -> dict[str, bool]:
    """The variables that the text names, and whether the parsed form has their values in it."""
    used: dict[str, bool] = {}
    for path, names in reading.document.variables.items():
        for name in names:
            used[name] = used.get(name, False) or path[0] in ("jobs", "log")
    return used


def _refused(told: str, file: str) -> ConfigurationRefused:
    return ConfigurationRefused([UsageError(told, file=file, line=1)])
