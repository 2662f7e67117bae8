"""Strict scores: rows, errors, agreement, the null, resuming, drift, tables; whatever a model wrote."""

from __future__ import annotations

import json
import math
import random
import threading

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import biotool_lib as bt
from biotool_lib import calls, evaluation
from biotool_lib.common.chat import render_call
from biotool_lib.evaluation import Parts, agreement, identifiers, published
from biotool_lib.evaluation.answers import FILE, execute
from biotool_lib.gateway import Observation
from biotool_lib.generation import prediction

GOLD = {"id": "q", "group": "c", "question": "?", "database": "ensembl", "function": "lookup_by_symbol", "subfield": "genomics",
        "call": {"name": "lookup_by_symbol", "arguments": {"species": "homo_sapiens", "symbol": "BRCA1"}}, "observation": {"id": "ENSG00000012048"}}
NO_CALL = {**GOLD, "id": "n", "group": "n", "call": None, "observation": None, "function": None, "database": None, "subfield": None, "kind": "no_call"}
SEARCH = {**GOLD, "id": "s", "group": "s", "database": "uniprot", "function": "search_uniprotkb", "observation": {"total": 1},
          "question": "Which reviewed human proteins have the gene INS?",
          "call": {"name": "search_uniprotkb", "arguments": {"query": "gene:INS AND organism_id:9606 AND reviewed:true"}}}


def one(call, gold=GOLD) -> dict:
    given = call if isinstance(call, dict) and "text" in call else {"call": call}
    return evaluation.score([{"id": gold["id"], **given}], [gold], Silent()).rows.iloc[0].to_dict()


class Silent:
    """A client that answers every call with nothing found, without any work; keeps what it was asked."""

    backend = "atlas"

    def __init__(self):
        self.asked = []

    def twin(self):
        return self

    def call(self, name, arguments):
        self.asked.append({"name": name, "arguments": arguments})
        return Observation(name, arguments, "not_found", self.backend)


class Counting(Silent):
    """The atlas, with every call counted, and an interrupt after some."""

    def __init__(self, most=10**9):
        super().__init__()
        self.client, self.most = bt.Client(), most

    def call(self, name, arguments):
        if len(self.asked) >= self.most:
            raise KeyboardInterrupt
        self.asked.append({"name": name, "arguments": arguments})
        return self.client.call(name, arguments)


@pytest.mark.parametrize(("call", "exact", "success", "full"), [
    ({"name": "lookup_by_symbol", "arguments": {"symbol": "BRCA1", "species": "human", "expand": 0}}, True, True, 1.0),
    ({"name": "lookup_by_symbol", "arguments": {"symbol": "BRAF", "species": "human"}}, False, True, None),
    ({"name": "lookup_by_symbol", "arguments": {"symbol": "NOTAGENE1", "species": "human"}}, False, False, 0.0),
    ({"name": "lookup_by_symbol", "arguments": {"symbol": "BRCA1"}}, False, False, 0.0),
    ({"name": "nothing", "arguments": {}}, False, False, 0.0), (None, False, False, 0.0), ([1, 2], False, False, 0.0),
    ("text", False, False, 0.0), ({"name": ["x"], "arguments": {}}, False, False, 0.0), ({"name": "einfo", "arguments": float("nan")}, False, False, 0.0),
])
def test_a_result_for_every_prediction_whatever_it_is(call, exact, success, full):
    row = evaluation.score([{"id": "q", "call": call}], [GOLD], bt.Client()).rows.iloc[0]
    assert (row["exact_match"], row["api_success"]) == (exact, success)
    assert row["biotool_score"] == full if full is not None else 0 < row["biotool_score"] < 1


def test_a_missing_prediction_is_wrong_and_an_unscorable_gold_is_counted_apart():
    gone = {**GOLD, "id": "q2", "group": "c2", "observation": None}
    scores = evaluation.score([], [GOLD, gone], bt.Client())
    overall = scores.table[(scores.table["part"] == "overall") & (scores.table["metric"] == "exact_match")].iloc[0]
    assert overall["n"] == 1 and overall["unscorable"] == 1 and overall["value"] == 0
    assert scores.rows["error"].tolist() == ["no prediction", "no prediction"]


@pytest.mark.parametrize(("arguments", "f1"), [
    ({"species": "human", "symbol": "BRCA1"}, 1.0),
    ({"symbol": "BRCA1"}, 2 / 3),  # one of two, none wrong; the call itself is refused
    ({"species": "human", "symbol": "BRAF"}, 1 / 2),
    ({"species": "human", "symbol": "BRCA1", "expand": 1}, 4 / 5),
    ({"species": "human", "symbol": "BRCA1", "expand": "perhaps"}, 4 / 5),  # a value that is not allowed is an argument, too
    ({"species": "human", "symbol": "BRCA1", "nonsense": 1}, 4 / 5),
    ({"species": "human", "symbol": "BRCA1", "expand": False, "format": None}, 1.0),  # defaults and nulls are no arguments
    ({}, 0.0), (None, 0.0),
])
def test_arguments_are_judged_one_by_one(arguments, f1):
    assert one({"name": "lookup_by_symbol", "arguments": arguments})["argument_f1"] == pytest.approx(f1)


def test_arguments_of_another_function_are_all_wrong_and_none_of_none_is_right():
    assert one({"name": "get_xrefs_by_symbol", "arguments": {"species": "human", "symbol": "BRCA1"}})["argument_f1"] == 0
    ping = {**GOLD, "function": "get_info_ping", "call": {"name": "get_info_ping", "arguments": {}}}
    assert one({"name": "get_info_ping", "arguments": {"nonsense": 1}}, ping)["argument_f1"] == 0
    assert one({"name": "get_info_ping", "arguments": {}}, ping)["argument_f1"] == 1


@pytest.mark.parametrize(("gold", "given", "errors"), [
    (GOLD, {"name": "lookup_by_symbol", "arguments": {"species": "human", "symbol": "BRCA1"}}, []),
    (GOLD, {"name": "get_info_ping", "arguments": {}}, ["wrong function"]),
    (GOLD, {"name": "lookup_symbol", "arguments": {}}, ["wrong function"]),
    (GOLD, {"name": "lookup_by_symbol", "arguments": {"symbol": "BRCA1"}}, ["missing argument"]),
    (GOLD, {"name": "lookup_by_symbol", "arguments": {"species": "human", "symbol": "BRCA1", "expand": 1}}, ["extra argument"]),
    (GOLD, {"name": "lookup_by_symbol", "arguments": {"species": "mouse", "symbol": "BRCA1"}}, ["wrong species", "wrong argument"]),
    (GOLD, {"name": "lookup_by_symbol", "arguments": {"species": "human", "symbol": "BRAF"}}, ["hallucinated identifier", "wrong argument"]),
    ({**GOLD, "question": "BRCA1, not BRAF?"}, {"name": "lookup_by_symbol", "arguments": {"species": "human", "symbol": "BRAF"}}, ["wrong argument"]),
    (GOLD, {"name": "lookup_by_symbol", "arguments": [1]}, ["format"]),
    (GOLD, {"text": '<tool_call>{"name": "lookup'}, ["format"]), (GOLD, {"text": "No function fits this question."}, ["no call"]),
    (GOLD, {"text": render_call(GOLD["call"])}, []),
    (NO_CALL, {"text": "No function fits this question."}, []), (NO_CALL, {"text": render_call(GOLD["call"])}, ["unneeded call"]),
    (NO_CALL, {"text": '<tool_call>{"name": '}, ["format"]),
    (SEARCH, {"name": "search_uniprotkb", "arguments": {"query": "gene:INS AND organism_id:10090 AND reviewed:true"}},
     ["wrong species", "wrong argument"]),
    (SEARCH, {"name": "search_uniprotkb", "arguments": {"query": "gene:INSR AND organism_id:9606 AND reviewed:true"}},
     ["hallucinated identifier", "wrong argument"]),
])
def test_errors_by_kind(gold, given, errors):
    row = one(given, gold)
    assert row["errors"] == errors and row["error"] == (errors[0] if errors else None) and row["exact_match"] == (not errors)


def test_identifiers_of_a_response():
    summary = {"id": "rs699", "taxonId": 9606, "length": 1234, "date": "2024-03-01", "score": "0.0012", "assembly": "GRCh38", "name": "two 1234 words",
               "items": [{"accession": "P05067-2"}, {"uid": 672}, {"ids": ["7851902"]}], "ENSG00000012048": {"ok": True}, "valid": 5}
    assert identifiers(summary) == {"rs699", "9606", "P05067-2", "672", "7851902", "ENSG00000012048"}


def test_agreement_of_responses_by_hand():
    gold = Parts.of({"id": "rs699", "ids": ["rs1801", "rs1802"], "minor": "A", "n": 1})
    seen = Parts.of({"id": "rs699", "ids": ["rs1803"], "minor": "A", "n": 1.0})
    assert agreement(gold, seen) == {"identifier_f1": pytest.approx(2 * 1 / (3 + 2)), "value_agreement": pytest.approx(2 * 2 / (5 + 4))}
    assert agreement(gold, gold) == {"identifier_f1": 1, "value_agreement": 1}
    assert Parts.of({9606: ("a", 1)}) == Parts.of(json.loads(json.dumps({9606: ("a", 1)})))  # before and after it was written to a file
    assert agreement(Parts.of({}), seen) == {"identifier_f1": None, "value_agreement": None}


def test_agreement_is_scored_where_a_wrong_call_is_answered():
    symbol = bt.Client().call("lookup_by_symbol", {"species": "human", "symbol": "BRCA1"})
    gold = {**GOLD, "observation": symbol.summary}
    same_thing = {"name": "lookup_by_id", "arguments": {"id": "ENSG00000012048"}}
    row = evaluation.score([{"id": "q", "call": same_thing}], [gold], bt.Client()).rows.iloc[0]
    assert not row["exact_match"] and row["identifier_f1"] > 0.9 and row["value_agreement"] > 0.9
    assert one({"name": "einfo", "arguments": {}}, gold)["value_agreement"] == 0


def test_precision_and_recall_of_making_no_call():
    texts = {"q": "No function fits.", "n1": "No function fits.", "n2": render_call(GOLD["call"]), "n3": '<tool_call>{"na'}
    gold = [GOLD, *({**NO_CALL, "id": i, "group": i} for i in ("n1", "n2", "n3", "n4"))]
    result = evaluation.score([{"id": i, "text": text} for i, text in texts.items()], gold, Silent())
    overall = result.table[result.table["part"] == "overall"].set_index("metric")
    assert (overall.loc["no_call_precision", ["value", "n"]] == [0.5, 2]).all()  # declined twice, once rightly
    assert (overall.loc["no_call_recall", ["value", "n"]] == [0.25, 4]).all()
    assert overall.loc["exact_match", "n"] == 5 and overall.loc["function_match", "n"] == 1 and overall.loc["biotool_score", "n"] == 1


def test_the_null_is_the_similarity_of_strangers_of_one_function():
    rows = [{**GOLD, "id": f"{f}{i}", "group": f"{f}{i}", "function": f, "observation": {"name": name}}
            for f, names in {"lookup_by_symbol": ["same text", "same text", "same text"], "get_info_ping": ["alone"]}.items() for i, name in enumerate(names)]
    rows.append({**rows[0], "id": "twin"})  # of the same call: no stranger
    rows[0]["observation"] = rows[-1]["observation"] = {"name": "zzzz"}
    first, again = (evaluation.score([], rows, Silent(), seed=seed).rows.set_index("id")["biotool_null"] for seed in (1, 1))
    assert first["lookup_by_symbol0"] < 0.8 and first["twin"] < 0.8 and math.isnan(first["get_info_ping0"]) and first.equals(again)
    table = evaluation.score([], rows, Silent()).table.set_index(["part", "metric"])
    assert table.loc[("overall", "biotool_null"), "n"] == 4


DEEP = json.loads("[" * 900 + "]" * 900)
ODD = [None, [], [1, 2], "text", 7, float("nan"), DEEP, {"name": "lookup_by_symbol", "arguments": DEEP}, {"name": "einfo"}, {"arguments": {}},
       {"name": "lookup_by_symbol", "arguments": {"species": "human", "symbol": "B" * 2**20}}, {"name": "x" * 2**20, "arguments": {}},
       {"name": "lookup_by_symbol", "arguments": {"species": {"deep": [DEEP]}, "symbol": "\ud800"}}, {"name": "\ud800", "arguments": {"\ud800": 1}},
       {"name": "lookup_by_symbol", "arguments": {"species": float("nan"), "symbol": float("inf"), "expand": 10**400}},
       {"name": "lookup_by_symbol", "arguments": {1: 2, None: 3}}, {"name": {}, "arguments": []}]
TEXTS = ["", "x" * 2**20, '<tool_call>{"name": "einfo", "arguments": {"db": "gene", "db": "pubmed"}}</tool_call>', "{" * 10_000, "\x00\ud800", None, [], {"a": 1},
         '<tool_call>{"name": "einfo", "arguments": {"db": NaN}}</tool_call>', '{"name": "einfo", "arguments": ' + "[" * 5000 + "]" * 5000 + "}"]


@pytest.mark.parametrize("given", [*({"call": c} for c in ODD), *({"text": t} for t in TEXTS), {}, {"call": None, "form": ["odd"], "text": 3}])
@pytest.mark.parametrize("gold", [GOLD, NO_CALL])
def test_no_prediction_is_too_odd(given, gold):
    result = evaluation.score([{"id": gold["id"], **given}, {"id": ["odd"]}, None, "row"], [gold], Silent())
    assert len(result.rows) == 1 and not result.table.empty
    assert result.rows["exact_match"].iloc[0] == (result.rows["errors"].iloc[0] == [])
    result.rows.to_json(orient="records").encode("utf-8")


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4))
NEARLY = st.fixed_dictionaries({"name": st.sampled_from(["lookup_by_symbol", "search_uniprotkb", "einfo"]), "arguments": st.dictionaries(
    st.sampled_from(["species", "symbol", "query", "expand", "format", "size", "db", "fields"]), JSON, max_size=4)})


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(JSON, NEARLY), min_size=2, max_size=2), st.text())
def test_arbitrary_predictions_give_a_result_per_row(found, text):
    gold = [GOLD, SEARCH, {**GOLD, "id": "t"}, NO_CALL]
    result = evaluation.score([{"id": "q", "call": found[0]}, {"id": "s", "call": found[1]}, {"id": "t", "text": text}], gold, Silent())
    assert result.rows["id"].tolist() == ["q", "s", "t", "n"] and result.rows["error"].notna().sum() >= 3
    assert result.rows["argument_f1"].dropna().between(0, 1).all()


FEW = ["lookup_by_symbol", "get_keyword_by_id", "einfo", "get_xrefs_by_symbol"]


def make_run(folder) -> bt.Run:
    """A small run with gold calls from the atlas, two questions each, and predictions of three models."""
    run, client, rng = bt.Run(folder), bt.Client(), random.Random(5)
    done = [calls.row(c, client.call(c["name"], c["arguments"])) for c in calls.propose(client, 0, FEW, 0.3)]
    done = [c for c in done if c["outcome"] == "ok"]
    done, others = done[::2], done[1::2]  # the run made the first ones, models may write the others
    run.write("calls.jsonl", done)
    rows = [{"id": f"{c['id']}-{style}", "group": c["id"], "question": f"{style} {c['arguments']}?", "kind": "call", "observation": c["observation"]["summary"],
             "call": {"name": c["name"], "arguments": c["arguments"]}, "database": bt.tools()[c["name"]].database, "function": c["name"],
             "subfield": bt.tools()[c["name"]].subfield, "tools": [c["name"], "get_info_ping"], "phrasing": f"{style}/x"}
            for c in done for style in ("plain", "expert")]
    run.write("dataset/test.jsonl", rows)
    for model, share in (("good", 0.2), ("poor", 0.7), ("twin", 0.7)):
        if model != "twin":
            said = [render_call(rng.choice(others)) if rng.random() < share else render_call(r["call"]) for r in rows]
        run.write(f"predictions/{model}.jsonl", [prediction(r["id"], text) for r, text in zip(rows, said, strict=True)])
    return run


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> bt.Run:
    return make_run(tmp_path_factory.mktemp("scored") / "r")


@pytest.fixture(scope="module")
def finished(run):
    client = Counting()
    return evaluation.evaluate(run, ["good", "poor", "twin"], client=client), client


def test_only_differing_calls_are_executed_once_over_all_models(run, finished):
    table, client = finished
    asked = [calls.call_id(c) for c in client.asked]
    wrong = {calls.call_id(p["call"]) for m in ("good", "poor") for p, r in zip(run.read(f"predictions/{m}.jsonl"), run.read("dataset/test.jsonl"), strict=True)
             if p["call"] != r["call"]}
    assert len(asked) == len(set(asked)) and set(asked) == wrong and len(wrong) > 5
    assert list(table.columns) == ["model", "part", "metric", "value", "low", "high", "n"] and set(table["metric"]) == set(evaluation.METRICS)
    stored = json.loads((run.path / "scores.json").read_text())
    assert set(stored["good"]["test"]["exact_match"]) == {"value", "n", "low", "high"} and stored["good"]["test"]["transient"] == 0
    assert stored["_settings"]["encoder"] == "hash-ngram-v1" and stored["_settings"]["encoder_weights"] is None


def test_a_finished_evaluation_is_replayed_without_a_call(run, finished):
    table, quiet = finished[0], Counting(0)
    pd.testing.assert_frame_equal(evaluation.evaluate(run, ["good", "poor", "twin"], client=quiet), table)
    (run.path / "scores.json").unlink()
    pd.testing.assert_frame_equal(evaluation.evaluate(run, ["good", "poor", "twin"], client=quiet), table)
    assert quiet.asked == []


def test_a_call_that_the_run_made_itself_is_not_made_again(run, finished, tmp_path):
    copy, client = make_run(tmp_path / "r"), Counting()
    gold = copy.read("dataset/test.jsonl")
    copy.write("predictions/memory.jsonl", [prediction(r["id"], render_call(gold[0]["call"])) for r in gold])
    table = evaluation.evaluate(copy, ["memory"], client=client)
    assert client.asked == [] and table.set_index(["part", "metric"]).loc[("overall", "api_success"), "value"] == 1
    (copy.path / "calls.jsonl").unlink()
    (copy.path / "scores.json").unlink()
    pd.testing.assert_frame_equal(evaluation.evaluate(copy, ["memory"], client=client), table)
    assert [calls.call_id(c) for c in client.asked] == [calls.call_id(gold[0]["call"])]


def test_the_published_columns_are_the_published_rules(run, finished):
    """Error bodies count, gold calls are made at once with the predicted ones, arguments are compared as they are written."""
    gold, respond = run.read("dataset/test.jsonl"), published.responder(bt.Client())
    table = evaluation.published_gap(run, ["good", "poor"]).set_index(["model", "rules", "metric"])["value"]
    for model in ("good", "poor"):
        lines = run.read(f"predictions/{model}.jsonl")
        rows = published.analyse([{"predict": p["text"], "label": render_call(r["call"])} for p, r in zip(lines, gold, strict=True)], respond, "hash-ngram-v1")
        for metric, value in published.scores(rows)["parts"]["overall"].items():
            if metric != "n":
                assert 100 * table[model, "published", metric] == pytest.approx(value, abs=1e-3)  # six digits are kept


@pytest.mark.parametrize(("text", "exact", "success", "score"), [
    (json.dumps(GOLD["call"]), True, True, 1.0), (render_call(GOLD["call"]), True, True, 1.0),
    ('{"name": "lookup_by_symbol", "arguments": {"symbol": "BRCA1", "species": "human"}}', False, True, 1.0),  # equal for us, not literally
    ('{"name": "lookup_by_symbol", "arguments": {"symbol": "NOTAGENE1", "species": "human"}}', False, True, None),  # an error body is an answer there
    ("```json\n" + json.dumps(GOLD["call"]) + "\n```", False, False, 0.0),  # a form that is not accepted there
    ('{"name": "lookup_by_symbol", "arguments": {"nonsense": 1}}', False, False, 0.0), ("no idea", False, False, 0.0),
])
def test_the_two_sets_of_rules_side_by_side(text, exact, success, score):
    gold = {**GOLD, "observation": bt.Client().call(**GOLD["call"]).summary}
    row = evaluation.score([{"id": "q", "text": text}], [gold], bt.Client()).rows.iloc[0]
    assert (row["published_exact_match"], row["published_api_success"]) == (exact, success)
    assert row["published_biotool_score"] == pytest.approx(score) if score is not None else 0 < row["published_biotool_score"] < 0.7
    gone = evaluation.score([{"id": "q", "text": text}], [{**gold, "observation": None}], bt.Client()).rows.iloc[0]
    assert gone["published_api_success"] == exact and not gone["scorable"]  # there the gold's failure is the model's


def test_results_are_told_by_distance_from_training(tmp_path):
    run = make_run(tmp_path / "r")
    rows = run.read("dataset/test.jsonl")
    by_function: dict[str, list] = {}
    for row in rows:
        by_function.setdefault(row["function"], []).append(row)
    symbol, keyword, info = by_function["lookup_by_symbol"], by_function["get_keyword_by_id"], by_function["einfo"]
    train = [{**symbol[0], "id": "t1", "group": "t1"}, {**keyword[0], "id": "t2", "group": "t2"}]
    known = [r for r in symbol if r["group"] == symbol[0]["group"]]
    test = [*known, *[r for r in symbol if r["group"] != symbol[0]["group"]], {**keyword[0], "stratum": "technical", "held_out": True},
            {**keyword[1], "stratum": "ordinary", "held_out": True}, info[0]]
    authored = [{**keyword[2], "id": "a1", "writer": "authored"}, {**keyword[3], "id": "a2", "writer": "authored"}]
    for name, content in (("train", train), ("test", test), ("authored", authored)):
        run.write(f"dataset/{name}.jsonl", content)
    for model in ("good", "lazy"):
        run.write(f"predictions/{model}.jsonl", [prediction(r["id"], render_call(r["call"])) for r in test])
    run.write("predictions/good-authored.jsonl", [prediction("a1", render_call(authored[0]["call"])), prediction("a2", "no idea")])
    table = evaluation.evaluate(run, ["good", "lazy"], client=Counting())
    headline = table.set_index(["model", "part", "metric"])["n"]
    assert headline["good", "overall", "exact_match"] == headline["lazy", "overall", "exact_match"] == len(symbol)
    found = evaluation.distance_table(run).set_index(["model", "distance"])
    assert found["n"].to_dict() == {
        ("good", "unseen call"): len(symbol), ("good", "unseen entity"): len(symbol) - len(known), ("good", "unseen phrasing"): 1, ("good", "authored"): 2,
        ("good", "unseen function"): 1, ("good", "technical"): 1, ("lazy", "unseen call"): len(symbol), ("lazy", "unseen entity"): len(symbol) - len(known),
        ("lazy", "unseen phrasing"): 1, ("lazy", "unseen function"): 1, ("lazy", "technical"): 1}
    assert found["value"].drop(("good", "authored")).eq(1).all() and found.loc[("good", "authored"), "value"] == 0.5
    assert len(evaluation.read_rows(run, "good", "authored")) == 2 and set(evaluation.read_rows(run, "good")["distance"]) == {"unseen call"}
    assert evaluation.error_table(run, "good").empty  # the authored error is none of the headline's


def test_a_split_of_whole_functions_has_its_own_scores(tmp_path):
    run = make_run(tmp_path / "r")
    rows = run.read("dataset/test.jsonl")
    held = [r["id"] for r in rows if r["function"] == "einfo"]
    for part in ("train", "validation"):
        run.write(f"dataset/{part}.jsonl", [])
    (run.path / "dataset/splits").mkdir()
    (run.path / "dataset/splits/function.json").write_text(json.dumps({"train": [r["id"] for r in rows if r["id"] not in held], "validation": [], "test": held}))
    by_id = {r["id"]: r for r in rows}
    run.write("predictions/m-function-test.jsonl", [prediction(i, render_call(by_id[i]["call"])) for i in held])
    evaluation.evaluate(run, ["m"], split="function-test", client=Counting(0))
    table = evaluation.distance_table(run, split="function-test")
    assert table.to_dict("records")[0] | {"low": 1, "high": 1} == {"model": "m", "distance": "unseen function", "metric": "exact_match", "value": 1, "low": 1, "high": 1, "n": len(held)}
    with pytest.raises(bt.MissingArtefact, match="splits/nonsense"):
        evaluation.read_split(run, "nonsense-test")


def test_scores_of_a_version_before_are_refused_with_a_remedy(tmp_path):
    run = bt.Run(tmp_path / "r")
    run.write("evaluation/m.jsonl", [{"id": "q", "exact_match": True, "scorable": True}])
    (run.path / "scores.json").write_text(json.dumps({"m": {"test": {"exact_match": {"value": 1, "n": 1, "low": 1, "high": 1}}}}))
    for ask in (lambda: evaluation.read_rows(run, "m"), lambda: evaluation.distance_table(run)):
        with pytest.raises(bt.MissingArtefact, match="evaluate again"):
            ask()


def test_a_row_that_could_not_be_asked_is_counted_and_charged_to_nobody():
    asked = [{"id": "q", "text": None, "call": None, "form": "not_run"}, {"id": "q2", "text": "?"}]
    found = evaluation.score(asked, [GOLD, {**GOLD, "id": "q2"}, {**NO_CALL, "id": "q3"}], Silent())
    assert found.rows["not_run"].tolist() == [True, False, False] and found.rows["scorable"].tolist() == [False, True, True]
    assert found.table.set_index(["part", "metric"]).loc[("overall", "exact_match"), ["n", "unscorable"]].tolist() == [2, 0]


def test_killed_and_resumed_gives_the_same_table(run, finished, tmp_path):
    on_disk = []

    class Watched(Counting):
        def call(self, name, arguments):
            on_disk.append(len((copy.path / FILE).read_text().splitlines()))
            return super().call(name, arguments)

    copy, first, second = make_run(tmp_path / "r"), Watched(4), Counting()
    with pytest.raises(KeyboardInterrupt):
        evaluation.evaluate(copy, ["good", "poor", "twin"], client=first)
    answers = copy.path / FILE
    assert len(answers.read_text().splitlines()) == 4 and on_disk == [0, 1, 2, 3, 4]  # a kill loses no answer that came
    answers.write_bytes(answers.read_bytes() + b'{"id": "c12", "outc')  # a kill in the middle of a line
    pd.testing.assert_frame_equal(evaluation.evaluate(bt.Run.existing(copy.path), ["good", "poor", "twin"], client=second), finished[0])
    assert len(first.asked) + len(second.asked) == len(finished[1].asked)
    for name in ("scores.json", FILE, "evaluation/good.jsonl"):
        assert (copy.path / name).read_bytes() == (run.path / name).read_bytes()


def test_answers_of_the_atlas_do_not_outlive_a_change_of_the_library_and_live_ones_do(run, finished, tmp_path):
    copy = make_run(tmp_path / "r")
    old = [{**row, "code": "another"} for row in run.read(FILE)]
    copy.write(FILE, old)
    client = Counting()
    evaluation.evaluate(copy, ["good"], client=client)
    assert client.asked
    copy.write(FILE, old)
    copy.manifest["backend"] = "live"
    (copy.path / "scores.json").unlink()
    quiet = Counting(0)
    evaluation.evaluate(copy, ["good"], client=quiet)
    assert quiet.asked == []


def test_what_the_service_failed_to_answer_is_counted_and_asked_again_on_request(finished, tmp_path):
    class Busy(Counting):
        def call(self, name, arguments):
            seen = super().call(name, arguments)
            return Observation(name, arguments, "rate_limited", "atlas") if len(self.asked) <= 3 else seen

    copy, busy, quiet, patient = make_run(tmp_path / "r"), Busy(), Counting(0), Counting()
    poorer = evaluation.evaluate(copy, ["good", "poor", "twin"], client=busy)
    assert json.loads((copy.path / "scores.json").read_text())["poor"]["test"]["transient"] > 0
    pd.testing.assert_frame_equal(evaluation.evaluate(copy, ["good", "poor", "twin"], client=quiet), poorer)
    pd.testing.assert_frame_equal(evaluation.evaluate(copy, ["good", "poor", "twin"], client=patient, retry=True), finished[0])
    assert len(patient.asked) == 3 and quiet.asked == []


def test_a_live_client_works_at_several_hosts_at_once_and_keeps_to_its_threads():
    gate, lock, under_way, most, made = threading.Barrier(4), threading.Lock(), [], [], []

    class Live(Silent):
        backend = "live"

        def twin(self):
            made.append(threading.get_ident())
            return Live()

        def call(self, name, arguments):
            with lock:
                under_way.append(name)
                most.append(under_way.count(name))
            gate.wait(timeout=60)  # broken, and the test with it, unless four calls are under way at once
            with lock:
                under_way.remove(name)
            return super().call(name, arguments)

    asked = {f"{name}{i}": {"name": name, "arguments": {"n": i}} for name in ("einfo", "get_info_ping") for i in range(6)}
    seen, threads = {}, set()

    def keep(name, observation):
        seen[name] = observation
        threads.add(threading.get_ident())

    execute(asked, Live(), keep, workers=2)
    assert made and len(made) <= 4 and len(set(made)) == len(made)  # a twin for every thread, and none shared
    assert {n: o.arguments["n"] for n, o in seen.items()} == {n: c["arguments"]["n"] for n, c in asked.items()}
    assert max(most) == 2 and threads == {threading.get_ident()}


def test_a_failing_live_call_stops_the_others():
    class Broken(Silent):
        backend = "live"

        def call(self, name, arguments):
            if arguments["n"] == 3:
                raise bt.BioToolError("the disk is full")
            return super().call(name, arguments)

    client, kept = Broken(), []
    with pytest.raises(bt.BioToolError, match="disk is full"):
        execute({f"{i:03}": {"name": "einfo", "arguments": {"n": i}} for i in range(500)}, client, lambda n, o: kept.append(n), workers=1)
    assert len(kept) <= len(client.asked) < 500


def test_drift_reports_changes_apart_from_any_model(run):
    gold = run.read("calls.jsonl")
    gone, summary, body = (c["id"] for c in gold[:3])

    class Later(Counting):
        def call(self, name, arguments):
            seen, number = super().call(name, arguments), calls.call_id({"name": name, "arguments": arguments})
            if number == gone:
                return Observation(name, arguments, "not_found", "atlas")
            changed = {"summary": {**seen.summary, "new": 1}} if number == summary else {"data": [seen.data]} if number == body else {}
            return Observation(**{**vars(seen), **changed})

    table = evaluation.drift(run, Later()).set_index("id")
    assert table.loc[[gone, summary, body], "change"].tolist() == ["outcome", "summary", "body"]
    assert (table.drop([gone, summary, body])["change"] == "same").all() and len(table) == len(gold)
    foreign = {**run.read("dataset/test.jsonl")[0], "id": "x", "call": {"name": "get_info_ping", "arguments": {}}, "observation": {"ping": 1}}
    run.write("dataset/validation.jsonl", [foreign])
    assert evaluation.drift(run, bt.Client(), "validation")["change"].tolist() == ["same"]
    assert table.loc[summary, "fields"] == ["new"] and table.loc[gone, ["was", "now"]].tolist() == ["ok", "not_found"] and (table["rows"] == 2).all()


@pytest.mark.parametrize("by", ["database", "group", "function", "subfield", "menu_size", "form", "phrasing", "style"])
def test_breakdowns_add_up(run, finished, by):
    table, rows = evaluation.breakdown(run, "poor", by, ("exact_match", "argument_f1")), pd.DataFrame(run.read("evaluation/poor.jsonl"))
    exact = table[table["metric"] == "exact_match"]
    assert exact["n"].sum() == len(rows) and (exact["value"] * exact["n"]).sum() == pytest.approx(rows["exact_match"].sum(), abs=1e-3)
    assert (table["low"] <= table["value"]).all() and (table["value"] <= table["high"]).all() and (table["calls"] * (1 if by in ("phrasing", "style") else 2) == table["n"]).all()
    assert table["detectable"].between(0, 1).all()


def test_a_misspelt_table_is_an_error_with_a_hint(run, finished):
    with pytest.raises(bt.InvalidParameter, match="did you mean 'function'"):
        evaluation.breakdown(run, "poor", "functon")
    with pytest.raises(bt.InvalidParameter, match="did you mean 'argument_f1'"):
        evaluation.score_table(run, metrics=["argument_f"])


def test_tables_of_errors_confusion_forms_and_models(run, finished):
    rows = pd.DataFrame(run.read("evaluation/poor.jsonl"))
    wrong = int((~rows["exact_match"]).sum())
    errors = evaluation.error_table(run, "poor")
    assert errors["main"].sum() == wrong and (errors["n"] >= errors["main"]).all() and errors["example"].str.contains("gold:").all()
    confused = evaluation.confusion(run, "poor")
    assert confused["n"].sum() == (~rows["function_match"].astype(bool)).sum() > 0 and (confused["function"] != confused["predicted_function"]).all()
    assert evaluation.forms(run, ["good"]).to_dict("records") == [{"model": "good", "form": "hermes", "n": len(rows), "share": 1.0}]
    assert evaluation.by_function(run, "poor")["n"].sum() == len(rows)
    found = evaluation.compare_models(run, "poor", "good")
    value = {m: finished[0].query("part == 'overall' and metric == 'exact_match'").set_index("model")["value"][m] for m in ("good", "poor")}
    assert found["difference"] == pytest.approx(value["good"] - value["poor"], abs=1e-5) and 0 < found["low"] <= found["high"]
    only = found["mcnemar"]
    assert (only["only_second"] - only["only_first"]) / found["n"] == pytest.approx(found["difference"], abs=1e-5) and only["p"] < 0.01
    same = evaluation.compare_models(run, "poor", "twin", "biotool_score")
    assert (same["difference"], same["p"], same["mcnemar"]) == (0, 1, None) and found["calls"] * 2 == found["n"]
    seeds = evaluation.seed_table(run, {"arm": ["good", "poor"], "alone": ["good"]}, ["exact_match"]).set_index("arm")
    assert seeds.loc["arm", "value"] == pytest.approx(sum(value.values()) / 2, abs=1e-5) and seeds.loc["arm", "seeds"] == 2
    assert pd.isna(seeds.loc["alone", "low"]) and evaluation.no_call_table(run, ["good"])["no_call_questions"].tolist() == [0]


def test_an_order_is_read_from_the_numbers_and_ties_are_called_ties(run, finished):
    order = evaluation.ranking(run, ["poor", "twin", "good"])
    assert order["model"].tolist() == ["good", "poor", "twin"] and order["told_apart"].tolist()[:2] == [True, False]
    said = evaluation.say_ranking(order)
    assert said.startswith("good comes first") and "good is ahead of poor by" in said and "poor and twin cannot be told apart" in said
    assert "no rows" in evaluation.say_ranking(evaluation.ranking(run, ["good"], distance="authored")).replace("No model has rows", "no rows")
    shown = evaluation.gallery(run, "poor", examples=2)
    assert (shown["question"].str.len() > 0).all() and (shown["gold"] != shown["call"]).all() and shown.groupby("error").size().le(2).all()


def test_the_figures_of_the_chapter_draw_what_the_tables_hold(run, finished):
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    from biotool_lib import plots_scores

    gap = evaluation.published_gap(run, ["good", "poor"])
    bars = sorted(round(p.get_height(), 4) for p in plots_scores.published_gap(gap).patches)
    assert bars == sorted(gap["value"].round(4))
    distances = evaluation.distance_table(run)
    axes = plots_scores.distances(distances)
    assert len(axes.containers) == 3 and [t.get_text().split(" (")[0] for t in axes.get_yticklabels()] == list(dict.fromkeys(distances["distance"]))
    odd = pd.DataFrame([{"function": "einfo", "predicted_function": "$\\frac{$", "n": 3}, {"function": "einfo", "predicted_function": "none", "n": 9}])
    axes = plots_scores.confusion(odd)
    axes.figure.canvas.draw()
    assert [p.get_width() for p in axes.patches] == [3]
    curve = pd.DataFrame([{"model": f"m-menu{k}", "functions": k, "value": 0.5, "low": 0.4, "high": 0.6} for k in (2, 8)])
    assert len(plots_scores.menu_curve(curve).containers) == 1
    plt.close("all")


def test_the_null_stands_beside_the_score(run, finished):
    table = evaluation.score_table(run, ["good", "poor"], metrics=("biotool_score", "biotool_null"))
    null = table[(table["part"] == "overall") & (table["metric"] == "biotool_null")]
    assert null["value"].nunique() == 1 and 0 < null["value"].iloc[0] < 1 and (null["n"] > 0).all()
