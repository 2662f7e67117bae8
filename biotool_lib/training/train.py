"""Supervised fine-tuning on calls: TRL's trainer, loss on the call only, resumable, on one device or several."""

from __future__ import annotations

import math
import os
import random
import shutil
import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..common.chat import render_call, render_prompt
from ..common.runner import Run, Stage
from ..errors import InvalidParameter, Problem
from ..nano import BASE, made_up_row, make_model, make_tokenizer
from .recipe import Recipe, for_this_machine, kernels, system_prompt
from .rows import chosen, encode_rows, schemas, scramble
from .save import save

WATCHED = 256  # validation rows whose loss is watched while a model is trained


def load_base(run: Run, recipe: Recipe, seed: int):
    """Model and tokenizer that a recipe starts from; "nano" is the base that ships with the package, "scratch" makes both anew.

    Pretrained weights come from safetensors alone and run no code of their own.
    """
    if recipe.base == "scratch":
        rows = run.read("dataset/train.jsonl")
        rows += [made_up_row(rng) for rng in [random.Random("tokenizer")] for _ in range(500)]
        texts = [row["question"] for row in rows] + [render_call(row["call"]) for row in rows]
        tokenizer = make_tokenizer(texts, recipe.tokenizer_vocab)
        return make_model(recipe.architecture, tokenizer, seed), tokenizer
    from transformers import AutoTokenizer

    return _pretrained(recipe, recipe.tuning == "qlora"), AutoTokenizer.from_pretrained(_base(recipe), trust_remote_code=False)


def _base(recipe: Recipe) -> str:
    return str(BASE) if recipe.base == "nano" else recipe.base


def _pretrained(recipe: Recipe, quantised: bool):
    import torch
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    # Weights that are trained in bf16 would lose small updates: they stay in fp32 and compute in bf16, unless the recipe says otherwise.
    half = recipe.precision != "fp32" and (recipe.tuning != "full" or recipe.precision == "bf16_weights")
    nf4 = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=torch.bfloat16)
    return AutoModelForCausalLM.from_pretrained(
        _base(recipe), dtype=torch.bfloat16 if half else torch.float32, use_safetensors=True, trust_remote_code=False,
        attn_implementation=kernels(recipe)["attention"], quantization_config=nf4 if quantised else None,
    )


def make_untrained(run: Run, recipe: Recipe, name: str = "untrained") -> Path:
    """Save the recipe's base as it stands, as the model that has learned nothing; returns its folder."""
    folder = run.path / "models" / name
    stage = run.stage(f"model/{name}", reads=["dataset/train.jsonl"], writes=[f"models/{name}"], settings=asdict(recipe))
    if not stage.done and _first_process():
        quiet()
        model, tokenizer = load_base(run, recipe, run.seed)
        save(run, model, tokenizer, folder, recipe, {"trained": False})
        stage.finish(0)
    return folder


def train(run: Run, recipe: Recipe, name: str | None = None, seed: int | None = None,
          on_log: Callable[[Mapping[str, Any]], None] | None = None) -> Path:
    """Train on the run's training split and save model, tokenizer, card and log under models/<name>.

    Interrupted, it goes on from the last checkpoint. `on_log` sees each entry of the training log as it comes. Started by
    `accelerate launch`, it shares each step among the processes; the steps stay the same. Adapters are merged and also kept as
    they are, under adapter/. Returns the model's folder. Raises InvalidParameter for a recipe that this machine cannot follow.
    Example: `train(Run("runs/laptop"), load_recipe("laptop"))`
    """
    from .trainer import make_trainer

    name, seed = name or recipe.name, run.seed if seed is None else seed
    folder = run.path / "models" / name
    settings = {**asdict(recipe), "train_seed": seed, "system_prompt": system_prompt(recipe)}
    stage = run.stage(f"model/{name}", reads=["dataset/train.jsonl", "dataset/validation.jsonl"], writes=[f"models/{name}"], settings=settings)
    if stage.done:
        return folder
    quiet()
    followed, swapped = for_this_machine(recipe)
    model, tokenizer = load_base(run, followed, seed)
    data, left_out = _data(run, followed, tokenizer, seed)
    work = run.path / ".checkpoints" / f"{name}-{stage.key}"
    trainer = make_trainer(model, tokenizer, data, followed, seed, work, on_log if _first_process() else None)
    trainer.train(resume_from_checkpoint=_checkpoint(work))
    if trainer.accelerator.num_processes > 1:
        trainer.accelerator.wait_for_everyone()
    log = [entry for entry in trainer.state.log_history if "loss" in entry or "eval_loss" in entry]
    keep = ("step", "epoch", "loss", "eval_loss", "learning_rate", "grad_norm", "num_tokens")
    facts = {"trained": True, "rows": data["rows"], "seed": seed, "left_out": left_out, "swapped": swapped}
    with tempfile.TemporaryDirectory() as spare:
        finished, adapter = _finished(trainer, followed, Path(spare))
        if _first_process():
            save(run, finished, tokenizer, folder, recipe, facts, adapter=adapter,
                 log=[{k: round(float(entry[k]), 6) for k in keep if k in entry} for entry in log])
            stage.finish(data["rows"], steps=trainer.state.global_step, left_out=len(left_out), processes=trainer.accelerator.num_processes,
                         parameters=sum(p.numel() for p in finished.parameters()), **({"swapped": swapped} if swapped else {}))
            shutil.rmtree(work, ignore_errors=True)
    return folder


def _first_process() -> bool:
    return os.environ.get("RANK", "0") == "0"


def _checkpoint(work: Path) -> str | None:
    """The last checkpoint that was written whole: its state comes last."""
    whole = [path.parent for path in work.glob("checkpoint-*/trainer_state.json")]
    return str(max(whole, key=lambda path: int(path.name.split("-")[1]))) if whole else None


def _finished(trainer, recipe: Recipe, spare: Path) -> tuple[Any, Path | None]:
    """The model to be saved, whole and unwrapped, and the folder of its adapter if it was trained by one."""
    from transformers import AutoModelForCausalLM

    if trainer.is_fsdp_enabled:  # each process holds a part of the weights: the trainer gathers them into a folder
        trainer.save_model(str(spare / "gathered"))
    model = trainer.accelerator.unwrap_model(trainer.model)
    if recipe.tuning == "full":
        return (AutoModelForCausalLM.from_pretrained(spare / "gathered") if trainer.is_fsdp_enabled and _first_process() else model), None
    adapter = spare / ("gathered" if trainer.is_fsdp_enabled else "adapter")
    if not trainer.is_fsdp_enabled:
        model.save_pretrained(adapter)
    if recipe.tuning == "qlora" or trainer.is_fsdp_enabled:  # adapters are merged into the weights as they were before they were quantised
        from peft import PeftModel

        model = PeftModel.from_pretrained(_pretrained(recipe, quantised=False), adapter)
    return model.merge_and_unload(), adapter


def _data(run: Run, recipe: Recipe, tokenizer, seed: int) -> tuple[dict[str, Any], list[str]]:
    from datasets import Dataset

    rows = chosen(run.read("dataset/train.jsonl"), recipe, seed)
    fitting, left_out = encode_rows(tokenizer, rows, recipe)
    if not fitting:
        raise InvalidParameter("train", [Problem("max_length", recipe.max_length, f"no row of {run.path}/dataset/train.jsonl fits: raise it")])
    held_back = run.read("dataset/validation.jsonl")
    watched = random.Random("watched").sample(held_back, min(WATCHED, len(held_back)))
    check, _ = encode_rows(tokenizer, watched, recipe)
    ordered = fitting if recipe.packing else _in_order(rows, recipe, tokenizer, random.Random(f"order:{seed}"))
    parts = {"train": Dataset.from_list(ordered), "rows": len(fitting)}
    if check:
        parts["validation"] = Dataset.from_list(check)
    return parts, left_out


def _in_order(rows: Sequence[Mapping[str, Any]], recipe: Recipe, tokenizer, rng: random.Random) -> list[dict[str, Any]]:
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
    return {"prompt": render_prompt(tokenizer, row["question"], schemas(row, recipe), system_prompt(recipe)), "learned": tokenizer.decode(learned)}


__all__ = ["Stage", "load_base", "make_untrained", "quiet", "show_trained_text", "train"]
