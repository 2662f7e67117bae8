"""The atlas's facts in an embedded database, built once per process from the tables in facts/.

A table is a tab-separated file; a column's header may carry its type (`start:int`, `maf:float`,
`id:key` for an indexed text, `taxon_id:intkey` for an indexed integer). An empty cell is NULL.
"""

from __future__ import annotations

import gzip
import sqlite3
import threading
from collections.abc import Iterator
from functools import cache
from pathlib import Path

FACTS = Path(__file__).parent / "facts"
HERE = Path(__file__).parent
_AFFINITY = {"": "TEXT", "key": "TEXT", "int": "INTEGER", "intkey": "INTEGER", "float": "REAL"}
_lock = threading.Lock()


def read_table(path: Path) -> tuple[list[tuple[str, str]], Iterator[list[str | None]]]:
    """Read one facts file; returns its columns as (name, type) and an iterator over its rows."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8", newline="\n") as handle:
        lines = handle.read().split("\n")
    columns = []
    for cell in lines[0].split("\t"):
        name, _, kind = cell.partition(":")
        if kind not in _AFFINITY:
            raise ValueError(f"{path.name}: column {name!r} has the unknown type {kind!r}")
        columns.append((name, kind))

    def rows() -> Iterator[list[str | None]]:
        for number, line in enumerate(lines[1:], 2):
            if not line:
                continue
            cells = line.split("\t")
            if len(cells) != len(columns):
                raise ValueError(f"{path.name}, line {number}: {len(cells)} cells, the header has {len(columns)}")
            yield [cell or None for cell in cells]

    return columns, rows()


def table_name(path: Path) -> str:
    """The table that a facts file becomes: its name without endings."""
    return path.name.removesuffix(".gz").removesuffix(".tsv")


def build(facts: Path = FACTS) -> sqlite3.Connection:
    """Load every facts file and every entity view into a new in-memory database."""
    db = sqlite3.connect(":memory:", check_same_thread=False)
    db.row_factory = sqlite3.Row
    for path in sorted([*facts.glob("*.tsv"), *facts.glob("*.tsv.gz")]):
        columns, rows = read_table(path)
        table = table_name(path)
        declared = ", ".join(f'"{name}" {_AFFINITY[kind]}' for name, kind in columns)
        db.execute(f'CREATE TABLE "{table}" ({declared})')
        marks = ",".join("?" * len(columns))
        db.executemany(f'INSERT INTO "{table}" VALUES ({marks})', rows)
        for name, kind in columns:
            if kind.endswith("key"):
                db.execute(f'CREATE INDEX "{table}_{name}" ON "{table}" ("{name}")')
    for script in sorted(HERE.glob("entities_*.sql")):
        db.executescript(script.read_text(encoding="utf-8"))
    db.commit()
    db.execute("PRAGMA query_only = ON")
    return db


@cache
def _shared() -> sqlite3.Connection:
    return build()


def store() -> sqlite3.Connection:
    """The process-wide, read-only database of facts."""
    with _lock:
        return _shared()


def rows(query: str, *parameters: object) -> list[sqlite3.Row]:
    """All rows of one query; guarded, since one connection serves every thread."""
    connection = store()
    with _lock:
        return connection.execute(query, parameters).fetchall()


def row(query: str, *parameters: object) -> sqlite3.Row | None:
    """The first row of a query, or None."""
    found = rows(query, *parameters)
    return found[0] if found else None


def entities(name: str, where: str = "") -> list[sqlite3.Row]:
    """All rows of the view `entity_<name>`, in a fixed order, optionally filtered by an SQL condition of ours."""
    clause = f" WHERE {where}" if where else ""
    return rows(f'SELECT DISTINCT * FROM "entity_{name}"{clause} ORDER BY 1, 2, 3' if _width(name) >= 3
                else f'SELECT DISTINCT * FROM "entity_{name}"{clause} ORDER BY 1')


def _width(name: str) -> int:
    return len(rows(f'PRAGMA table_info("entity_{name}")'))


def gaps(path: Path = HERE / "gaps.tsv") -> list[dict[str, str]]:
    """The catalogue functions whose example the atlas does not answer with data: function, outcome, and what is missing."""
    columns, lines = read_table(path)
    return [{name: cell or "" for (name, _), cell in zip(columns, line, strict=True)} for line in lines]


def gaps_table() -> str:
    """The gaps as a Markdown table."""
    lines = [f"| `{one['function']}` | {one['outcome']} | {one['missing']} |" for one in gaps()]
    return "\n".join(["| function | outcome of its example | what is missing |", "|---|---|---|", *lines]) + "\n"
