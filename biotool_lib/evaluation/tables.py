"""Tables over scored rows. Every line has its n and, for a mean, an interval from whole calls drawn with replacement."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..common.encoders import DEFAULT
from ..common.runner import Run
from ..common.stats import bootstrap_columns, mcnemar, over_seeds, paired_bootstrap, smallest_difference
from ..errors import InvalidParameter, Problem, did_you_mean
from .compare import ERRORS

if TYPE_CHECKING:
    import pandas as pd

METRICS = ("exact_match", "api_success", "biotool_score", "function_match", "schema_valid")
# biotool_null: the mean similarity of two responses of the same function to different calls; what a BioTool Score is to be held against.
MORE = ("biotool_null", "argument_f1", "identifier_f1", "value_agreement", "no_call_precision", "no_call_recall")
GROUPS = {"database": "database", "group": "tool_group", "function": "function", "subfield": "subfield", "menu_size": "menu_size",
          "form": "form", "phrasing": "phrasing", "style": "style", "predicted_function": "predicted_function", "error": "error"}


def tabulate(rows: pd.DataFrame, encoder: str = DEFAULT, seed: int = 0) -> pd.DataFrame:
    """All metrics with n and 95 % bootstrap intervals (by call), overall and per database; unscorable rows apart.

    A metric that no row of a part can have is left out.
    """
    import pandas as pd

    scorable, lines = rows[rows["scorable"]], []
    parts = [("overall", scorable)] + [(db, scorable[scorable["database"] == db]) for db in sorted(rows["database"].dropna().unique())]
    for part, chosen in parts:
        for metric, interval in _intervals(chosen, (*METRICS, *MORE), seed).items():
            if interval["n"] or metric in METRICS:
                lines.append({"part": part, "metric": metric, **interval, "encoder": encoder if metric.startswith("biotool_") else None,
                              "unscorable": int((~rows["scorable"]).sum())})
    return pd.DataFrame(lines)


def _intervals(rows: pd.DataFrame, metrics: Sequence[str], seed: int) -> dict[str, Any]:
    columns = {metric: rows[metric].astype(float).to_numpy() for metric in metrics}
    return bootstrap_columns(columns, rows["group"].to_numpy(), seed=seed)


def score_table(run: Run, models: list[str] | None = None, split: str = "test", metrics: Sequence[str] = METRICS) -> pd.DataFrame:
    """The run's scores as one table: model, part, metric, value, low, high, n.

    `metrics` may name any of METRICS and MORE. Raises InvalidParameter for another one.
    Example: `score_table(run, metrics=("biotool_score", "biotool_null"))`
    """
    import pandas as pd

    _known("score_table", "metrics", metrics, (*METRICS, *MORE))
    scores = json.loads((run.path / "scores.json").read_text(encoding="utf-8"))
    lines = []
    for model in models or [m for m in scores if not m.startswith("_")]:
        found = scores[model][split]
        for part, values in [("overall", found), *found.get("by_database", {}).items()]:
            lines += [{"model": model, "part": part, "metric": m, **{k: values[m][k] for k in ("value", "low", "high", "n")}}
                      for m in metrics if m in values]
    return pd.DataFrame(lines, columns=["model", "part", "metric", "value", "low", "high", "n"])


def _known(where: str, name: str, given: Sequence[str], known: Sequence[str]) -> None:
    problems = [Problem(name, word, did_you_mean(word, known)) for word in given if word not in known]
    if problems:
        raise InvalidParameter(where, problems)


def read_rows(run: Run, model: str) -> pd.DataFrame:
    """The scored rows of one model as a table; raises MissingArtefact before the evaluation."""
    import pandas as pd

    return pd.DataFrame(run.read(f"evaluation/{model}.jsonl"))


def breakdown(run: Run, model: str, by: str = "database", metrics: Sequence[str] = ("exact_match",)) -> pd.DataFrame:
    """A model's scorable rows by database, group, function, subfield, menu_size, form, phrasing, style, predicted_function or error.

    Columns: `by`, metric, value, low, high, n (rows), calls, detectable: the smallest difference between two shares that so many calls
    for each would show with a power of 80 %; a small category has a large one. `menu_size` is 0 where no menu stood in the prompt.
    Raises InvalidParameter for another `by` or metric. Example: `breakdown(run, "laptop", by="subfield")`
    """
    import pandas as pd

    _known("breakdown", "by", [by], tuple(GROUPS))
    _known("breakdown", "metrics", metrics, (*METRICS, *MORE))
    rows, lines = read_rows(run, model), []
    rows = rows[rows["scorable"]]
    names = rows[GROUPS[by]].astype(object).where(rows[GROUPS[by]].notna(), "none")
    for name, chosen in rows.groupby(names):
        calls = int(chosen["group"].nunique())
        for metric, interval in _intervals(chosen, metrics, run.seed).items():
            if interval["n"]:
                lines.append({by: name, "metric": metric, "value": interval["value"], "low": interval["low"], "high": interval["high"],
                              "n": interval["n"], "calls": calls, "detectable": smallest_difference(calls)})
    return pd.DataFrame(lines, columns=[by, "metric", "value", "low", "high", "n", "calls", "detectable"])


def by_function(run: Run, model: str) -> pd.DataFrame:
    """Exact match of one model per function, with n: what it has learned and what it has not."""
    rows = read_rows(run, model)
    rows[["database", "function"]] = rows[["database", "function"]].astype(object).where(rows[["database", "function"]].notna(), "none")
    rows["function_match"] = rows["function_match"].astype(float)
    grouped = rows.groupby(["database", "function"]).agg(n=("id", "size"), exact_match=("exact_match", "mean"), function_match=("function_match", "mean"))
    return grouped.round(3).reset_index().sort_values(["exact_match", "n"], ascending=[True, False])


def error_table(run: Run, model: str, examples: int = 1) -> pd.DataFrame:
    """A model's errors by kind: error, n (rows that have it), main (rows whose first error it is), share of all rows, and examples.

    A row may have several errors; a hallucinated identifier is a name in a wrong argument that stands neither in the question nor in
    the gold call. Examples are of rows whose first error it is, where there are any. Example: `error_table(run, "laptop")`
    """
    import pandas as pd

    rows = read_rows(run, model)
    rows = rows[rows["scorable"]]
    lines = []
    for kind in ERRORS:
        having = rows[[kind in errors for errors in rows["errors"]]]
        if len(having):
            main = having[having["error"] == kind]
            shown = (main if len(main) else having).head(examples)
            lines.append({
                "error": kind, "n": len(having), "main": len(main), "share": round(len(having) / len(rows), 4),
                "example": "\n".join(f"{r['question']}\n  gold: {r['gold']}\n  call: {r['call'] or r['problem']}" for r in shown.to_dict("records")),
            })
    return pd.DataFrame(lines, columns=["error", "n", "main", "share", "example"])


def confusion(run: Run, model: str) -> pd.DataFrame:
    """Which function was called in whose place: function, predicted_function, n, most frequent first; right ones are left out."""
    rows = read_rows(run, model)
    wrong = rows[rows["scorable"] & (rows["function"] != rows["predicted_function"]) & ~rows["exact_match"]]
    named = wrong[["function", "predicted_function"]].astype(object)
    counts = named.where(named.notna(), "none").value_counts().rename("n").reset_index()
    return counts.sort_values(["n", "function", "predicted_function"], ascending=[False, True, True], ignore_index=True)


def forms(run: Run, models: Sequence[str]) -> pd.DataFrame:
    """The forms in which models wrote their calls: model, form, n, share. Example: `forms(run, ["untrained", "laptop"])`"""
    import pandas as pd

    lines = []
    for model in models:
        rows = read_rows(run, model)
        lines += [{"model": model, "form": form, "n": int(n), "share": round(n / len(rows), 4)} for form, n in rows["form"].value_counts().items()]
    return pd.DataFrame(lines, columns=["model", "form", "n", "share"])


def no_call_table(run: Run, models: Sequence[str], split: str = "test") -> pd.DataFrame:
    """Precision and recall of making no call, one line a model: no_call_questions, declined, precision, recall with their intervals.

    Both are None where there is nothing to divide by. Text that tries to call and fails is no decision to make none.
    """
    import pandas as pd

    lines = []
    for model in models:
        rows = read_rows(run, model)
        asked, declined = rows["no_call_recall"].notna().sum(), rows["no_call_precision"].notna().sum()
        line: dict[str, Any] = {"model": model, "no_call_questions": int(asked), "declined": int(declined)}
        for name, found in _intervals(rows, ("no_call_precision", "no_call_recall"), run.seed).items():
            short = name.removeprefix("no_call_")
            line |= {short: found["value"], f"{short}_low": found["low"], f"{short}_high": found["high"]}
        lines.append(line)
    return pd.DataFrame(lines)


def compare_models(run: Run, first: str, second: str, metric: str = "exact_match") -> dict[str, Any]:
    """The second model beside the first, row by row on the same questions: difference with interval and p, and McNemar's test for
    metrics that are true or false.

    Returns {metric, difference, low, high, p, n, calls, mcnemar: {only_first, only_second, n, p} or None}. Raises InvalidParameter for an
    unknown metric and ValueError where the two were not scored on the same questions. Example: `compare_models(run, "retrieval", "laptop")`
    """
    _known("compare_models", "metric", [metric], (*METRICS, *MORE))
    a, b = (read_rows(run, model).set_index("id") for model in (first, second))
    if list(a.index) != list(b.index):
        raise ValueError(f"{first} and {second} were not scored on the same questions: score them in one evaluation")
    a, b = a[a["scorable"]], b[b["scorable"]]
    found = paired_bootstrap(a[metric].astype(float).to_numpy(), b[metric].astype(float).to_numpy(), a["group"].to_numpy(), seed=run.seed)
    both = a[metric].notna() & b[metric].notna()
    x, y = a.loc[both, metric], b.loc[both, metric]
    binary = both.any() and set(x.astype(float)) | set(y.astype(float)) <= {0.0, 1.0}
    return {"metric": metric, "difference": found["value"], "low": found["low"], "high": found["high"], "p": found["p"], "n": found["n"],
            "calls": int(a.loc[both, "group"].nunique()), "mcnemar": mcnemar(x.astype(bool).tolist(), y.astype(bool).tolist()) if binary else None}


def seed_table(run: Run, arms: Mapping[str, Sequence[str]], metrics: Sequence[str] = METRICS, split: str = "test") -> pd.DataFrame:
    """Mean and interval over the seeds of each arm: arm, metric, value, sd, low, high, seeds, n (rows of one seed).

    The interval is over trainings, not over questions; with one seed there is none. Example:
    `seed_table(run, {"plain": ["plain-0", "plain-1", "plain-2"]})`
    """
    import pandas as pd

    lines = []
    for arm, models in arms.items():
        table = score_table(run, list(models), split, metrics)
        table = table[table["part"] == "overall"]
        for metric in metrics:
            chosen = table[table["metric"] == metric]
            if len(chosen):
                found = over_seeds(chosen["value"].tolist())
                lines.append({"arm": arm, "metric": metric, "value": found["value"], "sd": found["sd"], "low": found["low"], "high": found["high"],
                              "seeds": found["n"], "n": int(chosen["n"].min())})
    return pd.DataFrame(lines, columns=["arm", "metric", "value", "sd", "low", "high", "seeds", "n"])
