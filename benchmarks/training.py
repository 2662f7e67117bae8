"""`python -m benchmarks.training`: how fast a 4B model is trained on a GPU, by our recipes and as the reference trains it.

A Qwen3-4B of random weights learns random tokens whose numbers are those of real rows, rendered with two whole schemas as the
reference does (results/token_lengths.json, made by benchmarks.tokens); nothing is downloaded. Real tokens a second, MFU by our own
FLOP formula (biotool_lib/training/meter.py) and peak memory go to results/training.json with the versions. Without a GPU it trains a
tiny shape, to show that it runs, and says so in the result: such figures are no measurements. With `--sweep RUN` three sizes of the
nano model are trained from random weights on the dataset of a copy of that run, and their exact match on its test split is written.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import random
import shutil
import tempfile
import types
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, Qwen3Config, Trainer

import biotool_lib as bt
from biotool_lib import evaluation, generation
from biotool_lib.common.runner import write_atomically
from biotool_lib.nano import make_tokenizer
from biotool_lib.training import load_recipe, train
from biotool_lib.training.meter import Meter, peak_tflops, step_flops
from biotool_lib.training.recipe import Recipe, kernels
from biotool_lib.training.train import quiet
from biotool_lib.training.trainer import make_trainer

ROOT = Path(__file__).parents[1]
LENGTHS = ROOT / "results/token_lengths.json"
PUBLISHED = "two whole schemas, as published"
SHAPES = {  # Qwen3-4B-Instruct-2507 as its config.json on the hub has it; "tiny" is for machines without a GPU
    "qwen3_4b": {"vocab_size": 151936, "hidden_size": 2560, "intermediate_size": 9728, "num_hidden_layers": 36, "num_attention_heads": 32,
                 "num_key_value_heads": 8, "head_dim": 128, "tie_word_embeddings": True, "max_position_embeddings": 262144},
    "tiny": {"vocab_size": 1024, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
             "num_key_value_heads": 2, "head_dim": 32, "tie_word_embeddings": True, "max_position_embeddings": 4096},
}
SIZES = {  # parameters, about, with the tokenizer of the laptop recipe
    "2M": {"hidden_size": 160, "num_hidden_layers": 5, "num_attention_heads": 5, "num_key_value_heads": 5, "head_dim": 32, "intermediate_size": 448},
    "20M": {"hidden_size": 448, "num_hidden_layers": 8, "num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 64, "intermediate_size": 1216},
    "100M": {"hidden_size": 832, "num_hidden_layers": 12, "num_attention_heads": 13, "num_key_value_heads": 13, "head_dim": 64, "intermediate_size": 2240},
}
WARM_UP = 3
WHAT = ("reference", "full", "lora", "qlora")
REFERENCE = "reference: unpacked, batch 1 x 16"


def rows(lengths: list[tuple[int, int]], vocabulary: int) -> list[dict[str, list[int]]]:
    """Random tokens, of which the last ones of each row are learned."""
    rng = random.Random(0)
    made = []
    for prompt, answer in lengths:
        ids = rng.choices(range(vocabulary), k=prompt + answer)
        made.append({"input_ids": ids, "labels": [-100] * prompt + ids[prompt:]})
    return made


def random_base(shape: str, folder: Path, dtype: torch.dtype) -> Path:
    """A folder with random weights of a shape, so that a recipe loads it as it loads any base."""
    torch.manual_seed(0)
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        model = AutoModelForCausalLM.from_config(Qwen3Config(**SHAPES[shape]), dtype=dtype)
    model.save_pretrained(folder)
    return folder


def measure(what: str, recipe: Recipe, lengths: list[tuple[int, int]], base: Path, steps: int, plain: bool = False) -> dict[str, Any]:
    """Train some steps by a recipe and say how fast it was; `plain` takes the loss that the reference has, over all positions."""
    from biotool_lib.training.train import _pretrained  # the base as the recipe loads it, without a run

    recipe = replace(recipe, base=str(base), max_steps=WARM_UP + steps, checkpoint_every=10**6, name=what)
    fitting = [(p, a) for p, a in lengths if p + a <= recipe.max_length]
    gpu = torch.cuda.is_available()
    if gpu:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    model = _pretrained(recipe, recipe.tuning == "qlora")
    config = model.config
    encoded = rows(fitting, config.vocab_size)
    # Without packing the recipe's order is the rows' own: enough of them for every step.
    need = recipe.max_steps * recipe.batch_size * recipe.gradient_accumulation
    data = Dataset.from_list(encoded if recipe.packing else [encoded[i % len(encoded)] for i in range(need)])
    with tempfile.TemporaryDirectory() as work:
        trainer = make_trainer(model, make_tokenizer(["a"], 300), {"train": data}, recipe, 0, Path(work))
        if plain:
            trainer.compute_loss = types.MethodType(_plain_loss, trainer)
        meter = Meter(trainer, WARM_UP)
        trainer.add_callback(meter)
        trainer.train()
    flops = step_flops(config, fitting, "full" if recipe.tuning == "full" else "lora") / sum(p + a for p, a in fitting)
    device = torch.cuda.get_device_name() if gpu else platform.processor() or platform.machine()
    peak = peak_tflops(device) if gpu else None
    rate = meter.tokens / meter.seconds
    result = {
        "what": what, "device": device, "steps": meter.steps, "tokens": meter.tokens, "seconds": round(meter.seconds, 3),
        "tokens_per_second": round(rate, 1), "gflop_per_token": round(flops / 1e9, 4),
        "mfu": round(rate * flops / (peak * 1e12), 4) if peak else "unknown GPU" if gpu else "not run on a GPU",
        "peak_gib": round(torch.cuda.max_memory_allocated() / 2**30, 2) if gpu else None, "rows_a_step": recipe.batch_size * recipe.gradient_accumulation,
        "packing": recipe.packing, "kernels": kernels(recipe), "rows_left_out": len(lengths) - len(fitting),
        "parameters": sum(p.numel() for p in trainer.model.parameters()),
    }
    print(json.dumps(result), flush=True)
    del trainer, model
    return result


def _plain_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
    """Transformers' own loss, with tokens counted."""
    self._count(inputs)
    return Trainer.compute_loss(self, model, inputs, return_outputs, num_items_in_batch)


def compare(shape: str, steps: int, wanted: list[str]) -> list[dict[str, Any]]:
    """The reference's training and ours, over the same rows."""
    lengths = [tuple(pair) for pair in json.loads(LENGTHS.read_text(encoding="utf-8"))["sample"][PUBLISHED]]
    gpu = torch.cuda.is_available()
    small: dict[str, Any] = {} if gpu else {"precision": "fp32", "optimizer": "adamw_torch", "max_length": 2048, "batch_size": 1}
    if not gpu:
        lengths = [(p // 8, a) for p, a in lengths]
    results = []
    with tempfile.TemporaryDirectory() as folder:
        base = random_base(shape, Path(folder) / "base", torch.bfloat16 if gpu else torch.float32)
        published = load_recipe("published_qwen3_4b", system_prompt_source=None, **({} if gpu else {**small, "gradient_accumulation": 2}))
        runs = {REFERENCE: (published, True)}
        for tuning in ("full", "lora", "qlora"):
            runs[f"ours: {tuning}"] = (load_recipe(f"qwen3_4b_{tuning}", **small), False)
        for what, (recipe, plain) in runs.items():
            if not any(what.startswith(word) or what.endswith(f" {word}") for word in wanted):
                continue
            if recipe.tuning == "qlora" and importlib.util.find_spec("bitsandbytes") is None:
                results.append({"what": what, "not_run": "bitsandbytes is not installed"})
                print(json.dumps(results[-1]), flush=True)
                continue
            try:
                results.append(measure(what, recipe, lengths, base, steps, plain))
            except torch.cuda.OutOfMemoryError as full:
                results.append({"what": what, "not_run": f"out of memory: {str(full)[:200]}"})
                print(json.dumps(results[-1]), flush=True)
    rates = {result["what"]: result.get("tokens_per_second") for result in results}
    ours, theirs = rates.get("ours: full"), rates.get(REFERENCE)
    if ours and theirs:
        results.append({"what": "ours: full / reference", "ratio": round(ours / theirs, 2)})
        print(json.dumps(results[-1]), flush=True)
    return results


def sweep(run_folder: str, sizes: list[str], max_steps: int) -> list[dict[str, Any]]:
    """Exact match on a run's test split against the size of a model trained from random weights on its training split."""
    results = []
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "run"
        shutil.copytree(run_folder, copy, ignore=shutil.ignore_patterns("models", "predictions", ".checkpoints", "evaluation"))
        run = bt.Run.existing(copy)
        gold = {row["id"]: row for row in run.read("dataset/test.jsonl")}
        for size in sizes:
            architecture = {**SIZES[size], "max_position_embeddings": 512, "initializer_range": 0.02 if size != "2M" else 0.05, "tie_word_embeddings": True}
            recipe = load_recipe("laptop", base="scratch", architecture=architecture, max_steps=max_steps, made_up_rows=12000 if max_steps < 0 else 100,
                                 learning_rate={"2M": 3e-3, "20M": 1e-3, "100M": 5e-4}[size], precision="bf16" if torch.cuda.is_available() else "fp32")
            model = train(run, recipe, size)
            predicted = {row["id"]: row for row in generation.predict(run, model, recipe, progress=False).to_dict("records")}
            asked = [row for row in gold.values() if row["call"]]
            exact = [evaluation.compare.compare_row(row, predicted[row["id"]])["exact_match"] for row in asked]
            stamp = run.manifest["stages"][f"model/{size}"]
            results.append({"what": f"from scratch, {size}", "parameters": stamp["parameters"], "exact_match": round(sum(exact) / len(exact), 4),
                            "n": len(exact), "steps": stamp["steps"], "train_seconds": stamp["seconds"]})
            print(json.dumps(results[-1]), flush=True)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training", description=__doc__)
    parser.add_argument("--shape", choices=tuple(SHAPES), help="default: qwen3_4b on a GPU, else tiny")
    parser.add_argument("--steps", type=int, default=20, help=f"steps that are timed, after {WARM_UP} that are not (default: %(default)s)")
    parser.add_argument("--only", nargs="*", default=list(WHAT), choices=WHAT)
    parser.add_argument("--sweep", metavar="RUN", help="a run folder with a dataset")
    parser.add_argument("--sizes", nargs="*", default=list(SIZES), choices=tuple(SIZES))
    parser.add_argument("--max-steps", type=int, default=-1, help="cut the sweep's trainings short, to try them out")
    parser.add_argument("--out", type=Path, default=ROOT / "results/training.json")
    options = parser.parse_args()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    quiet()
    gpu = torch.cuda.is_available()
    shape = options.shape or ("qwen3_4b" if gpu else "tiny")
    results = compare(shape, options.steps, options.only)
    if options.sweep:
        results += sweep(options.sweep, options.sizes, options.max_steps)
    with tempfile.TemporaryDirectory() as folder:
        stamp = bt.Run(folder).manifest
    lengths = json.loads(LENGTHS.read_text(encoding="utf-8"))
    manifest = {"command": "python -m benchmarks.training", "shape": shape, "created_at": stamp["created_at"], "versions": stamp["versions"],
                "gpu": torch.cuda.get_device_name() if gpu else "none: not run on a GPU, these figures measure nothing", "cores": os.cpu_count(),
                "lengths": {"arrangement": PUBLISHED, "vocabulary": lengths["signatures"]["qwen"]["vocabulary"], "rows": len(lengths["sample"][PUBLISHED])}}
    write_atomically(options.out, json.dumps({"results": results, "manifest": manifest}, indent=1) + "\n")
    print(f"written to {options.out}")


if __name__ == "__main__":
    main()
