"""Summaries of responses: small, deterministic, with every cap stated in the summary itself."""

from __future__ import annotations

import re
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


def server_total(headers: Mapping[str, str]) -> int | None:
    """The server's own number of all matches, where it says one (UniProt: X-Total-Results)."""
    total = headers.get("x-total-results", "").strip()
    return int(total) if total.isascii() and total.isdigit() and len(total) < 16 else None


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


# How text formats begin; the first that fits names the text.
FORMATS = {
    "fasta": re.compile(r">\S"),
    "html": re.compile(r"<!doctype html|<html", re.IGNORECASE),
    "xml": re.compile(r"<\?xml|<!DOCTYPE|<[A-Za-z]"),
    "newick": re.compile(r"\([\s\S]*\)[^()]*;$"),
    "gff": re.compile(r"##gff-version"),
    "genbank": re.compile(r"LOCUS {2,}\S"),
    "asn.1": re.compile(r"[A-Z][A-Za-z-]+ ::= "),
    "bed": re.compile(r"(?:(?:track|browser|#)[^\n]*\n)*\S+\t\d+\t\d+(?:[\t\n]|$)"),
    "table": re.compile(r"[^\t\n]+\t[^\n]*\n[^\t\n]*\t"),
}


def text_summary(text: str) -> dict[str, Any]:
    """A text answer: its format, size and beginning; records of FASTA, leaves of a tree, rows of a table."""
    stripped = text.strip()
    kind = next((name for name, form in FORMATS.items() if form.match(stripped)), "text")
    lines = stripped.split("\n") if stripped else []
    if kind == "fasta":
        heads = [line[1:].strip() for line in lines if line.startswith(">")]
        letters = sum(len(line.strip()) for line in lines if not line.startswith(">"))
        return {"format": kind, **cap(heads), "first": shorten(heads[0]), "letters": letters}
    if kind == "newick":
        leaves = re.findall(r"(?<=[(,])\s*([^\s(),:;\[\]]+)", stripped)
        return {"format": kind, "characters": len(text), "leaves": cap(leaves, 20), "beginning": shorten(stripped)}
    if kind in ("bed", "gff", "table"):
        rows = [line for line in lines if line.strip() and not line.startswith(("#", "track", "browser"))]
        said = {"header": [shorten(cell, 60) for cell in rows[0].split("\t")[:30]]} if kind == "table" else {}
        rows = rows[1:] if said else rows
        return {"format": kind, **said, **cap(rows)}
    first = lines[0] if lines else ""
    return {"format": kind, "characters": len(text), "lines": text.count("\n") + 1, "first_line": shorten(first), "beginning": shorten(stripped)}


def generic(data: Any, context: Context) -> dict[str, Any]:
    """The summary of a function that has none of its own."""
    if isinstance(data, str):
        return text_summary(data)
    if isinstance(data, list):
        return cap(data, total=context.total)
    if isinstance(data, dict):
        small = reduce(data) if data else {"keys": 0}
        return {"total": context.total, **small} if context.total is not None else small
    return {"value": data}


def summarise(name: str, database: str, data: Any, context: Context) -> dict[str, Any]:
    """The summary of one function's body, within the size limit; a summariser that trips over it is named in `summary_error`."""
    from importlib import import_module

    from .fit import fit, tripped

    special = import_module(f"{__name__}.{database}").SUMMARIES.get(name, generic)
    try:
        return fit(special(data, context))
    except Exception as problem:  # a service may send any shape, and the call was made: what came is shown plainly, with the error
        return tripped(problem, data, context)
