"""A form in which people read rows of the dataset, one at a time, and accept, reject or correct them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..common.review import ReviewBook
from ..judges.people import check_fix, export_records, fix, reviewers_agreement
from .keys import SHORTEST_LOOK, KeyForm, safe

if TYPE_CHECKING:
    import pandas as pd

LONGEST_SHOWN = 8000  # characters of a response


class Reviewer(KeyForm):
    """One row at a time: question, call, response, answer, verdicts; keys a, r, f, n, u or the buttons; each decision is on the disk at once.

    `rows` come from `rows_for_review`, best as `draw(rows, 60)`; all reviewers get them in the same order and see the words as they
    were written, and nobody sees another's verdict. A reviewer who comes back goes on at the first row without a verdict.
    Example: `Reviewer(draw(rows_for_review(run)), ReviewBook(run.path / "human.jsonl")).show()`
    """

    def __init__(self, rows: Sequence[dict[str, Any]], book: ReviewBook, *, shortest_look: float = SHORTEST_LOOK) -> None:
        super().__init__(shortest_look)
        self.rows, self.book, self.at = list(rows), book, 0
        self._new = ""  # a correction that has passed and waits for its reason
        self.keys = {
            "a": ("accept", "the question is good as it stands", self.accept),
            "r": ("reject", "type r, the reason, Enter", lambda: self._start("r ")),
            "f": ("fix", "type f, change the question, Enter, then the reason, Enter", self._start_fix),
            "n": ("next", "leave this row without a verdict", self.skip),
            "u": ("undo", "take back your last verdict", self.undo),
            "x": ("export", "write review.jsonl and review.csv beside the records", self.export),
        }
        self._draw()
        self.say("Type your name and press Enter. The keys go into the box below the row: a, n, u and x act at once; r and f end with Enter.")

    def accept(self) -> None:
        """Accept the row that is shown."""
        if self._row() and self.read_enough():
            self.book.add(self._row(), "accept", by=self.by)
            self._next("accepted")

    def reject(self, reason: str) -> None:
        """Reject the row that is shown."""
        if self._row():
            self.book.add(self._row(), "reject", reason, by=self.by)
            self._next("rejected")

    def skip(self) -> None:
        """Go on without a verdict; the row comes again when the others are done."""
        rest = self._unseen()
        if not rest:
            self.say("You have seen every row.")
            return
        self.at = next((i for i in rest if i > self.at), rest[0])
        self._draw()
        self.say("left without a verdict" if len(rest) > 1 else "This is the only row left.")

    def undo(self) -> None:
        """Take back the last verdict and show its row again."""
        record = self.book.undo(self.by)
        if record is None:
            self.say("There is no verdict of yours to take back.", wrong=True)
            return
        place = [i for i, row in enumerate(self.rows) if row["id"] == record["question_id"]]
        self.at = place[0] if place else self.at
        self._draw()
        self.say(f"taken back: your verdict on {record['question_id']}")

    def export(self) -> None:
        """Write the verdicts that stand as JSONL and CSV into a folder beside the records."""
        paths = export_records(self.book, self.book.path.parent / "review")
        self.say(f"{len(self.book.standing())} verdicts written to {' and '.join(f'{path.parent.name}/{path.name}' for path in paths)}")

    def _row(self) -> dict[str, Any]:
        return self.rows[self.at] if self.by and self.at < len(self.rows) else {}

    def _unseen(self) -> list[int]:
        seen = self.book.seen(self.by, self.rows)
        return [i for i, row in enumerate(self.rows) if row["id"] not in seen]

    def _begin(self, name: str) -> None:
        self.by = ""
        if name.strip():
            self.book.refresh()
            self.by, self.at = self.book.reviewer(name), -1  # so that the first one not seen comes next
            done = len(self.rows) - len(self._unseen())
            self._next(f"Welcome{' back' if done else ''}, {self.by}. You have seen {done} of {len(self.rows)} rows.")
        else:
            self._draw()

    def _next(self, said: str) -> None:
        rest = self._unseen()
        self.at = next((i for i in rest if i > self.at), rest[0]) if rest else len(self.rows)
        self._draw()
        self.say(said)

    def _start(self, text: str) -> None:
        self.box.value = text

    def _start_fix(self) -> None:
        if self._row():
            self._new = ""
            self.box.value = f"f {self._row()['question']}"
            self.say("Change the question and press Enter.")

    def _typed(self, text: str) -> None:
        head, line = text[0].lower(), text.split("\n", 1)[0][1:].strip()
        if text.lower() == "f":
            self._start_fix()
        elif text.lower() in self.keys and head != "r":
            self.box.value = ""  # before the action: should it fail, the key does not stay behind
            self.keys[head][2]()
        elif head in "rfw" and (len(text) == 1 or text[1].isspace()):
            if "\n" in text:
                self.box.value = text.split("\n", 1)[0]  # stays for another try where the action refuses it
                {"r": self.reject, "f": self._check_fix, "w": self._end_fix}[head](line)
                self.box.value = "w " if self._new else ""
        else:
            self.box.value = ""
            self.say(f"{text[:20]!r} is no key: " + ", ".join(f"{key} {label}" for key, (label, _, _) in self.keys.items()), wrong=True)

    def _check_fix(self, text: str) -> None:
        if self._row():
            check_fix(self._row(), text)
            self._new = " ".join(text.split())
            self.say("The new words pass the rules. Why the change? Type the reason after the w, then Enter.")

    def _end_fix(self, reason: str) -> None:
        if not self._new:
            self.say("Type f first, and change the question.", wrong=True)
        elif self._row():
            fix(self.book, self._row(), self._new, reason, self.by)
            self._next("corrected")

    def _draw(self) -> None:
        self._new = ""
        seen = self.book.seen(self.by, self.rows) if self.by else {}
        counts = Counter(record["decision"] for record in seen.values())
        self.progress.value = (
            f"<p><b>{len(seen)} of {len(self.rows)}</b> rows seen" + (f" by {safe(self.by)}" if self.by else "") +
            "".join(f", {label} {counts[key]}" for key, label in (("accept", "accepted"), ("reject", "rejected"), ("fix", "fixed"))) + "</p>"
            f"<progress value='{len(seen)}' max='{max(1, len(self.rows))}'></progress>")
        if self.at < len(self.rows):
            self.place.value = row_html(self.rows[self.at], self.at + 1, len(self.rows))
        else:
            self.place.value = "<p><b>You have seen every row.</b> <code>u</code> takes back your last verdict, <code>x</code> exports.</p>"
        self.shown_now()
        table = reviewers_agreement(self.book, self.rows)
        self.agreement.value = agreement_html(table.to_dict("records"))


def row_html(row: dict[str, Any], number: int, many: int) -> str:
    """A row as a reviewer sees it, with every foreign text escaped."""
    call = f"{row['call']['name']} {json.dumps(row['call']['arguments'], ensure_ascii=False)}"
    response = json.dumps(row["response"], indent=1, ensure_ascii=False)
    if len(response) > LONGEST_SHOWN:
        response = f"{response[:LONGEST_SHOWN]}\n… ({len(response) - LONGEST_SHOWN} more characters)"
    verdicts = "".join(
        f"<li>{safe(v['layer'])} ({safe(v['by'])}): {'accepted' if v['accept'] else 'rejected'}, {safe(v['reason'])}</li>" for v in row["verdicts"])
    return (
        f"<p>row {number} of {many} · <code>{safe(row['id'])}</code></p>"
        f"<p style='font-size:1.2em;line-height:1.4'><b>{safe(row['question'])}</b></p>"
        f"<p><b>Call</b> <code>{safe(call)}</code></p>"
        f"<p><b>Answer on record</b> <code>{safe(row['answer_path'])}</code> = <code>{safe(json.dumps(row['answer_value'], ensure_ascii=False))}</code></p>"
        f"<pre style='max-height:18em;overflow:auto;white-space:pre-wrap'>{safe(response)}</pre><ul>{verdicts}</ul>"
    )


def agreement_html(table: Sequence[dict[str, Any]]) -> str:
    """Percent and Cohen's kappa of each two people, with n and interval."""
    if not table:
        return "<p>Agreement: no two people have decided on the same row yet.</p>"
    lines = []
    for row in table:
        kappa = "not defined (all verdicts alike)" if _nothing(row["kappa"]) else f"{row['kappa']:.2f} ({row['kappa_low']:.2f} to {row['kappa_high']:.2f})"
        lines.append(f"<li>{safe(row['judge'])} and {safe(row['other'])}: agreement {row['agreement']:.0%} "
                     f"({row['agreement_low']:.0%} to {row['agreement_high']:.0%}), Cohen's kappa {kappa}, n = {row['n']}</li>")
    return f"<p>Agreement, with 95 % intervals:</p><ul>{''.join(lines)}</ul>"


def _nothing(value: Any) -> bool:
    return value is None or value != value


def review_table(rows: Sequence[dict[str, Any]], book: ReviewBook) -> pd.DataFrame:
    """The reviewer's static twin: each row with what filters said and how many people accepted, rejected or fixed it."""
    import pandas as pd

    said: dict[str, Counter[str]] = {}
    for record in book.standing():
        said.setdefault(record["question_id"], Counter())[record["decision"]] += 1
    return pd.DataFrame([{
        "question": row["question"], "call": f"{row['call']['name']} {json.dumps(row['call']['arguments'], ensure_ascii=False)}",
        "answer": f"{row['answer_path']} = {json.dumps(row['answer_value'], ensure_ascii=False)}",
        "filters": "; ".join(f"{v['layer']}: {v['reason']}" for v in row["verdicts"]),
        **{decision: said.get(row["id"], Counter())[decision] for decision in ("accept", "reject", "fix")},
    } for row in rows])
