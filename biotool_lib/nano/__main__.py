"""Makes the nano base: `python -m biotool_lib.nano` (`make nano`). Interrupted, it goes on from the last checkpoint."""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .. import __version__
from ..common.chat import encode, encode_prompt, parse
from ..common.runner import write_atomically
from ..common.stats import bootstrap
from ..errors import RESUMES, status_of
from ..generation import generate
from ..notebooks import share_cores
from ..training.recipe import Recipe, load_recipe
from ..training.train import in_similar_lengths, quiet
from . import BASE, TRAIN, UNSEEN, Words, base_tokenizer, made_up_row, make_model, vocabulary_pieces

FIRST_ROWS = 0.08  # share of rows without menus that come first: copying is found out sooner where little else is to be seen
TEST_ROWS = 500


def make_base(folder: Path = BASE, work: Path | None = None, recipe: Recipe | None = None, seed: int = 0) -> dict[str, Any]:
    """Train the base on made-up rows, measure it on made-up functions that it has not seen, and save it; returns the scores.

    `folder` gets weights (safetensors), tokenizer, training log, scores and a card; checkpoints lie in `work` until it is done.
    """
    from datasets import Dataset

    from ..training.trainer import make_trainer

    recipe = recipe or load_recipe("nano_base")
    work = work or Path("runs/nano")
    quiet()
    tokenizer = base_tokenizer()
    model = make_model(recipe.architecture, tokenizer, seed)
    words = Words(TRAIN.nouns, vocabulary_pieces(tokenizer))
    check = [encode_row(tokenizer, made_up_row(random.Random(f"validation:{i}"), words)) for i in range(256)]
    data = {"train": Dataset.from_list(list(_rows(tokenizer, recipe, words, random.Random(f"base:{seed}")))), "validation": Dataset.from_list(check)}
    trainer = make_trainer(model, tokenizer, data, recipe, seed, work, _say)
    checkpoints = sorted(work.glob("checkpoint-*"), key=lambda p: int(p.name.split("-")[1]))
    trainer.train(resume_from_checkpoint=str(checkpoints[-1]) if checkpoints else None)
    scores = measure(trainer.model, tokenizer, words)
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    trainer.model.save_pretrained(part)
    tokenizer.save_pretrained(part)
    log = [{key: round(float(entry[key]), 6) for key in ("step", "loss", "eval_loss", "learning_rate") if key in entry}
           for entry in trainer.state.log_history if "loss" in entry or "eval_loss" in entry]
    write_atomically(part / "training_log.jsonl", "".join(json.dumps(entry) + "\n" for entry in log))
    facts = {"scores": scores, "recipe": asdict(recipe), "seed": seed, "library": __version__, "command": "make nano",
             "rows": len(data["train"]), "parameters": sum(p.numel() for p in trainer.model.parameters())}
    write_atomically(part / "scores.json", json.dumps(facts, indent=1, sort_keys=True) + "\n")
    write_atomically(part / "README.md", card(facts))
    shutil.rmtree(folder, ignore_errors=True)
    part.rename(folder)
    shutil.rmtree(work, ignore_errors=True)
    return scores


def encode_row(tokenizer, row: dict[str, Any]) -> dict[str, list[int]]:
    """Token ids and labels of a made-up row."""
    return encode(tokenizer, row["question"], row["call"], row["tools"])


def _rows(tokenizer, recipe: Recipe, words: Words, rng: random.Random) -> Iterator[dict[str, list[int]]]:
    """All rows in the order of training; those without a menu first."""
    first = round(FIRST_ROWS * recipe.made_up_rows)
    start: list[dict[str, list[int]]] = []
    while len(start) < first:
        row = made_up_row(rng, words)
        if not row["tools"]:
            start.append(encode_row(tokenizer, row))
    rest = [encode_row(tokenizer, made_up_row(rng, words)) for _ in range(recipe.made_up_rows - first)]
    for rows in (start, rest):
        yield from (row for row in in_similar_lengths(rows, recipe.batch_size, rng) if len(row["input_ids"]) <= recipe.max_length)


def measure(model, tokenizer, words: Words, rows: int | None = None) -> dict[str, dict[str, Any]]:
    """Exact match on made-up functions whose nouns no training row had, by what stands in the prompt; greedy, with 95 % intervals."""
    scores, rows = {}, rows or TEST_ROWS
    unseen = Words(UNSEEN.nouns, words.pieces)
    for arm, size in (("gold schema", 1), ("menu of 4", 4)):
        asked = list(_unseen_rows(unseen, size, rows))
        prompts = [encode_prompt(tokenizer, row["question"], row["tools"]) for row in asked]
        right = [False] * rows
        for i, text in generate(model, tokenizer, prompts, max_new_tokens=96, batch_size=64):
            right[i] = parse(text).call == asked[i]["call"]
        scores[arm] = {"exact_match": bootstrap(right)}
    return scores


def _unseen_rows(words: Words, size: int, rows: int) -> Iterator[dict[str, Any]]:
    rng = random.Random(f"unseen:{size}")
    while rows:
        row = made_up_row(rng, words)
        if row["call"] and len(row["tools"]) == size:
            rows -= 1
            yield row


def card(facts: dict[str, Any]) -> str:
    """The base's model card, from its facts."""
    lines = [
        "# The nano base", "",
        f"A Qwen3 with {facts['parameters']:,} parameters, made from random weights by `{facts['command']}` on {facts['rows']:,} made-up tool calls "
        "(`biotool_lib/nano/made_up.py`). It reads a question, follows a schema that stands in its prompt, copies values and writes one call in JSON.",
        "", "Its weights have seen no biomedical function, schema or question. Its tokenizer was trained on made-up rows and on the words of the "
        "catalogue (names and descriptions), so that these take few tokens.",
        "", "Exact match on made-up functions whose nouns no training row had (greedy):", "",
        "| prompt | exact match | 95 % interval | n |", "|---|---|---|---|",
    ]
    lines += [f"| {arm} | {s['value']:.3f} | {s['low']:.3f} to {s['high']:.3f} | {s['n']} |"
              for arm, measured in facts["scores"].items() for s in measured.values()]
    lines += ["", "Intended use: the starting point of the laptop recipe. License: Apache-2.0. It is of no use outside this project.", ""]
    return "\n".join(lines)


def _say(entry: dict[str, Any]) -> None:
    if "loss" in entry or "eval_loss" in entry:
        name = "loss" if "loss" in entry else "eval_loss"
        print(f"step {entry['step']} of {entry['steps']}: {name} {float(entry[name]):.3f}", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m biotool_lib.nano", description=__doc__)
    parser.add_argument("--out", type=Path, default=BASE, help="where the base goes (default: into the package)")
    parser.add_argument("--work", type=Path, default=Path("runs/nano"), help="checkpoints (default: %(default)s)")
    parser.add_argument("--recipe", default="nano_base")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rows", type=int, help="fewer made-up rows, to try it out")
    options = parser.parse_args(arguments)
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    share_cores()
    def work() -> int:
        recipe = load_recipe(options.recipe, **({"made_up_rows": options.rows} if options.rows else {}))
        print(json.dumps(make_base(options.out, options.work, recipe, options.seed), indent=1))
        return 0

    return status_of(work, RESUMES)


if __name__ == "__main__":
    sys.exit(main())
