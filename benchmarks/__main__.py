"""`python -m benchmarks`: what the layers above the atlas cost, what several hosts at once and batches bring, how long scoring takes; ten minutes on a CPU.

Each figure is printed with that of its alternative, measured in the same run, and their ratio; all are written to
results/benchmarks.json with the versions they were measured with.
"""

from __future__ import annotations

import io
import json
import os
import platform
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

from werkzeug.test import EnvironBuilder, run_wsgi_app

import biotool_lib as bt
from biotool_lib import calls
from biotool_lib.atlas.app import application
from biotool_lib.common.runner import dumps, write_atomically
from biotool_lib.gateway.outcome import parse
from biotool_lib.generation import generate
from biotool_lib.nano import made_up_row, make_model, make_tokenizer
from biotool_lib.observe import Context, summarise
from biotool_lib.training import load_recipe

from .evaluation import evaluation_speed
from .report import Result, compared

REPEATS = 20


def milliseconds(work: Callable[..., object], *arguments: Any, **named: Any) -> float:
    """How long one run of `work` takes."""
    start = time.perf_counter()
    work(*arguments, **named)
    return 1000 * (time.perf_counter() - start)


def environ(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """A call as the WSGI application gets it, without any client."""
    request = bt.prepare(name, arguments)
    parts, body = urlsplit(request.url), (request.body or "").encode()
    return EnvironBuilder(path=parts.path, query_string=parts.query, method=request.method, headers=list(request.headers.items()),
                          input_stream=io.BytesIO(body), content_length=len(body)).get_environ()


def answered() -> list[tuple[str, dict[str, Any], bt.Observation]]:
    """The catalogue's examples that the atlas answers in one exchange, with their answers."""
    client, found = bt.Client(), []
    for tool in bt.tools().values():
        seen = client.call(tool.name, tool.example)
        if seen.ok and tool.group != "blast":
            found.append((tool.name, dict(tool.example), seen))
    return found


def client_overhead() -> Iterator[Result]:
    """`client.call` (check, prepare, session, outcome, summary) above the atlas alone, in turns, for every function."""
    client, whole, bare = bt.Client(), {}, {}
    for name, arguments, _ in answered():
        turns = []
        for _ in range(REPEATS):
            given = environ(name, arguments)
            alone = milliseconds(run_wsgi_app, application(), given, buffered=True)
            turns.append((milliseconds(client.call, name, arguments), alone))
        whole[name], bare[name] = (statistics.median(times) for times in zip(*turns, strict=True))
    above = {name: whole[name] - bare[name] for name in whole}
    worst = max(above, key=above.__getitem__)
    yield compared("a call, median of functions", "ms", len(whole) * REPEATS, ("client", statistics.median(whole.values())),
                   ("atlas_alone", statistics.median(bare.values())), overhead_ms=round(statistics.median(above.values()), 3),
                   functions=len(whole), below_1_ms=sum(ms < 1 for ms in above.values()), most=f"{worst} {above[worst]:.2f} ms")


def enumeration() -> Iterator[Result]:
    """Proposed calls made and written, against the bare atlas; the work of three hosts at once against one call after the other."""
    with tempfile.TemporaryDirectory() as folder:
        run = bt.Run(Path(folder) / "sweep")
        proposed = calls.propose(bt.Client(), run.seed, scale=0.2)
        proposed = [call for call in proposed if call["name"] != "blast"]
        given = [environ(call["name"], call["arguments"]) for call in proposed]
        for _ in range(2):  # the second time counts: the first one fills the atlas's caches
            bare = milliseconds(lambda: [run_wsgi_app(application(), e, buffered=True) for e in given]) / 1000
        with patch.object(calls, "propose", return_value=proposed):
            whole = milliseconds(calls.enumerate_calls, run, progress=False) / 1000
        yield compared("enumeration over the atlas", "calls/s", len(given), ("enumerated", len(given) / whole), ("atlas_alone", len(given) / bare))

        items = [{"id": str(i)} for i in range(240)]
        taken = {}
        for workers in (0, 1, 4):
            lane = (lambda item: str(int(item["id"]) % 3)) if workers else None
            stage = run.stage(f"wait/{workers}", writes=[])
            taken[workers] = milliseconds(run.resume, stage, items, wait, lane=lane, workers=max(workers, 1), progress=False)
        for workers in (1, 4):
            yield compared(f"three hosts that answer after 20 ms, {workers} workers each", "calls/s", len(items),
                           ("at_once", 1000 * len(items) / taken[workers]), ("one_by_one", 1000 * len(items) / taken[0]))


def wait(item: dict[str, Any]) -> dict[str, Any]:
    """A call that takes 20 ms of somebody else's time."""
    time.sleep(0.02)
    return item


def summaries() -> Iterator[Result]:
    """The summary of an answer: its time against that of reading the body, its size against the body's."""
    times, sizes, seen = [], [], answered()
    for name, arguments, observation in seen:
        text = observation.data if isinstance(observation.data, str) else dumps(observation.data)
        kind, context = observation.headers.get("content-type", ""), Context(arguments, observation.headers)
        for _ in range(REPEATS):
            ours = milliseconds(summarise, name, bt.tools()[name].database, observation.data, context)
            times.append((ours, milliseconds(parse, text.encode(), kind)))
        sizes.append((len(dumps(observation.summary)), len(text)))
    for what, unit, pairs in (("a summary, mean", "ms", times), ("a summary's size, mean", "characters", sizes)):
        summary, body = (statistics.mean(values) for values in zip(*pairs, strict=True))
        yield compared(what, unit, len(pairs), ("summary", summary), ("reading_the_body" if unit == "ms" else "body", body), functions=len(seen))


def batched_generation() -> Iterator[Result]:
    """Generation with the nano architecture, untrained, in batches and one by one."""
    rng, recipe = random.Random(0), load_recipe("nano_base")
    questions = [made_up_row(rng)["question"] for _ in range(32)]
    tokenizer = make_tokenizer(questions, 2048)
    model = make_model(recipe.architecture, tokenizer)
    prompts = [tokenizer(question)["input_ids"] for question in questions]
    rate = {}
    for size in (32, 1):
        texts = generate(model, tokenizer, prompts, max_new_tokens=32, batch_size=size)
        rate[size] = 1000 * len(prompts) / milliseconds(list, texts)
    yield compared("generation of at most 32 tokens", "prompts/s", len(prompts), ("batches_of_32", rate[32]), ("one_by_one", rate[1]))


def main() -> None:
    """Measure, print, and write results/benchmarks.json."""
    started = time.monotonic()
    results = [result for benchmark in (client_overhead, summaries, enumeration, batched_generation, evaluation_speed) for result in benchmark()]
    with tempfile.TemporaryDirectory() as folder:
        stamp = bt.Run(folder).manifest
    manifest = {"command": "make bench", "created_at": stamp["created_at"], "versions": stamp["versions"], "cores": os.cpu_count(),
                "machine": platform.machine(), "seconds": round(time.monotonic() - started)}
    path = Path(__file__).parents[1] / "results/benchmarks.json"
    write_atomically(path, json.dumps({"results": results, "manifest": manifest}, indent=1) + "\n")
    print(f"{manifest['seconds']} s; written to {path.relative_to(Path(__file__).parents[1])}")


if __name__ == "__main__":
    main()
