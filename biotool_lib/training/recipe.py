"""Recipes: one YAML file each, checked key by key."""

from __future__ import annotations

import importlib.util
import json
import logging
from dataclasses import MISSING, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from ..errors import InvalidParameter, Problem, did_you_mean
from ..files import read_yaml

FOLDER = Path(__file__).parent / "recipes"


@dataclass(frozen=True)
class Recipe:
    """How a model is trained; the recipe files say what each key trades off."""

    name: str
    base: str  # nano (ships with the package), scratch (random weights), a folder or a hub id
    tuning: str  # full, lora, or qlora: adapters on a base quantised to NF4
    menu: str  # form of the schemas in the prompt: none, compact, full
    max_length: int
    epochs: float
    batch_size: int  # rows, or packed rows of max_length tokens, that one device sees at once
    learning_rate: float
    menu_size: int | str = 2  # functions on a menu: 0, 1 (the right one alone), 2 (the row's own), 8, 32, all, published
    system_prompt_file: str | None = None
    system_prompt_source: str | None = None
    packing: bool = False
    gradient_accumulation: int = 1  # over all devices together: more devices do it in fewer turns
    optimizer: str = "adamw_torch_fused"
    scheduler: str = "cosine"
    warmup_share: float = 0.0
    weight_decay: float = 0.0
    adam_beta2: float = 0.999
    precision: str = "fp32"  # bf16 computes in bf16 and keeps trained weights in fp32; bf16_weights keeps them in bf16, too
    gradient_checkpointing: bool = False
    attention: str = "auto"  # flash attention where it is installed and there is a GPU, else PyTorch's own
    liger: bool = False  # Liger's layers where they are installed and there is a GPU
    checkpoint_every: int = 200
    tensorboard: bool = False
    fewest_rows: int = 0
    share: float = 1.0  # of the training split's calls
    no_call_rows: bool = True
    scramble: float = 0.0
    made_up_rows: int = 0
    max_steps: int = -1
    max_new_tokens: int = 256
    predict_batch: int = 16
    tokenizer_vocab: int = 3072
    lora_rank: int = 8
    lora_alpha: int = 16
    lora_dropout: float = 0.0
    lora_targets: str | list[str] = "all-linear"
    stand_ins: bool = False  # without bitsandbytes, train adapters unquantised and with plain AdamW, and say so
    architecture: dict[str, Any] = field(default_factory=dict)


_ALLOWED: dict[str, tuple] = {
    "tuning": ("full", "lora", "qlora"), "menu": ("none", "compact", "full"), "menu_size": (0, 1, 2, 8, 32, "all", "published"),
    "precision": ("fp32", "bf16", "bf16_weights"), "optimizer": ("adamw_torch", "adamw_torch_fused", "adamw_8bit"),
    "attention": ("auto", "sdpa", "flash_attention_2", "flex_attention", "eager"),
}


def load_recipe(name: str | Path, **changes: Any) -> Recipe:
    """A shipped recipe by name, or a YAML file of one's own; `changes` override single keys.

    Raises InvalidParameter for an unknown recipe, key or value. Example: `load_recipe("laptop", epochs=1)`
    """
    path = Path(name) if str(name).endswith((".yaml", ".yml")) else FOLDER / f"{name}.yaml"
    if not path.is_file():
        shipped = sorted(p.stem for p in FOLDER.glob("*.yaml"))
        raise InvalidParameter("load_recipe", [Problem("recipe", str(name), did_you_mean(str(name), shipped))])
    values = {"name": path.stem, **read_yaml(path), **changes}
    known = {f.name: f for f in fields(Recipe)}
    problems = [Problem(key, value, f"no key of a recipe; {did_you_mean(key, known)}") for key, value in values.items() if key not in known]
    problems += [
        Problem(key, None, "missing from the recipe") for key, f in known.items()
        if key not in values and f.default is MISSING and f.default_factory is MISSING
    ]
    problems += [
        Problem(key, values[key], f"one of {', '.join(map(str, allowed))}") for key, allowed in _ALLOWED.items()
        if key in values and values[key] not in allowed
    ]
    if values.get("packing") and (values.get("scramble") or values.get("made_up_rows") or values.get("fewest_rows")):
        problems.append(Problem("packing", True, "packed rows are the dataset's own: without scramble, made_up_rows and fewest_rows"))
    if problems:
        raise InvalidParameter(f"recipe {path.stem}", problems)
    return Recipe(**values)


def with_menu(recipe: Recipe, size: int | str) -> Recipe:
    """The recipe for asking an untrained model that sees `size` compact schemas in its prompt: 1 is the right function's alone.

    Example: `with_menu(load_recipe("laptop"), 8).menu`
    """
    return replace(recipe, menu="compact", menu_size=size, max_length=max(recipe.max_length, 2048))


def system_prompt(recipe: Recipe) -> str | None:
    """The recipe's system prompt from its file, or None for a recipe without one.

    Prompts of published models are not shipped: a recipe that needs one says where it stands. Raises InvalidParameter without the file.
    """
    if recipe.system_prompt_file is None:
        if recipe.system_prompt_source is None:
            return None
        remedy = f"write the system prompt into a file and name it here; it stands in {recipe.system_prompt_source}"
        raise InvalidParameter(f"recipe {recipe.name}", [Problem("system_prompt_file", None, remedy)])
    try:
        text = Path(recipe.system_prompt_file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as wrong:
        remedy = f"a text file that can be read ({type(wrong).__name__}); the prompt stands in {recipe.system_prompt_source or 'nothing yet'}"
        raise InvalidParameter(f"recipe {recipe.name}", [Problem("system_prompt_file", recipe.system_prompt_file, remedy)]) from wrong
    if not text:
        raise InvalidParameter(f"recipe {recipe.name}", [Problem("system_prompt_file", recipe.system_prompt_file, "the file is empty")])
    return text


def for_this_machine(recipe: Recipe) -> tuple[Recipe, list[str]]:
    """The recipe with what this machine has, and what was swapped for something else, in words.

    Raises InvalidParameter where something that the recipe needs is not installed.
    """
    needs = {
        "bitsandbytes": ("tuning" if recipe.tuning == "qlora" else "optimizer", recipe.tuning == "qlora" or recipe.optimizer == "adamw_8bit"),
        "tensorboard": ("tensorboard", recipe.tensorboard), "flash_attn": ("attention", recipe.attention == "flash_attention_2"),
    }
    swapped: list[str] = []
    if needs["bitsandbytes"][1] and not _installed("bitsandbytes") and recipe.stand_ins:
        if recipe.tuning == "qlora":
            swapped.append("base not quantised instead of NF4")
            recipe = replace(recipe, tuning="lora")
        if recipe.optimizer == "adamw_8bit":
            swapped.append("adamw_torch instead of adamw_8bit")
            recipe = replace(recipe, optimizer="adamw_torch")
        logging.getLogger(__name__).warning("recipe %s without bitsandbytes: %s", recipe.name, "; ".join(swapped))
        del needs["bitsandbytes"]
    missing = [
        Problem(key, getattr(recipe, key), f"needs {package}: pip install {package.replace('_', '-')}, or change the recipe")
        for package, (key, needed) in needs.items() if needed and not _installed(package)
    ]
    if missing:
        raise InvalidParameter(f"recipe {recipe.name}", missing)
    return recipe, swapped


def kernels(recipe: Recipe) -> dict[str, Any]:
    """Which attention and which layers are used on this machine."""
    import torch

    gpu = torch.cuda.is_available()
    attention = recipe.attention
    if attention == "auto":
        attention = "flash_attention_2" if gpu and _installed("flash_attn") else "sdpa"
    return {"attention": attention, "liger": recipe.liger and gpu and _installed("liger_kernel")}


def _installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def recipe_of(folder: Path) -> Recipe:
    """The recipe that a model was saved with; it says what has to stand in its prompt. Example: `recipe_of(run.path / "models/laptop")`"""
    return Recipe(**json.loads((folder / "recipe.json").read_text(encoding="utf-8")))
