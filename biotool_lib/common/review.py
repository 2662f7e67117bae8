"""Verdicts of people and judges: one verdict format, and the file in which people's records are kept.

The rule of this library: a row is *human-verified* if at least one reviewer accepted its words as they now stand, and nobody
rejected it. A rejection removes the row, whatever others said and whichever wording it was about. A fix replaces the question and
counts as its author's acceptance of the new words; an acceptance of the old ones counts no longer. A record about another question,
call or answer than the run's (because it was written anew since) counts for nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ..errors import BioToolError, InvalidParameter, Problem, plain
from .runner import dumps

LAYERS = ("execution", "judge", "human")
DECISIONS = ("accept", "reject", "fix")
WAIT = 30.0  # seconds for another process that is writing a line
LONGEST_REASON, LONGEST_NAME = 500, 60
Record = dict[str, Any]


class BrokenRecord(BioToolError):
    """A file of records that was changed, shortened or reordered after it was signed."""


def verdict(question_id: str, layer: str, accept: bool, reason: str, by: str) -> Record:
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


class SignedLog:
    """An append-only file of JSON records, each signed over all records before it; several processes may append at once.

    A record is on the disk when `append` returns. A last line that a kill cut off is no record and is removed by the next one.
    `head` is a signature that was noted earlier: it must still be there. Raises BrokenRecord where the file was changed after
    it was signed. The signatures show a change to anybody who kept a later one; they do not prove who sat at the keyboard.
    Example: `SignedLog("runs/laptop/notes.jsonl").append({"by": "ada", "note": "read"})`
    """

    def __init__(self, path: str | Path, head: str = "") -> None:
        self.path = Path(path)
        self.records: list[Record] = []
        self._end = 0  # bytes that have been read and hold whole records
        self._lock = FileLock(self.path.with_name(f"{self.path.name}.lock"), timeout=WAIT)
        self.refresh()
        if head and head not in (record["signature"] for record in self.records):
            raise BrokenRecord(f"{self.path}: records that this run has already used are no longer there: restore the file")

    @property
    def head(self) -> str:
        """The last signature, which stands for the whole file; empty without records."""
        return str(self.records[-1]["signature"]) if self.records else ""

    def append(self, record: Record) -> Record:
        """Sign a record, write it and return it. Raises BioToolError where another process holds the file for too long."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with self._lock:
                self.refresh()
                signed = {**record, "previous": self.head}
                signed["signature"] = _sign(signed)
                with self.path.open("r+b" if self.path.exists() else "w+b") as file:
                    file.truncate(self._end)  # a line that a kill cut off
                    file.seek(max(0, self._end - 1))
                    line = b"\n" if file.read(1) not in (b"", b"\n") else b""
                    file.write(line + dumps(signed).encode() + b"\n")
                    file.flush()
                    os.fsync(file.fileno())
                self.refresh()
        except Timeout:
            raise BioToolError(f"{self.path} is held by another process for more than {WAIT:.0f} s: close it and try again") from None
        return signed

    def refresh(self) -> None:
        """Read what other processes have appended."""
        size = self.path.stat().st_size if self.path.exists() else 0
        if size < self._end:
            raise BrokenRecord(f"{self.path} has become shorter: records were removed; restore the file")
        if size == self._end:
            return
        with self.path.open("rb") as file:
            file.seek(self._end)
            *lines, rest = file.read().split(b"\n")
        for line in lines:
            if line.strip():
                self._take(line, cut=False)
            self._end += len(line) + 1
        if rest and self._take(rest, cut=True):
            self._end += len(rest)

    def _take(self, line: bytes, cut: bool) -> bool:
        """Keep a line as the next record if it is one; a line that may be cut off is left alone where it is not."""
        try:
            record = json.loads(line)
        except ValueError:
            record = None
        if not isinstance(record, dict) or record.get("previous") != self.head or record.get("signature") != _sign(record):
            if cut:
                return False
            raise BrokenRecord(f"{self.path}, record {len(self.records) + 1} was changed after it was signed: restore the file")
        self.records.append(record)
        return True


class ReviewBook(SignedLog):
    """People's verdicts on the questions of a run; a record is superseded by a later one of the same reviewer, never edited.

    Rows are mappings with id, question, call {name, arguments}, answer_path and answer_value: what a reviewer is shown.
    Example: `ReviewBook("runs/laptop/human.jsonl").add(row, "accept", by="ada")`
    """

    def add(self, row: Mapping[str, Any], decision: str, reason: str = "", *, by: str, fixed: str | None = None) -> Record:
        """Append one decision: accept, reject (with a reason) or fix (with a reason and the new question).

        Raises InvalidParameter for an unknown decision, a missing reason or name, or a fix that changes nothing.
        """
        reason, new = plain(reason.strip(), LONGEST_REASON), fixed.strip() if fixed else ""
        problems = []
        if decision not in DECISIONS:
            problems.append(Problem("decision", decision, f"one of {', '.join(DECISIONS)}"))
        if decision != "accept" and not reason:
            problems.append(Problem("reason", reason, "a rejection and a fix need a reason"))
        if (decision == "fix") != bool(new) or new == row["question"]:
            problems.append(Problem("fixed", fixed, "a fix, and nothing else, has a corrected question that differs from the old one"))
        if problems:
            raise InvalidParameter("review", problems)
        record = {"question_id": row["id"], "layer": "human", "decision": decision, "accept": decision != "reject", "reason": reason,
                  "by": self.reviewer(by), "question": row["question"], "about": about(row)}
        return self.append({**record, "fixed": new} if new else record)

    def undo(self, by: str) -> Record | None:
        """Take back the reviewer's latest verdict that stands, by a further record; None where there is none."""
        name = self.reviewer(by)
        self.refresh()
        last = next((record for record in reversed(self.standing()) if record["by"] == name), None)
        if last is None:
            return None
        return self.append({"question_id": last["question_id"], "layer": last["layer"], "decision": "undo", "accept": None, "reason": "taken back",
                            "by": name, "question": last["question"], "about": last["about"], "undoes": last["signature"]})

    def reviewer(self, name: str) -> str:
        """A reviewer's name as the file spells it, so that `Ada` and `ada ` are one person. Raises InvalidParameter without one."""
        tidy = plain(" ".join(name.split()), LONGEST_NAME)
        if not tidy:
            raise InvalidParameter("review", [Problem("by", name, "name the reviewer")])
        return next((r["by"] for r in self.records if r["by"].casefold() == tidy.casefold()), tidy)

    def standing(self) -> list[Record]:
        """The last record of each reviewer on each question, in order; one that was taken back does not stand."""
        latest: dict[tuple[str, str], Record] = {}
        for record in self.records:
            latest.pop((record["question_id"], record["by"]), None)
            if record["decision"] != "undo":
                latest[record["question_id"], record["by"]] = record
        return list(latest.values())

    def seen(self, by: str, rows: Iterable[Mapping[str, Any]]) -> dict[str, Record]:
        """Of these rows those on which this reviewer's verdict stands, in just these words: id to record."""
        mine = {record["question_id"]: record for record in self.standing() if record["by"] == by}
        shown = {row["id"]: row for row in rows}
        return {key: r for key, r in mine.items() if key in shown and r["question"] == shown[key]["question"] and r["about"] == about(shown[key])}

    def verdicts(self, rows: Sequence[Mapping[str, Any]]) -> list[Record]:
        """What people say of these rows, in the verdict format of a run; a fix that stands also has `fixed`, the new question."""
        words, of = self._words(rows), {row["id"]: about(row) for row in rows}
        found = []
        for record in self.standing():
            key = record["question_id"]
            if key not in of or record["about"] != of[key]:
                continue
            (known, now), decision = words[key], record["decision"]
            said = verdict(key, "human", record["accept"], record["reason"], record["by"])
            if (decision == "reject" and record["question"] in known) or (decision == "accept" and record["question"] == now):
                found.append(said)
            elif decision == "fix" and record["question"] in known and record["fixed"] == now:
                found.append({**said, "fixed": now})
        return found

    def corrected(self, rows: Sequence[Mapping[str, Any]]) -> list[Record]:
        """The rows with each question in the words of the last fix that stands."""
        words = self._words(rows)
        return [{**row, "question": words[row["id"]][1]} for row in rows]

    def _words(self, rows: Iterable[Mapping[str, Any]]) -> dict[str, tuple[set[str], str]]:
        """For each row every wording that it has had, and the one that stands."""
        stands = {record["signature"] for record in self.standing()}
        fixes: dict[str, list[Record]] = {}
        for record in self.records:
            if record["decision"] == "fix":
                fixes.setdefault(record["question_id"], []).append(record)
        found = {}
        for row in rows:
            known, now = {row["question"]}, row["question"]
            for record in fixes.get(row["id"], ()):
                if record["about"] == about(row) and record["question"] in known:
                    known.add(record["fixed"])
                    now = record["fixed"] if record["signature"] in stands else now
            found[row["id"]] = (known, now)
        return found


def about(row: Mapping[str, Any]) -> str:
    """A digest of what a question was judged against: its call and its answer."""
    call = row["call"]
    content = dumps([call["name"], call["arguments"], row["answer_path"], row["answer_value"]])
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def _sign(record: Mapping[str, Any]) -> str:
    content = {key: value for key, value in record.items() if key != "signature"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def accepted(verdicts: Iterable[Mapping[str, Any]]) -> set[str]:
    """Questions that no layer rejected."""
    rows = list(verdicts)
    rejected = {v["question_id"] for v in rows if not v["accept"]}
    return {v["question_id"] for v in rows} - rejected


def human_verified(verdicts: Iterable[Mapping[str, Any]]) -> set[str]:
    """Kept questions that at least one person accepted, by the rule that this module's text states."""
    rows = list(verdicts)
    return {v["question_id"] for v in rows if v["layer"] == "human" and v["accept"]} & accepted(rows)


def fixed_questions(verdicts: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """The new words of each question that a person corrected, by question id."""
    return {v["question_id"]: v["fixed"] for v in verdicts if v["layer"] == "human" and v.get("fixed")}
