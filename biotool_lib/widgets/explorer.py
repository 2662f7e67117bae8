"""A form for any function of the catalogue, and a static table beside it for where no kernel runs.

Everything that a server or a person wrote is escaped before it is shown.
"""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..catalogue import DATABASES, Parameter, Tool, tools
from ..gateway import Client, Observation, prepare
from ..gateway.request import redact

if TYPE_CHECKING:
    import ipywidgets
    import pandas as pd


def exchange_html(observation: Observation) -> str:
    """Request and answer as HTML with every foreign text escaped."""
    body = json.dumps(observation.summary, indent=1, ensure_ascii=False) if observation.summary is not None else observation.error or ""
    label = "an answer of the embedded atlas, not of the live service" if observation.source == "atlas" else f"source: {observation.source}"
    return (
        f"<p><b>Request</b> <code>{html.escape(observation.url or 'none was sent')}</code></p>"
        f"<p><b>Outcome</b> {html.escape(observation.outcome)}"
        f"{f' (HTTP {int(observation.status)})' if observation.status else ''}; {html.escape(label)}</p>"
        f"<pre style='max-height:24em;overflow:auto;white-space:pre-wrap'>{html.escape(body[:20_000])}</pre>"
    )


class CallExplorer:
    """Choose a database and a function, fill the form made from its schema, see request and answer.

    Example: `CallExplorer(Client()).show()`
    """

    def __init__(self, client: Client | None = None) -> None:
        import ipywidgets as w

        self.client = client or Client()
        wide = w.Layout(width="32em")
        self.database = w.Dropdown(options=DATABASES, value="ensembl", description="database", layout=wide)
        self.function = w.Dropdown(description="function", layout=wide)
        self.about, self.form, self.more = w.HTML(), w.VBox(), w.VBox()
        self.optional = w.Accordion([self.more], titles=["optional arguments"])
        self.button = w.Button(description="Call", button_style="primary")
        self.answer = w.HTML()
        self.fields: dict[str, Any] = {}
        self.database.observe(lambda change: self._list_functions(), "value")
        self.function.observe(lambda change: self._make_form(), "value")
        self.button.on_click(lambda button: self.run())
        self._list_functions("lookup_by_symbol")

    def _list_functions(self, first: str | None = None) -> None:
        names = [t.name for t in tools().values() if t.database == self.database.value]
        self.function.options = names
        self.function.value = first or names[0]
        self._make_form()

    def _make_form(self) -> None:
        tool = tools()[self.function.value]
        self.about.value = (
            f"<p>{html.escape(tool.description)} <a href='{html.escape(tool.docs, quote=True)}' target='_blank' rel='noopener'>Documentation</a></p>"
        )
        self.fields = {p.name: _field(p, tool.example.get(p.name)) for p in tool.parameters.values()}
        shown = [n for n, p in tool.parameters.items() if p.required or n in tool.example]
        self.form.children = [self.fields[n] for n in shown]
        self.more.children = [f for n, f in self.fields.items() if n not in shown]
        self.answer.value = ""

    def arguments(self) -> dict[str, Any]:
        """What the form holds, without the fields left blank."""
        return {name: field.value for name, field in self.fields.items() if field.value not in ("", None)}

    def run(self) -> Observation:
        """Make the call that the form describes and show what came back."""
        observation = self.client.call(self.function.value, self.arguments())
        self.answer.value = exchange_html(observation)
        return observation

    def show(self) -> ipywidgets.VBox:
        """The widget."""
        import ipywidgets as w

        return w.VBox([self.database, self.function, self.about, self.form, self.optional, self.button, self.answer])


def _field(parameter: Parameter, example: Any) -> Any:
    """A form field for one parameter, filled with the function's example."""
    import ipywidgets as w

    style, layout = {"description_width": "10em"}, w.Layout(width="36em")
    common = {"description": parameter.name, "style": style, "layout": layout, "tooltip": parameter.description}
    if parameter.type == "boolean":
        return w.Dropdown(options=[("", ""), ("true", True), ("false", False)], value="" if example is None else example, **common)
    if parameter.enum and not parameter.list:
        return w.Dropdown(options=["", *parameter.enum], value="" if example is None else example, **common)
    text = ", ".join(map(str, example)) if isinstance(example, list) else "" if example is None else str(example)
    return w.Text(value=text, placeholder=parameter.description, **common)


def examples_table(client: Client, names: list[str]) -> pd.DataFrame:
    """The static twin of the explorer: each function's example call, its request and what came back."""
    import pandas as pd

    rows = []
    for name in names:
        tool: Tool = tools()[name]
        observation = client.call(name, tool.example)
        rows.append({"function": name, "arguments": json.dumps(dict(tool.example)), "request": redact(prepare(name, tool.example).url or ""),
                     "outcome": observation.outcome, "summary": _one_line(observation.summary)})
    return pd.DataFrame(rows)


def _one_line(summary: Mapping[str, Any] | None, limit: int = 120) -> str:
    text = json.dumps(summary, ensure_ascii=False) if summary is not None else ""
    return text if len(text) <= limit else text[:limit] + "…"


__all__ = ["CallExplorer", "examples_table", "exchange_html"]
