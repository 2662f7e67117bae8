"""Recipes: one YAML file each, checked key by key."""

from __future__ import annotations

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
    base: str
    tuning: str
    menu: str
    max_length: int
    epochs: float
    batch_size: int
    learning_rate: float
    menu_size: int | str = 2
    gradient_accumulation: int = 1
    scheduler: str = "cosine"
    warmup_share: float = 0.0
    weight_decay: float = 0.0
    adam_beta2: float = 0.999
    precision: str = "fp32"
    gradient_checkpointing: bool = False
    checkpoint_every: int = 200
    fewest_rows: int = 0
    share: float = 1.0
    no_call_rows: bool = True
    scramble: float = 0.0
    made_up_rows: int = 0
    max_steps: int = -1
    max_new_tokens: int = 256
    predict_batch: int = 16
    tokenizer_vocab: int = 3072
    lora_rank: int = 8
    lora_alpha: int = 16
    architecture: dict[str, Any] = field(default_factory=dict)


_ALLOWED = {"tuning": ("full", "lora"), "menu": ("none", "compact", "full"), "menu_size": (0, 1, 2, 8, 32, "all"), "precision": ("fp32", "bf16")}


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
        Problem(key, values[key], f"one of {', '.join(map(str, allowed))}") for key, allowed in _ALLOWED.items() if key in values and values[key] not in allowed
    ]
    if problems:
        raise InvalidParameter(f"recipe {path.stem}", problems)
    return Recipe(**values)


def with_menu(recipe: Recipe, size: int | str) -> Recipe:
    """The recipe for asking an untrained model that sees `size` compact schemas in its prompt: 1 is the right function's alone.

    Example: `with_menu(load_recipe("laptop"), 8).menu`
    """
    return replace(recipe, menu="compact", menu_size=size, max_length=max(recipe.max_length, 2048))
