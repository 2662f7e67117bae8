"""Supervised fine-tuning on calls: TRL's trainer, loss on the call only, resumable."""

from __future__ import annotations

import json
import math
import os
import random
import shutil
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..common.chat import render_call, render_prompt
from ..common.runner import Run, Stage, write_atomically
from ..nano import BASE, made_up_row, make_model, make_tokenizer
from .recipe import Recipe
from .rows import chosen, encode_rows, schemas, scramble


def load_base(run: Run, recipe: Recipe, seed: int):
    """Model and tokenizer that a recipe starts from; "nano" is the base that ships with the package, "scratch" makes both anew."""
    if recipe.base == "scratch":
        rows = run.read("dataset/train.jsonl")
        rows += [made_up_row(rng) for rng in [random.Random("tokenizer")] for _ in range(500)]
        texts = [row["question"] for row in rows] + [render_call(row["call"]) for row in rows]
        tokenizer = make_tokenizer(texts, recipe.tokenizer_vocab)
        return make_model(recipe.architecture, tokenizer, seed), tokenizer
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    base = BASE if recipe.base == "nano" else recipe.base
    dtype = torch.bfloat16 if recipe.precision == "bf16" else torch.float32
    tokenizer = AutoTokenizer.from_pretrained(base)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=dtype, use_safetensors=True, trust_remote_code=False)
    return model, tokenizer


def make_untrained(run: Run, recipe: Recipe, name: str = "untrained") -> Path:
    """Save the recipe's base as it stands, as the model that has learned nothing; returns its folder."""
    folder = run.path / "models" / name
    stage = run.stage(f"model/{name}", reads=["dataset/train.jsonl"], writes=[f"models/{name}"], settings=asdict(recipe))
    if not stage.done:
        quiet()
        shutil.rmtree(folder, ignore_errors=True)
        model, tokenizer = load_base(run, recipe, run.seed)
        _save(model, tokenizer, folder, recipe, {"trained": False})
        stage.finish(0)
    return folder


def train(run: Run, recipe: Recipe, name: str | None = None, seed: int | None = None,
          on_log: Callable[[Mapping[str, Any]], None] | None = None) -> Path:
    """Train on the run's training split and save model, tokenizer, card and log under models/<name>.

    Interrupted, it goes on from the last checkpoint. `on_log` sees each entry of the training log as it comes.
    Returns the model's folder. Example: `train(Run("runs/laptop"), load_recipe("laptop"))`
    """
    name, seed = name or recipe.name, run.seed if seed is None else seed
    folder = run.path / "models" / name
    stage = run.stage(f"model/{name}", reads=["dataset/train.jsonl", "dataset/validation.jsonl"], writes=[f"models/{name}"],
                      settings={**asdict(recipe), "train_seed": seed})
    if stage.done:
        return folder
    quiet()
    model, tokenizer = load_base(run, recipe, seed)
    data, left_out = _data(run, recipe, tokenizer, seed)
    work = run.path / ".checkpoints" / f"{name}-{stage.key}"
    trainer = make_trainer(model, tokenizer, data, recipe, seed, work, on_log)
    checkpoints = sorted(work.glob("checkpoint-*"), key=lambda p: int(p.name.split("-")[1]))
    trainer.train(resume_from_checkpoint=str(checkpoints[-1]) if checkpoints else None)
    finished = trainer.model.merge_and_unload() if recipe.tuning == "lora" else trainer.model
    log = [entry for entry in trainer.state.log_history if "loss" in entry or "eval_loss" in entry]
    keep = ("step", "epoch", "loss", "eval_loss", "learning_rate", "num_tokens")
    shutil.rmtree(folder, ignore_errors=True)
    _save(finished, tokenizer, folder, recipe, {"trained": True, "rows": data["rows"], "seed": seed, "left_out": left_out},
          log=[{k: round(float(entry[k]), 6) for k in keep if k in entry} for entry in log])
    stage.finish(data["rows"], steps=trainer.state.global_step, left_out=len(left_out),
                 parameters=sum(p.numel() for p in finished.parameters()))
    shutil.rmtree(work, ignore_errors=True)
    return folder


def _data(run: Run, recipe: Recipe, tokenizer, seed: int) -> tuple[dict[str, Any], list[str]]:
    from datasets import Dataset

    rows = chosen(run.read("dataset/train.jsonl"), recipe, seed)
    fitting, left_out = encode_rows(tokenizer, rows, recipe)
    if not fitting:
        raise ValueError(f"no row of {run.path}/dataset/train.jsonl fits max_length = {recipe.max_length}: raise it")
    check, _ = encode_rows(tokenizer, run.read("dataset/validation.jsonl"), recipe)
    parts = {"train": Dataset.from_list(_in_order(rows, recipe, tokenizer, random.Random(f"order:{seed}"))), "rows": len(fitting)}
    if check:
        parts["validation"] = Dataset.from_list(check)
    return parts, left_out


def _in_order(rows: list[dict[str, Any]], recipe: Recipe, tokenizer, rng: random.Random) -> list[dict[str, Any]]:
    """Every row of every epoch in the order of training: shuffled, then gathered into batches of similar length.

    Made-up rows come first: a model from random weights has to find out how to copy before anything else. Lengths are sorted
    only within a few batches, and batches are shuffled again, so that a step sees all kinds of rows while little is spent on
    padding. Scrambled rows are drawn afresh in each epoch.
    """
    size = recipe.batch_size
    ordered = encode_rows(tokenizer, [made_up_row(rng) for _ in range(recipe.made_up_rows)], recipe)[0]
    made_up = len(ordered)
    epochs = max(recipe.epochs, recipe.fewest_rows / len(rows))
    wanted = recipe.max_steps * size * recipe.gradient_accumulation if recipe.max_steps > 0 else math.inf
    for _ in range(math.ceil(epochs)):
        if len(ordered) >= wanted:
            break
        epoch = [scramble(row, rng) if rng.random() < recipe.scramble else row for row in rows]
        encoded = encode_rows(tokenizer, epoch, recipe)[0]
        ordered += in_similar_lengths(encoded, size, rng)
    return ordered[: made_up + round(epochs * len(rows))]


def in_similar_lengths(encoded: list[dict[str, list[int]]], size: int, rng: random.Random) -> list[dict[str, list[int]]]:
    """Encoded rows shuffled, and gathered into batches of similar length.

    Lengths are sorted only within a few batches, and batches are shuffled again, so that a step sees all kinds of rows while
    little is spent on padding.
    """
    near = 8 * size
    rng.shuffle(encoded)
    batches = []
    for start in range(0, len(encoded), near):
        alike = sorted(encoded[start:start + near], key=lambda e: len(e["input_ids"]))
        batches += [alike[i:i + size] for i in range(0, len(alike), size)]
    short = [batch for batch in batches if len(batch) < size]
    batches = [batch for batch in batches if len(batch) == size]
    rng.shuffle(batches)
    return [row for batch in batches + short for row in batch]


def make_trainer(model, tokenizer, data: Mapping[str, Any], recipe: Recipe, seed: int, work: Path, on_log):
    import torch
    from transformers import PrinterCallback, TrainerCallback
    from trl import SFTConfig

    from .trainer import CallTrainer

    class Watch(TrainerCallback):
        def on_log(self, args, state, control, logs=None, **kwargs):
            if on_log and logs:
                on_log({"step": state.global_step, "steps": state.max_steps, **logs})

    cpu = not torch.cuda.is_available()
    all_steps = -(-len(data["train"]) // (recipe.batch_size * recipe.gradient_accumulation))
    steps = recipe.max_steps if recipe.max_steps > 0 else all_steps
    arguments = SFTConfig(
        output_dir=str(work), max_length=None, packing=False, train_sampling_strategy="sequential",
        num_train_epochs=1, max_steps=steps,
        per_device_train_batch_size=recipe.batch_size, per_device_eval_batch_size=recipe.batch_size,
        gradient_accumulation_steps=recipe.gradient_accumulation, gradient_checkpointing=recipe.gradient_checkpointing,
        learning_rate=recipe.learning_rate, lr_scheduler_type=recipe.scheduler, warmup_steps=round(steps * recipe.warmup_share),
        weight_decay=recipe.weight_decay, adam_beta2=recipe.adam_beta2, bf16=recipe.precision == "bf16", use_cpu=cpu, seed=seed, data_seed=seed,
        logging_steps=max(1, steps // 50), eval_strategy="steps" if "validation" in data else "no", eval_steps=max(25, steps // 8),
        save_strategy="steps", save_steps=recipe.checkpoint_every, save_total_limit=1,
        report_to="none", disable_tqdm=True, dataloader_pin_memory=not cpu,
    )
    adapter = None
    if recipe.tuning == "lora":
        from peft import LoraConfig

        adapter = LoraConfig(r=recipe.lora_rank, lora_alpha=recipe.lora_alpha, target_modules="all-linear", task_type="CAUSAL_LM")
    trainer = CallTrainer(
        model=model, args=arguments, processing_class=tokenizer, train_dataset=data["train"],
        eval_dataset=data.get("validation"), peft_config=adapter, callbacks=[Watch()],
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def _save(model, tokenizer, folder: Path, recipe: Recipe, facts: Mapping[str, Any], log: list[dict[str, Any]] | None = None) -> None:
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    model.save_pretrained(part)
    tokenizer.save_pretrained(part)
    write_atomically(part / "recipe.json", json.dumps(asdict(recipe), indent=1) + "\n")
    write_atomically(part / "training_log.jsonl", "".join(json.dumps(entry) + "\n" for entry in log or []))
    write_atomically(part / "README.md", _card(folder.name, model, recipe, facts))
    part.rename(folder)


def _card(name: str, model, recipe: Recipe, facts: Mapping[str, Any]) -> str:
    size = sum(p.numel() for p in model.parameters())
    lines = [
        f"# {name}", "",
        f"A caller of biomedical database functions with {size:,} parameters, made by `python -m biotool_lib.training` "
        f"with the recipe `{recipe.name}` from `{recipe.base}`.",
        "", "| | |", "|---|---|", f"| trained | {'yes' if facts.get('trained') else 'no: random or base weights'} |",
    ]
    if facts.get("trained"):
        left = facts["left_out"]
        lines += [f"| rows per epoch | {facts['rows']:,} |", f"| epochs | {recipe.epochs} |", f"| seed | {facts['seed']} |",
                  f"| rows left out because they do not fit {recipe.max_length} tokens | {len(left)} |"]
    lines += ["", "The prompt is the question through the tokenizer's own chat template; the answer is one call between "
              "`<tool_call>` and `</tool_call>`. Scores stand in the run's `scores.json`.", ""]
    return "\n".join(lines)


def quiet() -> None:
    """No progress bars and no warnings that say nothing to a reader of a notebook."""
    import datasets
    import transformers

    datasets.disable_progress_bars()
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    warnings.filterwarnings("ignore", message=".*gradient.checkpointing.*", category=FutureWarning)


def show_trained_text(run: Run, folder: Path, recipe: Recipe, row: Mapping[str, Any]) -> dict[str, str]:
    """What a row becomes: the prompt, and the unmasked labels decoded again, which is all that the loss sees."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    encoded = encode_rows(tokenizer, [row], recipe)[0][0]
    learned = [token for token in encoded["labels"] if token != -100]
    return {"prompt": render_prompt(tokenizer, row["question"], schemas(row, recipe)), "learned": tokenizer.decode(learned)}


__all__ = ["Stage", "load_base", "make_untrained", "quiet", "show_trained_text", "train"]
