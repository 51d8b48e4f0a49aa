"""Changes a configuration file by the program: one value at a time, every comment and every other line kept."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError

from syncline.config import Setup, content, study
from syncline.config.parse import parse
from syncline.config.variables import dotenv_text, variables
from syncline.errors import ConfigurationRefused, UsageError


def set_value(setup: Setup, path: Sequence[str], value: Any) -> None:
    """Give one key of the configuration file another value; blocks above it are made where they are missing.

    The file is replaced as a whole, or, when what would come out is not valid, left as it is.

    Raises:
        ConfigurationRefused: the file is wrong already, or would be afterwards.
    """
    file = setup.find()
    if file is None:
        raise UsageError("there is no configuration file", hint="'syncline config init' writes one to begin with")
    study(setup)  # what is wrong already is not this change's fault
    text = content(file)
    changed = _changed(text, path, value)
    found = variables(os.path.dirname(file), dotenv_text(os.path.dirname(file)), setup.environment)
    faults = parse(changed, file, found.values).document.faults
    if faults:
        raise ConfigurationRefused(faults)
    replace(file, changed)


def replace(file: str, text: str) -> None:
    """Put a text in the place of a file at once, its permissions kept; a link goes on leading to it."""
    target = os.path.realpath(file)
    descriptor, staged = tempfile.mkstemp(dir=os.path.dirname(target), prefix=".syncline-")
    try:
        with open(descriptor, "w", encoding="utf-8", newline="") as opened:
            opened.write(text)
            opened.flush()
            os.fsync(opened.fileno())
        os.chmod(staged, os.stat(target).st_mode & 0o7777)
        os.replace(staged, target)
    except OSError as error:
        with suppress(OSError):
            os.unlink(staged)
        raise UsageError(f"{file} could not be changed: {error.strerror}", file=file, line=1) from error


def _changed(text: str, path: Sequence[str], value: Any) -> str:
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 100_000
    indent, offset = _indentation(text)
    yaml.indent(mapping=2 if indent is None else indent, sequence=(indent or 2) + offset, offset=offset)
    ends = "\r\n" if "\r\n" in text else "\n"
    try:
        tree = yaml.load(text)
    except YAMLError as error:
        raise UsageError(f"this is no YAML text: {str(error).splitlines()[0]}") from error
    if tree is None:
        tree = CommentedMap()
    block = tree
    for part in path[:-1]:
        if not isinstance(block.get(part), CommentedMap):
            block[part] = CommentedMap()
        block = block[part]
    block[path[-1]] = value
    out = StringIO()
    yaml.dump(tree, out)
    return out.getvalue().replace("\n", ends) if ends != "\n" else out.getvalue()


def _indentation(text: str) -> tuple[int | None, int]:
    """How far blocks are indented in a text, and the dashes of lists below their key."""
    indent: int | None = None
    offset, above = 0, 0
    for line in text.splitlines():
        bare = line.lstrip(" ")
        if not bare or bare.startswith("#"):
            continue
        depth = len(line) - len(bare)
        if bare.startswith("- ") and depth >= above and offset == 0:
            offset = depth - above
        elif depth > above and indent is None:
            indent = depth - above
        if not bare.startswith("- "):
            above = depth
    return indent, offset
