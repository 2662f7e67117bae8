"""What a reader wants to see of a scored run: errors side by side with what was asked, and what an order of models means."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from ..common.runner import Run
from .compare import ERRORS
from .distance import HEADLINE
from .tables import compare_models, distance_table, read_rows

if TYPE_CHECKING:
    import pandas as pd


def gallery(run: Run, model: str, examples: int = 1, distance: str | None = None, seed: int = 0) -> pd.DataFrame:
    """Wrong rows of each main kind of error, drawn at random: error, of (rows that have it), question, gold, call, outcome.

    `call` is what could be read of the model's text, or why nothing could. Example: `gallery(run, "laptop", examples=2)`
    """
    import pandas as pd

    rows = read_rows(run, model, distance)
    wrong = rows[rows["scorable"] & ~rows["exact_match"]]
    lines = []
    for kind in ERRORS:
        having = wrong[wrong["error"] == kind]
        for row in having.sample(min(examples, len(having)), random_state=seed).to_dict("records"):
            lines.append({"error": kind, "of": len(having), "question": row["question"], "gold": row["gold"],
                          "call": row["call"] if isinstance(row["call"], str) else row["problem"], "outcome": row["outcome"]})
    return pd.DataFrame(lines, columns=["error", "of", "question", "gold", "call", "outcome"])


def ranking(run: Run, models: Sequence[str], metric: str = "exact_match", distance: str = HEADLINE, split: str = "test") -> pd.DataFrame:
    """The models in the order in which they came out, each compared with the next on the same questions.

    Columns: model, value, low, high, n, then next, ahead, ahead_low, ahead_high, p and `told_apart`: whether the interval of the paired
    difference leaves 0 out. Models without rows at this distance are left out. Example: `ranking(run, ["retrieval", "laptop"])`
    """
    import pandas as pd

    table = distance_table(run, list(models), (metric,), split)
    table = table[table["distance"] == distance].sort_values(["value", "model"], ascending=[False, True])
    lines = table[["model", "value", "low", "high", "n"]].to_dict("records")
    for line, after in pairwise(lines):
        found = compare_models(run, after["model"], line["model"], metric, distance)
        line |= {"next": after["model"], "ahead": found["difference"], "ahead_low": found["low"], "ahead_high": found["high"], "p": found["p"],
                 "told_apart": found["low"] is not None and found["low"] > 0}
    columns = ["model", "value", "low", "high", "n", "next", "ahead", "ahead_low", "ahead_high", "p", "told_apart"]
    return pd.DataFrame(lines, columns=columns)


def say_ranking(table: pd.DataFrame) -> str:
    """A ranking in words, whoever came out ahead. Example: `say_ranking(ranking(run, ["retrieval", "laptop"]))`"""
    if table.empty:
        return "No model has rows at this distance."
    sentences = [f"{table['model'].iloc[0]} comes first with {table['value'].iloc[0]:.3f} "
                 f"({table['low'].iloc[0]:.3f} to {table['high'].iloc[0]:.3f}, n = {table['n'].iloc[0]})."]
    for line in table.iloc[:-1].to_dict("records"):
        by = f"{line['ahead']:.3f} ({line['ahead_low']:.3f} to {line['ahead_high']:.3f})"
        sentences.append(f"{line['model']} is ahead of {line['next']} by {by}, row by row on the same questions."
                         if line["told_apart"] else f"{line['model']} and {line['next']} cannot be told apart: the difference is {by}.")
    return "\n".join(sentences)
