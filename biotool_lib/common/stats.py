"""Intervals, differences and how small a difference can be seen.

Rows of one call stand or fall together, so whole `groups` of rows are drawn, never single rows. Every result carries its n.
Sources: Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapters 8, 13 and 16; McNemar, Psychometrika 12 (1947), 153.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import Any

import numpy as np

Interval = dict[str, float | int | None]
DRAWS = 1000
_BLOCK = 2**22  # drawn numbers held at once


def bootstrap(values: Sequence[float], groups: Sequence[str] | None = None, *, draws: int = DRAWS,
              level: float = 0.95, seed: int = 0) -> Interval:
    """Mean of `values` with a percentile bootstrap interval, resampling whole `groups` where they are given.

    Values that are None or NaN do not count. Returns {value, n, low, high}; value and bounds are None for n = 0.
    Example: `bootstrap([1, 0, 1], ["a", "a", "b"])["value"]`
    """
    return bootstrap_columns({"mean": values}, groups, draws=draws, level=level, seed=seed)["mean"]


def bootstrap_columns(columns: Mapping[str, Sequence[Any]], groups: Sequence[str] | None = None, *, draws: int = DRAWS,
                      level: float = 0.95, seed: int = 0) -> dict[str, Interval]:
    """`bootstrap` of several columns over the same rows, from the same draws: {column: {value, n, low, high}}."""
    if not columns:
        return {}
    data = np.column_stack([np.asarray(column, dtype=float) for column in columns.values()])
    present = ~np.isnan(data)
    found: dict[str, Interval] = {}
    means = _drawn_means(np.where(present, data, 0.0), present, groups, draws, seed) if len(data) else np.zeros((0, data.shape[1]))
    for i, name in enumerate(columns):
        n = int(present[:, i].sum())
        if n == 0:
            found[name] = {"value": None, "n": 0, "low": None, "high": None}
            continue
        drawn = means[~np.isnan(means[:, i]), i]  # a draw may miss every row that has a value
        low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
        found[name] = {"value": _r(data[present[:, i], i].mean()), "n": n, "low": _r(low), "high": _r(high)}
    return found


def _drawn_means(data: np.ndarray, present: np.ndarray, groups: Sequence[str] | None, draws: int, seed: int) -> np.ndarray:
    """Means of each column in each draw of groups, as one product of matrices."""
    place = np.arange(len(data)) if groups is None else np.unique(np.asarray(groups, dtype=str), return_inverse=True)[1]
    many = int(place.max()) + 1
    sums, sizes = np.zeros((many, data.shape[1])), np.zeros((many, data.shape[1]))
    np.add.at(sums, place, data)
    np.add.at(sizes, place, present)
    rng, means = np.random.default_rng(seed), []
    step = max(1, _BLOCK // many)
    for start in range(0, draws, step):
        size = min(step, draws - start)
        picks = rng.integers(0, many, size=(size, many)) + many * np.arange(size)[:, None]
        times = np.bincount(picks.ravel(), minlength=size * many).reshape(size, many).astype(float)
        with np.errstate(invalid="ignore"):
            means.append((times @ sums) / (times @ sizes))
    return np.concatenate(means)


def paired_bootstrap(first: Sequence[float], second: Sequence[float], groups: Sequence[str] | None = None, *,
                     draws: int = DRAWS, level: float = 0.95, seed: int = 0) -> Interval:
    """Mean of `second` minus `first`, row by row, with an interval and a two-sided p from the draws on the other side of 0.

    Rows in which either is None or NaN do not count. Returns {value, n, low, high, p}; p is at least 1 / draws.
    Raises ValueError for unequal lengths. Example: `paired_bootstrap([0, 0, 1], [1, 0, 1])["value"]`
    """
    if len(first) != len(second):
        raise ValueError(f"{len(first)} values of the first, {len(second)} of the second: pairs of the same rows are needed")
    apart = np.asarray(second, dtype=float) - np.asarray(first, dtype=float)
    found = bootstrap_columns({"difference": apart}, groups, draws=draws, level=level, seed=seed)["difference"]
    if found["n"] == 0:
        return {**found, "p": None}
    present = ~np.isnan(apart)
    means = _drawn_means(np.where(present, apart, 0.0)[:, None], present[:, None], groups, draws, seed)[:, 0]
    means = means[~np.isnan(means)]
    p = 2 * min((means <= 0).mean(), (means >= 0).mean())
    return {**found, "p": _r(min(1.0, max(p, 1 / draws)))}


def mcnemar(first: Sequence[bool], second: Sequence[bool]) -> dict[str, float | int]:
    """Exact McNemar test of two models on the same rows: {only_first, only_second, n, p}.

    It takes rows as independent; where several rows share a call, `paired_bootstrap` with groups is the one to believe.
    Raises ValueError for unequal lengths. Example: `mcnemar([True, False], [True, True])["only_second"]`
    """
    from scipy.stats import binomtest

    if len(first) != len(second):
        raise ValueError(f"{len(first)} rows of the first, {len(second)} of the second: the same rows are needed")
    a, b = np.asarray(first, dtype=bool), np.asarray(second, dtype=bool)
    only_first, only_second = int((a & ~b).sum()), int((b & ~a).sum())
    discordant = only_first + only_second
    p = float(binomtest(only_first, discordant, 0.5).pvalue) if discordant else 1.0
    return {"only_first": only_first, "only_second": only_second, "n": len(a), "p": p}


def over_seeds(values: Sequence[float], level: float = 0.95) -> Interval:
    """Mean over several trainings, their standard deviation (n - 1) and Student's interval of the mean.

    With one seed there is no interval: sd, low and high are None. Example: `over_seeds([0.5, 0.6, 0.55])["sd"]`
    """
    data = np.asarray(values, dtype=float)
    if data.size == 0:
        return {"value": None, "n": 0, "low": None, "high": None, "sd": None}
    mean = float(data.mean())
    if data.size == 1:
        return {"value": _r(mean), "n": 1, "low": None, "high": None, "sd": None}
    from scipy.stats import t

    sd = float(data.std(ddof=1))
    half = float(t.ppf((1 + level) / 2, data.size - 1)) * sd / math.sqrt(data.size)
    return {"value": _r(mean), "n": int(data.size), "low": _r(mean - half), "high": _r(mean + half), "sd": _r(sd)}


def smallest_difference(n: int, share: float = 0.5, *, level: float = 0.95, power: float = 0.8) -> float | None:
    """The smallest difference between two shares that `n` independent rows for each would show, with this power.

    Normal approximation at `share`; 0.5 is the worst case. None for n = 0; never above 1.
    Source: Fleiss, Levin and Paik, Statistical Methods for Rates and Proportions (2003), chapter 4.
    Example: `smallest_difference(100)`
    """
    if n <= 0:
        return None
    z = NormalDist().inv_cdf((1 + level) / 2) + NormalDist().inv_cdf(power)
    return round(min(1.0, z * math.sqrt(2 * share * (1 - share) / n)), 4)


def _r(number: Any) -> float:
    return round(float(number), 6)
