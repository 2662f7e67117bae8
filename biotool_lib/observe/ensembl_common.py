"""Tools shared by the Ensembl summaries: heads, counts, capped lists, and the guard that bounds every summary."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import Any

from biotool_lib.observe import Context, generic, shorten, text_summary

LIMIT = 6000
NAMES = 40
Summary = Callable[[Any, Context], dict[str, Any]]

# The service sends keys in random order; a summary puts what people read first in front, the rest by name.
FIRST = (
    "total", "id", "name", "display_name", "external_name", "gene_id", "gene_symbol", "transcript_id", "accession",
    "feature_type", "object_type", "type", "biotype", "species", "description", "seq_region_name", "start", "end",
    "strand", "assembly_name",
)
_RANK = {key: number for number, key in enumerate(FIRST)}


def order(keys: Iterable[str]) -> list[str]:
    """Keys in the order of summaries: identity and place first, then by name."""
    return sorted(keys, key=lambda key: (_RANK.get(key, len(FIRST)), str(key)))


def compact(value: Any, depth: int = 0, limit: int = 160, shown: int = 5) -> Any:
    """Any JSON value made small, with keys in a fixed order and every cut stated; empty values of objects are left out."""
    if isinstance(value, str):
        return shorten(value, limit)
    if isinstance(value, list):
        items = [compact(item, depth + 1, limit, shown) for item in value[:shown]] if depth < 5 else []
        if len(items) == len(value):
            return items
        return {"total": len(value), "shown": len(items), "items": items}
    if isinstance(value, Mapping):
        if depth >= 6:
            return {"keys": len(value)}
        return {
            key.replace(".", "_"): compact(value[key], depth + 1, limit, shown)
            for key in order(value)
            if value[key] not in (None, "", [], {})
        }
    return value


def head(data: Mapping[str, Any], *drop: str, limit: int = 300) -> dict[str, Any]:
    """All plain values of an object in a fixed order (a dot in a key becomes an underscore); nulls stay visible."""
    return {
        key.replace(".", "_"): shorten(data[key], limit) if isinstance(data[key], str) else data[key]
        for key in order(data)
        if key not in drop and not isinstance(data[key], (list, Mapping))
    }


def pick(data: Mapping[str, Any], *keys: str, limit: int = 160) -> dict[str, Any]:
    """The named keys that carry a value, made small."""
    return {key: compact(data[key], limit=limit) for key in keys if data.get(key) not in (None, "", [], {})}


def rows(data: Any) -> list[dict[str, Any]]:
    """The objects of an answer: the list's objects, or the single object itself."""
    if isinstance(data, Mapping):
        return [dict(data)]
    return [dict(item) for item in data if isinstance(item, Mapping)] if isinstance(data, list) else []


def listing(items: list, limit: int = 5, total: int | None = None) -> dict[str, Any]:
    """Items that are already small, as {total, shown, items}."""
    return {"total": len(items) if total is None else total, "shown": min(len(items), limit), "items": items[:limit]}


def counts(values: Iterable[Any], limit: int = 15) -> dict[str, int]:
    """How often each value occurs, most frequent first, ties by name; a cut is stated under `others`."""
    ranked = sorted(Counter(str(value) for value in values if value not in (None, "")).items(), key=lambda pair: (-pair[1], pair[0]))
    result = dict(ranked[:limit])
    if len(ranked) > limit:
        result["others"] = sum(number for _, number in ranked[limit:])
    return result


def distinct(values: Iterable[Any]) -> list[Any]:
    """The values without repeats and blanks, in the order of their first appearance."""
    return list(dict.fromkeys(value for value in values if value not in (None, "")))


def names(values: Iterable[Any], limit: int = NAMES) -> list[Any]:
    """Distinct values, at most `limit`; the cut shows as a last entry such as '… 12 more'."""
    found = distinct(values)
    return found if len(found) <= limit else [*found[:limit], f"… {len(found) - limit} more"]


def number(value: Any) -> float | None:
    """A number from a number or a numeric text; None for anything else."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def place(data: Mapping[str, Any]) -> str | None:
    """Where a feature lies, as name:start-end:strand, or None where the body does not say."""
    if data.get("seq_region_name") is None or data.get("start") is None:
        return None
    strand = data.get("strand")
    return f"{data['seq_region_name']}:{data['start']}-{data.get('end')}" + (f":{strand}" if strand is not None else "")


def newick(text: str) -> dict[str, Any]:
    """A tree in Newick format: its leaves counted and sampled."""
    body, labels = text.strip(), []
    for part in body.replace("(", ",").split(","):
        label = part.split(":", 1)[0].split(")", 1)[0].strip()
        if label:
            labels.append(label)
    return {"format": "newick", "leaves": listing(labels, 10), "characters": len(text), "beginning": shorten(body)}


def text(data: str) -> dict[str, Any]:
    """A text answer: Newick, FASTA (with the beginning of its first sequence), or anything else."""
    body = data.strip()
    if body.startswith("(") and body.rstrip().endswith(";"):
        return newick(data)
    small = text_summary(data)
    if body.startswith(">"):
        first = body.split(">", 2)[1].split("\n", 1)
        sequence = "".join(first[1].split()) if len(first) > 1 else ""
        small.update(first_sequence=shorten(sequence, 600), first_length=len(sequence))
    return small


def size(summary: Any) -> int:
    """How many characters the summary takes as JSON."""
    return len(json.dumps(summary, ensure_ascii=False))


def _lists(value: Any) -> list[dict[str, Any]]:
    """All {shown, items} blocks inside a summary that still have more than one item."""
    found: list[dict[str, Any]] = []
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    if isinstance(value, dict) and isinstance(value.get("items"), list) and "shown" in value and len(value["items"]) > 1:
        found.append(value)
    for child in children:
        found.extend(_lists(child))
    return found


def fit(summary: dict[str, Any], limit: int = LIMIT) -> dict[str, Any]:
    """The summary within the limit: the largest lists lose items (stated in `shown`), at last whole keys (`left_out`)."""
    while size(summary) > limit:
        blocks = _lists(summary)
        if not blocks:
            break
        block = max(blocks, key=lambda one: size(one["items"]))
        block["items"] = block["items"][: max(1, len(block["items"]) * 3 // 4)]
        block["shown"] = len(block["items"])
    if size(summary) > limit:
        summary = compact(summary, limit=80, shown=3)
    left_out: list[str] = []
    while size(summary) > limit and len(summary) > 1:
        largest = max((key for key in summary if key != "left_out"), key=lambda key: size(summary[key]))
        left_out.append(largest)
        summary = {**{key: value for key, value in summary.items() if key != largest}, "left_out": left_out}
    return summary


def guarded(function: Summary) -> Summary:
    """The summariser made safe: texts, error bodies and odd shapes get a plain summary, and the size is bounded."""

    @wraps(function)
    def safe(data: Any, context: Context) -> dict[str, Any]:
        if isinstance(data, str):
            return fit(text(data))
        if isinstance(data, Mapping) and set(data) == {"error"}:
            return fit({"error": compact(data["error"], limit=600)})
        try:
            small = function(data, context) if isinstance(data, (list, Mapping)) else {"value": data}
        except (AttributeError, IndexError, KeyError, TypeError, ValueError):
            small = {}
        return fit(small or compact(generic(data, context)) or listing([]))

    return safe
