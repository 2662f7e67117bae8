"""The questions written by hand: every one can be answered, says all that its call needs, and owes nothing to the phrasebooks."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from pathlib import Path

import biotool_lib as bt
import biotool_lib.questions as questions_package
from biotool_lib.filters import informative, unrecoverable
from biotool_lib.questions.grammar import look_up, phrasebook
from biotool_lib.questions.lexicon import literal, words

TOO_LIKE = 0.8
AUTHORED = Path(questions_package.__file__).with_name("authored.tsv")


def rows() -> list[dict]:
    with AUTHORED.open(encoding="utf-8", newline="") as lines:
        read = list(csv.DictReader(lines, delimiter="\t"))
    return [{**row, "arguments": json.loads(row["arguments"])} for row in read]


ROWS = rows()


def tokens(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"[a-z0-9']+", text.lower()))


def likeness(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / len(one | other)


def bare(row: dict) -> frozenset[str]:
    """The words of a question without those of its argument values."""
    tool = bt.tools()[row["function"]]
    values = [word for name, value in row["arguments"].items() for word in (*words(tool, name, value), literal(value))]
    return tokens(row["question"]) - frozenset().union(*map(tokens, values), ())


def test_they_are_many_and_spread():
    functions = {row["function"] for row in ROWS}
    databases = Counter(bt.tools()[row["function"]].database for row in ROWS)
    assert len(ROWS) >= 300 and len(functions) >= 60
    assert min(databases.values()) >= 100 and len(databases) == 3
    assert {bt.tools()[name].subfield for name in functions} == {tool.subfield for tool in bt.tools().values()}
    assert len({row["asker"] for row in ROWS}) >= 5


def test_no_two_are_the_same():
    for of in (lambda row: row["id"], lambda row: " ".join(row["question"].lower().split()),
               lambda row: (row["function"], json.dumps(row["arguments"], sort_keys=True))):
        assert [key for key, count in Counter(map(of, ROWS)).items() if count > 1] == []
    assert all(re.fullmatch(r"a\d{3}", row["id"]) for row in ROWS)


def test_each_call_is_canonical():
    changed = {row["id"]: bt.canonical(row["function"], row["arguments"])["arguments"] for row in ROWS}
    assert {row["id"]: row["arguments"] for row in ROWS} == changed


def test_each_call_is_answered_and_the_answer_is_there():
    client = bt.Client(backend="atlas")
    wrong = []
    for row in ROWS:
        seen = client.call(row["function"], row["arguments"])
        if seen.outcome != "ok" or look_up(seen.summary, row["answer_path"]) is None or not informative(look_up(seen.summary, row["answer_path"])):
            wrong.append((row["id"], seen.outcome, row["answer_path"]))
    assert wrong == []


def test_each_question_says_every_argument():
    unsaid = {row["id"]: unrecoverable(row["question"], {"name": row["function"], "arguments": row["arguments"]}) for row in ROWS}
    assert {name: missing for name, missing in unsaid.items() if missing} == {}


def test_none_names_its_function_or_needs_the_technical_parameters():
    for row in ROWS:
        assert not re.search(rf"\b{row['function']}\b", row["question"]), row["id"]
        assert not {"retmode", "format", "callback"} & set(row["arguments"]), row["id"]


def test_none_is_a_sentence_of_the_phrasebooks():
    sentences = {name: [tokens(re.sub(r"\{\w+\}", " ", phrasing["text"])) for phrasing in entry["phrasings"]]
                 for name, entry in phrasebook().items()}
    every = {sentence for of in sentences.values() for sentence in of}
    alike = [(row["id"], row["question"]) for row in ROWS if max(likeness(bare(row), sentence) for sentence in every) >= TOO_LIKE]
    assert alike == []
