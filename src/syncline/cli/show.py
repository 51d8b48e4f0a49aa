"""Runs, jobs and histories as a person likes to read them: grouped, counted, folded, what needs a person last.

Every name goes through `printable`; nothing of it is ever taken for markup.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from syncline.cli.terminal import Screen
from syncline.core.model import Objection
from syncline.core.names import pasted, pasted_path, printable
from syncline.core.policy import keeps
from syncline.core.report import ActionRow, ConflictRow, Document, ProblemRow, Summary

FOLD_AT: Final = 10
"""So many lines of one group are shown unasked."""

LONGEST_PADDED: Final = 60
"""Where no width limits a line, names are brought to one column up to this length."""

_TO: Final = " → "


@dataclass(slots=True)
class _Group:
    """Actions of one sort on one root."""

    root: str
    sort: str
    actions: int = 0
    size: int = 0
    first: list[ActionRow] = field(default_factory=list)


_SORTS: Final = {
    "put-file": ("copy {n}", "copied {n}", "file"),
    "put-link": ("link {n}", "linked {n}", "symbolic link"),
    "make-directory": ("make {n}", "made {n}", "folder"),
    "rename": ("rename {n}", "renamed {n}", "item"),
    "set-properties": ("set the properties of {n}", "set the properties of {n}", "item"),
    "trash": ("move {n} to the trash", "moved {n} to the trash", "item"),
    "remove": ("delete {n}, not recoverable", "deleted {n}, not recoverable", "item"),
    "run-command": ("run {n}", "ran {n}", "command"),
}

_SIGNS: Final = {
    "put-file": ("+", "green"),
    "put-link": ("+", "green"),
    "make-directory": ("+", "green"),
    "rename": (">", "cyan"),
    "set-properties": ("~", "cyan"),
    "trash": ("-", "red"),
    "remove": ("-", "bold red"),
    "run-command": ("$", "cyan"),
}

_WHYS: Final = {
    "edited-after-delete": "edited after it was deleted on the other side",
    "conflict": "conflict",
    "type-change": "became something else",
    "extra": "not in the source",
    "undo": "undo",
    "recover": "put back from the trash",
}

_ON: Final = {"left": "on the left", "right": "on the right", "source": "in the source", "target": "in the target"}

_SIDED: Final = {
    "created": "new",
    "changed": "changed",
    "deleted": "deleted",
    "properties": "other properties",
    "renamed": "renamed",
}

_RULES: Final = {
    "changed-both": "changed on both sides",
    "created-both": "created differently on both sides",
    "props-both": "name or properties changed on both sides",
    "type-both": "a different kind of thing on each side",
    "undone": "left apart by an undo",
}

_FINE: Final = frozenset({"in-sync", "done"})
"""Outcomes that need no person: what is listed beside them is left alone by design."""

STYLES: Final = {
    "in-sync": "green",
    "done": "green",
    "planned": "bold",
    "needs-attention": "yellow",
    "refused": "bold red",
    "failed": "bold red",
    "locked": "bold red",
    "interrupted": "yellow",
}


def run(
    screen: Screen,
    document: Document,
    rows: Callable[[], Iterable[ActionRow]],
    *,
    verbose: bool = False,
    quiet: bool = False,
    again: str | None = None,
    besides: bool = False,
) -> None:
    """A plan or run. `rows` gives its actions anew each time it is called; `again` is the command that would do it;
    `besides`: something else was done, of which is told elsewhere."""
    if quiet and document["outcome"] in _FINE:
        return
    head(screen, document)
    if not quiet:
        _groups(screen, document, rows, verbose)
    _unfinished(screen, rows, "failed", verbose)
    if not quiet:
        _unfinished(screen, rows, "skipped", verbose)
    _problems(screen, document["problems"], verbose)
    conflicts = document["conflicts"]
    job = None if again is None or document["dry_run"] else document["job"]
    settled = [row for row in conflicts if row["kept"] is not None] if not quiet else []
    bad = {row["path"]: row["root"] for row in document["problems"] if row["reason"] == "unreadable"}
    waiting, mirror = [row for row in conflicts if row["kept"] is None], document["kind"] == "mirror"
    _conflicts(screen, settled, False, verbose, job, {}, mirror=mirror, would=document["run"] is None)
    _conflicts(screen, waiting, True, verbose, job, bad, mirror=mirror)
    _end(screen, document, again, besides=besides)


def head(screen: Screen, document: Document) -> None:
    """Which job it is about."""
    (_, one), (_, other) = document["roots"].items()
    arrow = "↔" if document["kind"] == "twoway" else "→"
    screen.line((document["job"], "bold"), f": {printable(one)} {arrow} {printable(other)}")


def refusal(screen: Screen, objections: Sequence[Objection], again: str | None) -> None:
    """Why a guard refused, and how to go ahead."""
    for objection in objections:
        screen.line((f"refused ({objection.guard.value}): ", "bold red"), (printable(objection.detail), "bold"))
        if objection.approve is None or again is None:
            screen.line(f"  {printable(objection.remedy)}")
            if again is not None and "syncline " not in objection.remedy:
                screen.line("  then: ", (again, "bold cyan"))
        elif _HINTS.get(objection.guard.value):
            screen.line(f"  {_HINTS[objection.guard.value]}")
    approve = next((objection.approve for objection in objections if objection.approve is not None), None)
    if again is None or approve is None or any(objection.approve is None for objection in objections):
        return
    screen.line("  to see all of it:         ", (f"{again} --dry-run -v", "cyan"))
    screen.line("  if that is what you want: ", (f"{again} --approve {approve}", "bold cyan"))


_HINTS: Final = {
    "source-empty": "Is the right drive connected?",
    "all-changed": "Was it encrypted or restored by something?",
    "first-mirror-extras": "'--extras keep' leaves them where they are.",
}


def rule(name: str) -> str:
    """A rule in words."""
    return _RULES.get(name, name)


def untouched(name: str) -> str:
    """How an open conflict of a rule stands that nobody has settled."""
    return "left alone until you say which side holds" if name == "undone" else "nothing was touched"


def resolution(
    screen: Screen, job: str, path: str, rule: str, suspect: str | None = None, *, mirror: bool = False
) -> None:
    """The command that settles a conflict, and what else may be kept. `suspect`: the root whose bytes nobody wrote."""
    if suspect == "source":
        told = "copy the version you want to the source yourself: a mirror never writes there"
        screen.lines("      ", (told, "dim"), indent=6)
        return
    keep = "right" if suspect == "left" else "left"
    others = [other for other in keeps(rule, writes_left=not mirror) if other != keep]
    if suspect is not None:
        others = [other for other in others if other == "both"]
    also = f"or {_either(others)}" if others else "the version of the source"
    command = f"syncline resolve {pasted(job)} {pasted_path(path)} --keep {keep}"
    screen.lines("      ", (command, "bold cyan"), (f"  ({also})", "dim"), indent=6)


def _either(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else words[0]


def reason(why: str) -> str:
    """Why something was done, in words."""
    what, _, side = why.rpartition("-")
    if what in _SIDED:
        return f"{_SIDED[what]} {_ON.get(side, side)}"
    return _WHYS.get(why, why)


def setting(value: object) -> str:
    """A setting's value."""
    if isinstance(value, list):
        return ", ".join(printable(str(each)) for each in value) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{key} {setting(each)}" for key, each in value.items())
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else printable(str(value))


def phrase(summary: Summary, *, done: bool) -> str:
    """What was done, or would be, in a line."""
    parts = []
    if summary["copied"]:
        verb = "copied" if done else "copy"
        parts.append(f"{verb} {many(summary['copied'], 'file')} ({size(summary['bytes_copied'])})")
    for key, would, did, noun in (
        ("renamed", "rename {n}", "renamed {n}", "item"),
        ("links", "link {n}", "linked {n}", "symbolic link"),
        ("directories", "make {n}", "made {n}", "folder"),
        ("properties", "set properties of {n}", "set properties of {n}", "item"),
        ("trashed", "move {n} to the trash", "moved {n} to the trash", "file"),
        ("removed", "delete {n} for good", "deleted {n} for good", "item"),
    ):
        number = int(summary[key])  # type: ignore[literal-required]  # the keys stand just above
        if number:
            parts.append((did if done else would).format(n=many(number, noun)))
    return ", ".join(parts)


def many(number: int, noun: str) -> str:
    """`1 file`, `2,345 files`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def size(number: int) -> str:
    """`12 B`, `1.2 kB`, `34 MB`: powers of ten."""
    value = float(number)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if value < 999.5 or unit == "TB":
            break
        value /= 1000
    return f"{number} B" if unit == "B" else f"{value:.1f} {unit}" if value < 99.95 else f"{value:.0f} {unit}"


def moment(stored: str) -> str:
    """A stored time in the local zone, to the minute."""
    return datetime.fromisoformat(stored).astimezone().strftime("%Y-%m-%d %H:%M")


def _groups(screen: Screen, document: Document, rows: Callable[[], Iterable[ActionRow]], verbose: bool) -> None:
    groups: dict[tuple[str, str], _Group] = {}
    names = list(document["roots"])
    for row in rows():
        if row["state"] in ("failed", "skipped"):
            continue
        key = (row["root"], row["action"])
        group = groups.get(key)
        if group is None:
            group = groups[key] = _Group(*key)
        group.actions += 1
        group.size += row["bytes"]
        if len(group.first) < FOLD_AT:
            group.first.append(row)
    would = document["outcome"] in ("planned", "refused", "in-sync")
    for root in reversed(names):  # left to right comes first: that is where the right one is changed
        mine = [groups[root, sort] for sort in _SORTS if (root, sort) in groups]
        if mine:
            other = names[0] if root == names[1] else names[1]
            screen.line((f"{other} → {root}", "bold blue"))
        for group in mine:
            _group(screen, group, rows, would, verbose)


def _group(screen: Screen, group: _Group, rows: Callable[[], Iterable[ActionRow]], would: bool, verbose: bool) -> None:
    title = _SORTS[group.sort][0 if would else 1].format(n=many(group.actions, _SORTS[group.sort][2]))
    screen.line(f"  {title}{f' ({size(group.size)})' if group.size else ''}")
    shown: Iterable[ActionRow] = group.first
    if verbose and group.actions > len(group.first):
        shown = _of_group(rows(), group)
    room = _room(screen, group.first)
    for row in shown:
        _action(screen, row, room, whole=verbose)
    if not verbose and group.actions > len(group.first):
        screen.line((f"    … and {group.actions - len(group.first):,} more (-v shows all)", "dim"))


def _of_group(rows: Iterable[ActionRow], group: _Group) -> Iterator[ActionRow]:
    for row in rows:
        if (row["root"], row["action"]) == (group.root, group.sort) and row["state"] not in ("failed", "skipped"):
            yield row


def _room(screen: Screen, rows: Sequence[ActionRow]) -> int:
    """The column for names: as wide as they are, as far as size and reason leave room."""
    longest = max((screen.length(_name(row)) for row in rows), default=0)
    if screen.width is None:
        return min(longest, LONGEST_PADDED)
    beside = 6 + max((2 + len(_size(row)) + 2 + len(_why(row)) for row in rows), default=0)
    return min(longest, max(screen.width - 1 - beside, 20))


def _action(screen: Screen, row: ActionRow, room: int, *, whole: bool) -> None:
    name, bytes, why = _name(row), _size(row), _why(row)
    if screen.width is not None and not whole and screen.length(name) > room:
        half = (room - screen.length(_TO)) // 2
        name = _TO.join(screen.fitted(part, half if "to" in row else room) for part in _names(row))
    sign, style = _SIGNS.get(row["action"], ("?", ""))
    if row["action"] == "put-file" and not row["why"].startswith("created-") and row["why"] != "recover":
        sign, style = "~", "yellow"
    padding = " " * max(room - screen.length(name), 0) if bytes or why else ""
    screen.line(
        "    ", (sign, style), " ", name, padding, f"  {bytes}" if bytes else "", (f"  {why}" if why else "", "dim")
    )


def _name(row: ActionRow) -> str:
    return _TO.join(_names(row))


def _names(row: ActionRow) -> list[str]:
    return [printable(row["path"]), printable(row["to"])] if "to" in row else [printable(row["path"])]


def _size(row: ActionRow) -> str:
    if row["action"] in ("put-file", "trash", "remove"):
        return f"{size(row['bytes']):>8}"
    return ""


def _why(row: ActionRow) -> str:
    why, _, side = row["why"].rpartition("-")
    match why:
        case "created":
            return "new" if row["action"].startswith("put-") else ""
        case "changed":
            return "changed"
        case "deleted":
            return f"deleted {_ON.get(side, side)}"
        case "renamed":
            return "" if row["action"] == "rename" else f"renamed {_ON.get(side, side)}"
        case "properties":
            return ""
        case _:
            return _WHYS.get(row["why"], row["why"])


def _unfinished(screen: Screen, rows: Callable[[], Iterable[ActionRow]], state: str, verbose: bool) -> None:
    found = 0
    for row in rows():
        if row["state"] != state:
            continue
        found += 1
        if found == 1:
            title = "not done, these failed" if state == "failed" else "left alone in this run"
            screen.line((title, "bold red" if state == "failed" else "bold yellow"))
        if verbose or found <= FOLD_AT:
            screen.line("    ", ("!", "red"), f" {row['action']} in {row['root']}: {_name(row)}")
    if found > FOLD_AT and not verbose:
        screen.line((f"    … and {found - FOLD_AT:,} more (-v shows all)", "dim"))


def _problems(screen: Screen, problems: Sequence[ProblemRow], verbose: bool) -> None:
    if problems:
        screen.line((many(len(problems), "problem"), "bold yellow"))
    for row in problems if verbose else problems[:FOLD_AT]:
        where = f"{row['root']}: {printable(row['path']) or '(the folder itself)'}"
        told = f"  {row['reason']}: {printable(row['detail'])}"
        screen.lines("    ", ("!", "yellow"), f" {where}", (told, "dim"), indent=6)
    _folded(screen, len(problems), verbose)


def _conflicts(
    screen: Screen,
    conflicts: Sequence[ConflictRow],
    open: bool,
    verbose: bool,
    job: str | None,
    suspects: Mapping[str, str],
    *,
    mirror: bool,
    would: bool = False,
) -> None:
    """`job`: whose they are, where they can be settled now; `suspects`: the root whose bytes nobody wrote, by path;
    `would`: nothing was done yet."""
    if conflicts:
        title = f"{many(len(conflicts), 'conflict')} {'waiting for you' if open else 'settled'}"
        screen.line((title, "bold red" if open else "bold magenta"))
    for row in conflicts if verbose else conflicts[:FOLD_AT]:
        screen.line("    ", ("!", "red" if open else "magenta"), f" {printable(row['path'])}")
        settled = [(f" {part}", "dim") for part in _settled(row, would=would)]
        screen.lines((f"      {rule(row['rule'])};", "dim"), *settled, indent=6)
    _folded(screen, len(conflicts), verbose)
    first = next((row for row in conflicts if row["kept"] is None or row["clash"] is not None), None)
    if first is not None and job is not None:
        screen.line("    to settle one:" if open else "    to keep only one version:")
        resolution(screen, job, first["path"], first["rule"], suspects.get(first["path"]), mirror=mirror)
        if len(conflicts) > 1:
            screen.line("    to see all of them: ", (f"syncline conflicts {pasted(job)}", "cyan"))


def _folded(screen: Screen, number: int, verbose: bool) -> None:
    if number > FOLD_AT and not verbose:
        screen.line((f"    … and {number - FOLD_AT:,} more (-v shows all)", "dim"))


_SAYS_NO_SIDE = ("hold", "keep-both")
"""Where one version holds all the same, a person said so."""


def _settled(row: ConflictRow, *, would: bool) -> list[str]:
    """What becomes of a conflict, in parts between which a line may be broken."""
    if row["kept"] is None:
        return [untouched(row["rule"])]
    if row["kept"] == "merged" and would:
        command = printable(row["policy"].removeprefix("merge: "))
        return [f"merge with {command};", "if that fails, both versions are kept"]
    if row["kept"] == "merged":
        return ["merged,", "both versions are in the trash"]
    if row["kept"] == "both":
        return ["both versions stay"]
    if row["clash"] is not None:
        return [f"the name keeps the version of {row['kept']},", f"the other one is {printable(row['clash'])}"]
    by = "" if row["policy"] in _SAYS_NO_SIDE else f" ({row['policy']})"
    if row["rule"] == "props-both":
        return [f"those of {row['kept']} hold{by}"]
    if row["rule"] == "undone":
        return [f"the version of {row['kept']} holds on both sides"]
    return [f"the version of {row['kept']} holds{by},", "the other one is in the trash"]


def _end(screen: Screen, document: Document, again: str | None, *, besides: bool) -> None:
    outcome, summary = document["outcome"], document["summary"]
    style = STYLES.get(outcome, "bold")
    attention = ", ".join(
        part
        for part in (
            many(summary["failed"], "failed action") if summary["failed"] else "",
            many(summary["conflicts"], "conflict") if summary["conflicts"] else "",
            many(summary["problems"], "problem") if summary["problems"] else "",
        )
        if part
    )
    also = f" ({attention})" if attention else ""
    would = phrase(summary, done=False) or "nothing to do"
    did = phrase(summary, done=True) or ("nothing else was changed" if besides else "nothing was changed")
    took = f" in {document['seconds']:.1f} s"
    run = f" · run {document['run']}" if document["run"] is not None else ""
    match outcome:
        case "in-sync":
            screen.line(("✓ in sync", style), f": {many(summary['both'], 'file')} on both sides{also}")
        case "planned":
            screen.lines(("plan", style), f" {document['plan']}: {would}", also, "; nothing was changed", indent=2)
            if again is not None:
                screen.line("  to do it: ", (again, "bold cyan"))
        case "refused":
            screen.lines(("plan", style), f" {document['plan']}: {would}", also, "; nothing was changed", indent=2)
        case "done":
            screen.lines(("✓ done", style), f"{took}: {did}", also, run, indent=2)
        case "needs-attention":
            screen.lines(("done, and something needs you", style), f"{took}:", f" {did}", also, run, indent=2)
        case "interrupted":
            screen.lines(("interrupted", style), f": {did}{also};", " run it again to go on", run, indent=2)
        case "failed":
            screen.lines(("✗ not all was done", style), f"{took}: {did}", also, run, indent=2)
            if again is not None and summary["failed"]:
                screen.line("  to try the rest again: ", (again, "bold cyan"))
        case _:
            screen.line((outcome, style), f": nothing was changed{also}")
