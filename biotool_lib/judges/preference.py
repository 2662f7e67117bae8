"""Which of two answers do people prefer, if they do not know where each comes from? Records, win rate, marks, agreement.

An item is {id, question, answers: {condition: text}}. Each two of its conditions make a task. Which answer stands on the left is
drawn anew for every rater and task, and is written into the record.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..common.review import LONGEST_REASON, ReviewBook
from ..common.runner import dumps
from ..common.stats import DRAWS, bootstrap
from ..errors import InvalidParameter, Problem, plain
from . import agreement

if TYPE_CHECKING:
    import pandas as pd

Row = dict[str, Any]
CHOICES = ("left", "right", "tie")
TIE = "tie"
LOWEST, HIGHEST = 1, 5


def tasks(items: Sequence[Mapping[str, Any]], rater: str, seed: int = 0) -> list[Row]:
    """Every pair of answers to every item as this rater sees it: {id, item, question, left, right, texts, about}.

    Items stand in the order given, so that all raters have the first ones in common. Raises InvalidParameter for an item without
    two conditions, with an answer that is no text, or with an id that another has. Example: `tasks(items, "ada")`
    """
    problems, seen = [], set()
    for place, item in enumerate(items):
        missing = [key for key in ("id", "question", "answers") if key not in item]
        answers = item.get("answers")
        if missing or not isinstance(answers, Mapping) or len(answers) < 2 or not all(isinstance(text, str) for text in answers.values()):
            problems.append(Problem(f"item {place}", dict(item), "needs id, question and answers: {condition: text} of two conditions or more"))
        elif item["id"] in seen:
            problems.append(Problem(f"item {place}", item["id"], "another item has this id"))
        seen.add(item.get("id"))
    if problems:
        raise InvalidParameter("preference", problems)
    found = []
    for item in items:
        for pair in combinations(sorted(item["answers"]), 2):
            key = f"{item['id']}|{pair[0]}|{pair[1]}"
            left, right = pair if hashlib.sha256(f"{seed}:{rater.casefold()}:{key}".encode()).digest()[0] % 2 else pair[::-1]
            texts = {name: item["answers"][name] for name in pair}
            about = hashlib.sha256(dumps([item["question"], texts]).encode()).hexdigest()[:16]
            found.append({"id": key, "item": item["id"], "question": item["question"], "left": left, "right": right, "texts": texts, "about": about})
    return found


class PreferenceBook(ReviewBook):
    """Preferences in a file of signed records like that of the reviewers. Example: `PreferenceBook("runs/laptop/preferences.jsonl")`"""

    def prefer(self, task: Mapping[str, Any], choice: str, *, by: str, marks: tuple[int, int] | None = None, reason: str = "") -> Row:
        """Append one preference: left, right or tie, if wanted with marks from 1 to 5 for the left and the right answer.

        Raises InvalidParameter for another choice or mark, or where the preferred answer has the lower mark.
        """
        problems = []
        if choice not in CHOICES:
            problems.append(Problem("choice", choice, f"one of {', '.join(CHOICES)}"))
        if marks is not None and not all(isinstance(mark, int) and LOWEST <= mark <= HIGHEST for mark in marks):
            problems.append(Problem("marks", marks, f"two whole numbers from {LOWEST} to {HIGHEST}"))
        elif marks is not None and ((choice == "left" and marks[0] < marks[1]) or (choice == "right" and marks[1] < marks[0])):
            problems.append(Problem("marks", marks, "the preferred answer has the lower mark: choose or mark again"))
        if problems:
            raise InvalidParameter("preference", problems)
        winner = {"left": task["left"], "right": task["right"]}.get(choice, TIE)
        record = {"question_id": task["id"], "layer": "preference", "decision": choice, "winner": winner, "left": task["left"], "right": task["right"],
                  "by": self.reviewer(by), "item": task["item"], "question": task["question"], "about": task["about"],
                  "reason": plain(reason.strip(), LONGEST_REASON)}
        return self.append({**record, "marks": {task["left"]: marks[0], task["right"]: marks[1]}} if marks else record)

    def rated(self, by: str, given: Sequence[Mapping[str, Any]]) -> dict[str, Row]:
        """Of these tasks those that this rater has decided, on just these texts: id to record."""
        of = {task["id"]: task["about"] for task in given}
        return {r["question_id"]: r for r in self.standing() if r["by"] == by and of.get(r["question_id"]) == r["about"]}

    def on(self, items: Sequence[Mapping[str, Any]]) -> list[Row]:
        """The preferences that stand and are about these items with just these answers."""
        of = {task["id"]: task["about"] for task in tasks(items, "")}
        return [record for record in self.standing() if of.get(record["question_id"]) == record["about"]]


def win_rate(records: Sequence[Mapping[str, Any]], first: str, second: str, level: float = 0.95) -> Row:
    """How often `first` is preferred to `second`; a tie is half a win. Returns {value, n, low, high, wins, ties, losses, raters, items}.

    The interval is drawn over items, since raters of one item are not independent. n counts judgements; value is None for n = 0.
    Example: `win_rate(book.on(items), "fine-tuned caller", "no tools")`
    """
    both = [r for r in records if {r["left"], r["right"]} == {first, second}]
    points = [0.5 if r["winner"] == TIE else float(r["winner"] == first) for r in both]
    return {**bootstrap(points, [r["item"] for r in both], level=level), "wins": points.count(1.0), "ties": points.count(0.5),
            "losses": points.count(0.0), "raters": len({r["by"] for r in both}), "items": len({r["item"] for r in both})}


def win_rates(records: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """`win_rate` of each two conditions that were compared, one row each."""
    import pandas as pd

    pairs = sorted({tuple(sorted((r["left"], r["right"]))) for r in records})
    columns = ["first", "second", "value", "low", "high", "n", "wins", "ties", "losses", "raters", "items"]
    return pd.DataFrame([{"first": a, "second": b, **win_rate(records, a, b)} for a, b in pairs], columns=columns)


def quality_gain(records: Sequence[Mapping[str, Any]], with_tools: str, without: str, level: float = 0.95, draws: int = DRAWS) -> Row:
    """Mean mark of one condition over that of another, minus one, over the records that mark both; the interval is drawn over items.

    Returns {value, n, low, high, mean_with, mean_without}; all but n are None where nobody gave marks.
    Example: `quality_gain(book.on(items), "fine-tuned caller", "no tools")`
    """
    marked = [r for r in records if r.get("marks") and {with_tools, without} <= set(r["marks"])]
    if not marked:
        return {"value": None, "n": 0, "low": None, "high": None, "mean_with": None, "mean_without": None}
    place = np.unique([r["item"] for r in marked], return_inverse=True)[1]
    sums = np.zeros((place.max() + 1, 2))
    np.add.at(sums, place, [[r["marks"][with_tools], r["marks"][without]] for r in marked])
    picks = np.random.default_rng(0).integers(0, len(sums), size=(draws, len(sums)))
    drawn = sums[picks].sum(axis=1)
    low, high = np.quantile(drawn[:, 0] / drawn[:, 1] - 1, [(1 - level) / 2, (1 + level) / 2])
    whole = sums.sum(axis=0)
    return {"value": round(float(whole[0] / whole[1] - 1), 6), "n": len(marked), "low": round(float(low), 6), "high": round(float(high), 6),
            "mean_with": round(float(whole[0]) / len(marked), 6), "mean_without": round(float(whole[1]) / len(marked), 6)}


def raters_agreement(records: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """How far each two raters name the same winner (or both a tie): share and Cohen's kappa, with n and an interval over items."""
    said = [{"question_id": f"{r['question_id']}|{r['about']}", "layer": "preference", "accept": r["winner"], "reason": "", "by": r["by"]} for r in records]
    return agreement(said, {f"{r['question_id']}|{r['about']}": r["item"] for r in records}, layer="preference")


def left_share(records: Sequence[Mapping[str, Any]], level: float = 0.95) -> Row:
    """How often the left answer won where one did: far from one half, raters go by the place. Returns {value, n, low, high}."""
    won = [r for r in records if r["winner"] != TIE]
    return dict(bootstrap([float(r["winner"] == r["left"]) for r in won], [r["item"] for r in won], level=level))


TWO_WAYS = ("value with its place", "bare value")


def two_ways_of_saying(rows: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Items for trying the form without any model: the answer on record of each row, bare and with its place in the response."""
    items = []
    for row in rows:
        value = row["answer_value"] if isinstance(row["answer_value"], str) else dumps(row["answer_value"])
        placed = f"{value}\n\nfrom {row['call']['name']}, at {row['answer_path']}"
        items.append({"id": row["id"], "question": row["question"], "answers": dict(zip(TWO_WAYS, (placed, value), strict=True))})
    return items


def rehearsal(raters: Mapping[str, float], items: int, seed: int = 0) -> list[Row]:
    """Made-up judgements for trying the arithmetic: each rater prefers `first` to `second` with the given probability.

    Nobody's opinion: they are written to a folder that is thrown away. Example: `rehearsal({"rater A": 0.8}, items=20)`
    """
    made = [{"id": str(n), "question": "?", "answers": {"first": "1", "second": "2"}} for n in range(items)]
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as folder:
        book = PreferenceBook(Path(folder, "made_up.jsonl"))
        for name, share in raters.items():
            for task in tasks(made, name, seed):
                better = "first" if rng.random() < share else "second"
                book.prefer(task, "left" if task["left"] == better else "right", by=name, reason="made up")
    return book.records
