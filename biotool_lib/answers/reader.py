"""`reader-v1`: a small extractive reader. It sees a question and the summary of one response, and picks one value of the response.

It is no language model and writes no sentence. A linear model, fitted on training questions, weighs pairs of a question's words and a
response's keys ("how many" and `total`). It exists so that the whole way from question to answer runs and is measured without a
language model; what it reaches says nothing of answer quality.
"""

from __future__ import annotations

import random
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np

from ..common.runner import Run
from ..common.stats import bootstrap
from ..errors import InvalidParameter, Problem
from ..questions.lexicon import literal

NAME = "reader-v1"
FILE = "answers/reader.npz"
FEATURES = 2**18
QUESTIONS, OTHERS = 6000, 12  # training questions, and wrong values of each that are shown to the fit
_WORD = re.compile(r"[A-Za-z]+(?:'[a-z]+)?")
_NAMES = re.compile(r"\S*\d\S*")
_PARTS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_SILENT = frozenset({"shown", "format", "summary_error", "left_out"})


@dataclass(frozen=True)
class Found:
    """What was picked, where it stands in the summary, and how sure the reader is (log odds)."""

    value: Any
    path: str
    score: float


class Reader:
    """Picks the value of a response that a question asks for; the weights come from `fit` or `Reader.load`.

    Example: `Reader.load(run).read("On which chromosome is BRCA2?", {"id": "ENSG00000139618", "seq_region_name": "13"}).value`
    """

    def __init__(self, weights: np.ndarray, bias: float) -> None:
        self.weights: np.ndarray = weights.astype(np.float32)
        self.bias = float(bias)

    @classmethod
    def fit(cls, rows: Iterable[Mapping[str, Any]], seed: int = 0) -> Reader:
        """Learn from dataset rows (question, observation, answer_path), of which it takes up to `QUESTIONS`.

        Raises InvalidParameter where no row has an answer to learn from. Example: `Reader.fit(run.read("dataset/train.jsonl"))`
        """
        from sklearn.linear_model import SGDClassifier

        rng = random.Random(seed)
        usable = [row for row in rows if row["observation"] is not None and row["answer_path"]]
        shown: list[np.ndarray] = []
        right: list[int] = []
        for row in rng.sample(usable, min(QUESTIONS, len(usable))):
            said = _Question.of(row["question"])
            found = {".".join(path): (path, value) for path, value in candidates(row["observation"])}
            answer = found.pop(row["answer_path"], None)
            if answer is not None:
                others = rng.sample(sorted(found), min(OTHERS, len(found)))
                shown += [_features(said, *place) for place in (answer, *(found[name] for name in others))]
                right += [1] + [0] * len(others)
        if len(set(right)) < 2:
            raise InvalidParameter("reader", [Problem("rows", len(usable), "none of them has a right and a wrong value to learn from")])
        model = SGDClassifier("log_loss", alpha=1e-5, max_iter=8, tol=None, random_state=seed).fit(_matrix(shown), right)
        return cls(model.coef_[0], model.intercept_[0])

    @classmethod
    def load(cls, run: Run) -> Reader:
        """The reader of a run, fitted on its training split where that has not been done."""
        stage = run.stage("reader", reads=["dataset/train.jsonl"], writes=[FILE])
        if not stage.done:
            made = cls.fit(run.read("dataset/train.jsonl"), run.seed)
            (run.path / FILE).parent.mkdir(parents=True, exist_ok=True)
            with (run.path / FILE).open("wb") as handle:
                np.savez_compressed(handle, weights=made.weights, bias=made.bias)
            stage.finish(int((made.weights != 0).sum()), name=NAME)
        with np.load(run.path / FILE, allow_pickle=False) as kept:
            return cls(kept["weights"], float(kept["bias"]))

    def read(self, question: str, summary: Any) -> Found | None:
        """The value that fits best; None (it abstains) where there is no response to read."""
        found = list(candidates(summary))
        if not found:
            return None
        said = _Question.of(question)
        scores = [float(self.weights[_features(said, *place)].sum()) + self.bias for place in found]
        best = int(np.argmax(scores))
        return Found(found[best][1], ".".join(found[best][0]), round(scores[best], 4))

    def accuracy(self, rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
        """How often it finds the answer in the right response: {value, n, low, high}, by call. For choices, on the validation split."""
        from .checks import equal

        usable = [row for row in rows if row["observation"] is not None and row["answer_path"]]
        hits = [found is not None and equal(found.value, row["answer_value"]) for row in usable
                for found in [self.read(row["question"], row["observation"])]]
        return bootstrap([float(hit) for hit in hits], [row["group"] for row in usable])


def candidates(summary: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Paths and values that an answer may be: single values, lists, and small tables. Example: `list(candidates({"total": 3}))`"""
    yield from _candidates(summary, ())


def _candidates(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, Mapping):
        if path and 0 < len(value) <= 12 and not path[-1].isdigit():
            yield path, value
        for key, inner in value.items():
            if key not in _SILENT:
                yield from _candidates(inner, (*path, str(key)))
    elif isinstance(value, list):
        if path and value:
            yield path, value
        for number, inner in enumerate(value[:8]):
            yield from _candidates(inner, (*path, str(number)))
    elif path and value not in (None, ""):
        yield path, value


@dataclass(frozen=True)
class _Question:
    words: np.ndarray
    stems: frozenset[str]
    text: str

    @classmethod
    def of(cls, question: str) -> _Question:
        tokens = [stem(word) for word in _WORD.findall(_NAMES.sub(" ", question))]
        pairs = [f"{a}_{b}" for a, b in pairwise(tokens)]
        return cls(np.array([_digest(word) for word in dict.fromkeys([*tokens, *pairs])], dtype=np.uint64), frozenset(tokens), question.casefold())


def _features(said: _Question, path: tuple[str, ...], value: Any) -> np.ndarray:
    """Places in the weights of one value: each word (and pair of neighbours) with the last key, the whole path and the kind of value,
    and how key, kind and place suit the question."""
    keys = [step for step in path if not step.isdigit()]
    last, whole = keys[-1], ".".join(keys)
    kind = "list" if isinstance(value, list) else "table" if isinstance(value, Mapping) else type(value).__name__
    parts = {stem(part) for part in _PARTS.findall(last)}
    place = min(sum(int(step) for step in path if step.isdigit()), 3)
    named = "said" if kind not in ("list", "table") and _said(value, said.text) else "new"
    alone = [f"last {last}", f"whole {whole}", f"kind {kind}", f"depth {len(keys)}", f"place {place}", named, f"shared {len(parts & said.stems)}",
             f"{last} {kind}", f"{last} {named}"]
    sides = np.array([_digest(f"last {last}"), _digest(f"whole {whole}"), _digest(f"kind {kind}")], dtype=np.uint64)
    pairs = (said.words[:, None] * np.uint64(0x9E3779B1) + sides[None, :] * np.uint64(0x85EBCA77)) >> np.uint64(17)
    return np.concatenate([pairs.ravel(), np.array([_digest(name) for name in alone], dtype=np.uint64)]).astype(np.int64) % FEATURES


def _matrix(rows: list[np.ndarray]) -> Any:
    from scipy.sparse import csr_matrix

    places, ends = np.concatenate(rows), np.cumsum([0, *map(len, rows)])
    return csr_matrix((np.ones(len(places), dtype=np.float32), places, ends), shape=(len(rows), FEATURES))


@lru_cache(2**14)
def _digest(text: str) -> int:
    return zlib.crc32(text.encode())


def _said(value: Any, text: str) -> bool:
    """Whether the question says the value already: then it is what was asked about, and seldom what was asked for."""
    said = literal(value).casefold()
    return len(said) > 1 and said in text and re.search(rf"(?<!\w){re.escape(said)}(?!\w)", text) is not None


@lru_cache(2**14)
def stem(word: str) -> str:
    """A word without case and the ending of a plural. Example: `stem("Alleles")`"""
    word = word.lower()
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
