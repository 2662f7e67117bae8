"""Scores of predictions: strict, with n and an interval on each. Run with `python -m biotool_lib.evaluation --run runs/laptop`.

Exact match compares canonical calls. API success is an outcome `ok`, never a mere HTTP status. The BioTool Score is 1 on an
exact match, else the cosine of the two responses' encodings where both calls were answered, else 0. A gold call that is not
answered is unscorable and counted apart. The published rules are in `evaluation.published`:
`python -m biotool_lib.evaluation published FILE…`.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..calls import call_id, run_client
from ..common.encoders import DEFAULT, check_encoder, similarity, weights
from ..common.runner import Run, dumps, write_atomically
from ..gateway import Client
from .answers import FILE, TRANSIENT, Answers, answer, drift, execute, known_answers
from .compare import ERRORS, Parts, agreement, compare_row, identifiers, settle
from .tables import (
    METRICS,
    MORE,
    breakdown,
    by_function,
    compare_models,
    confusion,
    error_table,
    forms,
    no_call_table,
    score_table,
    seed_table,
    tabulate,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "ERRORS", "METRICS", "MORE", "Parts", "Scores", "agreement", "breakdown", "by_function", "compare_models", "confusion", "drift", "error_table",
    "evaluate", "forms", "identifiers", "no_call_table", "response_text", "score", "score_table", "seed_table", "settle", "tabulate",
]


@dataclass(frozen=True)
class Scores:
    """`rows`: one result per question; `table`: one line per metric and part (database or overall)."""

    rows: pd.DataFrame
    table: pd.DataFrame


def response_text(summary: Any) -> str:
    """The text of a response that is encoded: its summary as indented JSON, as the reference writes it."""
    return "" if summary is None else json.dumps(summary, ensure_ascii=False, indent=2, sort_keys=True)


def score(predictions: Iterable[Mapping[str, Any]], gold: Iterable[Mapping[str, Any]], client: Client, *,
          encoder: str = DEFAULT, seed: int = 0, progress: bool | None = None,
          answers: dict[str, Any] | None = None) -> Scores:
    """Score predictions (`id` and `call`, or `id` and `text`) against dataset rows (`id`, `group`, `call`, `observation`, `database`).

    Gold responses are the frozen ones of the dataset; only predicted calls that differ are executed, each distinct call
    once (`answers` may be shared between models). Returns Scores; a missing prediction counts as wrong.
    Raises InvalidParameter for an unknown encoder and MissingEncoder where its weights are not on this machine.
    Example: `score(run.read("predictions/laptop.jsonl"), run.read("dataset/test.jsonl"), Client())`
    """
    known: Answers = {} if answers is None else answers

    def ask(calls: Mapping[str, Mapping[str, Any]]) -> Answers:
        def keep(name: str, seen: Any) -> None:
            known[name] = {"outcome": seen.outcome, "summary": seen.summary}

        execute({name: call for name, call in calls.items() if name not in known}, client, keep, progress=progress)
        return known

    frame = _score_all({"": predictions}, list(gold), ask, encoder, seed)[""]
    return Scores(frame, tabulate(frame, encoder, seed))


def _score_all(predictions: Mapping[str, Iterable[Any]], gold: Sequence[Mapping[str, Any]],
               ask: Callable[[Mapping[str, Mapping[str, Any]]], Answers], encoder: str, seed: int, store: Path | None = None) -> dict[str, pd.DataFrame]:
    """One table of rows a model; calls are asked, responses read and texts encoded once over all models."""
    import pandas as pd

    rows: dict[str, list[dict[str, Any]]] = {}
    for model, lines in predictions.items():
        predicted = {p["id"]: p for p in lines if isinstance(p, Mapping) and isinstance(p.get("id"), str)}
        rows[model] = [compare_row(row, predicted.get(row["id"])) for row in gold]
    wanted = {call_id(row["call"]): row["call"] for found in rows.values() for row, target in zip(found, gold, strict=True) if _differs(row, target)}
    answers = ask(wanted)
    texts, parts = [response_text(target["observation"]) for target in gold], [Parts.of(target["observation"]) for target in gold]
    texts_of, parts_of = {n: response_text(answers[n]["summary"]) for n in wanted}, {n: Parts.of(answers[n]["summary"]) for n in wanted}
    pairs = [([found[i] for found in rows.values()], "biotool_null", texts[i], texts[j]) for i, j in _strangers(gold, seed).items()]
    for found in rows.values():
        for i, (row, target) in enumerate(zip(found, gold, strict=True)):
            row |= _answered(row, target, answers)
            if row["api_success"] and not row["exact_match"]:
                name = call_id(row["call"])
                pairs.append(([row], "biotool_score", texts_of[name], texts[i]))
                row |= agreement(parts[i], parts_of[name])
            elif row["api_success"] is not None and row["scorable"]:
                can = agreement(parts[i], parts[i])  # 1, or None where there is nothing to agree on
                row |= {metric: None if value is None else float(row["exact_match"]) for metric, value in can.items()}
    cosines = similarity([left for _, _, left, _ in pairs], [right for *_, right in pairs], encoder, store)
    for (having, metric, _, _), cosine in zip(pairs, cosines, strict=True):
        for row in having:
            row[metric] = float(cosine)
    frames = {model: pd.DataFrame(found) for model, found in rows.items()}
    for frame in frames.values():
        frame["call"] = [None if c is None else dumps(c) for c in frame["call"]]
    return frames


def _differs(row: Mapping[str, Any], target: Mapping[str, Any]) -> bool:
    return row["call"] is not None and not row["exact_match"] and target["call"] is not None


def _answered(row: Mapping[str, Any], target: Mapping[str, Any], answers: Answers) -> dict[str, Any]:
    nothing = {"biotool_null": None, "identifier_f1": None, "value_agreement": None}
    if target["call"] is None:
        return {"outcome": None, "api_success": None, "biotool_score": None, **nothing}
    if row["exact_match"]:
        return {"outcome": "ok", "api_success": True, "biotool_score": 1.0, **nothing}
    if row["call"] is None:
        return {"outcome": "invalid_arguments", "api_success": False, "biotool_score": 0.0, **nothing}
    outcome = answers[call_id(row["call"])]["outcome"]
    return {"outcome": outcome, "api_success": outcome == "ok", "biotool_score": 0.0, **nothing}


def _strangers(gold: Sequence[Mapping[str, Any]], seed: int) -> dict[int, int]:
    """For each row another one of the same function and another call, drawn at random: what a score is worth that knows the function only."""
    by_function: dict[str, list[int]] = {}
    for i, row in enumerate(gold):
        if row["call"] is not None and row["observation"] is not None:
            by_function.setdefault(row["function"], []).append(i)
    chosen = {}
    for function in sorted(by_function):
        rng, places = random.Random(f"{seed}:{function}"), by_function[function]
        for i in places:
            others = [j for j in places if gold[j]["group"] != gold[i]["group"]]
            if others:
                chosen[i] = rng.choice(others)
    return chosen


def evaluate(run: Run, models: list[str], split: str = "test", encoder: str = DEFAULT, client: Client | None = None,
             progress: bool | None = None, retry: bool = False) -> pd.DataFrame:
    """Score every model's predictions of a split into scores.json and evaluation/<model>.jsonl; returns the table of `METRICS`.

    Answers are kept in evaluation/answers.jsonl as they come: killed, the same command goes on; finished, it makes no call, unless
    `retry` asks those again that the service failed to answer (`transient` in scores.json).
    `score_table(run, metrics=METRICS + MORE)` has every metric. Raises MissingArtefact, InvalidParameter (encoder) and MissingEncoder.
    Example: `evaluate(Run("runs/laptop"), ["untrained", "retrieval", "laptop"])`
    """
    reads = [f"dataset/{split}.jsonl"] + [f"predictions/{m}.jsonl" for m in models]
    writes = ["scores.json", FILE] + [f"evaluation/{m}.jsonl" for m in models]
    settings = {"models": models, "split": split, "encoder": check_encoder(encoder)}
    stage = run.stage("evaluation", reads=reads, writes=writes, settings=settings)
    if not stage.done or (retry and any(row["outcome"] in TRANSIENT for row in known_answers(run).values())):
        service, gold, executed = client or run_client(run), run.read(f"dataset/{split}.jsonl"), [0]

        def ask(calls: Mapping[str, Mapping[str, Any]]) -> Answers:
            answers, executed[0] = answer(run, calls, service, progress, retry)
            return answers

        predictions = {model: run.read(f"predictions/{model}.jsonl") for model in models}
        frames = _score_all(predictions, gold, ask, encoder, run.seed, run.path / ".encodings.sqlite")
        menus, scores = {model: _menu(run, model) for model in models}, {}
        for model, frame in frames.items():
            frame.loc[:, "menu_size"] = frame["menu_size"] if menus[model] not in (None, "none") else 0
            run.write(f"evaluation/{model}.jsonl", json.loads(frame.to_json(orient="records", double_precision=12)))
            scores[model] = {split: _nested(tabulate(frame, encoder, run.seed), frame)}
        stamp = {"encoder": encoder, "encoder_weights": weights(encoder), "backend": run.manifest["backend"], "menu": menus}
        write_atomically(run.path / "scores.json", json.dumps({**scores, "_settings": stamp}, indent=1, sort_keys=True) + "\n")
        stage.finish(len(gold) * len(models), executed=executed[0])
    return score_table(run, models, split)


def _menu(run: Run, model: str) -> str | None:
    """The menu of tools that stood in a model's prompts, from its recipe; None for a baseline without a prompt."""
    recipe = run.path / "models" / model / "recipe.json"
    return json.loads(recipe.read_text(encoding="utf-8"))["menu"] if recipe.is_file() else None


def _nested(table: pd.DataFrame, rows: pd.DataFrame) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for line in table.to_dict("records"):
        values = {key: line[key] for key in ("value", "n", "low", "high")}
        if line["part"] == "overall":
            nested[line["metric"]] = values
        else:
            nested.setdefault("by_database", {}).setdefault(line["part"], {})[line["metric"]] = values
    nested["unscorable"] = int(table["unscorable"].max())
    nested["transient"] = int(rows["outcome"].isin(TRANSIENT).sum())
    return nested
