"""Reading and writing of tables for the UniProt collectors."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

Table = tuple[Sequence[str], Sequence[Sequence[Any]]]


def read_tsv(path: Path) -> list[dict[str, str]]:
    """Read a tab-separated table, compressed or not; returns one mapping per row."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle, delimiter="\t", quoting=csv.QUOTE_NONE))


def read_text(path: Path) -> str:
    """Read a text file, compressed or not; returns its text."""
    return gzip.decompress(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text(encoding="utf-8")


def cell(value: object) -> str:
    """A value as the text of one cell; returns "" for None and refuses tabs and line ends."""
    if value is None:
        return ""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":")) if isinstance(value, (dict, list)) else str(value)
    return " ".join(text.split()) if any(mark in text for mark in "\t\n\r") else text


def write(out: Path, name: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> int:
    """Write one facts table, compressed when it is large; returns the number of rows."""
    lines = ["\t".join(header)]
    body = ["\t".join(cell(value) for value in row) for row in rows]
    data = "\n".join(lines + body).encode() + b"\n"
    for ending in (".tsv", ".tsv.gz"):
        (out / f"{name}{ending}").unlink(missing_ok=True)
    if len(data) > 300_000:
        packed = io.BytesIO()
        with gzip.GzipFile(filename="", mode="wb", fileobj=packed, compresslevel=9, mtime=0) as handle:
            handle.write(data)
        (out / f"{name}.tsv.gz").write_bytes(packed.getvalue())
    else:
        (out / f"{name}.tsv").write_bytes(data)
    return len(body)
