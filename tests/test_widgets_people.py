"""The reviewer's and the preference form without a browser: what each key does, and that foreign text stays text."""

from __future__ import annotations

import pytest
from test_review import ITEMS, a_row

from biotool_lib.common.review import ReviewBook
from biotool_lib.judges.preference import PreferenceBook
from biotool_lib.widgets import Preference, Reviewer, preference_table, review_table

HOSTILE = "<img src=x onerror=alert(1)> & <script>alert(2)</script> \u202eback \"'"


def a_form(tmp_path, rows=None, **options) -> Reviewer:
    form = Reviewer(rows or [a_row(n) for n in range(4)], ReviewBook(tmp_path / "human.jsonl"), **{"shortest_look": 0, **options})
    form.show()
    return form


def press(form, *texts: str) -> None:
    for text in texts:
        form.box.value = text


def test_keys_need_a_name_and_leave_no_record_without(tmp_path):
    form = a_form(tmp_path)
    press(form, "a")
    assert "your name first" in form.message.value and form.box.value == "" and not form.book.path.exists()


def test_each_key_does_what_it_says(tmp_path):
    form = a_form(tmp_path)
    form.name.value = "ada"
    press(form, "a")
    assert "1 of 4" in form.progress.value and "row 2 of 4" in form.place.value and form.box.value == ""
    press(form, "r", "r ", "r wrong", "r wrong gene\n")
    assert form.book.records[-1]["reason"] == "wrong gene" and form.box.value == ""
    press(form, "f")
    assert form.box.value == f"f {a_row(2)['question']}"
    press(form, "f Which one is it, please tell me?\n")
    assert "does not say species, symbol" in form.message.value and form.box.value == "f Which one is it, please tell me?" and len(form.book.records) == 2
    press(form, "f Which chromosome carries the human gene BRCA1?\n")
    assert form.box.value == "w " and len(form.book.records) == 2, "a fix waits for its reason"
    press(form, "w\n")
    assert "need a reason" in form.message.value and len(form.book.records) == 2
    press(form, "w shorter\n")
    assert form.book.records[-1]["fixed"] == "Which chromosome carries the human gene BRCA1?" and form.box.value == ""
    press(form, "u")
    assert "row 3 of 4" in form.place.value and form.book.records[-1]["decision"] == "undo"
    press(form, "n")
    assert "row 4 of 4" in form.place.value and len(form.book.records) == 4
    press(form, "A")
    assert "row 3 of 4" in form.place.value, "a row left without a verdict comes again"
    press(form, "a")
    assert "You have seen every row" in form.place.value and "4 of 4" in form.progress.value
    press(form, "a", "r nothing is shown\n", "f")
    assert len(form.book.records) == 6
    press(form, "x")
    assert (tmp_path / "review/review.csv").is_file() and "4 verdicts" in form.message.value


@pytest.mark.parametrize("text", ["aa", "q", "are we?", "1", "ü", "<b>", "\n", " a"])
def test_anything_else_decides_nothing_and_says_so(tmp_path, text):
    form = a_form(tmp_path)
    form.name.value = "ada"
    press(form, text)
    assert "is no key" in form.message.value and form.box.value == "" and form.book.records == []


def test_a_rejection_without_reason_is_refused_and_the_row_stays(tmp_path):
    form = a_form(tmp_path)
    form.name.value = "ada"
    press(form, "r \n")
    assert "need a reason" in form.message.value and "row 1 of 4" in form.place.value and form.book.records == []


def test_a_key_held_down_decides_on_nothing_unread(tmp_path):
    form = a_form(tmp_path, shortest_look=60)
    form.name.value = "ada"
    press(form, "a")
    assert "not counted" in form.message.value and form.book.records == []


def test_a_correction_belongs_to_its_row(tmp_path):
    form = a_form(tmp_path)
    form.name.value = "ada"
    press(form, "f Which chromosome carries the human gene BRCA1?\n", "n", "w shorter\n")
    assert "Type f first" in form.message.value and form.book.records == []


def test_resume_at_the_first_row_not_seen_and_agreement_of_two(tmp_path):
    form = a_form(tmp_path)
    form.name.value = "ada"
    press(form, "a", "a")
    again = a_form(tmp_path)
    again.name.value = "Ada"
    assert "row 3 of 4" in again.place.value and "Welcome back" in again.message.value
    press(again, "r no\n", "r no\n")
    again.name.value = "ben"
    assert "row 1 of 4" in again.place.value and "0 of 4" in again.progress.value
    press(again, "a", "a", "a", "r no\n")
    assert "ada and ben: agreement 75%" in again.agreement.value and "kappa 0.50" in again.agreement.value and "n = 4" in again.agreement.value
    table = review_table(again.rows, again.book)
    assert table["accept"].tolist() == [2, 2, 1, 0] and table["reject"].tolist() == [0, 0, 1, 2]


def test_a_broken_file_is_told_and_not_written_to(tmp_path):
    form = a_form(tmp_path)
    form.name.value = "ada"
    press(form, "a")
    form.book.path.write_text("")
    press(form, "a")
    assert "records were removed" in form.message.value and form.book.path.read_text() == ""


def test_foreign_text_stays_text(tmp_path):
    row = {**a_row(0, HOSTILE), "response": {HOSTILE: [HOSTILE]}, "answer_value": HOSTILE, "id": HOSTILE,
           "verdicts": [{"layer": "judge", "by": HOSTILE, "accept": True, "reason": HOSTILE}]}
    form = a_form(tmp_path, [row])
    form.name.value = HOSTILE
    press(form, f"r {HOSTILE}\n", "u", HOSTILE)
    shown = "".join(part.value for part in (form.place, form.progress, form.message, form.agreement))
    assert "<img" not in shown and "<script" not in shown and "\u202e" not in shown and "&lt;script&gt;" in shown and "\\u202e" in shown
    assert "<script" not in review_table([row], form.book).to_html()
    items = [{"id": "i", "question": HOSTILE, "answers": {"a": HOSTILE, "b": "<b>"}}]
    pair = Preference(items, PreferenceBook(tmp_path / "p.jsonl"), shortest_look=0)
    pair.name.value = "ada"
    assert "<img" not in pair.place.value and "<script" not in pair.place.value and "&lt;b&gt;" in pair.place.value


def test_preferences_are_blind_kept_and_resumed(tmp_path):
    book = PreferenceBook(tmp_path / "preferences.jsonl")
    form = Preference(ITEMS[:4], book, shortest_look=0)
    form.show()
    form.name.value = "ada"
    assert "with tools" not in form.place.value + form.message.value, "the conditions are not named"
    press(form, "1", "2", "t")
    assert [r["decision"] for r in book.records] == ["left", "right", "tie"] and book.records[0]["winner"] == book.records[0]["left"]
    press(form, "u", "n", "zz")
    assert "is no key" in form.message.value
    again = Preference(ITEMS[:4], PreferenceBook(book.path), shortest_look=0)
    again.name.value = "ada"
    assert "2 of 4" in again.progress.value and "pair 3 of 4" in again.place.value
    press(again, "t", "1")
    again.name.value = "ben"
    press(again, "1", "1", "1", "1")
    assert "decided on every pair" in again.place.value and "ada and ben: agreement" in again.agreement.value
    assert preference_table(ITEMS[:4], again.book)["decisions"].tolist() == [2, 2, 2, 2]


def test_marks_come_with_the_choice(tmp_path):
    form = Preference(ITEMS[:3], PreferenceBook(tmp_path / "p.jsonl"), marks=True, shortest_look=0)
    form.name.value = "ada"
    press(form, "1", "14", "142")
    assert form.book.records[0]["marks"] == {form.book.records[0]["left"]: 4, form.book.records[0]["right"]: 2} and form.box.value == ""
    press(form, "1", "12", "124")
    assert "lower mark" in form.message.value and len(form.book.records) == 1 and form.box.value == ""
    press(form, "t", "t3", "t39")
    assert "is no key" in form.message.value and len(form.book.records) == 1
