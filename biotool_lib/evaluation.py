"""Scores of predictions: strict, with n and an interval on each. Run with `python -m biotool_lib.evaluation --run runs/laptop`.

Exact match compares canonical calls. API success is an outcome `ok`, never a mere HTTP status. The BioTool Score is 1 on an
exact match, else the cosine of the two responses' encodings where both calls were answered, else 0. A gold call that is not
answered is unscorable and counted apart.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .calls import call_id, run_client
from .catalogue import InvalidArguments, canonical
from .common.encoders import DEFAULT, similarity
from .common.runner import Run, dumps, track, write_atomically
from .common.stats import bootstrap
from .gateway import Client

if TYPE_CHECKING:
    import pandas as pd

METRICS = ("exact_match", "api_success", "biotool_score", "function_match", "schema_valid")


@dataclass(frozen=True)
class Scores:
    """`rows`: one result per question; `table`: one line per metric and part (database or overall)."""

    rows: pd.DataFrame
    table: pd.DataFrame


def settle(call: Any) -> tuple[dict[str, Any] | None, str | None]:
    """A predicted call in canonical form, or None and why not; never raises, whatever a model wrote."""
    if call is None:
        return None, "no call"
    if not isinstance(call, Mapping) or not isinstance(call.get("name"), str):
        return None, "not a call"
    try:
        return canonical(call["name"], call.get("arguments")), None
    except InvalidArguments as wrong:
        return None, str(wrong)[:300]
    except RecursionError:
        return None, "nested too deeply"


def response_text(summary: Any) -> str:
    """The text of a response that is encoded: its summary as indented JSON, as the reference writes it."""
    return "" if summary is None else json.dumps(summary, ensure_ascii=False, indent=2, sort_keys=True)


def score(predictions: Iterable[Mapping[str, Any]], gold: Iterable[Mapping[str, Any]], client: Client, *,
          encoder: str = DEFAULT, seed: int = 0, progress: bool | None = None,
          answers: dict[str, Any] | None = None) -> Scores:
    """Score predictions (`id`, `call`) against dataset rows (`id`, `group`, `call`, `observation`, `database`).

    Gold responses are the frozen ones of the dataset; only predicted calls that differ are executed, each distinct call
    once (`answers` may be shared between models). Returns Scores; a missing prediction counts as no call.
    Example: `score(run.read("predictions/laptop.jsonl"), run.read("dataset/test.jsonl"), Client())`
    """
    import pandas as pd

    gold, answers = list(gold), {} if answers is None else answers
    predicted = {p["id"]: p for p in predictions}
    rows = [_compare(row, predicted.get(row["id"], {})) for row in gold]
    distinct = {call_id(r["call"]): r["call"] for r in rows if r["call"] is not None and not r["exact_match"]}
    for name in track([name for name in sorted(distinct) if name not in answers], "answers", progress):
        seen = client.call(distinct[name]["name"], distinct[name]["arguments"])
        answers[name] = {"outcome": seen.outcome, "summary": seen.summary}
    left, right, pairs = [], [], []
    for row, target in zip(rows, gold, strict=True):
        row |= _answered(row, answers)
        if not row["exact_match"] and row["api_success"]:
            pairs.append(row)
            left.append(response_text(answers[call_id(row["call"])]["summary"]))
            right.append(response_text(target["observation"]))
    for row, cosine in zip(pairs, similarity(left, right, encoder), strict=True):
        row["biotool_score"] = float(cosine)
    frame = pd.DataFrame(rows)
    frame["call"] = [None if c is None else dumps(c) for c in frame["call"]]
    return Scores(frame, tabulate(frame, encoder, seed))


def _compare(row: Mapping[str, Any], predicted: Mapping[str, Any]) -> dict[str, Any]:
    call, problem = settle(predicted.get("call"))
    raw = predicted.get("call")
    name = raw.get("name") if isinstance(raw, Mapping) else None
    right = settle(row["call"])[0]
    return {
        "id": row["id"], "group": row["group"], "database": row["database"], "function": row["function"],
        "subfield": row["subfield"], "question": row["question"], "gold": dumps(row["call"]), "call": call,
        "form": predicted.get("form", "none"), "problem": problem, "scorable": right is not None and row["observation"] is not None,
        "exact_match": call is not None and call == right, "schema_valid": call is not None,
        "function_match": name == row["function"] if isinstance(name, str) else False,
    }


def _answered(row: Mapping[str, Any], answers: Mapping[str, Any]) -> dict[str, Any]:
    if row["exact_match"]:
        return {"outcome": "ok", "api_success": True, "biotool_score": 1.0}
    if row["call"] is None:
        return {"outcome": "invalid_arguments", "api_success": False, "biotool_score": 0.0}
    outcome = answers[call_id(row["call"])]["outcome"]
    return {"outcome": outcome, "api_success": outcome == "ok", "biotool_score": 0.0}


def tabulate(rows: pd.DataFrame, encoder: str = DEFAULT, seed: int = 0) -> pd.DataFrame:
    """Metrics with n and 95 % bootstrap intervals (by call), overall and per database; unscorable rows apart."""
    import pandas as pd

    scorable, lines = rows[rows["scorable"]], []
    parts = [("overall", scorable)] + [(db, scorable[scorable["database"] == db]) for db in sorted(rows["database"].unique())]
    for part, chosen in parts:
        for metric in METRICS:
            interval = bootstrap(chosen[metric].astype(float).tolist(), chosen["group"].tolist(), seed=seed)
            lines.append({"part": part, "metric": metric, **interval, "encoder": encoder if metric == "biotool_score" else None,
                          "unscorable": int((~rows["scorable"]).sum())})
    return pd.DataFrame(lines)


def evaluate(run: Run, models: list[str], split: str = "test", encoder: str = DEFAULT, client: Client | None = None,
             progress: bool | None = None) -> pd.DataFrame:
    """Score every model's predictions of a split into scores.json and evaluation/<model>.jsonl; returns the table.

    Example: `evaluate(Run("runs/laptop"), ["untrained", "retrieval", "laptop"])`
    """
    reads = [f"dataset/{split}.jsonl"] + [f"predictions/{m}.jsonl" for m in models]
    writes = ["scores.json"] + [f"evaluation/{m}.jsonl" for m in models]
    stage = run.stage("evaluation", reads=reads, writes=writes, settings={"models": models, "split": split, "encoder": encoder})
    if not stage.done:
        client, gold = client or run_client(run), run.read(f"dataset/{split}.jsonl")
        answers: dict[str, Any] = {}
        scores: dict[str, Any] = {}
        for model in models:
            result = score(run.read(f"predictions/{model}.jsonl"), gold, client, encoder=encoder, seed=run.seed, progress=progress, answers=answers)
            run.write(f"evaluation/{model}.jsonl", json.loads(result.rows.to_json(orient="records")))
            scores[model] = {split: _nested(result.table)}
        settings = {"encoder": encoder, "backend": run.manifest["backend"], "menu": {model: _menu(run, model) for model in models}}
        write_atomically(run.path / "scores.json", json.dumps({**scores, "_settings": settings}, indent=1, sort_keys=True) + "\n")
        stage.finish(len(gold) * len(models), executed=len(answers))
    return score_table(run, models, split)


def _menu(run: Run, model: str) -> str | None:
    """The menu of tools that stood in a model's prompts, from its recipe; None for a baseline without a prompt."""
    recipe = run.path / "models" / model / "recipe.json"
    return json.loads(recipe.read_text(encoding="utf-8"))["menu"] if recipe.is_file() else None


def _nested(table: pd.DataFrame) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for line in table.to_dict("records"):
        values = {key: line[key] for key in ("value", "n", "low", "high")}
        if line["part"] == "overall":
            nested[line["metric"]] = values
        else:
            nested.setdefault("by_database", {}).setdefault(line["part"], {})[line["metric"]] = values
    nested["unscorable"] = int(table["unscorable"].max())
    return nested


def score_table(run: Run, models: list[str] | None = None, split: str = "test") -> pd.DataFrame:
    """The run's scores as one table: model, part, metric, value, low, high, n."""
    import pandas as pd

    scores = json.loads((run.path / "scores.json").read_text(encoding="utf-8"))
    lines = []
    for model in models or [m for m in scores if not m.startswith("_")]:
        found = scores[model][split]
        for part, metrics in [("overall", found), *found.get("by_database", {}).items()]:
            lines += [{"model": model, "part": part, "metric": m, **{k: metrics[m][k] for k in ("value", "low", "high", "n")}}
                      for m in METRICS if m in metrics]
    return pd.DataFrame(lines)


def by_function(run: Run, model: str) -> pd.DataFrame:
    """Exact match of one model per function, with n: what it has learned and what it has not."""
    import pandas as pd

    rows = pd.DataFrame(run.read(f"evaluation/{model}.jsonl"))
    grouped = rows.groupby(["database", "function"]).agg(n=("id", "size"), exact_match=("exact_match", "mean"), function_match=("function_match", "mean"))
    return grouped.round(3).reset_index().sort_values(["exact_match", "n"], ascending=[True, False])


if __name__ == "__main__":
    import sys

    from biotool_lib.road import main

    sys.exit(main(stage="evaluation"))
