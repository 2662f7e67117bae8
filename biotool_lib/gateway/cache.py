"""What the live backend remembers between processes: answers that were successes, each with its receipt.

Everything lies in one folder: `BIOTOOL_CACHE`, or the user's cache folder. SQLite keeps it whole when several processes
write at once or one is killed.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import threading
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import platformdirs

from ..errors import BioToolError, InvalidParameter, Problem

# The headers that matter later: what was counted, which page comes next, which release answered, and whose answer it is.
KEPT_HEADERS = frozenset({
    "content-type", "date", "last-modified", "link", "x-total-results", "x-uniprot-release", "x-uniprot-release-date",
    "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", "retry-after", "x-atlas",
})


class StoreError(BioToolError):
    """A file of the live backend that cannot be used; says which one and what to do."""


def state_folder() -> Path:
    """Where the live backend keeps its pace, its BLAST jobs and, by default, its cache.

    Example: `BIOTOOL_CACHE=/srv/biotool python …` lets all users of a machine share one pace.
    """
    chosen = os.environ.get("BIOTOOL_CACHE")
    return Path(chosen) if chosen else platformdirs.user_cache_path("biotool-book")


class Store:
    """One SQLite file that threads and processes change one after the other."""

    def __init__(self, path: Path, *tables: str, durable: bool = True) -> None:
        self.path, self._durable = path, durable
        self._local = threading.local()
        self._left: list[Any] = []  # connections of the process that we were forked from: not ours to close
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with self.change() as db:
                for table in tables:
                    db.execute(f"CREATE TABLE IF NOT EXISTS {table}")
        except (OSError, StoreError) as problem:
            remedy = f"cannot be used ({problem}); name another folder, or set BIOTOOL_CACHE"
            raise InvalidParameter("Client", [Problem("cache", str(path.parent), remedy)]) from None

    def _connection(self) -> sqlite3.Connection:
        held = getattr(self._local, "held", None)
        if held is None or held[0] != os.getpid():
            if held:
                self._left.append(held[1])
            db = sqlite3.connect(self.path, timeout=30.0, isolation_level=None, check_same_thread=False)
            # Without syncing a kill loses nothing, only a power cut can: enough for the pace, which is worth nothing later.
            db.execute(f"PRAGMA synchronous={'NORMAL' if self._durable else 'OFF'}")
            db.execute("PRAGMA journal_mode=PERSIST")
            held = self._local.held = (os.getpid(), db)
        return held[1]

    @contextmanager
    def change(self) -> Iterator[sqlite3.Connection]:
        """A transaction in which no other thread or process changes the file."""
        try:
            db = self._connection()
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
            except BaseException:
                db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")
        except sqlite3.Error as problem:
            raise StoreError(f"{self.path}: {problem}; make room, wait for who holds it, or remove the file") from None

    def read(self, query: str, values: tuple = ()) -> tuple | None:
        """The first row of a query."""
        try:
            return self._connection().execute(query, values).fetchone()
        except sqlite3.Error as problem:
            raise StoreError(f"{self.path}: {problem}; remove the file: it will be made anew") from None


@dataclass(frozen=True)
class Answer:
    """One answer as it is kept: the body unpacked, the headers that matter, and when, by which release, it was given."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    retrieved_at: str

    def receipt(self, came_from: str) -> dict[str, Any]:
        """What proves the answer: UTC time, status, headers that matter, sha256 of the body, database release."""
        return make_receipt(self.retrieved_at, self.status, self.headers, hashlib.sha256(self.body).hexdigest(), came_from)


def make_receipt(retrieved_at: str | None, status: int | None, headers: Mapping[str, str], sha256: str, came_from: str) -> dict[str, Any]:
    """A receipt of its parts."""
    kept = {key: value for key, value in sorted(headers.items()) if key in KEPT_HEADERS}
    return {"retrieved_at": retrieved_at, "status": status, "headers": kept, "sha256": sha256, "release": release(kept), "from": came_from}


def release(headers: Mapping[str, str]) -> str | None:
    """The database release where the headers tell it (UniProt's do)."""
    named = [headers[key] for key in ("x-uniprot-release", "x-uniprot-release-date") if headers.get(key)]
    return " of ".join(named) or None


class Cache:
    """Successful answers by request; safe for several threads and processes.

    Raises InvalidParameter for a folder that cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self._store = Store(folder / "cache.sqlite", (
            "answers (key TEXT PRIMARY KEY, function TEXT, url TEXT, retrieved_at TEXT, status INTEGER, headers TEXT, sha256 TEXT, "
            "release TEXT, body BLOB)"
        ))

    def __len__(self) -> int:
        row = self._store.read("SELECT count(*) FROM answers")
        return row[0] if row else 0

    def get(self, key: str, days: float | None = None) -> Answer | None:
        """The answer to a request, if there is one that is whole and not older than `days`."""
        row = self._store.read("SELECT status, headers, body, retrieved_at, sha256 FROM answers WHERE key = ?", (key,))
        if row is None:
            return None
        status, headers, packed, retrieved_at, digest = row
        if days is not None and (datetime.now(UTC) - datetime.fromisoformat(retrieved_at)).total_seconds() > days * 86400:
            return None
        body = zlib.decompress(packed)
        if hashlib.sha256(body).hexdigest() != digest:
            raise StoreError(f"{self._store.path}: the answer to {key} is not what was stored; remove the file: it will be made anew")
        return Answer(status, json.loads(headers), body, retrieved_at)

    def put(self, key: str, function: str, url: str, answer: Answer) -> None:
        """Keep an answer; the newest replaces an older one."""
        receipt = answer.receipt("network")
        row = (key, function, url, answer.retrieved_at, answer.status, json.dumps(receipt["headers"]), receipt["sha256"],
               receipt["release"], zlib.compress(answer.body, 6))
        with self._store.change() as db:
            db.execute("INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)


def request_digest(request: Any, endpoint: str = "") -> str:
    """What makes two requests the same, in short: method, URL, form body, the format asked for, and a foreign endpoint."""
    body = request.body.decode() if isinstance(request.body, bytes) else request.body or ""
    parts = [request.method, request.url, body, request.headers.get("Accept", ""), endpoint]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
