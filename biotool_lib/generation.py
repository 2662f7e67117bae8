"""Predictions: a model's text for every question of a split, and the call in it.

The road predicts the test split of every model before it scores them: `python -m biotool_lib.evaluation --run runs/laptop`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .common.chat import encode_prompt, parse, render_call
from .common.runner import Run, dumps, intact_rows, track
from .training.recipe import Recipe
from .training.rows import schemas
from .training.train import quiet

if TYPE_CHECKING:
    import pandas as pd


def generate(model, tokenizer, prompts: Sequence[Sequence[int]], *, max_new_tokens: int, batch_size: int) -> Iterator[tuple[int, str]]:
    """Greedy continuations of tokenised prompts as (index, text), in left-padded batches of similar length."""
    import torch

    order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
    model.eval()
    for start in range(0, len(order), batch_size):
        batch = order[start:start + batch_size]
        width = max(len(prompts[i]) for i in batch)
        ids = torch.tensor([[tokenizer.pad_token_id] * (width - len(prompts[i])) + list(prompts[i]) for i in batch])
        mask = torch.tensor([[0] * (width - len(prompts[i])) + [1] * len(prompts[i]) for i in batch])
        with torch.inference_mode():
            out = model.generate(
                input_ids=ids.to(model.device), attention_mask=mask.to(model.device), max_new_tokens=max_new_tokens,
                do_sample=False, temperature=None, top_p=None, top_k=None, pad_token_id=tokenizer.pad_token_id,
                eos_token_id=tokenizer.eos_token_id,
            )
        for i, tokens in zip(batch, out[:, width:].tolist(), strict=True):
            end = tokens.index(tokenizer.eos_token_id) if tokenizer.eos_token_id in tokens else len(tokens)
            yield i, tokenizer.decode([t for t in tokens[:end] if t != tokenizer.pad_token_id])


def predict(run: Run, folder: str | Path, recipe: Recipe, split: str = "test", name: str | None = None,
            progress: bool | None = None) -> pd.DataFrame:
    """Predict a split with a saved model; writes predictions/<name>.jsonl with id, text, call and form of each row.

    Batches append as they come, so that an interrupted prediction goes on. Example: `predict(run, run.path / "models/laptop", recipe)`
    """
    import pandas as pd

    folder = Path(folder)
    name = name or folder.name
    artefact = f"predictions/{name}.jsonl"
    model_at = str(folder.relative_to(run.path))
    stage = run.stage(f"predict/{name}", reads=[f"dataset/{split}.jsonl", model_at], writes=[artefact],
                      settings={"split": split, "max_new_tokens": recipe.max_new_tokens, "menu": recipe.menu})
    if not stage.done:
        rows = run.read(f"dataset/{split}.jsonl")
        found = _predict_rows(run, stage, folder, rows, recipe, progress)
        run.write(artefact, [found[row["id"]] for row in rows])
        stage.finish(len(rows), split=split)
        run.tidy(stage)
    return pd.DataFrame(run.read(artefact))


def _predict_rows(run: Run, stage, folder: Path, rows: list[dict[str, Any]], recipe: Recipe, progress: bool | None) -> dict[str, dict[str, Any]]:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    quiet()
    part = run.part(stage)
    found = intact_rows(part, "id")
    todo = [row for row in rows if row["id"] not in found]
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype="auto", use_safetensors=True).to("cuda" if torch.cuda.is_available() else "cpu")
    prompts = [encode_prompt(tokenizer, row["question"], schemas(row, recipe)) for row in todo]
    texts = generate(model, tokenizer, prompts, max_new_tokens=recipe.max_new_tokens, batch_size=recipe.predict_batch)
    with part.open("a", encoding="utf-8") as handle:
        bar = track(range(len(todo)), stage.name, progress, done=len(rows) - len(todo))
        for _, (i, text) in zip(bar, texts, strict=True):
            row = prediction(todo[i]["id"], text)
            found[row["id"]] = row
            handle.write(dumps(row) + "\n")
            handle.flush()
    return found


def prediction(question_id: str, text: str) -> dict[str, Any]:
    """A predictions row from a model's text."""
    parsed = parse(text)
    return {"id": question_id, "text": text, "call": parsed.call, "form": parsed.form}


def retrieve(run: Run, split: str = "test", name: str = "retrieval") -> pd.DataFrame:
    """The retrieval baseline: the call of the training question that is nearest in words (TF-IDF), unchanged.

    What it reaches is what a lookup without any learning reaches. Example: `retrieve(Run("runs/laptop"))`
    """
    import pandas as pd
    from sklearn.feature_extraction.text import TfidfVectorizer

    artefact = f"predictions/{name}.jsonl"
    stage = run.stage(f"predict/{name}", reads=["dataset/train.jsonl", f"dataset/{split}.jsonl"], writes=[artefact])
    if not stage.done:
        known = run.read("dataset/train.jsonl")
        asked = run.read(f"dataset/{split}.jsonl")
        vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
        index = vectorizer.fit_transform([row["question"] for row in known])
        nearest = (vectorizer.transform([row["question"] for row in asked]) @ index.T).tocsr()
        rows = [prediction(row["id"], render_call(known[int(nearest[i].toarray().argmax())]["call"])) for i, row in enumerate(asked)]
        run.write(artefact, rows)
        stage.finish(len(rows), split=split)
    return pd.DataFrame(run.read(artefact))
