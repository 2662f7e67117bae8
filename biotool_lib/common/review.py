"""Verdicts of people and judges on questions: one record format, append-only."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..errors import BioToolError, InvalidParameter, Problem
from .runner import dumps, read_jsonl

LAYERS = ("execution", "judge", "human")


class BrokenRecord(BioToolError):
    """A reviewer's record that was changed after it was written."""


def verdict(question_id: str, layer: str, accept: bool, reason: str, by: str) -> dict[str, Any]:
    """One verdict. Raises InvalidParameter for an unknown layer, a missing reviewer or a rejection without reason."""
    problems = []
    if layer not in LAYERS:
        problems.append(Problem("layer", layer, f"one of {', '.join(LAYERS)}"))
    if not by.strip():
        problems.append(Problem("by", by, "name the reviewer or the judge"))
    if not accept and not reason.strip():
        problems.append(Problem("reason", reason, "a rejection needs a reason"))
    if problems:
        raise InvalidParameter("verdict", problems)
    return {"question_id": question_id, "layer": layer, "accept": bool(accept), "reason": reason, "by": by}


class ReviewBook:
    """The human verdicts of one run: an append-only file in which each record signs all records before it.

    A record may be superseded by a later one of the same reviewer, never edited. Example:
    `ReviewBook("runs/laptop/human.jsonl").add("q1", True, "reads well", by="ada")`
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.records = read_jsonl(self.path) if self.path.exists() else []
        self._check()

    def add(self, question_id: str, accept: bool, reason: str, by: str) -> dict[str, Any]:
        """Append one signed verdict and write it to the disk before returning."""
        record = verdict(question_id, "human", accept, reason, by)
        record["previous"] = self.records[-1]["signature"] if self.records else ""
        record["signature"] = _sign(record)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as handle:
            handle.write(dumps(record) + "\n")
            handle.flush()
            os.fsync(handle.fileno())
        self.records.append(record)
        return record

    def verdicts(self) -> list[dict[str, Any]]:
        """The last verdict of each reviewer on each question, in the verdict format of the run."""
        latest = {(r["question_id"], r["by"]): r for r in self.records}
        keys = ("question_id", "layer", "accept", "reason", "by")
        return [{key: record[key] for key in keys} for record in latest.values()]

    def _check(self) -> None:
        before = ""
        for number, record in enumerate(self.records, 1):
            if record.get("previous") != before or record.get("signature") != _sign(record):
                raise BrokenRecord(f"{self.path}, record {number} was changed after it was signed: restore the file")
            before = record["signature"]


def _sign(record: Mapping[str, Any]) -> str:
    content = {key: value for key, value in record.items() if key != "signature"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def accepted(verdicts: Iterable[Mapping[str, Any]]) -> set[str]:
    """Questions that no layer rejected."""
    rows = list(verdicts)
    rejected = {v["question_id"] for v in rows if not v["accept"]}
    return {v["question_id"] for v in rows} - rejected
