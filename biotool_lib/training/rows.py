"""Rows of the dataset as token ids: rendered, measured, scrambled."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from ..catalogue import tools
from ..common.chat import encode, encode_prompt
from ..dataset.menus import with_menus
from ..questions.lexicon import taxon_words
from .recipe import Recipe, system_prompt

PUBLISHED_DISTRACTOR = "get_variation"  # the second schema of every published row, drawn once with seed 42
_WORD = re.compile(r"[A-Za-z0-9_.\-]*[0-9][A-Za-z0-9_.\-]*|\b[A-Z][A-Z0-9\-]{2,}\b")


def offered(row: Mapping[str, Any], size: int | str | None = None) -> list[str]:
    """The functions on a row's menu: its own two, or as many as `size` says (a number, "all" or "published").

    A menu of 1 is the right function alone, or one of the row's own where no function is right. Larger menus hold the row's own
    and others drawn by its id, alike in training and in serving. "published" is the right function, then one that is the same for
    all. Example: `offered(run.read("dataset/test.jsonl")[0], 8)`
    """
    own = list(row["tools"])
    if size is None or size == len(own):
        return own
    if size == "published":
        return [row["function"] if row["call"] else own[0], PUBLISHED_DISTRACTOR]
    if size == 1:
        return [row["function"]] if row["call"] else own[:1]
    drawn = with_menus([row], size, 0)[0]["tools"]
    names = [*own, *(name for name in drawn if name not in own)][: len(drawn)]
    random.Random(f"menu:{row['id']}").shuffle(names)
    return names


def schemas(row: Mapping[str, Any], recipe: Recipe, form: str | None = None) -> list[dict[str, Any]] | None:
    """What stands in a row's prompt under a recipe's `menu` (the form, unless another is given) and `menu_size`; None for nothing.

    A row of made-up functions brings its schemas along.
    """
    form = form or recipe.menu
    compact = form == "compact"
    if form == "none":
        return None
    if row["tools"] and not isinstance(row["tools"][0], str):
        return list(row["tools"])
    return [_schema(name, compact) for name in offered(row, recipe.menu_size)] or None


@cache
def _schema(name: str, compact: bool) -> dict[str, Any]:
    return tools()[name].json_schema(compact=compact)


def chosen(rows: Sequence[Mapping[str, Any]], recipe: Recipe, seed: int) -> list[Mapping[str, Any]]:
    """The rows of the training split that a recipe uses: a share of the calls, drawn by seed, with or without rows that call nothing."""
    groups = sorted({row["group"] for row in rows})
    random.Random(f"share:{seed}").shuffle(groups)
    kept = set(groups[: round(recipe.share * len(groups))])
    return [row for row in rows if row["group"] in kept and (recipe.no_call_rows or row["call"] is not None)]


def encode_rows(tokenizer, rows: Sequence[Mapping[str, Any]], recipe: Recipe) -> tuple[list[dict[str, list[int]]], list[str]]:
    """Token ids and labels of each row that fits the recipe's length, and the ids of those that do not."""
    fitting, left_out, system = [], [], system_prompt(recipe)
    for row in rows:
        encoded = encode(tokenizer, row["question"], row["call"], schemas(row, recipe), system)
        if len(encoded["input_ids"]) <= recipe.max_length:
            fitting.append(encoded)
        else:
            left_out.append(row["id"])
    return fitting, left_out


def prompt_ids(tokenizer, row: Mapping[str, Any], recipe: Recipe) -> list[int]:
    """Token ids of a row's prompt as it is served, which are the beginning of those that it is trained on."""
    return encode_prompt(tokenizer, row["question"], schemas(row, recipe), system_prompt(recipe))


def scramble(row: Mapping[str, Any], rng: random.Random) -> dict[str, Any]:
    """A copy of a row in which identifiers that question and call share are replaced by others of the same shape.

    The result is no real call and never enters the dataset: it is there to teach a small model to copy what it reads.
    """
    if row["call"] is None:
        return dict(row)
    question, arguments = row["question"], dict(row["call"]["arguments"])
    shared = {
        word for value in arguments.values() if isinstance(value, str) for word in _WORD.findall(value)
        if word not in taxon_words() and re.search(rf"(?<![A-Za-z0-9]){re.escape(word)}(?![A-Za-z0-9])", question)
    }
    for word in sorted(shared, key=len, reverse=True):
        other = _alike(word, rng)
        pattern = re.compile(rf"(?<![A-Za-z0-9]){re.escape(word)}(?![A-Za-z0-9])")
        question = pattern.sub(other, question)
        arguments = {key: pattern.sub(other, value) if isinstance(value, str) else value for key, value in arguments.items()}
    return {**row, "question": question, "call": {"name": row["call"]["name"], "arguments": arguments}}


def _alike(word: str, rng: random.Random) -> str:
    """A made-up identifier of the same shape: digits change always, letters only in short symbols."""
    symbol = len(word) <= 8 and not re.match(r"(rs|ENS|GO|KW|SL|DI|UP|NM_|NP_|PMC|DB-)", word)
    out = []
    for char in word:
        if char.isdigit():
            out.append(rng.choice("0123456789"))
        elif symbol and char.isupper():
            out.append(rng.choice("ABCDEFGHIKLMNPQRSTUVWXYZ"))
        else:
            out.append(char)
    return "".join(out)
