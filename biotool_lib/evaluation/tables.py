"""Tables over scored rows. Every line has its n and, for a mean, an interval from whole calls drawn with replacement."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..common.encoders import DEFAULT
from ..common.runner import Run
from ..common.stats import bootstrap_columns, mcnemar, over_seeds, paired_bootstrap, smallest_difference
from ..errors import InvalidParameter, MissingArtefact, Problem, did_you_mean
from .answers import TRANSIENT
from .compare import ERRORS
from .distance import DISTANCES, at

if TYPE_CHECKING:
    import pandas as pd

METRICS = ("exact_match", "api_success", "biotool_score", "function_match", "schema_valid")
# biotool_null: the mean similarity of two responses of the same function to different calls; what a BioTool Score is to be held against.
MORE = ("biotool_null", "argument_f1", "identifier_f1", "value_agreement", "no_call_precision", "no_call_recall")
# The same three by the rules of the published evaluation code, for comparison (book/honesty.md).
PUBLISHED = ("published_exact_match", "published_api_success", "published_biotool_score")
ALL = (*METRICS, *MORE, *PUBLISHED)
GROUPS = {"database": "database", "group": "tool_group", "function": "function", "subfield": "subfield", "menu_size": "menu_size",
          "form": "form", "phrasing": "phrasing", "style": "style", "predicted_function": "predicted_function", "error": "error"}


def tabulate(rows: pd.DataFrame, encoder: str = DEFAULT, seed: int = 0) -> pd.DataFrame:
    """All metrics of the headline's rows with n and 95 % bootstrap intervals (by call), overall and per database; unscorable rows apart.

    A metric that no row of a part can have is left out.
    """
    import pandas as pd

    rows = rows[rows["headline"]]
    scorable, lines = rows[rows["scorable"]], []
    parts = [("overall", scorable)] + [(db, scorable[scorable["database"] == db]) for db in sorted(rows["database"].dropna().unique())]
    for part, chosen in parts:
        for metric, interval in _intervals(chosen, ALL, seed).items():
            if interval["n"] or metric in METRICS:
                lines.append({"part": part, "metric": metric, **interval, "encoder": encoder if "biotool_" in metric else None,
                              "unscorable": int((~rows["scorable"] & ~rows["not_run"]).sum())})
    return pd.DataFrame(lines)


def summary(rows: pd.DataFrame, encoder: str, seed: int) -> dict[str, Any]:
    """What scores.json says of one model: the headline's metrics, by database, by distance from training, and what was not counted."""
    table = tabulate(rows, encoder, seed)
    found: dict[str, Any] = {}
    for line in table.to_dict("records"):
        values = {key: line[key] for key in ("value", "n", "low", "high")}
        if line["part"] == "overall":
            found[line["metric"]] = values
        else:
            found.setdefault("by_database", {}).setdefault(line["part"], {})[line["metric"]] = values
    for distance in DISTANCES:
        chosen = at(rows, distance)
        if len(chosen):
            metrics = _intervals(chosen[chosen["scorable"]], ALL, seed)
            found.setdefault("by_distance", {})[distance] = {metric: values for metric, values in metrics.items() if values["n"]}
    return {**found, "unscorable": int(table["unscorable"].max()), "not_run": int(rows["not_run"].sum()),
            "transient": int(rows["outcome"].isin(TRANSIENT).sum())}


def scores_file(split: str) -> str:
    """The artefact that holds the scores of a split."""
    return "scores.json" if split == "test" else f"scores-{split}.json"


def read_scores(run: Run, split: str = "test") -> dict[str, Any]:
    """The scores of a split as they were written; raises MissingArtefact before the evaluation."""
    path = run.path / scores_file(split)
    if not path.is_file():
        raise MissingArtefact(f"{path} is not there yet: evaluate the run first")
    return json.loads(path.read_text(encoding="utf-8"))


def _intervals(rows: pd.DataFrame, metrics: Sequence[str], seed: int) -> dict[str, Any]:
    columns = {metric: rows[metric].astype(float).to_numpy() for metric in metrics}
    return bootstrap_columns(columns, rows["group"].to_numpy(), seed=seed)


def score_table(run: Run, models: list[str] | None = None, split: str = "test", metrics: Sequence[str] = METRICS) -> pd.DataFrame:
    """The run's scores as one table: model, part, metric, value, low, high, n.

    They are those of the headline: ordinary unseen calls in phrasings of training. `metrics` may name any of METRICS, MORE and PUBLISHED.
    Raises InvalidParameter for another one. Example: `score_table(run, metrics=("biotool_score", "biotool_null"))`
    """
    import pandas as pd

    _known("score_table", "metrics", metrics, ALL)
    scores, lines = read_scores(run, split), []
    for model in models or [m for m in scores if not m.startswith("_")]:
        found = scores[model][split]
        for part, values in [("overall", found), *found.get("by_database", {}).items()]:
            lines += [{"model": model, "part": part, "metric": m, **{k: values[m][k] for k in ("value", "low", "high", "n")}}
                      for m in metrics if m in values]
    return pd.DataFrame(lines, columns=["model", "part", "metric", "value", "low", "high", "n"])


def distance_table(run: Run, models: Sequence[str] | None = None, metrics: Sequence[str] = ("exact_match",), split: str = "test") -> pd.DataFrame:
    """Scores by distance from training: model, distance, metric, value, low, high, n; nearest first, what no row measures is left out.

    Authored questions are never among the test's. `unseen entity` is a part of `unseen call`, the headline.
    Raises MissingArtefact for scores that a version before this one wrote. Example: `distance_table(run, ["laptop"])`
    """
    import pandas as pd

    _known("distance_table", "metrics", metrics, ALL)
    scores, lines = read_scores(run, split), []
    for model in models or [m for m in scores if not m.startswith("_")]:
        if "by_distance" not in scores[model][split]:
            raise MissingArtefact(f"{run.path / scores_file(split)} does not tell distances apart: it was made by an earlier version, evaluate again")
        for distance in DISTANCES:
            found = scores[model][split]["by_distance"].get(distance, {})
            lines += [{"model": model, "distance": distance, "metric": m, **{k: found[m][k] for k in ("value", "low", "high", "n")}}
                      for m in metrics if m in found]
    return pd.DataFrame(lines, columns=["model", "distance", "metric", "value", "low", "high", "n"])


def published_gap(run: Run, models: Sequence[str] | None = None, split: str = "test") -> pd.DataFrame:
    """The published rules beside the strict ones on the same predictions: model, metric, rules, value, low, high, n.

    Example: `published_gap(run, ["retrieval", "laptop"])`
    """
    table = score_table(run, None if models is None else list(models), split, (*METRICS[:3], *PUBLISHED))
    table = table[table["part"] == "overall"].drop(columns="part")
    table.insert(2, "rules", ["published" if metric in PUBLISHED else "strict" for metric in table["metric"]])
    return table.assign(metric=table["metric"].str.removeprefix("published_")).reset_index(drop=True)


def _known(where: str, name: str, given: Sequence[str], known: Sequence[str]) -> None:
    problems = [Problem(name, word, did_you_mean(word, known)) for word in given if word not in known]
    if problems:
        raise InvalidParameter(where, problems)


def read_rows(run: Run, model: str, distance: str | None = None) -> pd.DataFrame:
    """The scored rows of one model at one distance from training, by default those of the headline.

    Raises MissingArtefact before the evaluation, or where it was made by an earlier version. Example: `read_rows(run, "laptop", "authored")`
    """
    import pandas as pd

    if distance is not None:
        _known("read_rows", "distance", [distance], DISTANCES)
    rows = pd.DataFrame(run.read(f"evaluation/{model}.jsonl"))
    if "headline" not in rows:
        raise MissingArtefact(f"evaluation/{model}.jsonl does not tell distances apart: it was made by an earlier version, evaluate again")
    return rows[rows["headline"]] if distance is None else at(rows, distance)


def breakdown(run: Run, model: str, by: str = "database", metrics: Sequence[str] = ("exact_match",)) -> pd.DataFrame:
    """A model's scorable rows by database, group, function, subfield, menu_size, form, phrasing, style, predicted_function or error.

    Columns: `by`, metric, value, low, high, n (rows), calls, detectable: the smallest difference between two shares that so many calls
    for each would show with a power of 80 %; a small category has a large one. `menu_size` is 0 where no menu stood in the prompt.
    Raises InvalidParameter for another `by` or metric. Example: `breakdown(run, "laptop", by="subfield")`
    """
    import pandas as pd

    _known("breakdown", "by", [by], tuple(GROUPS))
    _known("breakdown", "metrics", metrics, ALL)
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
    rows = read_rows(run, model).copy()
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


def confusion(run: Run, model: str, distance: str | None = None) -> pd.DataFrame:
    """Which function was called in whose place: function, predicted_function, n, most frequent first; right ones are left out."""
    rows = read_rows(run, model, distance)
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


def compare_models(run: Run, first: str, second: str, metric: str = "exact_match", distance: str | None = None) -> dict[str, Any]:
    """The second model beside the first, row by row on the same questions: difference with interval and p, and McNemar's test for
    metrics that are true or false. The questions are those of the headline, or of a `distance` from training.

    Returns {metric, difference, low, high, p, n, calls, mcnemar: {only_first, only_second, n, p} or None}. Raises InvalidParameter for an
    unknown metric and ValueError where the two were not scored on the same questions. Example: `compare_models(run, "retrieval", "laptop")`
    """
    _known("compare_models", "metric", [metric], ALL)
    a, b = (read_rows(run, model, distance).set_index("id") for model in (first, second))
    if list(a.index) != list(b.index):
        raise ValueError(f"{first} and {second} were not scored on the same questions: score them in one evaluation")
    both_can = a["scorable"] & b["scorable"]
    a, b = a[both_can], b[both_can]
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
