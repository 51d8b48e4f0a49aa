"""Trees in a small text notation.

    a.txt=1        a file with content "1" (its size is the length of the content; `#30` says otherwise)
    a.txt=1@10     changed 10 seconds after the beginning of time here    a.txt=1:600   with mode 600
    d/  d/:700     a directory; the directories above a path need not be written
    l->a.txt       a link        p|  a fifo        u?  a name that cannot be read
    d/?            a directory that cannot be listed        m/^  a mount point
    a=1&5 d/&5     owned by user 5 (told only by roots that keep owners)
    a=1~           the same file, but its status time changed (a restore, a hard link)
    %20            a space in a name

In a base also: `a=1!u` taken for equal unread, `a=1!l` `a=1!r` with a racy stamp, `a=1|2` different contents in fact.
Times, modes and owners that are not written are the same everywhere. Names that end in `.tmp` are ignored.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import unquote

from syncline.core import names
from syncline.core.model import (
    Entry,
    Kind,
    RelPath,
    Side,
)
from syncline.core.policy import Ability

SECOND_NS = 1_000_000_000
START_NS = 1_700_000_000 * SECOND_NS
MODES = {Kind.FILE: 0o644, Kind.DIRECTORY: 0o755, Kind.LINK: 0o777}
ROOT = RelPath("")
ABLE = Ability()

_TOKEN = re.compile(
    r"(?P<path>[^=>|?~]+?)"
    r"(?:=(?P<content>[^@:#&~!|]*)(?:\|(?P<right>[^@:#&~!]+))?(?:\#(?P<size>\d+))?|->(?P<link>[^~!]+)"
    r"|(?P<fifo>\|)|(?P<unknown>\?)|(?P<dir>/[?^]?))"
    r"(?:@(?P<mtime>-?[\d.]+))?(?::(?P<mode>[0-7]+))?(?:&(?P<owner>\d+))?(?P<stamp>~)?(?:!(?P<flags>[ulr]+))?"
)


@dataclass(frozen=True, slots=True)
class Node:
    """What stands at a path. `inode` and `ctime_ns` are 0 until it stands in a world."""

    kind: Kind
    content: str = ""
    size: int = 0
    mtime_ns: int = START_NS
    mode: int = 0
    unreadable: bool = False
    restamped: bool = False
    inode: int = 0
    ctime_ns: int = 0
    owner: int = 0

    def same(self, other: Node) -> bool:
        return replace(self, inode=0, ctime_ns=0) == replace(other, inode=0, ctime_ns=0)

    def entry(self, able: Ability = ABLE) -> Entry:
        """What a root that keeps this tells of it."""
        shown = self.mode if able.mode else 0o777
        owner = self.owner if able.owner and self.kind in (Kind.FILE, Kind.DIRECTORY) else None
        if self.kind is Kind.DIRECTORY:
            return Entry(self.kind, 0, 0, shown, 0, self.inode, owner=owner)
        return Entry(self.kind, self.size, self.mtime_ns, shown, self.ctime_ns, self.inode, owner=owner)


Tree = dict[RelPath, Node]


def tree(text: str, side: Side = Side.LEFT) -> Tree:
    """The tree that a text describes; of contents that differ in a base, those of `side`."""
    nodes: Tree = {}
    for token in text.split():
        path, node, _ = parse(token, side)
        nodes[path] = node
        for above in names.ancestors(path):
            if above:
                nodes.setdefault(above, Node(Kind.DIRECTORY, mode=MODES[Kind.DIRECTORY]))
    return dict(sorted(nodes.items()))


def show(nodes: Mapping[RelPath, Node]) -> str:
    """A tree in the notation; directories that something stands in are left out where they are ordinary."""
    return " ".join(sorted(_shown(path, node) for path, node in nodes.items() if not _implied(path, node, nodes)))


def normal(text: str) -> str:
    """The text as `show` writes it."""
    return show(tree(text))


def _implied(path: RelPath, node: Node, nodes: Mapping[RelPath, Node]) -> bool:
    ordinary = (
        node.kind is Kind.DIRECTORY and node.mode == MODES[Kind.DIRECTORY] and not node.unreadable and not node.owner
    )
    return ordinary and any(other.startswith(f"{path}/") for other in nodes)


def _shown(path: RelPath, node: Node) -> str:
    mode = "" if node.mode == MODES.get(node.kind, 0) else f":{node.mode:o}"
    mode += f"&{node.owner}" if node.owner else ""
    name = path.replace(" ", "%20")
    if node.kind is Kind.FILE:
        size = "" if node.size == len(node.content) else f"#{node.size}"
        offset = (node.mtime_ns - START_NS) / SECOND_NS
        time = "" if not offset else f"@{offset:g}" if abs(offset) < 1e5 else f"@{offset:.0f}"
        return f"{name}={node.content}{size}{time}{mode}"
    if node.kind is Kind.LINK:
        return f"{name}->{node.content}"
    marks = {Kind.DIRECTORY: "/?" if node.unreadable else "/", Kind.SPECIAL: "|", Kind.UNKNOWN: "?", Kind.MOUNT: "/^"}
    return f"{name}{marks[node.kind]}{mode}"


def parse(token: str, side: Side) -> tuple[RelPath, Node, str]:
    found = _TOKEN.fullmatch(token)
    assert found is not None, f"not in the notation: {token}"
    part = found.groupdict()
    path, flags = RelPath(unquote(part["path"])), part["flags"] or ""
    mtime_ns = START_NS + int(float(part["mtime"] or 0) * SECOND_NS)
    if part["content"] is not None:
        content = part["right"] if part["right"] and side is Side.RIGHT else part["content"]
        size = int(part["size"]) if part["size"] else len(content)
        node = Node(Kind.FILE, content, size, mtime_ns)
    elif part["link"]:
        node = Node(Kind.LINK, part["link"], len(part["link"]), mtime_ns)
    elif part["dir"]:
        node = Node(Kind.MOUNT if part["dir"] == "/^" else Kind.DIRECTORY, unreadable=part["dir"] == "/?")
    else:
        node = Node(Kind.SPECIAL if part["fifo"] else Kind.UNKNOWN)
    mode = int(part["mode"], 8) if part["mode"] else MODES.get(node.kind, 0)
    return path, replace(node, mode=mode, owner=int(part["owner"] or 0), restamped=bool(part["stamp"])), flags
