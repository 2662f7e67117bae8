"""`python -m benchmarks`: the client's overhead over the bare atlas, and batched against one-by-one generation."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

from werkzeug.test import Client as Browser

import biotool_lib as bt
from biotool_lib.atlas.app import application
from biotool_lib.generation import generate
from biotool_lib.nano import made_up_row, make_model, make_tokenizer
from biotool_lib.training import load_recipe


def median_ms(work: Callable[[], object], times: int) -> float:
    work()
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        taken.append(1000 * (time.perf_counter() - start))
    return statistics.median(taken)


def client_overhead() -> None:
    client, browser = bt.Client(), Browser(application())
    arguments = {"species": "homo_sapiens", "symbol": "BRCA1"}
    whole = median_ms(lambda: client.call("lookup_by_symbol", arguments), 300)
    bare = median_ms(lambda: browser.get("/lookup/symbol/homo_sapiens/BRCA1").data, 300)
    print(f"client.call {whole:.2f} ms, atlas alone {bare:.2f} ms, n = 300 each: {whole / bare:.2f} times")


def batched_generation() -> None:
    import random

    rng, recipe = random.Random(0), load_recipe("laptop")
    questions = [made_up_row(rng)["question"] for _ in range(64)]
    tokenizer = make_tokenizer(questions, 2048)
    model = make_model(recipe.architecture, tokenizer)
    prompts = [tokenizer(q)["input_ids"] for q in questions]
    taken = {}
    for size in (1, 32):
        start = time.perf_counter()
        texts = dict(generate(model, tokenizer, prompts, max_new_tokens=32, batch_size=size))
        taken[size] = time.perf_counter() - start
        assert len(texts) == len(prompts)
    print(f"generation of 64 × 32 tokens: one by one {taken[1]:.1f} s, batches of 32 {taken[32]:.1f} s: {taken[1] / taken[32]:.1f} times")


if __name__ == "__main__":
    client_overhead()
    batched_generation()
