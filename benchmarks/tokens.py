"""`python -m benchmarks.tokens --run runs/laptop --qwen qwen.tiktoken [--llama tokenizer.model]`: how long prompts are.

Needs `pip install tiktoken` and vocabularies, which two packages carry: dashscope (dashscope/resources/qwen.tiktoken, the merges that
Qwen2, 2.5 and 3 share) and llama-models (llama_models/llama3/tokenizer.model). Prompts are rendered with the templates of this
folder, whose instructions are in our own words and of about the length of the models' own. Writes results/token_lengths.json.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from transformers import PreTrainedTokenizerFast

import biotool_lib as bt
from biotool_lib.common.chat import render_completion, render_prompt
from biotool_lib.common.runner import write_atomically
from biotool_lib.training import load_recipe
from biotool_lib.training.rows import schemas

TEMPLATES = Path(__file__).parent / "templates"
MARKS = ["<|im_start|>", "<|im_end|>", "<tool_call>", "</tool_call>", "<think>", "</think>", "<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>",
         "<|eot_id|>"]
WORDS = {  # how a text falls into pieces before the merges: as documented for both vocabularies, which differ in their digits
    "qwen": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "llama": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
}
ARRANGEMENTS = {"two whole schemas, as published": ("full", "published"), "two whole schemas": ("full", 2), "8 compact": ("compact", 8),
                "32 compact": ("compact", 32), "all compact": ("compact", "all"), "none": ("none", 2)}
LIMIT, SAMPLE = 2048, 1024


def counter(family: str, path: Path):
    """The number of tokens of a text."""
    import tiktoken

    ranks = {base64.b64decode(a): int(b) for a, b in (line.split() for line in path.read_bytes().splitlines() if line)}
    encoding = tiktoken.Encoding(family, pat_str=WORDS[family], mergeable_ranks=ranks, special_tokens={m: len(ranks) + i for i, m in enumerate(MARKS)})
    return lambda text: len(encoding.encode(text, allowed_special="all"))


def template(name: str, end: str) -> PreTrainedTokenizerFast:
    """A tokenizer that renders; it is never asked to count."""
    from tokenizers import Tokenizer, models

    return PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE()), eos_token=end, bos_token="<|begin_of_text|>",
                                   chat_template=(TEMPLATES / f"{name}.jinja").read_text(encoding="utf-8"))


def lengths(renderer, count, rows: list[dict[str, Any]], menu: str, size: int | str) -> list[tuple[int, int]]:
    """Tokens of prompt and of answer for each row."""
    recipe, found = load_recipe("qwen3_4b_lora", menu=menu, menu_size=size), []
    for row in rows:
        tools = schemas(row, recipe)
        prompt = render_prompt(renderer, row["question"], tools)
        found.append((count(prompt), count(render_completion(renderer, row["question"], row["call"]))))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tokens", description=__doc__)
    parser.add_argument("--run", default="runs/laptop")
    parser.add_argument("--qwen", type=Path, required=True)
    parser.add_argument("--llama", type=Path)
    parser.add_argument("--out", type=Path, default=Path("results/token_lengths.json"))
    options = parser.parse_args()
    run = bt.Run.existing(options.run)
    rows = [row for split in ("train", "validation", "test") for row in run.read(f"dataset/{split}.jsonl")]
    manifest = {"command": "python -m benchmarks.tokens", "versions": run.manifest["versions"], "created_at": run.manifest["created_at"],
                "run": {k: run.manifest[k] for k in ("profile", "backend", "seed")}, "dataset": run.manifest["stages"]["dataset"]["sha256"]}
    result: dict[str, Any] = {"rows": len(rows), "limit": LIMIT, "counts": {}, "sample": {}, "signatures": {}, "manifest": manifest}
    for family, path, name, end in (("qwen", options.qwen, "qwen3_instruct", "<|im_end|>"), ("llama", options.llama, "llama31", "<|eot_id|>")):
        if path is None:
            continue
        count, renderer = counter(family, path), template(name, end)
        compact = {tool.name: count(json.dumps(tool.json_schema(compact=True))) for tool in bt.tools().values()}
        whole = {tool.name: count(json.dumps(tool.json_schema())) for tool in bt.tools().values()}
        longest = max(compact, key=lambda name: compact[name])
        result["signatures"][family] = {"functions": len(compact), "mean": round(float(np.mean(list(compact.values()))), 1), "longest": longest,
                                        "tokens": compact[longest], "whole_mean": round(float(np.mean(list(whole.values()))), 1),
                                        "vocabulary": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        print(family, result["signatures"][family], flush=True)
        for what, (menu, size) in ARRANGEMENTS.items():
            asked = rows if (menu, size) != ("compact", "all") else rows[::20]
            found = lengths(renderer, count, asked, menu, size)
            total = np.array([p + c for p, c in found])
            lost = [row["function"] for row, n in zip(asked, total, strict=True) if n > LIMIT]
            result["counts"][f"{family}: {what}"] = entry = {
                "n": len(asked), "lost": len(lost), "functions_lost": sorted(set(lost)), "mean": round(float(total.mean()), 1), "max": int(total.max()),
                "quantiles": {str(q): int(np.quantile(total, q)) for q in (0.1, 0.5, 0.9, 0.99)},
            }
            print(family, what, entry, flush=True)
            if family == "qwen" and size in ("published", 8):
                result["sample"][what] = found[:: max(1, len(found) // SAMPLE)]
    write_atomically(options.out, json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
