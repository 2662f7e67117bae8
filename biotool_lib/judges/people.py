"""People as readers: which rows they are shown, what a correction must pass, how far they agree, and their records as tables."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..catalogue import tools
from ..common.review import ReviewBook, accepted
from ..common.runner import Run, dumps, write_atomically
from ..errors import InvalidParameter, Problem
from ..filters import judge
from . import agreement

if TYPE_CHECKING:
    import pandas as pd

Row = dict[str, Any]
SAMPLE = 60  # rows that reviewers are shown unless told otherwise
_COLUMNS = ("question_id", "by", "decision", "reason", "question", "fixed")


def rows_for_review(run: Run, kept_only: bool = True) -> list[Row]:
    """A run's questions with all that a reviewer is shown: call, summary of the response, answer, verdicts of execution and judge.

    With `kept_only` those that execution and judge accepted. Raises MissingArtefact before the filters have run.
    Example: `rows_for_review(Run.existing("runs/laptop"))`
    """
    calls = {call["id"]: call for call in run.read("calls.jsonl")}
    verdicts: dict[str, list[Row]] = {}
    for verdict in run.read("verdicts.jsonl"):
        if verdict["layer"] != "human":  # reviewers decide by themselves
            verdicts.setdefault(verdict["question_id"], []).append(verdict)
    keep = accepted(verdict for given in verdicts.values() for verdict in given)
    rows = []
    for question in run.read("questions.jsonl"):
        if question["id"] in keep or not kept_only:
            call = calls[question["call_id"]]
            rows.append({**question, "call": {"name": call["name"], "arguments": call["arguments"]},
                         "response": call["observation"]["summary"], "database": tools()[call["name"]].database,
                         "verdicts": verdicts.get(question["id"], [])})
    return rows


def side_by_side(run: Run, names: Sequence[str]) -> pd.DataFrame:
    """For the first answered call of each function: call, response, and each question with its answer on record, one row a question.

    Example: `side_by_side(run, ["lookup_by_symbol"])`
    """
    import pandas as pd

    asked: dict[str, list[Row]] = {}
    for question in run.read("questions.jsonl"):
        asked.setdefault(question["call_id"], []).append(question)
    first: dict[str, Row] = {}
    for call in run.read("calls.jsonl"):
        if call["name"] in names and call["id"] in asked:
            first.setdefault(call["name"], call)
    return pd.DataFrame([
        {"call": f"{name} {dumps(first[name]['arguments'])}", "response": dumps(first[name]["observation"]["summary"]), "style": question["style"],
         "question": question["question"], "answer": f"{question['answer_path']} = {dumps(question['answer_value'])}"}
        for name in names if name in first for question in asked[first[name]["id"]]], columns=["call", "response", "style", "question", "answer"])


def draw(rows: Sequence[Row], n: int = SAMPLE, seed: int = 0, by: str | None = "database") -> list[Row]:
    """`n` rows in a random order that is the same for everybody with the same seed; by default equally many of each database.

    `by` is the column whose values get equal shares, or None for a plain draw. A value with too few rows gives all it has, and
    the others fill up. Raises InvalidParameter for n < 1 or a column that rows lack. Example: `draw(rows, 60)`
    """
    if n < 1:
        raise InvalidParameter("draw", [Problem("n", n, "at least 1 row")])
    if by is not None and any(by not in row for row in rows):
        raise InvalidParameter("draw", [Problem("by", by, "a column that every row has, such as 'database', or None")])
    shuffled = sorted(rows, key=lambda row: hashlib.sha256(f"{seed}:{row['id']}".encode()).hexdigest())
    turn: dict[Any, int] = {}
    turns = []
    for row in shuffled:  # the first of each value, then the second of each, and so on
        value = row[by] if by is not None else row["id"]
        turn[value] = turn.get(value, -1) + 1
        turns.append(turn[value])
    chosen = sorted(range(len(shuffled)), key=lambda i: (turns[i], i))[:n]
    picked = [shuffled[i] for i in chosen]
    random.Random(f"{seed}:order").shuffle(picked)
    return picked


def check_fix(row: Row, text: str) -> str:
    """A corrected question on one line. Raises InvalidParameter with the reason where it is no plain sentence or fails the rules.

    Among the rules is that every argument of the call can be recovered from the words. Example: `check_fix(row, "Where is BRCA1?")`
    """
    from ..questions.chat import plain_sentence

    sentence, problem = plain_sentence(text)
    if problem is None and sentence == row["question"]:
        problem = "nothing was changed"
    if problem is None:
        fits, reason = judge({**row, "question": sentence}, {**row["call"], "observation": {"summary": row["response"]}})
        problem = None if fits else reason
    if problem:
        raise InvalidParameter("fix", [Problem("question", text, f"{problem}: change it again, or reject the row")])
    return sentence


def fix(book: ReviewBook, row: Row, text: str, reason: str, by: str) -> Row:
    """Record a corrected question; raises InvalidParameter as `check_fix` does, or without a reason.

    Example: `fix(book, row, "On which chromosome does the human gene BRCA1 lie?", "clumsy", by="ada")`
    """
    return book.add(row, "fix", reason, by=by, fixed=check_fix(row, text))


def reviewers_agreement(book: ReviewBook, rows: Sequence[Row]) -> pd.DataFrame:
    """How far each two reviewers agree on whether a question is good as it stands (a fix says no): share and Cohen's kappa.

    Only verdicts on the very words shown are compared, with n and an interval over calls. Example: `reviewers_agreement(book, rows)`
    """
    names = {record["by"] for record in book.standing()}
    shown = {row["id"]: row for row in rows}
    said = [{"question_id": key, "layer": "human", "accept": record["decision"] == "accept", "reason": record["reason"], "by": name}
            for name in sorted(names) for key, record in book.seen(name, rows).items()]
    return agreement(said, {key: dumps(row["call"]) for key, row in shown.items()}, layer="human")


def records_table(book: ReviewBook) -> pd.DataFrame:
    """The verdicts that stand, one row each: question_id, by, decision, reason, question, fixed."""
    import pandas as pd

    return pd.DataFrame([{name: record.get(name, "") for name in _COLUMNS} for record in book.standing()], columns=list(_COLUMNS))


def export_records(book: ReviewBook, folder: str | Path) -> list[Path]:
    """Write the verdicts that stand as review.jsonl and review.csv into a folder; returns the two paths.

    In the CSV a text that a spreadsheet would take for a formula begins with an apostrophe. Example: `export_records(book, "runs/laptop/review")`
    """
    table = records_table(book)
    jsonl, csv = Path(folder) / "review.jsonl", Path(folder) / "review.csv"
    write_atomically(jsonl, "".join(dumps(row) + "\n" for row in table.to_dict("records")))
    write_atomically(csv, table.map(_no_formula).to_csv(index=False))
    return [jsonl, csv]


def _no_formula(text: str) -> str:
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
