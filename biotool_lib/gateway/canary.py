"""What drifted: the shapes of today's live answers beside those of recorded ones.

A shape is the paths of keys and the types under them, so that new data under old keys is no drift.
Run with `python -m biotool_lib.gateway canary --recordings FOLDER`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any
from xml.etree.ElementTree import Element

from ..catalogue import tools
from ..errors import RecordingError
from ..observe.ncbi_xml import looks_like_xml, parse
from .client import Client, Observation
from .replay import Recordings

_TYPES = {dict: "object", list: "array", str: "string", bool: "boolean", int: "number", float: "number", type(None): "null"}
UNANSWERED = ("rate_limited", "server_error", "transport_error", "pending")
# BLAST keeps a result for a day and a half, and the History server a set for some hours: older ones cannot be asked for again.
SHORT_LIVED = ("WebEnv", "query_key")


@dataclass
class Comparison:
    """One call, recorded and today: paths that are gone, new, or hold another type."""

    function: str
    url: str | None
    recorded: str | None
    then: str
    now: str
    gone: list[str] = field(default_factory=list)
    new: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)

    @property
    def verdict(self) -> str:
        """`same`, `drifted`, or `unanswered` where today brought no answer to compare."""
        if self.now in UNANSWERED:
            return "unanswered"
        return "drifted" if self.now != self.then or self.gone or self.new or self.changed else "same"

    def row(self) -> dict[str, Any]:
        """The comparison as a JSON object."""
        return {"verdict": self.verdict, **asdict(self)}


def shape(data: Any) -> dict[str, set[str]]:
    """The types under each path of a body; entries of a list share one path, and so do keys that are numbers (records by id).

    Example: `shape({"results": [{"id": 1}]})["results[].id"] == {"number"}`
    """
    found: dict[str, set[str]] = {}
    for path, kind in _walk(data, ""):
        found.setdefault(path, set()).add(kind)
    return found


def _walk(data: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(data, str) and not path:
        root = parse(data) if looks_like_xml(data) else None
        if root is not None:
            yield from _walk_xml(root, "")
        else:
            yield "", "FASTA" if data.startswith(">") else "text"
        return
    yield path, _TYPES[type(data)]
    if isinstance(data, list):
        for item in data:
            yield from _walk(item, f"{path}[]")
    elif isinstance(data, dict):
        for key, value in data.items():
            yield from _walk(value, f"{path}.{'*' if key.isdigit() else key}".lstrip("."))


def _walk_xml(element: Element, path: str) -> Iterator[tuple[str, str]]:
    here = f"{path}/{element.tag}"
    yield here, "element"
    for name in element.attrib:
        yield f"{here}@{name}", "attribute"
    for child in element:
        yield from _walk_xml(child, here)


def compare(then: Observation, now: Observation) -> Comparison:
    """The drift between a recorded and a live observation of the same call; an empty list or null says nothing of a type."""
    seen = Comparison(then.name, then.url, then.retrieved_at, then.outcome, now.outcome)
    if now.outcome == then.outcome == "ok":
        before, after = shape(then.data), shape(now.data)
        seen.gone, seen.new = sorted(set(before) - set(after)), sorted(set(after) - set(before))
        for path in sorted(set(before) & set(after)):
            old, fresh = before[path] - {"null"}, after[path] - {"null"}
            if old and fresh and old != fresh:
                seen.changed.append(f"{path}: {'/'.join(sorted(old))} → {'/'.join(sorted(fresh))}")
    return seen


def watch(replay: Client, live: Client, functions: list[str] | None = None, calls: int = 1) -> Iterator[Comparison]:
    """Compare, for each function, its newest successful recordings with what the live service answers now.

    Raises RecordingError if a function asked for has no recording to compare.
    """
    if replay.recordings is None:
        raise RecordingError("the canary compares with recordings: give it a replay client")
    recorded: dict[str, list[dict[str, Any]]] = {}
    for call in replay.recordings.calls:
        name, short = call["name"], set(SHORT_LIVED) & set(call["arguments"])
        if (not functions or name in functions) and tools()[name].group != "blast" and not short:
            recorded.setdefault(name, []).append(call)
    chosen = {name: _newest(replay, replay.recordings, listed, calls) for name, listed in sorted(recorded.items())}
    missing = sorted(name for name in functions or () if not chosen.get(name))
    if missing:
        raise RecordingError(f"no successful recording of {', '.join(missing)} that could be asked for again")
    for name, observed in chosen.items():
        for then in observed:
            yield compare(then, live.call(name, then.arguments))


def _newest(replay: Client, recordings: Recordings, listed: list[dict[str, Any]], many: int) -> list[Observation]:
    """The newest successful observations among recorded calls of one function."""
    found: list[Observation] = []
    for call in sorted(listed, key=lambda call: (recordings.recorded(call), str(call)), reverse=True):
        then = replay.call(**call)
        if then.ok:
            found.append(then)
        if len(found) == many:
            break
    return found
