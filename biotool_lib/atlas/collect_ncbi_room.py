"""The collector's workplace: the two folders it reads, the tables it writes, the links it has seen."""

from __future__ import annotations

import csv
import gzip
import io
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

Row = dict[str, str]


class Collector:
    """Reads the two folders and writes one table after another."""

    def __init__(self, tables: Path, recorded: Path, out: Path) -> None:
        self.tables, self.recorded, self.out = tables, recorded, out
        self.genes: dict[str, Row] = {}
        self.links: set[tuple[str, str, str, str, str, str]] = set()

    def read(self, name: str, header: list[str] | None = None) -> Iterator[Row]:
        """The rows of a tab-separated table as dictionaries."""
        path = self.tables / name
        text = _text(path)
        plain = not name.startswith("hgnc")   # only HGNC puts quotation marks around cells
        if plain:
            yield from csv.DictReader(io.StringIO(text), fieldnames=header, delimiter="\t", quoting=csv.QUOTE_NONE)
        else:
            yield from csv.DictReader(io.StringIO(text), fieldnames=header, delimiter="\t")

    def fasta(self, name: str) -> Iterator[tuple[str, str]]:
        """The (header, sequence) pairs of a FASTA file."""
        path = self.tables / name
        text = _text(path)
        for record in text.split(">")[1:]:
            head, _, sequence = record.partition("\n")
            yield head, "".join(sequence.split())

    def write(self, name: str, columns: list[str], rows: Iterable[Row]) -> None:
        """One facts table, sorted by its first columns; a cell never holds a tab or a line break."""
        keys = [column.partition(":")[0] for column in columns]
        lines = sorted(
            ([re.sub(r"\s+", " ", row.get(key) or "").strip() for key in keys] for row in rows),
            key=lambda cells: [(len(cell), cell) if cell.isdigit() else (99, cell) for cell in cells],
        )
        text = "".join("\t".join(cells) + "\n" for cells in [columns, *lines])
        for old in (f"{name}.tsv", f"{name}.tsv.gz"):
            (self.out / old).unlink(missing_ok=True)
        if len(text.encode()) > 300_000:
            with gzip.GzipFile(self.out / f"{name}.tsv.gz", "wb", mtime=0) as handle:
                handle.write(text.encode())
        else:
            (self.out / f"{name}.tsv").write_text(text, encoding="utf-8")
        print(f"{name}: {len(lines)} rows")

    def link(self, dbfrom: str, source_id: str, dbto: str, target: str, name: str, source: str) -> None:
        """Remember one link between two records."""
        self.links.add((dbfrom, source_id, dbto, target, name, source))

    def collect_links(self) -> None:
        """Write the links that were remembered; one that several sources give is written once."""
        keys = ("dbfrom", "id_from", "dbto", "id_to", "linkname")
        merged: dict[tuple[str, ...], set[str]] = defaultdict(set)
        for *key, source in self.links:
            merged[tuple(key)].add(source)
        self.write(
            "entrez_elinks",
            ["dbfrom", "id_from:key", "dbto", "id_to:key", "linkname", "source"],
            [dict(zip(keys, key, strict=True)) | {"source": "|".join(sorted(found))} for key, found in merged.items()],
        )


def _text(path: Path) -> str:
    return gzip.decompress(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text(encoding="utf-8")
