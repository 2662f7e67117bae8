"""A trained model on disk: weights, tokenizer, recipe, log and card; and its way to the hub."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..common.hub import upload
from ..common.runner import Run, write_atomically
from ..errors import MissingArtefact
from .recipe import Recipe


def save(run: Run, model, tokenizer, folder: Path, recipe: Recipe, facts: Mapping[str, Any], log: list[dict[str, Any]] | None = None,
         adapter: Path | None = None) -> None:
    """Write a model's folder in one go: safetensors, tokenizer, recipe.json, training_log.jsonl, README.md, and `adapter` if there is one."""
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    model.save_pretrained(part)
    tokenizer.save_pretrained(part)
    if adapter:
        shutil.copytree(adapter, part / "adapter", ignore=shutil.ignore_patterns("README.md"))
    write_atomically(part / "recipe.json", json.dumps(asdict(recipe), indent=1) + "\n")
    write_atomically(part / "training_log.jsonl", "".join(json.dumps(entry) + "\n" for entry in log or []))
    write_atomically(part / "README.md", card(run, folder.name, sum(p.numel() for p in model.parameters()), recipe, facts))
    shutil.rmtree(folder, ignore_errors=True)
    part.rename(folder)


def card(run: Run, name: str, size: int, recipe: Recipe, facts: Mapping[str, Any]) -> str:
    """A model card in Markdown from the run's manifest, the recipe and the facts of the training."""
    manifest = run.manifest
    lines = ["---", "library_name: transformers", "pipeline_tag: text-generation", "tags: [function-calling, biomedical]"]
    lines += [] if recipe.base == "scratch" or Path(recipe.base).exists() else [f"base_model: {recipe.base}"]
    base = recipe.base if not Path(recipe.base).is_absolute() else Path(recipe.base).name
    lines += ["---", "", f"# {name}", "",
              f"A caller of biomedical database functions with {size:,} parameters, made by `python -m biotool_lib.training` "
              f"with the recipe `{recipe.name}` from `{base}`.", "", "| | |", "|---|---|",
              f"| trained | {'yes' if facts.get('trained') else 'no: random or base weights'} |"]
    if facts.get("trained"):
        lines += [f"| tuning | {recipe.tuning}, {recipe.precision}, {recipe.optimizer} |", f"| rows per epoch | {facts['rows']:,} |",
                  f"| epochs | {recipe.epochs} |", f"| learning rate | {recipe.learning_rate:g}, {recipe.scheduler} |",
                  f"| rows per step | {recipe.batch_size * recipe.gradient_accumulation}{' packed rows' if recipe.packing else ''} |",
                  f"| seed | {facts['seed']} |",
                  f"| rows left out because they do not fit {recipe.max_length} tokens | {len(facts['left_out'])} |"]
        lines += [f"| swapped on this machine | {'; '.join(facts['swapped'])} |"] if facts.get("swapped") else []
    lines += [f"| schemas in the prompt | {recipe.menu if recipe.menu == 'none' else f'{recipe.menu}, menu of {recipe.menu_size}'} |",
              f"| system prompt | {'from ' + (recipe.system_prompt_source or 'a file') if recipe.system_prompt_file else 'none'} |",
              f"| run | profile {manifest['profile']}, backend {manifest['backend']}, seed {manifest['seed']} |"]
    data = manifest["stages"].get("dataset", {})
    lines += [f"| dataset | {data['rows']:,} rows; sha256 of the training split {data['sha256'].get('dataset/train.jsonl', 'not stamped')[:16]} |"] \
        if data else []
    lines += [f"| made with | {', '.join(f'{k} {v}' for k, v in sorted(manifest['versions'].items()))} |", "",
              "The prompt is the question through the tokenizer's own chat template; the answer is one call as that template writes one. "
              "Scores stand in the run's `scores.json`.", ""]
    return "\n".join(lines)


def push_to_hub(run: Run, name: str, repo_id: str, *, private: bool = True) -> str:
    """Upload a model's folder as it is to a model repository of the Hugging Face hub; returns the address.

    The token comes from the environment variable HF_TOKEN and from nowhere else. Raises InvalidParameter without one or for an
    impossible name, MissingArtefact before the model is trained. Example: `push_to_hub(run, "laptop", "somebody/biotool-nano")`
    """
    folder = run.path / "models" / name
    if not list(folder.glob("*.safetensors")):
        raise MissingArtefact(f"{folder} holds no model: train it first")
    return upload(folder, repo_id, "model", private=private, message=f"{name}, trained by BioTool Book")
