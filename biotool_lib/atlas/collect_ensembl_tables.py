"""Reading the source tables and writing facts tables: the part that the Ensembl collectors share."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

LARGE = 300_000  # bytes; above this a facts table is kept compressed


def read(path: Path, **options: Any) -> list[dict[str, str]]:
    """All rows of a tab-separated table (plain or gzipped) as dictionaries; `\\N` and `None` become empty."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle, delimiter="\t", **options))
    return [{k: "" if v in (None, r"\N", "None") else v for k, v in row.items() if k is not None} for row in rows]


def read_plain(path: Path) -> list[list[str]]:
    """The cells of a dump without a header line."""
    return [[("" if cell == r"\N" else cell) for cell in line.split("\t")]
            for line in path.read_text(encoding="utf-8").splitlines() if line]


def clean(value: object) -> str:
    """One cell: no tabs or line ends, None as empty."""
    if value is None:
        return ""
    return " ".join(str(value).replace("\t", " ").split())


def write(out: Path, name: str, columns: list[str], rows: Iterable[Iterable[object]]) -> int:
    """Write one facts table, sorted and without repeated rows; returns its number of rows."""
    ready = sorted({tuple(clean(cell) for cell in row) for row in rows})
    for row in ready:
        if len(row) != len(columns):
            raise ValueError(f"{name}: {len(row)} cells for {len(columns)} columns: {row}")
    text = "".join("\t".join(row) + "\n" for row in [tuple(columns), *ready]).encode()
    plain, packed = out / f"{name}.tsv", out / f"{name}.tsv.gz"
    plain.unlink(missing_ok=True)
    packed.unlink(missing_ok=True)
    if len(text) > LARGE:
        buffer = io.BytesIO()
        with gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0, filename="") as handle:
            handle.write(text)
        packed.write_bytes(buffer.getvalue())
    else:
        plain.write_bytes(text)
    return len(ready)


def fasta(path: Path) -> dict[str, str]:
    """First word of each header -> sequence."""
    opener = gzip.open if path.suffix == ".gz" else open
    found: dict[str, list[str]] = {}
    with opener(path, "rt", encoding="utf-8") as handle:
        for line in handle:
            if line.startswith(">"):
                current = found.setdefault(line[1:].split()[0], [])
            else:
                current.append(line.strip())
    return {key: "".join(parts) for key, parts in found.items()}


def bare(identifier: str) -> str:
    """An accession without its version."""
    return identifier.split(".")[0]


def version(identifier: str) -> str:
    """The version of an accession, or an empty text."""
    return identifier.partition(".")[2]


def chromosome(accession: str) -> str:
    """Plain name of a GRCh38 chromosome from its RefSeq accession (NC_000001.11 -> 1) or chr name."""
    if accession.startswith("NC_0000"):
        number = int(accession[3:9])
        return {23: "X", 24: "Y"}.get(number, str(number))
    return "MT" if accession in ("NC_012920.1", "chrM") else accession.removeprefix("chr")
