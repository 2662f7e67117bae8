"""Scored rows: every prediction beside its gold call by the strict rules, and by the published ones in columns of their own."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..calls import call_id
from ..common.encoders import similarity
from ..common.runner import dumps
from . import published
from .answers import Answers, response_text
from .compare import Parts, agreement, compare_row, settle
from .distance import AUTHORED

if TYPE_CHECKING:
    import pandas as pd

Gold = Sequence[Mapping[str, Any]]
_NOTHING = {"biotool_null": None, "identifier_f1": None, "value_agreement": None}


def score_all(predictions: Mapping[str, Iterable[Any]], gold: Gold, places: Sequence[Mapping[str, Any]],
              ask: Callable[[Mapping[str, Mapping[str, Any]]], Answers], encoder: str, seed: int, store: Path | None = None) -> dict[str, pd.DataFrame]:
    """One table of rows a model; calls are asked, responses read and texts encoded once over all models.

    `places` says how far each gold row is from training. A model that predicted none of the authored rows has no lines for them.
    """
    import pandas as pd

    rows: dict[str, dict[int, dict[str, Any]]] = {}
    literal: dict[str, dict[int, tuple[bool, str | None]]] = {}  # by the published rules: an exact match, and the id of the call
    wanted: dict[str, Mapping[str, Any]] = {}
    for model, lines in predictions.items():
        predicted = {p["id"]: p for p in lines if isinstance(p, Mapping) and isinstance(p.get("id"), str)}
        authored = any(place["distance"] == AUTHORED and row["id"] in predicted for row, place in zip(gold, places, strict=True))
        rows[model], literal[model] = {}, {}
        for i, (target, place) in enumerate(zip(gold, places, strict=True)):
            if place["distance"] == AUTHORED and not authored:
                continue
            row = rows[model][i] = {**compare_row(target, predicted.get(target["id"])), **place}
            literal[model][i], calls = _by_published_rules(target, predicted.get(target["id"]))
            if _differs(row, target):
                calls[call_id(row["call"])] = row["call"]
            wanted |= calls
    answers = ask(wanted)
    texts, parts = [response_text(target["observation"]) for target in gold], [Parts.of(target["observation"]) for target in gold]
    texts_of, parts_of = {n: response_text(answers[n]["summary"]) for n in wanted}, {n: Parts.of(answers[n]["summary"]) for n in wanted}
    names = [None if target["call"] is None else call_id(target["call"]) for target in gold]
    pairs: list[tuple[list[dict[str, Any]], str, str, str]] = []
    for i, j in _strangers(gold, seed).items():
        pairs.append(([found[i] for found in rows.values() if i in found], "biotool_null", texts[i], texts[j]))
    for model, found in rows.items():
        for i, row in found.items():
            target = gold[i]
            row |= _answered(row, target, answers)
            if row["api_success"] and not row["exact_match"]:
                name = call_id(row["call"])
                pairs.append(([row], "biotool_score", texts_of[name], texts[i]))
                row |= agreement(parts[i], parts_of[name])
            elif row["api_success"] is not None and row["scorable"]:
                can = agreement(parts[i], parts[i])  # 1, or None where there is nothing to agree on
                row |= {metric: None if value is None else float(row["exact_match"]) for metric, value in can.items()}
            exact, asked = literal[model][i]
            said = None if asked is None else texts[i] if asked == names[i] else texts_of[asked] or answers[asked].get("body")
            row |= _published(target, exact, said, texts[i])
            if row["published_api_success"] and not exact and said:
                pairs.append(([row], "published_biotool_score", said, texts[i]))
    cosines = similarity([left for _, _, left, _ in pairs], [right for *_, right in pairs], encoder, store)
    for (having, metric, _, _), cosine in zip(pairs, cosines, strict=True):
        for row in having:
            row[metric] = float(cosine)
    frames = {model: pd.DataFrame(list(found.values())) for model, found in rows.items()}
    for frame in frames.values():
        frame["call"] = [None if c is None else dumps(c) for c in frame["call"]]
    return frames


def _differs(row: Mapping[str, Any], target: Mapping[str, Any]) -> bool:
    return row["call"] is not None and not row["exact_match"] and target["call"] is not None


def _by_published_rules(target: Mapping[str, Any], predicted: Mapping[str, Any] | None) -> tuple[tuple[bool, str | None], dict[str, Mapping[str, Any]]]:
    """Whether it is a literal match, the id of the call that the published extraction finds, and that call where it has to be made.

    What our catalogue refuses is a call that failed: the published wrappers raise on most of it.
    """
    if target["call"] is None or predicted is None:
        return (False, None), {}
    found = published.extract(predicted["text"]) if "text" in predicted else predicted.get("call")
    exact, call = published.exact_match(found, target["call"]), settle(found)[0]
    if exact or call is None:
        return (exact, None), {}
    name = call_id(call)
    return (False, name), {} if name == call_id(target["call"]) else {name: call}


def _published(target: Mapping[str, Any], exact: bool, said: str | None, wanted: str) -> dict[str, Any]:
    """The published columns of a row, with 0 for a similarity that is still to come."""
    if target["call"] is None:
        return dict.fromkeys(("published_exact_match", "published_api_success", "published_biotool_score"))
    success = exact or (said is not None and target["observation"] is not None)
    return {"published_exact_match": exact, "published_api_success": success, "published_biotool_score": float(exact)}


def _answered(row: Mapping[str, Any], target: Mapping[str, Any], answers: Answers) -> dict[str, Any]:
    if target["call"] is None:
        return {"outcome": None, "api_success": None, "biotool_score": None, **_NOTHING}
    if row["exact_match"]:
        return {"outcome": "ok", "api_success": True, "biotool_score": 1.0, **_NOTHING}
    if row["call"] is None:
        return {"outcome": "invalid_arguments", "api_success": False, "biotool_score": 0.0, **_NOTHING}
    outcome = answers[call_id(row["call"])]["outcome"]
    return {"outcome": outcome, "api_success": outcome == "ok", "biotool_score": 0.0, **_NOTHING}


def _strangers(gold: Gold, seed: int) -> dict[int, int]:
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
