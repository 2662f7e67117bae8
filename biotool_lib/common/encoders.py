"""Encoders of response texts, by name. The name is part of every score that was made with one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..errors import InvalidParameter, Problem, did_you_mean

DEFAULT = "hash-ngram-v1"


def _hash_ngram(texts: Sequence[str]):
    """Character 3- to 5-grams within words, hashed into 2**18 places, L2-normalised; no weights, no network."""
    from sklearn.feature_extraction.text import HashingVectorizer

    vectorizer = HashingVectorizer(
        analyzer="char_wb", ngram_range=(3, 5), n_features=2**18, lowercase=True, norm="l2", alternate_sign=False
    )
    return vectorizer.transform(texts)


ENCODERS: dict[str, Callable] = {DEFAULT: _hash_ngram}


def similarity(left: Sequence[str], right: Sequence[str], encoder: str = DEFAULT) -> np.ndarray:
    """Cosine of each pair of texts, in [-1, 1]; two texts of which one is empty have 0.

    Each distinct text is encoded once. Raises InvalidParameter for an unknown encoder.
    Example: `similarity(["BRCA1 chromosome 17"], ["BRCA1 chromosome 17"])[0]`
    """
    if encoder not in ENCODERS:
        raise InvalidParameter("similarity", [Problem("encoder", encoder, did_you_mean(encoder, ENCODERS))])
    if len(left) != len(right):
        raise ValueError(f"{len(left)} texts on the left, {len(right)} on the right: pairs are needed")
    if not left:
        return np.zeros(0)
    texts = sorted(set(left) | set(right))
    place = {text: i for i, text in enumerate(texts)}
    vectors = ENCODERS[encoder](texts)
    a, b = vectors[[place[t] for t in left]], vectors[[place[t] for t in right]]
    return np.clip(np.asarray(a.multiply(b).sum(axis=1)).ravel(), -1.0, 1.0)
