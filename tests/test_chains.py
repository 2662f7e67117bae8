"""Chains: made from executed calls, carried out by planners in a loop that stops, and scored."""

from __future__ import annotations

import json

import pytest
from chat_server import model, serving
from conftest import run_up_to_the_dataset

from biotool_lib.answers import chains, planners
from biotool_lib.answers.reader import Found
from biotool_lib.calls import call_id
from biotool_lib.catalogue import canonical
from biotool_lib.common.runner import Run
from biotool_lib.errors import InvalidParameter
from biotool_lib.gateway import Client


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    made = run_up_to_the_dataset(tmp_path_factory.mktemp("chains") / "run", ["lookup_by_symbol", "get_keyword_by_id", "esearch"])
    chains.make_chains(made, per_template=2, progress=False)
    return made


def test_templates_name_calls_slots_and_paths_that_exist():
    assert len(chains.templates()) >= 6
    for name, template in chains.templates().items():
        known: set[str] = set()
        for step in template["steps"]:
            used = {slot for text in (step["ask"], *map(str, step["arguments"].values())) for slot in chains._SLOT.findall(text)}
            assert step is template["steps"][0] or used <= known, f"{name} uses a slot that nothing has filled"
            canonical(step["call"], planners.fill_in(step["arguments"], dict.fromkeys(used, "x1")))
            known |= used | set(step.get("take", {}))
        assert 2 <= len(template["steps"]) <= 3 and template["answer"]


def test_chains_are_executed_and_each_step_needs_the_one_before(run):
    rows, client = run.read("chains.jsonl"), Client()
    assert len(rows) >= 6 and len({row["template"] for row in rows}) >= 3 and len({row["id"] for row in rows}) == len(rows)
    for row in rows:
        seen = [client.call(step["call"]["name"], step["call"]["arguments"]) for step in row["steps"]]
        assert all(one.ok for one in seen)
        assert chains.look_up(seen[-1].summary, row["answer_path"]) == row["answer_value"]
        assert not any(chains.present(row["answer_value"], one.summary) for one in seen[:-1])
        assert row["steps"][0]["id"] in {call["id"] for call in run.read("calls.jsonl")}
        for before, step in zip(row["steps"], row["steps"][1:], strict=False):
            said = json.dumps(step["call"]["arguments"])
            assert any(str(value) in said and str(value) not in row["question"] for value in before["take"].values())
    assert sum(sum(tally.values()) for tally in run.manifest["stages"]["chains"]["counts"].values()) > len(rows), "the dropped ones are counted"


def test_a_chain_that_breaks_says_where():
    assert chains.build_chain("symbol_to_band", {"symbol": "NOSUCHGENE1"}, Client()) == "step 1: not_found"


class Exact:
    """A reader that finds what it is told."""

    def __init__(self, values):
        self.values = values

    def read(self, question, summary):
        return Found(self.values[question], "", 0.0) if question in self.values else None


def test_gold_calls_reach_every_answer(run):
    rows = run.read("chains.jsonl")
    planner = planners.GoldPlanner(rows)
    for row, (steps, ended) in zip(rows, chains.run_chains([row["question"] for row in rows], planner, Client()), strict=True):
        found = chains.score_chain(row, steps, ended, planner, Exact({row["steps"][-1]["ask"]: row["answer_value"]}))
        assert found["all_right"] and found["accuracy"] and found["present"] and ended == "done" and found["stopped"] is None


def test_a_single_step_caller_repeats_itself_and_is_stopped(run):
    row = next(row for row in run.read("chains.jsonl") if len(row["steps"]) == 3)
    asked = []

    def first_call(questions):
        asked.extend(questions)
        return [row["steps"][0]["call"] for _ in questions]

    planner = planners.OneStep("parrot", first_call)
    steps, ended = chains.run_chain(row["question"], planner, Client())
    found = chains.score_chain(row, steps, ended, planner, Exact({}))
    assert (len(steps), ended) == (1, "repeated") and set(asked) == {row["question"]}
    assert found["right"] == [True, False, False] and not found["accuracy"] and found["stopped"] is False


def test_step_by_step_asks_with_what_the_caller_itself_brought(run):
    row = next(row for row in run.read("chains.jsonl") if row["template"] == "symbol_to_band")
    answer = {step["ask"]: step["call"] for step in row["steps"]}
    asked = []

    def caller(questions):
        asked.extend(questions)
        return [answer[question] for question in questions]

    steps, ended = chains.run_chain(row["question"], planners.Decomposed("perfect", caller, [row]), Client())
    assert [call_id(step["call"]) for step in steps] == [step["id"] for step in row["steps"]] and ended == "done"
    assert asked == [step["ask"] for step in row["steps"]]
    other = {"name": "lookup_by_symbol", "arguments": {"species": "human", "symbol": "TP53"}}
    asked.clear()
    answer[row["steps"][0]["ask"]] = other
    with pytest.raises(KeyError, match="ENSG00000141510"):  # the second question names the wrong gene, since that is what came back
        chains.run_chain(row["question"], planners.Decomposed("mistaken", caller, [row]), Client())
    read = planners.Decomposed("read", lambda q: [answer.get(x) for x in q], [row], Exact({row["steps"][0]["ask"]: "nothing of use"}))
    assert chains.run_chain(row["question"], read, Client())[1] == "done"


def test_the_loop_ends_at_its_limit_and_survives_bad_calls():
    symbols = iter(["TP53", "BRCA2", "MYH7", "EGFR", "KRAS"])
    endless = planners.OneStep("endless", lambda q: [{"name": "lookup_by_symbol", "arguments": {"species": "human", "symbol": next(symbols)}}])
    steps, ended = chains.run_chain("And so on?", endless, Client(), limit=3)
    assert len(steps) == 3 and ended == "limit"
    odd = planners.OneStep("odd", lambda q: [{"name": "no_such_function", "arguments": {}}])
    steps, ended = chains.run_chain("What?", odd, Client(), limit=2)
    assert [step["outcome"] for step in steps] == ["invalid_arguments"] * 2 and ended == "limit"
    with pytest.raises(InvalidParameter):
        chains.run_chains(["What?"], odd, Client(), limit=0)


def test_a_language_model_with_functions_goes_from_step_to_step(run, tmp_path):
    row = next(row for row in run.read("chains.jsonl") if row["template"] == "symbol_to_band")

    def content(body):
        done = sum(m["role"] == "assistant" for m in body["messages"])
        if done == len(row["steps"]):
            return json.dumps({"done": True, "name": "", "arguments": {}})
        return json.dumps({"done": False, **row["steps"][done]["call"]})

    with serving(content) as server:
        planner = planners.ChatPlanner(model(server, tmp_path))
        steps, ended = chains.run_chain(row["question"], planner, Client())
        seen = server.bodies[-1]["messages"]
    found = chains.score_chain(row, steps, ended, planner, Exact({row["question"]: row["answer_value"]}))
    assert found["all_right"] and found["stopped"] is True and found["accuracy"]
    assert row["steps"][0]["take"]["gene"] in seen[3]["content"], "the response to the first call is shown before the second"
    with serving(lambda body: "I would rather not") as server:
        assert chains.run_chain(row["question"], planners.ChatPlanner(model(server, tmp_path, "mute")), Client()) == ([], "done")


def test_solved_chains_are_kept_and_tabulated(run, monkeypatch):
    rows = run.read("chains.jsonl")
    makers = {"gold": lambda: planners.GoldPlanner(rows), "silent": lambda: planners.OneStep("silent", lambda q: [None for _ in q])}
    table = chains.solve_chains(run, makers, progress=False).set_index(["planner", "metric"])
    assert table.loc[("gold calls", "all_right"), "value"] == 1 and table.loc[("silent, whole question", "accuracy"), "value"] == 0
    assert table.loc[("silent, whole question", "stopped"), "value"] == 0, "stopping before the first step is not stopping in time"
    assert (table.xs("accuracy", level="metric")["n"] == len(rows)).all()
    steps = chains.step_table(run)
    assert steps[steps["planner"] == "gold calls"]["given"].eq(1).all()
    monkeypatch.setattr(chains, "run_chains", lambda *_: pytest.fail("done again"))
    chains.solve_chains(run, makers, progress=False)
