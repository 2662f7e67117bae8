"""Scores of predictions: strict, with n and an interval on each. Run with `python -m biotool_lib.evaluation --run runs/laptop`.

Exact match compares canonical calls. API success is an outcome `ok`, never a mere HTTP status. The BioTool Score is 1 on an
exact match, else the cosine of the two responses' encodings where both calls were answered, else 0. A gold call that is not
answered is unscorable and counted apart. The published rules are in `evaluation.published`:
`python -m biotool_lib.evaluation published FILE…`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..calls import run_client
from ..common.encoders import DEFAULT, check_encoder, weights
from ..common.runner import Run, write_atomically
from ..gateway import Client
from .answers import TRANSIENT, Answers, answer, answer_of, drift, execute, known_answers, response_text
from .baselines import arms, hosted, in_context, menu_curve, menu_of, predict_all
from .compare import ERRORS, Parts, agreement, identifiers, settle
from .distance import DISTANCES, HEADLINE, place, read_split, trained_on
from .inverse import grammar
from .reading import gallery, ranking, say_ranking
from .rows import score_all
from .tables import (
    METRICS,
    MORE,
    PUBLISHED,
    breakdown,
    by_function,
    compare_models,
    confusion,
    distance_table,
    error_table,
    forms,
    no_call_table,
    published_gap,
    read_rows,
    score_table,
    scores_file,
    seed_table,
    summary,
    tabulate,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "DISTANCES", "ERRORS", "HEADLINE", "METRICS", "MORE", "PUBLISHED", "Parts", "Scores", "agreement", "arms", "breakdown", "by_function",
    "compare_models", "confusion", "distance_table", "drift", "error_table", "evaluate", "forms", "gallery", "grammar", "hosted", "identifiers",
    "in_context", "menu_curve", "menu_of", "no_call_table", "predict_all", "published_gap", "ranking", "read_rows", "read_split", "response_text",
    "say_ranking", "score", "score_table", "seed_table", "settle", "tabulate",
]


@dataclass(frozen=True)
class Scores:
    """`rows`: one result per question; `table`: one line per metric and part (database or overall)."""

    rows: pd.DataFrame
    table: pd.DataFrame


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
            known[name] = answer_of(seen)

        execute({name: call for name, call in calls.items() if name not in known}, client, keep, progress=progress)
        return known

    rows = list(gold)
    frame = score_all({"": predictions}, rows, place(rows), ask, encoder, seed)[""]
    return Scores(frame, tabulate(frame, encoder, seed))


def evaluate(run: Run, models: list[str], split: str = "test", encoder: str = DEFAULT, client: Client | None = None,
             progress: bool | None = None, retry: bool = False) -> pd.DataFrame:
    """Score every model's predictions of a split into scores.json and evaluation/<model>.jsonl; returns the table of `METRICS`.

    With the test split those authored questions are scored that a model predicted (predictions/<model>-authored.jsonl); they, and all
    others that are no ordinary unseen calls, stand apart (`distance_table`). Of another split, such as function-test, the predictions are
    predictions/<model>-<split>.jsonl and the scores scores-<split>.json. Answers are kept in evaluation/answers.jsonl as they come:
    killed, the same command goes on; finished, it makes no call, unless `retry` asks those again that the service failed to answer
    (`transient` in scores.json). `score_table(run, metrics=METRICS + MORE)` has every metric. Raises MissingArtefact, InvalidParameter
    (encoder) and MissingEncoder. Example: `evaluate(Run("runs/laptop"), ["untrained", "retrieval", "laptop"])`
    """
    mark = "" if split == "test" else f"-{split}"
    files = {model: [f"predictions/{model}{mark}.jsonl"] for model in models}
    gold = read_split(run, split)
    authored = run.read("dataset/authored.jsonl") if split == "test" and (run.path / "dataset/authored.jsonl").is_file() else []
    for model in models if authored else ():
        if (run.path / f"predictions/{model}-authored.jsonl").is_file():
            files[model].append(f"predictions/{model}-authored.jsonl")
    reads = [name for name in ("dataset/train.jsonl", "dataset/test.jsonl", "dataset/validation.jsonl", "dataset/authored.jsonl", "calls.jsonl")
             if (run.path / name).is_file()] + [name for listed in files.values() for name in listed]
    written = scores_file(split)
    settings = {"models": models, "split": split, "encoder": check_encoder(encoder)}
    stage = run.stage("evaluation" + mark, reads=reads, writes=[written, *(f"evaluation/{m}{mark}.jsonl" for m in models)], settings=settings)
    if not stage.done or (retry and any(row["outcome"] in TRANSIENT for row in known_answers(run).values())):
        service, executed = client or run_client(run), [0]

        def ask(calls: Mapping[str, Mapping[str, Any]]) -> Answers:
            answers, executed[0] = answer(run, calls, service, progress, retry)
            return answers

        predictions = {model: [line for name in listed for line in run.read(name)] for model, listed in files.items()}
        rows = [*gold, *authored]
        places = place(rows, [row["id"] for row in authored], trained_on(run, split))
        frames = score_all(predictions, rows, places, ask, encoder, run.seed, run.path / ".encodings.sqlite")
        menus, scores = {model: menu_of(run, model) for model in models}, {}
        for model, frame in frames.items():
            if menus[model] in (None, "none"):
                frame.loc[:, "menu_size"] = 0
            run.write(f"evaluation/{model}{mark}.jsonl", json.loads(frame.to_json(orient="records", double_precision=12)))
            scores[model] = {split: summary(frame, encoder, run.seed)}
        stamp = {"encoder": encoder, "encoder_weights": weights(encoder), "backend": run.manifest["backend"], "menu": menus, "headline": HEADLINE}
        write_atomically(run.path / written, json.dumps({**scores, "_settings": stamp}, indent=1, sort_keys=True) + "\n")
        stage.finish(sum(map(len, frames.values())), executed=executed[0])
    return score_table(run, models, split)

