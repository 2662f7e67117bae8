"""The published rules: which texts hold a call, when two calls are equal, and the scores, computed a second time in another way."""

from __future__ import annotations

import json
import random
import subprocess
import sys

import numpy as np
import pytest

import biotool_lib as bt
from biotool_lib.evaluation import published

CALL = {"name": "lookup_by_id", "arguments": {"id": "ENSG1"}}
TEXT = json.dumps(CALL)
ACCEPTED = [
    (f"<tool_call>{TEXT}</tool_call>", CALL),
    (f"I look it up.\n<tool_call>\n{TEXT}\n</tool_call> Done.", CALL),
    (f"<tool_call>{TEXT}</tool_call><tool_call>{{\"name\": \"einfo\", \"arguments\": {{}}}}</tool_call>", CALL),
    ("<tool_call>[1, 2]</tool_call>", [1, 2]),
    ('<tool_call>"einfo"</tool_call>', "einfo"),
    ('<tool_call>{"name": "einfo", "parameters": {"db": "gene"}}</tool_call>', {"name": "einfo", "parameters": {"db": "gene"}}),
    ('Action: lookup_by_id\nAction Input: {"id": "ENSG1"}', CALL),
    ('Thought: look.\nAction: lookup_by_id\nAction Input: ```{"id": "ENSG1"}```', CALL),
    (TEXT, CALL),
    ('{"name": "lookup_by_id", "parameters": {"id": "ENSG1"}}', CALL),
    ('{"name": "lookup_by_id", "parameters": {"id": "ENSG1"}, "arguments": {"id": "other"}}', CALL),
    ('{"name": "lookup_by_id", "arguments": {"id": "first", "id": "ENSG1"}}', CALL),
    (f"<tool_call>broken</tool_call>\nAction: lookup_by_id\nAction Input: {json.dumps(CALL['arguments'])}", CALL),
]
REFUSED = [
    f"The call is {TEXT}.", f"```json\n{TEXT}\n```", f"[{TEXT}]", f"<tool_call>{TEXT}", json.dumps({"function": CALL}),
    'Action: lookup_by_id\nAction Input: {\n"id": "ENSG1"\n}', '{"name": "lookup_by_id"}', '{"arguments": {}}', "", "No function fits.",
    "Action: lookup_by_id", None, 7, CALL, "[" * 100_000,
]


@pytest.mark.parametrize(("text", "call"), ACCEPTED)
def test_forms_that_the_published_extraction_accepts(text, call):
    assert published.extract(text) == call


@pytest.mark.parametrize("text", REFUSED)
def test_forms_that_the_published_extraction_does_not_accept(text):
    assert published.extract(text) is None


def test_nan_is_accepted():
    assert published.extract('{"name": "einfo", "arguments": {"x": NaN}}')["arguments"]["x"] != 0


@pytest.mark.parametrize(("arguments", "gold", "equal"), [
    ({"a": 1, "b": {"d": 1, "c": 2}}, {"b": {"c": 2, "d": 1}, "a": 1}, True),
    ({"a": 1}, {"a": 1.0}, False), ({"a": 1}, {"a": "1"}, False), ({"a": True}, {"a": 1}, False), ({"a": None}, {}, False),
    ({"a": "x,y"}, {"a": "y,x"}, False), ({"a": ["x", "y"]}, {"a": "x,y"}, False), ({"a": "X"}, {"a": "x"}, False), ({"a": " x"}, {"a": "x"}, False),
])
def test_literal_equality(arguments, gold, equal):
    assert published.exact_match({"name": "f", "arguments": arguments, "extra": 1}, {"name": "f", "arguments": gold}) is equal


def test_what_is_no_object_is_never_equal():
    assert not published.exact_match([1], [1]) and not published.exact_match(None, None) and not published.exact_match("f", "f")


DATABASE = {"einfo": "ncbi", "esearch": "ncbi", "get_uniprotkb_entry": "uniprot", "lookup_by_id": "ensembl", "get_info_ping": "ensembl"}
NAMES = [*DATABASE, "a_function_of_nobody"]


def generate(seed: int, rows: int = 400) -> list:
    """Analysis rows of every kind, odd ones among them."""
    rng = random.Random(seed)
    found: list = []
    for _ in range(rows):
        exact = rng.random() < 0.3
        gold = {"name": rng.choice(NAMES), "arguments": {}}
        row = {"exact_match": exact, "api_success": exact or rng.random() < 0.5, "similarity": rng.uniform(-1, 1),
               "label_call": rng.choice([gold, gold, gold, None]), "predict_call": rng.choice([{"name": rng.choice(NAMES), "arguments": {}}, None])}
        if rng.random() < 0.2:
            row["similarity"] = None
        if rng.random() < 0.1:
            del row["similarity"]
        if rng.random() < 0.1:
            row["predict_call"] = rng.choice([[1, 2], "text", {"name": ["x"]}, {}])
        found.append(None if rng.random() < 0.05 else row)
    return found


def by_hand(rows: list) -> dict:
    """The published formulas once more: arrays instead of buckets."""
    rows = [row for row in rows if row is not None]
    exact = np.array([row["exact_match"] for row in rows], dtype=bool)
    success = np.array([row["api_success"] for row in rows], dtype=bool)
    similar = np.array([row.get("similarity") or 0.0 for row in rows], dtype=float)

    def name(row):
        call = row["predict_call"] if row["label_call"] is None else row["label_call"]
        called = call.get("name") if isinstance(call, dict) else None
        return called if isinstance(called, str) else None

    places = np.array([DATABASE.get(name(row), "none") for row in rows])
    score = np.select([exact, success], [np.ones(len(rows)), similar], 0.0)
    out = {}
    for part in ("overall", "ncbi", "uniprot", "ensembl"):
        chosen = np.ones(len(rows), dtype=bool) if part == "overall" else places == part
        out[part] = (100 * exact[chosen].mean(), 100 * (exact | success)[chosen].mean(), 100 * score[chosen].mean(), int(chosen.sum()))
    return out


@pytest.mark.parametrize("seed", range(5))
def test_scores_are_those_of_the_formulas(seed):
    rows = generate(seed)
    found, wanted = published.scores(rows), by_hand(rows)
    for part, values in wanted.items():
        ours = found["parts"][part]
        assert (ours["exact_match"], ours["api_success"], ours["biotool_score"]) == pytest.approx(values[:3], abs=1e-9)
        assert ours["n"] == values[3]
    odd = found["odd"]
    assert odd["null rows, left out"] == rows.count(None) > 0
    assert odd["gold call cannot be read"] == sum(r is not None and r["label_call"] is None for r in rows) > 0
    assert odd["predicted call is no object"] == sum(r is not None and isinstance(r["predict_call"], list | str) for r in rows) > 0
    scored = [r for r in rows if r is not None and r["api_success"] and not r["exact_match"]]
    assert odd["negative similarity, taken as it is"] == sum((r.get("similarity") or 0) < 0 for r in scored) > 0
    assert odd["missing similarity, counted 0"] == sum(r.get("similarity") is None for r in scored) > 0


def test_a_negative_similarity_can_make_a_negative_score():
    row = {"exact_match": False, "api_success": True, "similarity": -0.25, "label_call": CALL, "predict_call": CALL}
    assert published.scores([row])["parts"]["ensembl"]["biotool_score"] == -25


def test_mean_and_spread_over_runs_are_numpys_with_ddof_0():
    runs = [generate(seed) for seed in (7, 8, 9)]
    table, parts = published.over_runs([published.scores(rows) for rows in runs]), [by_hand(rows) for rows in runs]
    for part in parts[0]:
        for place, metric in enumerate(published.METRICS):
            values = [p[part][place] for p in parts]
            assert table[part][metric]["mean"] == pytest.approx(np.mean(values), abs=1e-9)
            assert table[part][metric]["std"] == pytest.approx(np.std(values), abs=1e-9)


def predictions() -> list[dict]:
    gold = {"name": "lookup_by_symbol", "arguments": {"species": "homo_sapiens", "symbol": "BRCA1"}}
    other = {"name": "lookup_by_symbol", "arguments": {"species": "homo_sapiens", "symbol": "BRAF"}}
    wrapped = f"<tool_call>{json.dumps(gold)}</tool_call>"
    return [{"prompt": "?", "predict": text, "label": wrapped} for text in (wrapped, json.dumps(other), "no idea", "<tool_call>[1]</tool_call>")]


def test_prediction_files_are_executed_on_request_and_exact_matches_never(capsys, tmp_path):
    asked = []

    def respond(call):
        asked.append(call["arguments"]["symbol"])
        return f"the same body for everybody: {call['name']}"

    rows = published.analyse(predictions(), respond, "hash-ngram-v1")
    assert [r["exact_match"] for r in rows] == [True, False, False, False] and [r["api_success"] for r in rows] == [None, True, False, False]
    assert rows[1]["similarity"] == pytest.approx(1) and sorted(asked) == ["BRAF", "BRCA1"]
    assert published.scores(rows)["parts"]["overall"]["biotool_score"] == pytest.approx(50)
    (tmp_path / "p.jsonl").write_text("\n".join(map(json.dumps, predictions())))
    assert published.main([str(tmp_path / "p.jsonl")]) == 0
    assert "25.00" in (said := capsys.readouterr().out) and "not executed" in said
    assert published.main([str(tmp_path / "p.jsonl"), "--json", "--backend", "atlas", "--encoder", "hash-ngram-v1"]) == 0
    overall = json.loads(capsys.readouterr().out)["files"][str(tmp_path / "p.jsonl")]["parts"]["overall"]
    assert overall["exact_match"] == 25 and overall["api_success"] == 50 and 25 < overall["biotool_score"] < 50


def test_an_error_body_is_a_success_here_and_nowhere_else():
    wrong = {"name": "lookup_by_symbol", "arguments": {"species": "homo_sapiens", "symbol": "NOTAGENE1"}}
    assert bt.Client().call(**wrong).outcome == "not_found" and "error" in published.responder(bt.Client())(wrong)


def test_the_command_reads_lists_and_lines_and_names_a_broken_line(tmp_path):
    rows = [generate(seed, 50) for seed in (1, 2)]
    (tmp_path / "a.json").write_text(json.dumps(rows[0]))
    (tmp_path / "b.jsonl").write_text("\n".join(map(json.dumps, rows[1])))
    (tmp_path / "c.jsonl").write_text('{"exact_match": true}\n{"exact_match": tr\n')

    def command(*files):
        return subprocess.run([sys.executable, "-m", "biotool_lib.evaluation", "published", *(str(tmp_path / f) for f in files)],
                              capture_output=True, text=True, timeout=120)

    both, broken = command("a.json", "b.jsonl"), command("c.jsonl")
    wanted = np.mean([by_hand(r)["overall"][2] for r in rows])
    assert both.returncode == 0 and f"{wanted:.2f} ± " in both.stdout and "null rows" in both.stdout, both.stderr
    assert broken.returncode == 2 and "line 2" in broken.stderr and "Traceback" not in broken.stderr
    assert command("nothing.json").returncode == 2
