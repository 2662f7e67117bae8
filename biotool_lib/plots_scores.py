"""Figures of the evaluation chapter: one function each, from a table of `evaluation` to a matplotlib Axes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .plots import COLOURS, _axes

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

PALETTE = ("#4878a8", "#c1663f", "#5b9a5f", "#9a86b8", "#e3b23c", "#6b4c3b", "#a04d4d", "#7f7f7f")
RULES = {"strict": "#4878a8", "published": "#e3b23c"}


def _reach(rows: pd.DataFrame) -> list[pd.Series]:
    """How far the intervals reach below and above the values."""
    return [(rows["value"] - rows["low"]).clip(lower=0), (rows["high"] - rows["value"]).clip(lower=0)]


def published_gap(table: pd.DataFrame) -> Axes:
    """Bars: each metric of each model by the strict and by the published rules, with 95 % intervals, from `evaluation.published_gap`."""
    import numpy as np

    metrics, models = list(dict.fromkeys(table["metric"])), list(dict.fromkeys(table["model"]))
    axes = _axes(7, 3.5)
    places = {(metric, model): i * (len(models) + 1) + j for i, metric in enumerate(metrics) for j, model in enumerate(models)}
    for k, (rules, colour) in enumerate(RULES.items()):
        rows = table[table["rules"] == rules]
        at = np.array([places[metric, model] for metric, model in zip(rows["metric"], rows["model"], strict=True)])
        axes.bar(at + (k - 0.5) * 0.4, rows["value"], 0.4, color=colour, label=f"{rules} rules", yerr=_reach(rows), capsize=2)
    axes.set_xticks(list(places.values()), [model for _, model in places], rotation=40, ha="right")
    for i, metric in enumerate(metrics):
        axes.annotate(metric.replace("_", " "), (i * (len(models) + 1) + (len(models) - 1) / 2, 1.04), ha="center", annotation_clip=False)
    axes.set(ylim=(0, 1), ylabel="mean over rows")
    axes.legend(ncols=2, loc="upper center", bbox_to_anchor=(0.5, 1.22), frameon=False)
    return axes


def distances(table: pd.DataFrame) -> Axes:
    """Points: one metric of each model at each distance from training, with 95 % intervals and n, from `evaluation.distance_table`."""
    models, kinds = list(dict.fromkeys(table["model"])), list(dict.fromkeys(table["distance"]))
    axes = _axes(7, 0.6 + 0.55 * len(kinds))
    for i, model in enumerate(models):
        rows = table[table["model"] == model]
        height = [kinds.index(kind) + (i - (len(models) - 1) / 2) * 0.7 / len(models) for kind in rows["distance"]]
        axes.errorbar(rows["value"], height, xerr=_reach(rows), fmt="o", markersize=4, capsize=2, color=PALETTE[i % len(PALETTE)], label=model)
    sizes = table.groupby("distance")["n"].max()
    axes.set_yticks(range(len(kinds)), [f"{kind} (n = {sizes[kind]:,})" for kind in kinds])
    axes.set(xlim=(-0.02, 1.02), xlabel=table["metric"].iloc[0].replace("_", " "), ylim=(len(kinds) - 0.5, -0.5))
    axes.legend(ncols=min(4, len(models)), loc="lower center", bbox_to_anchor=(0.4, 1.0), frameon=False)
    return axes


def confusion(table: pd.DataFrame, most: int = 12) -> Axes:
    """Bars: the pairs of functions that were mixed up most often, from `evaluation.confusion`; rows without a readable call are left out."""
    rows = table[table["predicted_function"] != "none"].head(most)
    called_in = rows["predicted_function"].str.slice(0, 40).str.replace("$", r"\$", regex=False)  # a model may write anything, formulas too
    axes = _axes(7, 0.8 + 0.28 * max(len(rows), 1))
    axes.barh([f"{right} → {called}" for right, called in zip(rows["function"], called_in, strict=True)], rows["n"],
              color=COLOURS["ncbi"])
    axes.invert_yaxis()
    axes.set(xlabel="rows", ylabel="right function → function called")
    return axes


def menu_curve(table: pd.DataFrame) -> Axes:
    """Points: a score against how many functions stood in the prompt, with 95 % intervals, from `evaluation.menu_curve`."""
    axes = _axes(7, 3)
    table = table.assign(arm=table["model"].str.replace(r"-menu[\w-]+$", "", regex=True))
    for i, (arm, rows) in enumerate(table.groupby("arm")):
        rows = rows.sort_values("functions")
        axes.errorbar(rows["functions"], rows["value"], yerr=_reach(rows), fmt="o-", capsize=3, color=PALETTE[i % len(PALETTE)], label=arm)
    ticks = sorted(set(table["functions"]))
    axes.set(xscale="log", ylim=(0, 1), xlabel="functions in the prompt", ylabel="exact match")
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks], minor=False)
    axes.minorticks_off()
    axes.legend(frameon=False)
    return axes
