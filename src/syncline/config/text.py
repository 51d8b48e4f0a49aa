"""A configuration file as plain values, each with its line and the variables it was made of.

YAML 1.2 is read node by node: all faults are found at once, keys given twice are faults, and a variable is put in after
the text was parsed, so that no value of it can add a key. What the keys mean is not known here.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from syncline.errors import UsageError

MAX_NODES = 20_000
"""Values in a file, each alias counted with all it stands for: what grows beyond that is no configuration."""

Path = tuple[str | int, ...]

_NULL = re.compile(r"~|null|Null|NULL|")
_TRUE = re.compile(r"true|True|TRUE")
_FALSE = re.compile(r"false|False|FALSE")
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]{1,3})?")
_DOLLAR = re.compile(r"\$(\$|\{[^}]*\}?|)")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Filled(str):
    """A text that came out of a variable: where a number or yes-or-no is asked for, it may be one."""

    __slots__ = ()


@dataclass(slots=True)
class Document:
    """What a file says. `lines`: of each key or item; `variables`: those that a value was made of; `faulty`: the keys
    that something was said about."""

    file: str
    data: Any = None
    lines: dict[Path, int] = field(default_factory=dict)
    variables: dict[Path, tuple[str, ...]] = field(default_factory=dict)
    faults: list[UsageError] = field(default_factory=list)
    faulty: set[Path] = field(default_factory=set)

    def line(self, path: Path) -> int:
        """The line of a key; of the nearest one above it, where it does not stand in the file."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def fault(self, path: Path, message: str, *, line: int | None = None) -> None:
        """Note that something about a key is wrong."""
        self.faulty.add(path)
        told = f"{dotted(path)}: {message}" if path else message
        self.faults.append(UsageError(told, file=self.file, line=line or self.line(path)))


def read(text: str, file: str, variables: Mapping[str, str]) -> Document:
    """The values of a YAML text, `${NAME}` replaced. What is wrong with it stands in `faults`."""
    document = Document(file)
    yaml = YAML(typ="safe", pure=True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an anchor that is used twice does no harm
            node: Node | None = yaml.compose(text)
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark is not None else 1
        document.fault((), _told(error, "".join(text.split("\n")[line - 1 : line])), line=line)
    except (YAMLError, ValueError) as error:
        document.fault((), f"this is no YAML text: {str(error).splitlines()[0]}")
    except RecursionError:
        document.fault((), "this is nested too deeply")
    else:
        if node is not None:
            try:
                document.data = _Reader(document, variables).value((), node)
            except _TooLarge:
                document.fault((), f"this stands for more than {MAX_NODES} values; are aliases nested?")
    return document


def dotted(path: Path) -> str:
    """`jobs.office.rules[0].match`."""
    told = ""
    for part in path:
        told += f"[{part}]" if isinstance(part, int) else f".{part}" if told else part
    return told


class _TooLarge(Exception):
    pass


class _Reader:
    """Turns nodes into values."""

    def __init__(self, document: Document, variables: Mapping[str, str]) -> None:
        self.document = document
        self.variables = variables
        self.count = 0
        self.above: list[Node] = []

    def value(self, path: Path, node: Node) -> Any:
        self.count += 1
        if self.count > MAX_NODES:
            raise _TooLarge
        if any(node is one for one in self.above):
            self.document.fault(path, "this alias contains itself", line=node.start_mark.line + 1)
            return None
        tag = str(node.tag)
        if tag.startswith("!"):
            told = f'the tag {tag} is not known; a value that begins with ! must stand in quotes: "!..."'
            self.document.fault(path, told, line=_line(node))
        self.above.append(node)
        try:
            match node:
                case MappingNode():
                    return self._mapping(path, node)
                case SequenceNode():
                    return self._sequence(path, node)
                case ScalarNode():
                    return self._scalar(path, node)
                case _:
                    raise TypeError(f"no node of YAML: {node!r}")
        finally:
            self.above.pop()

    def _mapping(self, path: Path, node: MappingNode) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = _line(key_node)
            if not isinstance(key_node, ScalarNode):
                self.document.fault(path, "a key must be a word", line=line)
                continue
            key = str(key_node.value)
            inner = (*path, key)
            if key in values:
                first = self.document.lines[inner]
                self.document.fault(inner, f"given twice, first in line {first}", line=line)
                continue
            self.document.lines.setdefault(inner, line)
            values[key] = self.value(inner, value_node)
        return values

    def _sequence(self, path: Path, node: SequenceNode) -> list[Any]:
        values = []
        for number, item in enumerate(node.value):
            self.document.lines.setdefault((*path, number), _line(item))
            values.append(self.value((*path, number), item))
        return values

    def _scalar(self, path: Path, node: ScalarNode) -> Any:
        text = str(node.value)
        if "$" in text:
            filled = self._filled(path, text)
            if path in self.document.variables:
                return Filled(filled)
            return filled
        return _plain(text) if not node.style else text

    def _filled(self, path: Path, text: str) -> str:
        names: list[str] = []

        def put(match: re.Match[str]) -> str:
            said = match[1]
            if said == "$":
                return "$"
            name = said[1:-1]
            if not said.endswith("}") or _NAME.fullmatch(name) is None:
                self.document.fault(path, "a variable is written ${NAME}, a literal $ is $$")
                return ""
            names.append(name)
            if name not in self.variables:
                self.document.fault(path, f"the variable {name} is not set")
            return self.variables.get(name, "")

        filled = _DOLLAR.sub(put, text)
        if names:
            self.document.variables[path] = tuple(names)
        return filled


def _plain(text: str) -> Any:
    """The value of a text without quotes, after the core schema of YAML 1.2: `no` and `2001-01-01` stay text."""
    if _NULL.fullmatch(text):
        return None
    if _TRUE.fullmatch(text) or _FALSE.fullmatch(text):
        return text.lower() == "true"
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def _line(node: Node) -> int:
    return int(node.start_mark.line) + 1


def _told(error: MarkedYAMLError, line: str) -> str:
    problem = str(error.problem or "this is no YAML text")
    if "undefined alias" in problem or ("cannot start any token" in problem and "\\t" not in problem):
        return f"{problem}; a value that begins with such a character must stand in quotes"
    if "${" in line:
        return f"{problem}; within {{ }} or [ ] a ${{NAME}} must stand in quotes"
    if "another document" in problem:
        return "there is more than one document in this file ('---')"
    return problem
