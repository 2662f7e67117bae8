"""What the reviewer and the preference form share: a box that takes commands letter by letter, a name, messages, escaped text.

ipywidgets has no events for keys, and JupyterLab takes bare letters for commands of its own wherever the focus is not in a text
field. So the keys go into a text field: what it holds travels to the kernel as one value, in order, with nothing to install.
"""

from __future__ import annotations

import html
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..errors import BioToolError

if TYPE_CHECKING:
    import ipywidgets

SHORTEST_LOOK = 0.5  # seconds: a key held down must not decide on rows that nobody has read


def safe(text: Any) -> str:
    """Any foreign text for HTML: markup stands as it was written, and characters that would not be seen stand as their codes."""
    return html.escape("".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in str(text)))


class KeyForm:
    """A form that is worked with keys or buttons. Subclasses say what the keys do and what is shown."""

    keys: dict[str, tuple[str, str, Callable[[], None]]]

    def __init__(self, shortest_look: float) -> None:
        import ipywidgets as w

        self.shortest_look, self.by, self._since = shortest_look, "", 0.0
        wide = w.Layout(width="min(52em, 98%)")
        self.name = w.Text(description="your name", placeholder="type it and press Enter", continuous_update=False, layout=w.Layout(width="24em"))
        self.progress, self.place, self.agreement, self.message = w.HTML(), w.HTML(layout=wide), w.HTML(layout=wide), w.HTML(layout=wide)
        self.box = w.Textarea(description="keys", rows=2, layout=wide)
        self.box.add_class("biotool-keys")
        self.name.observe(lambda change: self._do(lambda: self._begin(change["new"])), "value")
        self.box.observe(lambda change: self._read(change["new"]), "value")

    def show(self) -> ipywidgets.VBox:
        """The widget."""
        import ipywidgets as w

        buttons = []
        for key, (label, tooltip, action) in self.keys.items():
            button = w.Button(description=f"{label} ({key})", tooltip=tooltip)
            button.on_click(lambda _, act=action: self._press(act))
            buttons.append(button)
        return w.VBox([self.name, self.progress, self.place, w.HBox(buttons, layout=w.Layout(flex_flow="row wrap")), self.box, self.message, self.agreement])

    def say(self, text: str, wrong: bool = False) -> None:
        """A message under the form."""
        self.message.value = f"<p style='margin:0.3em 0;{'color:#8c2d2d' if wrong else ''}'>{safe(text)}</p>"

    def read_enough(self) -> bool:
        """Whether what is shown has been there long enough to be read; says so if not."""
        if time.monotonic() - self._since >= self.shortest_look:
            return True
        self.say(f"That key came less than {self.shortest_look} s after the row was shown, and was not counted.", wrong=True)
        return False

    def shown_now(self) -> None:
        """Note that something new has come into view."""
        self._since = time.monotonic()

    def _press(self, act: Callable[[], None]) -> None:
        if self._named():
            self._do(act)

    def _read(self, text: str) -> None:
        if text and not self._named():
            self.box.value = ""
        elif text:
            self._do(lambda: self._typed(text))

    def _named(self) -> bool:
        if not self.by:
            self.say("Type your name first, then Enter.", wrong=True)
        return bool(self.by)

    def _do(self, act: Callable[[], None]) -> None:
        """Act, and say what went wrong on purpose; a callback's exception would otherwise end in a log that nobody reads."""
        try:
            act()
        except BioToolError as wrong:
            self.say(str(wrong), wrong=True)
        if self.by:
            self.box.focus()

    def _begin(self, name: str) -> None:
        raise NotImplementedError

    def _typed(self, text: str) -> None:
        raise NotImplementedError
