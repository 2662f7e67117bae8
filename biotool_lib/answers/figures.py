"""The figures of the chapters on answers and chains: one function each, from a table to a matplotlib Axes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..plots import COLOURS, _axes
from . import CONDITIONS

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

LABELS = {"no_call": "no call", "by_lot": "a response\nby lot", "in_context": "in context", "fine_tuned": "fine-tuned", "oracle": "oracle call"}


def answers(table: pd.DataFrame) -> Axes:
    """Bars: accuracy under every condition with 95 % intervals; a tick where the answer stands in the response at all."""
    accuracy, upper = (table[table["metric"] == metric].set_index("condition") for metric in ("accuracy", "present"))
    order = [name for name in CONDITIONS if name in accuracy.index] + [name for name in accuracy.index if name not in CONDITIONS]
    rows, places = accuracy.loc[order], range(len(order))
    axes = _axes(7, 3.2)
    axes.bar(places, rows["value"], 0.6, color=COLOURS["ensembl"], capsize=4,
             yerr=[(rows["value"] - rows["low"]).clip(lower=0), (rows["high"] - rows["value"]).clip(lower=0)])
    axes.scatter(places, upper.loc[order, "value"], marker="_", s=500, color=COLOURS["ncbi"], linewidth=2, label="the answer stands in the response", zorder=3)
    axes.set(xticks=list(places), xticklabels=[LABELS.get(name, name) for name in order], ylim=(0, 1.05), ylabel="right answers")
    axes.legend(loc="upper left", frameon=False)
    return axes


def answers_by(table: pd.DataFrame, by: str) -> Axes:
    """Accuracy per part (database, stratum, …) and condition with 95 % intervals."""
    import numpy as np

    chosen = table[table["metric"] == "accuracy"]
    parts, names = list(dict.fromkeys(chosen[by])), [c for c in dict.fromkeys(chosen["condition"]) if c != "no_call"]
    axes, width = _axes(7, 3.2), 0.8 / len(names)
    for i, name in enumerate(names):
        rows = chosen[chosen["condition"] == name].set_index(by).loc[parts]
        axes.bar(np.arange(len(parts)) + (i - (len(names) - 1) / 2) * width, rows["value"], width, label=LABELS.get(name, name).replace("\n", " "),
                 yerr=[(rows["value"] - rows["low"]).clip(lower=0), (rows["high"] - rows["value"]).clip(lower=0)], capsize=2)
    axes.set(xticks=range(len(parts)), xticklabels=parts, ylim=(0, 1.05), ylabel="right answers")
    axes.legend(ncols=len(names), loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False)
    return axes


def chain_scores(table: pd.DataFrame) -> Axes:
    """Bars: final answers and whole chains right, for every planner, with 95 % intervals."""
    import numpy as np

    planners = list(dict.fromkeys(table["planner"]))
    axes = _axes(7, 0.7 + 0.7 * len(planners))
    for i, (metric, label, colour) in enumerate((("accuracy", "right answer", COLOURS["ensembl"]), ("steps_right", "right steps", COLOURS["uniprot"]))):
        rows = table[table["metric"] == metric].set_index("planner").loc[planners]
        axes.barh(np.arange(len(planners)) + (i - 0.5) * 0.38, rows["value"], 0.38, label=label, color=colour, capsize=3,
                  xerr=[(rows["value"] - rows["low"]).clip(lower=0), (rows["high"] - rows["value"]).clip(lower=0)])
    axes.set(yticks=range(len(planners)), yticklabels=planners, xlim=(0, 1.05), xlabel="share")
    axes.invert_yaxis()
    axes.legend(ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False)
    return axes


def chain_steps(table: pd.DataFrame) -> Axes:
    """Lines: how many chains still have every step right after 1, 2 and 3 steps."""
    axes = _axes(6, 3)
    for planner, rows in table.groupby("planner", sort=False):
        axes.plot(rows["step"], rows["given"].cumprod(), "o-", label=planner)
    axes.set(xticks=sorted(set(table["step"])), ylim=(-0.03, 1.05), xlabel="step", ylabel="right so far")
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    return axes
