"""A form in which people compare two answers to a question without knowing where each comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..judges.preference import HIGHEST, LOWEST, PreferenceBook, raters_agreement, tasks
from .keys import SHORTEST_LOOK, KeyForm, safe
from .reviewer import agreement_html

if TYPE_CHECKING:
    import pandas as pd

_OF_KEY = {"1": "left", "2": "right", "t": "tie"}


class Preference(KeyForm):
    """Two answers side by side, in an order drawn for this rater; keys 1, 2, t, n, u or the buttons; each choice is on the disk at once.

    `items` are {id, question, answers: {condition: text}}. With `marks`, three keys in a row: the choice, and a mark from 1 to 5 for
    the left and for the right answer. A rater who comes back goes on at the first pair not decided. Raises InvalidParameter for
    items that cannot be compared. Example: `Preference(items, PreferenceBook(run.path / "preferences.jsonl")).show()`
    """

    def __init__(self, items: Sequence[Mapping[str, Any]], book: PreferenceBook, *, seed: int = 0, marks: bool = False,
                 shortest_look: float = SHORTEST_LOOK) -> None:
        super().__init__(shortest_look)
        self.items, self.book, self.seed, self.marks, self.at = list(items), book, seed, marks, 0
        self.tasks = tasks(self.items, "", seed)  # until somebody gives a name
        self.keys = {
            "1": ("left is better", "the answer on the left", lambda: self._begin_choice("1")),
            "2": ("right is better", "the answer on the right", lambda: self._begin_choice("2")),
            "t": ("tie", "neither is better", lambda: self._begin_choice("t")),
            "n": ("next", "leave this pair undecided", self.skip),
            "u": ("undo", "take back your last choice", self.undo),
        }
        self._draw()
        more = f" After 1, 2 or t come two marks from {LOWEST} to {HIGHEST}: 142 is left, a 4 for it, a 2 for the other." if marks else ""
        self.say(f"Type your name and press Enter. The keys go into the box below the answers.{more}")

    def choose(self, choice: str, marks: tuple[int, int] | None = None) -> None:
        """Record left, right or tie for the pair that is shown."""
        if self._task() and self.read_enough():
            self.book.prefer(self._task(), choice, by=self.by, marks=marks)
            self._next("written down")

    def skip(self) -> None:
        """Go on without a choice; the pair comes again when the others are done."""
        rest = self._open()
        if rest:
            self.at = next((i for i in rest if i > self.at), rest[0])
            self._draw()
        self.say("left undecided" if rest else "You have decided on every pair.")

    def undo(self) -> None:
        """Take back the last choice and show its pair again."""
        record = self.book.undo(self.by)
        if record is None:
            self.say("There is no choice of yours to take back.", wrong=True)
            return
        self.at = next((i for i, task in enumerate(self.tasks) if task["id"] == record["question_id"]), self.at)
        self._draw()
        self.say("taken back")

    def _task(self) -> dict[str, Any]:
        return self.tasks[self.at] if self.by and self.at < len(self.tasks) else {}

    def _open(self) -> list[int]:
        done = self.book.rated(self.by, self.tasks)
        return [i for i, task in enumerate(self.tasks) if task["id"] not in done]

    def _begin(self, name: str) -> None:
        self.by = ""
        if name.strip():
            self.book.refresh()
            self.by, self.at = self.book.reviewer(name), -1  # so that the first one not seen comes next
            self.tasks = tasks(self.items, self.by, self.seed)
            self._next(f"Welcome, {self.by}. {len(self.tasks) - len(self._open())} of {len(self.tasks)} pairs are decided.")
        else:
            self._draw()

    def _next(self, said: str) -> None:
        rest = self._open()
        self.at = next((i for i in rest if i > self.at), rest[0]) if rest else len(self.tasks)
        self._draw()
        self.say(said)

    def _begin_choice(self, key: str) -> None:
        if self.marks:
            self.box.value = key
            self.say(f"Now two marks from {LOWEST} to {HIGHEST}: left, right.")
        else:
            self.choose(_OF_KEY[key])

    def _typed(self, text: str) -> None:
        key, marks = text[0].lower(), text[1:]
        if self.marks and key in _OF_KEY and len(marks) < 2 and all(mark in "12345" for mark in marks):
            return  # the marks are still to come
        self.box.value = ""
        if self.marks and key in _OF_KEY and len(marks) == 2 and all(mark in "12345" for mark in marks):
            self.choose(_OF_KEY[key], (int(marks[0]), int(marks[1])))
        elif text.lower() in self.keys:
            self.keys[key][2]()
        else:
            self.say(f"{text[:20]!r} is no key: " + ", ".join(f"{k} {label}" for k, (label, _, _) in self.keys.items()), wrong=True)

    def _draw(self) -> None:
        done = len(self.tasks) - len(self._open()) if self.by else 0
        self.progress.value = (f"<p><b>{done} of {len(self.tasks)}</b> pairs decided{f' by {safe(self.by)}' if self.by else ''}</p>"
                               f"<progress value='{done}' max='{max(1, len(self.tasks))}'></progress>")
        if self.at < len(self.tasks):
            task = self.tasks[self.at]
            cells = "".join(f"<td style='width:50%;vertical-align:top;text-align:left;white-space:pre-wrap;padding:0.6em;border:1px solid #9db8d2'>"
                            f"<b>{label}</b>\n{safe(task['texts'][task[side]])}</td>" for label, side in (("1 (left)", "left"), ("2 (right)", "right")))
            self.place.value = (f"<p>pair {self.at + 1} of {len(self.tasks)}</p><p style='font-size:1.2em'><b>{safe(task['question'])}</b></p>"
                                f"<table style='width:100%;table-layout:fixed'><tr>{cells}</tr></table>")
        else:
            self.place.value = "<p><b>You have decided on every pair.</b> <code>u</code> takes back your last choice.</p>"
        self.shown_now()
        self.agreement.value = agreement_html(raters_agreement(self.book.on(self.items)).to_dict("records"))


def preference_table(items: Sequence[Mapping[str, Any]], book: PreferenceBook) -> pd.DataFrame:
    """The form's static twin: each question with its answers, by condition, and how many people decided on it."""
    import pandas as pd

    records = book.on(items)
    return pd.DataFrame([{"question": item["question"], **item["answers"], "decisions": sum(r["item"] == item["id"] for r in records)} for item in items])
