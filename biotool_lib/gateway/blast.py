"""BLAST as a job: submitted once, looked at politely, and taken up again where a killed process left it.

The rules are NCBI's (https://blast.ncbi.nlm.nih.gov/doc/blast-help/developerinfo.html): one contact in ten seconds, which the
pace sees to, and one look a minute at the same search, which is counted here for all processes of the machine.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from ..catalogue import Tool, tools
from .cache import Store, request_digest
from .outcome import blast_info
from .request import prepare

if TYPE_CHECKING:
    from .client import Client, Observation

# NCBI keeps a result 36 hours (https://support.nlm.nih.gov/knowledgebase/article/KA-05438); ours is taken up within 24.
KEPT = 24 * 3600.0
SHARED = ("FORMAT_TYPE", "DESCRIPTIONS", "ALIGNMENTS", "NCBI_GI")


@dataclass(frozen=True)
class Job:
    """A search that was sent: its RID once the service gave one, and whether its report was fetched."""

    rid: str | None
    submitted: float
    done: bool


class Jobs:
    """The searches of the last day, by request; shared by all processes of the machine."""

    def __init__(self, folder: Path, endpoints: Mapping[str, str]) -> None:
        self._endpoint = endpoints.get("blast.ncbi.nlm.nih.gov", "")
        jobs, looks = "jobs (search TEXT PRIMARY KEY, rid TEXT, submitted REAL, done INTEGER)", "looks (rid TEXT PRIMARY KEY, next REAL)"
        self._store = Store(folder / "blast.sqlite", jobs, looks)
        self._lock = folder / "blast.lock"

    def submitting(self, patience: float) -> FileLock:
        """Held by the one process of the machine that submits; freed by the system if that process is killed."""
        return FileLock(self._lock, timeout=patience)

    def key(self, request: Any) -> str:
        """The identity of a search."""
        return request_digest(request, self._endpoint)

    def find(self, search: str) -> Job | None:
        """The search, if it was sent within the last day."""
        row = self._store.read("SELECT rid, submitted, done FROM jobs WHERE search = ? AND submitted > ?", (search, time.time() - KEPT))
        return Job(row[0], row[1], bool(row[2])) if row else None

    def sending(self, request: Any) -> None:
        """The search leaves now: from here on its fate is unknown until it is answered."""
        with self._store.change() as db:
            db.execute("INSERT OR REPLACE INTO jobs VALUES (?, NULL, ?, 0)", (self.key(request), time.time()))

    def unsent(self, request: Any) -> None:
        """The search never left."""
        self.forget(self.key(request))

    def accepted(self, search: str, rid: str, wait: float) -> None:
        """The service took the search; the first look is worth while after `wait` seconds."""
        with self._store.change() as db:
            db.execute("UPDATE jobs SET rid = ? WHERE search = ?", (rid, search))
            db.execute("INSERT OR REPLACE INTO looks VALUES (?, ?)", (rid, time.time() + wait))

    def look(self, rid: str, spacing: float) -> float:
        """0.0 if the next look at an RID is ours to make now, else the seconds until there may be one."""
        with self._store.change() as db:
            now = time.time()
            row = db.execute("SELECT next FROM looks WHERE rid = ?", (rid,)).fetchone()
            if row and row[0] > now:
                return row[0] - now
            db.execute("INSERT OR REPLACE INTO looks VALUES (?, ?)", (rid, now + spacing))
            return 0.0

    def done(self, rid: str) -> None:
        """The search is finished: other forms of its report may be fetched at once."""
        with self._store.change() as db:
            db.execute("UPDATE jobs SET done = 1 WHERE rid = ?", (rid,))
            db.execute("DELETE FROM looks WHERE rid = ?", (rid,))

    def forget(self, search: str) -> None:
        """The service refused the search, or no longer knows it: it may be sent again."""
        with self._store.change() as db:
            db.execute("DELETE FROM jobs WHERE search = ?", (search,))


def run(client: Client, tool: Tool, arguments: Mapping[str, Any]) -> Observation:
    """Submit a search, or take up one that was, and wait for its report, at most `client.blast_ceiling` seconds; later it is `pending`."""
    if client.jobs is None:  # the atlas has its report at once
        ticket = client.exchange(tool, arguments)
        given = _rid(ticket)
        return client.exchange(tools()["blast_retrieve"], _fetch(given, arguments), asked=(tool, arguments)) if given else _refused(ticket)
    kept = client.recall(tool, arguments)
    if kept is not None:
        return kept
    search = client.jobs.key(prepare(tool.name, arguments))
    submitted = _submit(client, client.jobs, tool, arguments, search)
    if not isinstance(submitted, str):
        return submitted
    seen = look(client, tools()["blast_retrieve"], _fetch(submitted, arguments), asked=(tool, arguments))
    if seen.outcome in ("not_found", "invalid_arguments"):
        client.jobs.forget(search)
    return seen


def _submit(client: Client, jobs: Jobs, tool: Tool, arguments: Mapping[str, Any], search: str) -> str | Observation:
    """The search's RID, from the job that exists or from a new submission; or why there is none."""
    try:
        with jobs.submitting(client.limits.deadline):
            job = jobs.find(search)
            if job and job.rid and not (client.refresh is True and job.done):
                return job.rid
            if job and not job.rid and client.refresh is not True:
                age = (time.time() - job.submitted) / 60
                return client.unanswered(tool, arguments, "transport_error", (
                    f"this search was sent {age:.0f} minutes ago and its answer was lost: it is not sent twice within a day, unless "
                    "Client(refresh=True) says so"
                ))
            submitted = client.exchange(tool, arguments, keep=False)
            rid = _rid(submitted)
            if rid:
                wait = max(float(blast_info(submitted.data).get("RTOE") or 0), client.limits.first_poll)
                jobs.accepted(search, rid, wait)
                return rid
            if submitted.status is not None and (submitted.status < 500 or submitted.status == 503):
                jobs.forget(search)  # a whole answer without an RID is a refusal; other errors of a server leave it open
            return _refused(submitted)
    except Timeout:
        return client.unanswered(tool, arguments, "pending", "another search of this machine is still being submitted; ask again")


def look(client: Client, tool: Tool, fetch: Mapping[str, Any], asked: tuple[Tool, Mapping[str, Any]] | None = None) -> Observation:
    """Fetch a report by its RID; for a search that was `asked`, look again until it is done or the ceiling is reached."""
    assert client.jobs is not None
    rid, started = fetch["rid"], time.monotonic()
    named, given = asked or (tool, fetch)
    while True:
        wait = client.jobs.look(rid, client.limits.poll)
        if wait > 0:
            waited = time.monotonic() - started
            if waited + wait > client.blast_ceiling:
                why = f"RID {rid} is not ready after {waited:.0f} s; the same call takes it up again, and so does blast_retrieve"
                return client.unanswered(named, given, "pending", why)
            client.progress(f"BLAST {rid}: next look in {wait:.0f} s, {waited:.0f} of at most {client.blast_ceiling:.0f} s waited")
            time.sleep(wait)
            kept = client.recall(named, given)  # another process may have fetched it meanwhile
            if kept is not None:
                return kept
            continue
        report = client.exchange(tool, fetch, asked=asked)
        if report.outcome in ("ok", "empty"):
            client.jobs.done(rid)
        if report.outcome != "pending" or asked is None:
            return report if report.error is None else replace(report, error=f"RID {rid}: {report.error}")


def _refused(submitted: Observation) -> Observation:
    """A submission without an RID; a page that says neither RID nor error is no answer to it."""
    if submitted.outcome not in ("ok", "empty"):
        return submitted
    return replace(submitted, outcome="bad_body", summary=None, error="the answer to the submission holds no RID")


def _rid(submitted: Observation) -> str | None:
    return blast_info(submitted.data).get("RID") or None if submitted.outcome == "ok" and isinstance(submitted.data, str) else None


def _fetch(rid: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {"rid": rid, **{key: arguments[key] for key in SHARED if key in arguments}}
