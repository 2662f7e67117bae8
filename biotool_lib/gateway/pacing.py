"""The pace of requests: starts at each host are spaced, for all processes of the machine together.

A start is granted when the host's next one is due, and moves that one on. So there are no bursts, as a bucket of tokens
would allow, and a pause that a host asks for holds everybody at once.
"""

from __future__ import annotations

import os
import threading
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from .cache import Store

# Starts in a span of seconds.
# NCBI E-utilities: https://www.ncbi.nlm.nih.gov/books/NBK25497 (with a key: KEYED).
# BLAST: https://blast.ncbi.nlm.nih.gov/doc/blast-help/developerinfo.html
# Ensembl: 55,000 an hour, hence 15 a second; https://github.com/Ensembl/ensembl-rest/wiki/Rate-Limits
# UniProt publishes no number and asks for consideration: ten a second is our own choice.
RATES: dict[str, tuple[int, float]] = {
    "eutils.ncbi.nlm.nih.gov": (3, 1.0), "blast.ncbi.nlm.nih.gov": (1, 10.0), "rest.ensembl.org": (15, 1.0), "rest.uniprot.org": (10, 1.0),
}
KEYED = (10, 1.0)
UNKNOWN = (1, 1.0)
OWN = (100, 1.0)  # a server of one's own, such as the atlas served to a room
MARGIN = 0.04  # of the span: what starts may bunch together on their way to the server without breaking its count
LATE = 0.015  # of the span: how late a start may come without moving the ones after it
LONGEST_PAUSE = 3600.0  # seconds; Ensembl's budget is by the hour


class NoTurn(Exception):
    """A host's next start is further off than the caller can wait."""

    def __init__(self, host: str, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(f"{host} may be asked again in {seconds:.0f} s at the earliest, which is past this call's deadline")


def interval(rate: tuple[int, float]) -> float:
    """Seconds between two starts: a little more than the limit's own, see MARGIN.

    Ensembl's hourly budget needs no count of its own: 3600 / interval((15, 1.0)) starts are 51,923.
    """
    count, span = rate
    return span * (1 + MARGIN) / count


class Pace:
    """Grants the starts of requests; every Pace over the same folder shares them, in whichever process."""

    def __init__(self, folder: Path, rates: Mapping[str, tuple[int, float]] | None = None) -> None:
        self._rates = dict(rates or {})
        self._store = Store(folder / "pace.sqlite", "hosts (host TEXT PRIMARY KEY, due REAL, paused REAL)", durable=False)
        self._queues: defaultdict[tuple[int, str], threading.Lock] = defaultdict(threading.Lock)

    def rate(self, host: str) -> tuple[int, float]:
        """A host's limit as starts in a span of seconds; `host` may be "SERVICE at ADDRESS" where another server stands in."""
        service, _, address = host.partition(" at ")
        if service in self._rates:
            return self._rates[service]
        if address:
            return OWN
        if service == "eutils.ncbi.nlm.nih.gov" and os.environ.get("NCBI_API_KEY"):
            return KEYED
        return RATES.get(service, UNKNOWN)

    def turn(self, host: str, patience: float) -> None:
        """Sleep until the host's next start is due and take it; raises NoTurn if that is more than `patience` seconds off."""
        end = time.monotonic() + patience
        queue = self._queues[os.getpid(), host]  # one thread of a process asks at a time
        if not queue.acquire(timeout=max(patience, 0.0)):
            raise NoTurn(host, patience)
        try:
            while (wait := self._take(host, self.rate(host))) > 0:
                if time.monotonic() + wait > end:
                    raise NoTurn(host, wait)
                time.sleep(wait)
        finally:
            queue.release()

    def _take(self, host: str, rate: tuple[int, float]) -> float:
        """0.0 if the start is ours, else the seconds until it is worth asking again."""
        gap, late = interval(rate), min(LATE * rate[1], 0.9 * interval(rate))
        with self._store.change() as db:
            now = time.time()
            due, paused = db.execute("SELECT due, paused FROM hosts WHERE host = ?", (host,)).fetchone() or (0.0, 0.0)
            # Nothing lies further ahead than this, unless the clock was set back or the limit has changed since.
            due, paused = due if due <= now + gap + late else now, paused if paused <= now + LONGEST_PAUSE else 0.0
            earliest = max(due - late, paused)
            if now < earliest:
                return earliest - now
            db.execute("INSERT OR REPLACE INTO hosts VALUES (?, ?, ?)", (host, max(due, now) + gap, paused))
            return 0.0

    def hold(self, host: str, seconds: float) -> None:
        """Let nobody start at a host for a while, at most an hour."""
        until = time.time() + min(max(seconds, 0.0), LONGEST_PAUSE)
        with self._store.change() as db:
            longer = "ON CONFLICT (host) DO UPDATE SET paused = max(paused, excluded.paused)"
            db.execute(f"INSERT INTO hosts VALUES (?, 0, ?) {longer}", (host, until))
