"""Summaries of responses: small, deterministic, with every cap stated in the summary itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SHOWN = 5
TEXT = 300


@dataclass(frozen=True)
class Context:
    """What a summariser may know besides the body: the call's arguments, the headers, the server's total."""

    arguments: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    total: int | None = None


def shorten(text: str, limit: int = TEXT) -> str:
    """The text itself, or its beginning with a note of its full length."""
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"


def cap(items: list, limit: int = SHOWN, total: int | None = None) -> dict[str, Any]:
    """A list as {total, shown, items}: the first `limit` items, reduced, and how many there are."""
    return {
        "total": len(items) if total is None else total,
        "shown": min(len(items), limit),
        "items": [reduce(item) for item in items[:limit]],
    }


def reduce(value: Any, depth: int = 0) -> Any:
    """Any JSON value made small: long texts cut, long lists capped, deep levels counted; every cut is stated."""
    if isinstance(value, str):
        return shorten(value)
    if isinstance(value, list):
        if len(value) <= SHOWN and depth < 4:
            return [reduce(item, depth + 1) for item in value]
        if depth >= 4:
            return {"total": len(value), "shown": 0, "items": []}
        return {"total": len(value), "shown": SHOWN, "items": [reduce(item, depth + 1) for item in value[:SHOWN]]}
    if isinstance(value, dict):
        if depth >= 5:
            return {"keys": len(value)}
        return {key: reduce(item, depth + 1) for key, item in value.items()}
    return value


def text_summary(text: str) -> dict[str, Any]:
    """A text answer: its format, size, first line, and for FASTA its records."""
    stripped = text.strip()
    first = stripped.split("\n", 1)[0] if stripped else ""
    if stripped.startswith(">"):
        heads = [line[1:] for line in stripped.split("\n") if line.startswith(">")]
        sequence = "".join(line.strip() for line in stripped.split("\n") if not line.startswith(">"))
        return {"format": "fasta", **cap(heads), "first": shorten(heads[0]), "letters": len(sequence)}
    kind = "xml" if stripped.startswith("<?xml") else "html" if stripped[:15].lower().startswith(("<!doctype html", "<html")) else "text"
    return {"format": kind, "characters": len(text), "lines": text.count("\n") + 1, "first_line": shorten(first), "beginning": shorten(stripped)}


def generic(data: Any, context: Context) -> dict[str, Any]:
    """The summary of a function that has none of its own."""
    if isinstance(data, str):
        return text_summary(data)
    if isinstance(data, list):
        return cap(data, total=context.total)
    if isinstance(data, dict):
        small = reduce(data)
        return {"total": context.total, **small} if context.total is not None else small
    return {"value": data}


def summarise(name: str, database: str, data: Any, context: Context) -> dict[str, Any]:
    """The summary of one function's body; a summariser that trips over it is named in `summary_error`."""
    from importlib import import_module

    special = import_module(f"{__name__}.{database}").SUMMARIES.get(name, generic)
    try:
        return special(data, context)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as problem:
        return {"summary_error": f"{type(problem).__name__}: {problem}", **generic(data, context)}
