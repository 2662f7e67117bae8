"""The book's figures: one function each, from a DataFrame to a matplotlib Axes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

COLOURS = {"ensembl": "#4878a8", "ncbi": "#c1663f", "uniprot": "#5b9a5f"}
# Good, silent and bad outcomes are told apart at a glance; an outcome that is not listed is grey.
OUTCOME_COLOURS = {
    "ok": "#4878a8", "empty": "#b9cfe4", "not_found": "#e3b23c", "not_recorded": "#cfcfcf", "pending": "#9a86b8",
    "invalid_arguments": "#c1663f", "rate_limited": "#a04d4d", "server_error": "#8c2d2d", "transport_error": "#6b4c3b", "bad_body": "#3d3d3d",
}


def _axes(width: float = 7.0, height: float = 3.5) -> Axes:
    import matplotlib.pyplot as plt
    import seaborn as sns

    sns.set_theme(style="whitegrid", context="notebook", font_scale=0.85)
    return plt.subplots(figsize=(width, height), layout="constrained")[1]


def gene_on_chromosome(gene: Mapping[str, Any], chromosome: Mapping[str, Any]) -> Axes:
    """Where a gene lies: its place on the whole chromosome, drawn from the summaries of two calls."""
    axes = _axes(7, 1.3)
    length, middle = chromosome["length"] / 1e6, (gene["start"] + gene["end"]) / 2e6
    axes.barh([0], [length], height=0.5, color="#dfe6ee", edgecolor="#9db8d2")
    axes.plot([middle, middle], [-0.25, 0.25], color=COLOURS["ncbi"], linewidth=2)
    axes.annotate(gene["display_name"], (middle, 0.28), ha="center", va="bottom", color=COLOURS["ncbi"])
    axes.set(xlim=(0, length), ylim=(-0.4, 0.75), yticks=[], xlabel=f"chromosome {gene['seq_region_name']} of {gene['assembly_name']}, million bases")
    axes.grid(visible=False)
    return axes


def functions_per_group(frame: pd.DataFrame) -> Axes:
    """Bars: how many functions each group of each database has."""
    import seaborn as sns

    counts = frame.groupby(["database", "group"]).size().reset_index(name="functions").sort_values("functions", ascending=False)
    axes = _axes(7, 8)
    sns.barplot(counts, y="group", x="functions", hue="database", palette=COLOURS, dodge=False, ax=axes)
    axes.set(xlabel="functions", ylabel="")
    return axes


def outcomes(calls: pd.DataFrame) -> Axes:
    """Stacked counts of outcomes per database."""
    from .catalogue import tools

    table = calls.assign(database=[tools()[n].database for n in calls["name"]]).groupby(["database", "outcome"]).size().unstack(fill_value=0)
    axes = _axes(7, 2.5)
    table = table[[o for o in OUTCOME_COLOURS if o in table] + [o for o in table if o not in OUTCOME_COLOURS]]
    table.plot.barh(stacked=True, ax=axes, color=[OUTCOME_COLOURS.get(o, "#888888") for o in table], width=0.6)
    axes.set(xlabel="calls", ylabel="")
    axes.legend(title=None, ncols=min(5, table.shape[1]), loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False)
    return axes


def calls_per_function(calls: pd.DataFrame) -> Axes:
    """Histogram: how many calls the functions have."""
    import seaborn as sns

    axes = _axes(7, 2.8)
    sns.histplot(calls.groupby("name").size(), bins=30, ax=axes, color=COLOURS["ensembl"])
    axes.set(xlabel="calls of a function", ylabel="functions")
    return axes


def question_lengths(questions: pd.DataFrame) -> Axes:
    """Histogram of words per question, by style."""
    import seaborn as sns

    axes = _axes(7, 2.8)
    sns.histplot(questions.assign(words=questions["question"].str.split().str.len()), x="words", hue="style", bins=30, binrange=(0, 60), ax=axes)
    axes.set(xlabel="words", ylabel="questions")
    return axes


def families(questions: pd.DataFrame, most: int = 25) -> Axes:
    """Bars: how many questions each of the commonest phrasing families has, by style."""
    counts = questions.groupby(["family", "style"]).size().unstack(fill_value=0)
    counts = counts.loc[counts.sum(axis=1).nlargest(most).index[::-1]]
    axes = _axes(7, 5.5)
    counts.plot.barh(stacked=True, ax=axes, width=0.75, color=list(COLOURS.values()))
    axes.set(xlabel="questions", ylabel="")
    axes.legend(title=None, loc="lower right")
    return axes


def arguments_stated(calls: pd.DataFrame) -> Axes:
    """Bars: how many arguments a call has, which its question has to state, by database."""
    from .catalogue import tools

    table = calls.assign(database=[tools()[n].database for n in calls["name"]], arguments=calls["arguments"].map(len))
    axes = _axes(7, 2.8)
    table.groupby(["arguments", "database"]).size().unstack(fill_value=0).plot.bar(stacked=True, ax=axes, color=COLOURS, width=0.75, rot=0)
    axes.set(xlabel="arguments of a call", ylabel="calls")
    axes.legend(title=None)
    return axes


def calibration(table: pd.DataFrame) -> Axes:
    """Bars: the share of each planted fault, and of untouched rows, that each reader rejects, with 95 % intervals."""
    import numpy as np

    axes, faults, judges = _axes(7, 3), list(dict.fromkeys(table["fault"])), list(dict.fromkeys(table["judge"]))
    width = 0.8 / len(judges)
    for i, name in enumerate(judges):
        rows = table[table["judge"] == name].set_index("fault").loc[faults]
        low, high = (rows[side].astype(float) for side in ("low", "high"))
        value = rows["value"].astype(float)
        axes.bar(np.arange(len(faults)) + (i - (len(judges) - 1) / 2) * width, value, width, label=name,
                 yerr=[(value - low).clip(lower=0), (high - value).clip(lower=0)], capsize=3)
    axes.set(xticks=range(len(faults)), xticklabels=[fault.replace("_", " ") for fault in faults], ylim=(0, 1), ylabel="share rejected")
    axes.legend(ncols=len(judges), loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False)
    return axes


def funnel(table: pd.DataFrame) -> Axes:
    """Bars of the filter funnel, calls and questions apart."""
    import seaborn as sns

    axes = _axes(7, 2.8)
    sns.barplot(table, y="step", x="count", hue="unit", dodge=False, ax=axes, palette=["#9db8d2", "#4878a8"])
    for i, count in enumerate(table["count"]):
        axes.annotate(f" {count:,}", (count, i), va="center", fontsize=8)
    axes.set(xlabel="number of calls or questions", ylabel="", xlim=(0, 1.15 * table["count"].max()))
    axes.legend(title=None, loc="lower right")
    return axes


def split_sizes(rows: pd.DataFrame) -> Axes:
    """Questions per split and database."""
    import seaborn as sns

    axes = _axes(7, 2.5)
    counts = rows.groupby(["split", "database"]).size().reset_index(name="questions")
    sns.barplot(counts, y="split", x="questions", hue="database", palette=COLOURS, order=["train", "validation", "test"], ax=axes)
    axes.set(ylabel="")
    return axes


def leakage(table: pd.DataFrame) -> Axes:
    """Bars: the share of test rows that training has seen, per split scheme and kind, with 95 % intervals."""
    import numpy as np

    axes, kinds, schemes = _axes(7, 3), list(dict.fromkeys(table["kind"])), list(dict.fromkeys(table["scheme"]))
    for i, kind in enumerate(kinds):
        rows = table[table["kind"] == kind].set_index("scheme").loc[schemes]
        axes.bar(np.arange(len(schemes)) + (i - 1) * 0.27, rows["share"], 0.27, label="near question" if kind == "question" else f"same {kind}",
                 yerr=[(rows["share"] - rows["low"]).clip(lower=0), (rows["high"] - rows["share"]).clip(lower=0)], capsize=2)
    axes.set(xticks=range(len(schemes)), xticklabels=schemes, ylim=(0, 1), xlabel="split by", ylabel="test rows seen in training")
    axes.legend(ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False)
    return axes


def recall(table: pd.DataFrame) -> Axes:
    """Lines: recall at k of each retriever of functions, with 95 % intervals."""
    axes = _axes(7, 3)
    for name, rows in table.groupby("retriever"):
        axes.plot(rows["k"], rows["recall"], "o-", label=name)
        axes.fill_between(rows["k"], rows["low"], rows["high"], alpha=0.2)
    ticks = sorted(set(table["k"]))
    axes.set(xscale="log", ylim=(0, 1), xlabel="functions offered (k)", ylabel="the right one among them")
    axes.set_xticks(ticks, [str(k) for k in ticks], minor=False)
    axes.minorticks_off()
    axes.legend()
    return axes


def loss(log: pd.DataFrame) -> Axes:
    """Training and validation loss over steps."""
    axes = _axes()
    trained = log.dropna(subset=["loss"])
    axes.plot(trained["step"], trained["loss"], color=COLOURS["ensembl"], label="training")
    if "eval_loss" in log:
        checked = log.dropna(subset=["eval_loss"])
        axes.plot(checked["step"], checked["eval_loss"], "o-", color=COLOURS["ncbi"], label="validation")
    axes.set(xlabel="step", ylabel="loss on the call", ylim=(0, None))
    axes.legend()
    return axes


def scores(table: pd.DataFrame, metric: str) -> Axes:
    """One metric of every model, overall and per database, with 95 % intervals."""
    import numpy as np

    chosen = table[table["metric"] == metric]
    models, parts = list(dict.fromkeys(chosen["model"])), list(dict.fromkeys(chosen["part"]))
    axes = _axes()
    width = 0.8 / len(models)
    for i, model in enumerate(models):
        rows = chosen[chosen["model"] == model].set_index("part").loc[parts]
        place = np.arange(len(parts)) + (i - (len(models) - 1) / 2) * width
        axes.bar(place, rows["value"], width, label=model,
                 yerr=[(rows["value"] - rows["low"]).clip(lower=0), (rows["high"] - rows["value"]).clip(lower=0)], capsize=3)
    axes.set(xticks=range(len(parts)), xticklabels=parts, ylim=(0, 1), ylabel=metric.replace("_", " "))
    axes.legend(ncols=len(models), loc="upper center", bbox_to_anchor=(0.5, 1.15))
    return axes


def coverage_heat(table: pd.DataFrame) -> Axes:
    """Heat map: of how many parameters (columns, the most used first) each function (rows) has answered calls, one panel a database.

    `table` is what `calls.value_coverage` gives; the colour is the share of a parameter's listed values that calls have.
    """
    import matplotlib.pyplot as plt
    import numpy as np

    shares = table.assign(used=table["calls"] > 0).groupby(["database", "function", "parameter"], sort=False)["used"].mean()
    databases = list(dict.fromkeys(table["database"]))
    _, panels = plt.subplots(1, len(databases), figsize=(11, 9), layout="constrained", squeeze=False)
    for axes, database in zip(panels[0], databases, strict=True):
        rows = shares[database]
        names = list(dict.fromkeys(rows.index.get_level_values("function")))
        width = max(len(rows[name]) for name in names)
        grid = np.full((len(names), width), np.nan)
        for i, name in enumerate(names):
            grid[i, : len(rows[name])] = np.sort(rows[name].to_numpy(dtype=float))[::-1]
        drawn = axes.imshow(grid, aspect="auto", cmap="viridis", vmin=0, vmax=1, interpolation="none")
        axes.set(title=database, xlabel="parameters, the covered first", yticks=range(len(names)))
        axes.set_yticklabels(names, fontsize=5)
    plt.colorbar(drawn, ax=panels[0], label="share of a parameter's values with an answered call", shrink=0.4)
    return panels[0][0]
