"""Calls executed for scoring: each canonical call once over all models, kept as it comes, and the gold calls looked at again."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ..calls import call_id, digest
from ..catalogue import tools
from ..common.runner import Run, code_digest, dumps, intact_rows, track
from ..gateway import Client, Observation
from .compare import fields

if TYPE_CHECKING:
    import pandas as pd

FILE = "evaluation/answers.jsonl"
# What the service or the way to it did wrong. It is charged to the model that made the call, so it is counted beside the scores.
TRANSIENT = ("rate_limited", "server_error", "transport_error", "pending", "not_recorded")
WORKERS = 8  # calls under way at one host; the client's pace decides how many are begun a second
MAX_BODY = 20_000  # characters of a body without a summary that are kept; such bodies are error messages
Answers = dict[str, dict[str, Any]]


def response_text(summary: Any) -> str:
    """The text of a response that is encoded: its summary as indented JSON, as the reference writes it, with keys in order."""
    return "" if summary is None else json.dumps(summary, ensure_ascii=False, indent=2, sort_keys=True)


def error_text(seen: Observation) -> str | None:
    """The body of a response that has no summary, which the published rules count as a response all the same; None where none came."""
    if seen.summary is not None or seen.data is None:
        return None
    return (seen.data if isinstance(seen.data, str) else response_text(seen.data))[:MAX_BODY]


def execute(calls: Mapping[str, Mapping[str, Any]], client: Client, keep: Callable[[str, Observation], None], *,
            label: str = "answers", progress: bool | None = None, workers: int = WORKERS) -> None:
    """Make calls by id and hand each observation to `keep`, in this thread, as it comes.

    A live client works at all hosts at once, with `workers` threads each, of which every one has a twin of the client to itself; the
    others answer one after the other. An interrupt waits for the calls under way and begins no new one.
    """
    order = sorted(calls)
    if client.backend != "live":
        for name in track(order, label, progress):
            keep(name, client.call(calls[name]["name"], calls[name]["arguments"]))
        return
    hosts: dict[str, list[str]] = {}
    for name in order:
        hosts.setdefault(urlsplit(tools()[calls[name]["name"]].base).hostname or "", []).append(name)
    own = threading.local()

    def begin() -> None:
        own.client = client.twin()

    def ask(call: Mapping[str, Any]) -> Observation:
        return own.client.call(call["name"], call["arguments"])

    pools = [ThreadPoolExecutor(min(workers, len(queue)), initializer=begin) for queue in hosts.values()]
    asked: dict[Future[Observation], str] = {}
    try:
        for pool, queue in zip(pools, hosts.values(), strict=True):
            asked |= {pool.submit(ask, calls[name]): name for name in queue}
        done = as_completed(asked)
        for _ in track(range(len(order)), label, progress):
            future = next(done)
            keep(asked[future], future.result())
    finally:
        for pool in pools:
            pool.shutdown(cancel_futures=True)


def known_answers(run: Run) -> Answers:
    """Answers that an earlier or interrupted evaluation of this run left behind.

    Those of the live services are kept whatever has changed here since; the atlas and recordings answer again after a change of the
    library, since the answers may be others.
    """
    path = run.path / FILE
    if not path.is_file():
        return {}
    rows = intact_rows(path, "id")
    return {name: row for name, row in rows.items() if run.manifest["backend"] == "live" or row["code"] == code_digest()}


def answer(run: Run, calls: Mapping[str, Mapping[str, Any]], client: Client, progress: bool | None = None, retry: bool = False) -> tuple[Answers, int]:
    """Answers to all calls, executing only those that are not known yet; after a kill only the rest is done.

    A call that the run itself made and that was answered is not made again: its answer is frozen, as a gold call's is. With `retry`
    those that the service failed to answer are asked again. Returns the answers and how many were executed now.
    """
    frozen = frozen_answers(run)
    known = {name: row for name, row in known_answers(run).items() if not (retry and row["outcome"] in TRANSIENT)}
    todo = {name: call for name, call in calls.items() if name not in known and name not in frozen}
    path = run.path / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as handle:
        def keep(name: str, seen: Observation) -> None:
            known[name] = {"id": name, **answer_of(seen), "error": seen.error, "code": code_digest()}
            handle.write(dumps(known[name]) + "\n")
            handle.flush()

        execute(todo, client, keep, progress=progress)
    run.write(FILE, [known[name] for name in sorted(known)])
    return frozen | known, len(todo)


def answer_of(seen: Observation) -> dict[str, Any]:
    """What scoring needs of an observation: outcome, summary, and the body where there is no summary."""
    return {"outcome": seen.outcome, "summary": seen.summary, "body": error_text(seen)}


def frozen_answers(run: Run) -> Answers:
    """Answers of the calls that the run was built from, of those that were answered."""
    if not (run.path / "calls.jsonl").is_file():
        return {}
    rows = run.read("calls.jsonl")
    return {row["id"]: {"outcome": row["outcome"], "summary": row["observation"]["summary"], "body": None}
            for row in rows if row["outcome"] in ("ok", "empty") and row["observation"]["summary"] is not None}


def drift(run: Run, client: Client, split: str | None = "test", progress: bool | None = None) -> pd.DataFrame:
    """Execute the gold calls of a split (None: of all splits) again and say what is not as it was frozen; no model takes part.

    Columns: id, function, database, change (same, body, summary or outcome: the most that changed), was, now (outcomes), fields (up to
    five paths whose values differ), rows (questions that hang on the call). Example: `drift(run, bt.Client("live"))`
    """
    import pandas as pd

    frozen: dict[str, Mapping[str, Any]] = {call["id"]: call for call in run.read("calls.jsonl")}
    rows: dict[str, int] = {}
    for part in ("train", "validation", "test") if split is None else (split,):
        for row in run.read(f"dataset/{part}.jsonl"):
            if row["call"] is not None:
                name = call_id(row["call"])
                rows[name] = rows.get(name, 0) + 1
                if name not in frozen:  # a row from elsewhere: only its summary is frozen
                    outcome = "unscorable" if row["observation"] is None else "ok"
                    frozen[name] = {**row["call"], "outcome": outcome, "observation": {"summary": row["observation"], "sha256": None}}
    lines: dict[str, dict[str, Any]] = {}

    def keep(name: str, seen: Observation) -> None:
        call = frozen[name]
        before = call["observation"]
        parts = [] if seen.summary == before["summary"] else _changed(before["summary"], seen.summary)
        change = ("outcome" if seen.outcome != call["outcome"] else "summary" if seen.summary != before["summary"]
                  else "body" if before["sha256"] not in (None, digest(seen.data)) else "same")
        lines[name] = {"id": name, "function": call["name"], "database": tools()[call["name"]].database, "change": change,
                       "was": call["outcome"], "now": seen.outcome, "fields": parts, "rows": rows[name]}

    execute({name: frozen[name] for name in rows}, client, keep, label="drift", progress=progress)
    columns = ["id", "function", "database", "change", "was", "now", "fields", "rows"]
    return pd.DataFrame([lines[name] for name in sorted(lines)], columns=columns)


def _changed(before: Any, after: Any, most: int = 5) -> list[str]:
    """Paths whose values are not the same in two summaries."""
    old, new = fields(before), fields(after)
    return sorted({path for path, _, _ in (old - new) + (new - old)})[:most]
