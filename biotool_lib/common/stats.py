"""Intervals: a bootstrap over groups, since the rows of one call stand or fall together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def bootstrap(values: Sequence[float], groups: Sequence[str] | None = None, *, draws: int = 1000,
              level: float = 0.95, seed: int = 0) -> dict[str, float | int | None]:
    """Mean of `values` with a percentile bootstrap interval, resampling whole `groups` where they are given.

    Returns {value, n, low, high}; value and bounds are None for n = 0.
    Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13.
    Example: `bootstrap([1, 0, 1], ["a", "a", "b"])["value"]`
    """
    data = np.asarray(values, dtype=float)
    if data.size == 0:
        return {"value": None, "n": 0, "low": None, "high": None}
    names = np.arange(data.size) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    sums = np.bincount(names, weights=data)
    sizes = np.bincount(names)
    picks = np.random.default_rng(seed).integers(0, sums.size, size=(draws, sums.size))
    means = sums[picks].sum(axis=1) / sizes[picks].sum(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return {"value": round(float(data.mean()), 6), "n": int(data.size), "low": round(float(low), 6), "high": round(float(high), 6)}
