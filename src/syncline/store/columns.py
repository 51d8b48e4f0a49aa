"""How values stand in the columns of the state database: names and paths as bytes, what has parts as JSON."""

from __future__ import annotations

import json
from typing import Any

Json = Any
"""What `json` reads and writes."""


def to_bytes(path: str | None) -> bytes | None:
    """A path or name as it is stored."""
    return None if path is None else path.encode("utf-8", "surrogateescape")


def to_text(path: bytes | None) -> str | None:
    """A path or name as it was before it was stored."""
    return None if path is None else path.decode("utf-8", "surrogateescape")


def to_json(value: Json) -> str:
    """JSON as it is stored: ASCII, so that undecodable bytes of paths survive."""
    return json.dumps(value, separators=(",", ":"))


def as_it_is(value: Any) -> Any:
    """A value that needs no other form."""
    return value
