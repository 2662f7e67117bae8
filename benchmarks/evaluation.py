"""Scoring four models on 1,408 rows, as here and one call after the other; response texts encoded together and one at a time.

The four are made up, from rows of the atlas and a seed, with the shares that the laptop profile's models had: one that writes no call,
one that writes calls of training, and two that are right in 64 % of the rows, write what no function allows in 14 % of the others and
calls that nobody made before in the rest. BLAST is left out on both sides: its time is that of NCBI's queue.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

import biotool_lib as bt
from biotool_lib import calls, evaluation
from biotool_lib.common import encoders
from biotool_lib.common.chat import render_call
from biotool_lib.evaluation import published
from biotool_lib.gateway.live import Limits
from biotool_lib.gateway.pacing import RATES
from biotool_lib.generation import prediction

from .report import Result, compared

ROWS, DISTINCT = 1408, 1267  # the published test split, and about how many gold calls it has (its pairs of questions are split by sample)
RIGHT, REFUSED = 0.64, 0.14
LATENCY, SLEEP = 0.15, 0.34  # seconds: of the server; the reference's own, after every call
SAMPLED = 40  # calls of the slow way that are really made, with their sleeps; the rest is counted
PAIRS = 300  # encoded one text at a time; the rest is counted
MODELS = ("untrained", "retrieval", "trained-0", "trained-1")


def make_run(folder: str) -> bt.Run:
    """A run with frozen calls, 1,408 test rows and the predictions of the four."""
    run, rng, client = bt.Run(folder), random.Random(0), bt.Client()
    proposed = [call for call in calls.propose(client, run.seed, scale=0.6) if call["name"] not in ("blast", "blast_retrieve")]
    with patch.object(calls, "propose", return_value=proposed):
        calls.enumerate_calls(run, progress=False)
    done = [call for call in run.read("calls.jsonl") if call["outcome"] == "ok"]
    rng.shuffle(done)
    test, train = done[:DISTINCT], done[DISTINCT:]
    known: dict[str, list[dict[str, Any]]] = {}
    for call in train:
        known.setdefault(call["name"], []).append(call)
    gold = [{
        "id": f"q{i}", "group": call["id"], "question": "?", "kind": "call", "database": bt.tools()[call["name"]].database, "function": call["name"],
        "subfield": bt.tools()[call["name"]].subfield, "call": {"name": call["name"], "arguments": call["arguments"]},
        "observation": call["observation"]["summary"],
    } for i, call in enumerate([*test, *test[: ROWS - DISTINCT]])]
    run.write("dataset/test.jsonl", gold)
    writers: dict[str, Callable[[Mapping[str, Any]], str]] = {
        "untrained": lambda row: "the the the", "retrieval": lambda row: render_call(rng.choice(known.get(row["function"], train))),
        "trained-0": lambda row: trained(row["call"], rng), "trained-1": lambda row: trained(row["call"], rng),
    }
    for model, write in writers.items():
        run.write(f"predictions/{model}.jsonl", [prediction(row["id"], write(row)) for row in gold])
    return run


def trained(call: Mapping[str, Any], rng: random.Random) -> str:
    """What a trained model of these shares writes for a gold call: the call, one that its function refuses, or one with a changed text."""
    arguments, luck = dict(call["arguments"]), rng.random()
    if luck < RIGHT:
        return render_call(call)
    texts = [name for name, value in arguments.items() if isinstance(value, str) and any(c.isdigit() for c in value)]
    if luck < RIGHT + (1 - RIGHT) * REFUSED or not texts:
        return render_call({"name": call["name"], "arguments": {**arguments, "identifier_of_the_thing": "?"}})
    name = rng.choice(texts)
    arguments[name] = "".join(rng.choice("0123456789") if c.isdigit() else c for c in arguments[name])
    return render_call({"name": call["name"], "arguments": arguments})


def reference(run: bt.Run) -> tuple[dict[str, Any], list[Mapping[str, Any]], list[tuple[str, str]]]:
    """Published scores model by model, every call that the published code makes for them, and the texts that it encodes.

    The calls are made once each, in this process; the published code makes every one of them anew.
    """
    ask, said, made, pairs, scores = published.responder(bt.Client()), {}, [], [], {}

    def respond(call: Any) -> str | None:
        if not isinstance(call, Mapping):
            return None
        made.append(call)
        key = json.dumps(call, sort_keys=True)
        if key not in said:
            try:
                said[key] = ask(call)
            except ValueError:
                said[key] = None
        return said[key]

    gold = run.read("dataset/test.jsonl")
    for model in MODELS:
        found = []
        for row, line in zip(gold, run.read(f"predictions/{model}.jsonl"), strict=True):
            predicted, wanted = published.extract(line["text"]), published.extract(render_call(row["call"]))
            one = {"exact_match": published.exact_match(predicted, wanted), "similarity": None, "predict_call": predicted, "label_call": wanted}
            if not one["exact_match"]:
                texts = respond(predicted), respond(wanted)
                one["api_success"] = None not in texts
                if texts[0] and texts[1]:
                    one["similarity"] = len(pairs)
                    pairs.append((texts[0], texts[1]))
            found.append(one)
        scores[model] = found
    cosines = encoders.similarity([a for a, _ in pairs], [b for _, b in pairs])
    for found in scores.values():
        for one in found:
            one["similarity"] = None if one["similarity"] is None else float(cosines[one["similarity"]])
    return {model: published.scores(found)["parts"]["overall"] for model, found in scores.items()}, made, pairs


def evaluation_speed() -> Iterator[Result]:
    """Four models on 1,408 rows over a server 150 ms away that holds us to the services' limits; then the encoder on the same responses."""
    with tempfile.TemporaryDirectory() as folder, patch.dict(os.environ, {"BIOTOOL_CACHE": f"{folder}/cache"}):
        run = make_run(f"{folder}/run")
        wanted, made, pairs = reference(run)
        with subprocess.Popen([sys.executable, "-m", "benchmarks.slow_atlas", str(LATENCY)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              text=True, cwd=Path(__file__).parents[1]) as server:
            assert server.stdout is not None
            endpoints = {host: f"http://127.0.0.1:{port}" for host, port in json.loads(server.stdout.readline()).items()}
            client = bt.Client("live", endpoints=endpoints, limits=Limits(rates=RATES), cache=None)
            start = time.perf_counter()
            evaluation.evaluate(run, list(MODELS), client=client, progress=False)
            ours = time.perf_counter() - start
            alone = bt.Client("live", endpoints=endpoints, cache=None)  # the sleep is its pace
            start = time.perf_counter()
            for call in random.Random(0).sample([call for call in made if call["name"] in bt.tools()], SAMPLED):
                alone.call(call["name"], call["arguments"])
                time.sleep(SLEEP)
            slow = (time.perf_counter() - start) / SAMPLED * len(made)
            requests = json.loads(server.communicate()[0])
        table = evaluation.score_table(run, list(MODELS), metrics=evaluation.PUBLISHED)
        values = table[table["part"] == "overall"].set_index(["model", "metric"])["value"]
        apart = max(abs(100 * values[model, f"published_{metric}"] - wanted[model][metric]) for model in MODELS for metric in published.METRICS)
        assert apart < 1e-3, f"the two ways disagree by {apart}"  # scores.json has six digits
        outcomes = [row["outcome"] for row in run.read("evaluation/answers.jsonl")]
        assert not set(outcomes) & set(evaluation.answers.TRANSIENT), "calls that failed were quick"
        yield compared("scoring 4 models on 1,408 rows, 150 ms away, within the services' limits", "rows/s", len(MODELS) * ROWS,
                       ("together", len(MODELS) * ROWS / ours), ("one_call_after_the_other", len(MODELS) * ROWS / slow), seconds=round(ours),
                       seconds_one_after_the_other=round(slow), calls=len(outcomes), calls_one_after_the_other=len(made), of_these_timed=SAMPLED,
                       refused=requests["refused"], largest_difference_of_published_scores_in_points=float(f"{apart:.1e}"))
        yield compared(*encoder_speed(pairs))


def encoder_speed(pairs: list[tuple[str, str]]) -> tuple[Any, ...]:
    """All pairs of responses of the four models at once, against one text at a time as the published code does it."""
    left, right = [a for a, _ in pairs], [b for _, b in pairs]
    start = time.perf_counter()
    together = encoders.similarity(left, right)
    ours = len(pairs) / (time.perf_counter() - start)
    chosen = random.Random(0).sample(range(len(pairs)), PAIRS)
    start, alone = time.perf_counter(), []
    for i in chosen:
        a, b = encoders.encode([left[i]]), encoders.encode([right[i]])
        alone.append(float(a.multiply(b).sum()))
    rate = PAIRS / (time.perf_counter() - start)
    apart = float(np.abs(np.array(alone) - together[chosen]).max())
    assert apart < 1e-5, f"the two ways disagree by {apart}"
    return (f"pairs of responses of 4 models on 1,408 rows, {encoders.DEFAULT}", "pairs/s", len(pairs), ("together", ours), ("one_text_at_a_time", rate))


if __name__ == "__main__":
    for _ in evaluation_speed():
        pass
