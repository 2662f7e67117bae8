"""Keeping a summary within its size, and the small helpers that the UniProt and NCBI summaries share.

A summary is read by a language model, so it has a ceiling. What does not fit is cut in steps, longest
texts and lists first, and every cut is stated where it was made.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import Any

from biotool_lib.observe import Context, generic

LIMIT = 6000
# Longest text and longest list of each step; a step is taken only if the one before was not enough.
STEPS = ((400, 12), (300, 8), (200, 5), (140, 4), (100, 3), (70, 2), (50, 1))
_CUT = re.compile(r"… \((\d+) characters\)$")

Summariser = Callable[[Any, Context], dict[str, Any]]


def size(value: Any) -> int:
    """How many characters the value takes as JSON."""
    return len(json.dumps(value))


def cut(text: str, limit: int) -> str:
    """The text, or its beginning with its full length; a text that was cut before keeps its first stated length."""
    before = _CUT.search(text)
    length = int(before.group(1)) if before else len(text)
    body = text[: before.start()] if before else text
    return text if len(body) <= limit else f"{body[:limit]}… ({length} characters)"


def capped(items: Iterable[Any], limit: int = 5, total: int | None = None) -> dict[str, Any]:
    """A list as {total, shown, items}; unlike `cap` it leaves the items themselves as they are."""
    full = list(items)
    return {"total": len(full) if total is None else total, "shown": min(len(full), limit), "items": full[:limit]}


def shrink(value: Any, text: int, items: int) -> Any:
    """The value with texts of at most `text` characters and lists of at most `items` members, cuts stated."""
    if isinstance(value, str):
        return cut(value, text)
    if isinstance(value, list):
        small = [shrink(item, text, items) for item in value[:items]]
        return small if len(value) <= items else {"total": len(value), "shown": len(small), "items": small}
    if isinstance(value, dict):
        if isinstance(value.get("items"), list) and "total" in value:
            kept = [shrink(item, text, items) for item in value["items"][:items]]
            rest = {key: shrink(item, text, items) for key, item in value.items() if key not in ("items", "shown")}
            return {**rest, "shown": len(kept), "items": kept}
        return {key: shrink(item, text, items) for key, item in value.items()}
    return value


def fit(summary: dict[str, Any], limit: int = LIMIT) -> dict[str, Any]:
    """The summary within `limit` characters of JSON; if no step is enough, its largest parts are left out by name."""
    small = summary
    for text, items in STEPS:
        if size(small) <= limit:
            return small
        small = shrink(summary, text, items)
    if size(small) <= limit:
        return small
    sizes = {key: size({key: value}) for key, value in small.items()}
    total, room = sum(sizes.values()), limit - 1200  # the rest is for the names of what is left out
    for key in sorted(sizes, key=lambda key: (-sizes[key], str(key))):
        if total <= room:
            break
        total -= sizes.pop(key)
    left_out = [ascii(str(key))[1:-1] for key in small if key not in sizes]
    names = [cut(name, 20) for name in left_out[:20]]
    return {
        **{key: value for key, value in small.items() if key in sizes},
        "left_out": names if len(left_out) <= 20 else {"total": len(left_out), "shown": 20, "items": names},
    }


def tripped(problem: Exception, data: Any, context: Context) -> dict[str, Any]:
    """The plain summary of a body whose own summariser failed, which it says."""
    return fit({"summary_error": cut(f"{type(problem).__name__}: {problem}", 200), **generic(data, context)})


def safely(summarise: Summariser) -> Summariser:
    """The same summariser, which never raises: an unforeseen shape gets the plain summary and says so, everything fits."""

    @wraps(summarise)
    def summary(data: Any, context: Context) -> dict[str, Any]:
        try:
            return fit(summarise(data, context))
        except Exception as problem:  # services change their shapes; an observation must still come back, and must not hide it
            return tripped(problem, data, context)

    return summary


def kept(pairs: Mapping[str, Any]) -> dict[str, Any]:
    """The pairs that say something: None, empty texts, lists and objects are left out, 0 and false stay."""
    return {key: value for key, value in pairs.items() if value is not None and value != "" and value != [] and value != {}}


def picked(source: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    """Those of the keys that the object has with content."""
    return kept({key: source.get(key) for key in keys})


def dig(source: Any, *path: str | int) -> Any:
    """The value at a path of keys and positions, or None where the path ends early."""
    for step in path:
        if isinstance(step, int):
            source = source[step] if isinstance(source, list) and -len(source) <= step < len(source) else None
        else:
            source = source.get(step) if isinstance(source, Mapping) else None
    return source


def counted(values: Iterable[Any], limit: int = 10) -> dict[str, int]:
    """How often each value occurs, most frequent first (equal ones in order of their text), at most `limit`."""
    counts = Counter(str(value) for value in values if value not in (None, ""))
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:limit])
