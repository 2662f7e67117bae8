"""The chat client: retries, deadlines, structured answers, the file of exchanges, the meter and the budget."""

from __future__ import annotations

import email.utils
import json
import threading
import time

import pytest
from chat_server import KEY, model, serving

import biotool_lib as bt
from biotool_lib.common.exchanges import BudgetSpent, Exchanges, Meter, load_prices
from biotool_lib.common.llm import KEY_VARIABLE, BadAnswer, ChatFailed, ChatModel, RequestRefused, clean, json_in
from biotool_lib.common.runner import as_they_come

SCHEMA = {"type": "object", "additionalProperties": False, "required": ["n"], "properties": {"n": {"type": "integer"}}}
PRICES = {"test-model": {"input": 1.0, "output": 10.0}}


def asked(number=1):
    return [{"role": "user", "content": f"Give n = {number}"}]


@pytest.fixture
def server():
    with serving(lambda body: json.dumps({"n": int(body["messages"][0]["content"].split()[-1])})) as running:
        yield running


@pytest.mark.parametrize("fault", [(500, {}, "oops"), (503, {}, "{}"), (429, {}, '{"error": {"message": "slow down"}}'),
                                   (429, {"Retry-After": "0"}, "{}"), "not json", "cut"])
def test_a_passing_fault_is_retried_and_the_answer_asked_once_more(server, tmp_path, fault):
    server.faults = [fault, fault]
    chat = model(server, tmp_path)
    assert chat.ask(asked(), SCHEMA) == ({"n": 1}, 0)
    assert len(server.bodies) == 3 and len(chat.meter.exchanges) == 1
    lost = 2 if isinstance(fault, str) else 0  # what never arrived may have been billed, a refusal was not
    assert chat.meter.exchanges.bases() == ({"bound": lost, "reported": 1} if lost else {"reported": 1})
    assert (chat.meter.tokens() > 120) if lost else (chat.meter.tokens() == 120)


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_waited_for_by_all_threads(server, tmp_path, form):
    server.faults = [(429, {"Retry-After": "1" if form == "seconds" else email.utils.formatdate(time.time() + 2, usegmt=True)}, "{}")]
    chat = model(server, tmp_path)
    threads = [threading.Thread(target=chat.ask, args=(asked(n), SCHEMA)) for n in (1, 2)]
    threads[0].start()
    while not server.bodies or not chat._not_before:
        time.sleep(0.01)
    threads[1].start()
    for thread in threads:
        thread.join()
    assert server.times[1] - server.times[0] >= 0.9 and server.times[2] - server.times[0] >= 0.9


def test_what_cannot_pass_ends_at_once_with_its_reason(server, tmp_path):
    chat = model(server, tmp_path)
    for fault, says in [((401, {}, '{"error": {"message": "Incorrect API key"}}'), "does not accept the key in BIOTOOL_LLM_KEY"),
                        ((404, {}, '{"error": "model not found"}'), "cannot be used: HTTP 404: model not found"),
                        ((307, {"Location": "http://127.0.0.1:1/"}, ""), "HTTP 307"),
                        ((429, {}, '{"error": {"message": "quota", "code": "insufficient_quota"}}'), "no quota left"),
                        ((429, {"Retry-After": "3600"}, "{}"), "beyond the deadline")]:
        server.faults, before, start = [fault], len(server.bodies), time.monotonic()
        with pytest.raises(ChatFailed, match=says):
            chat.ask(asked(), SCHEMA)
        assert len(server.bodies) == before + 1 and time.monotonic() - start < 3
        chat._not_before = 0.0
    server.faults = [(500, {}, "x")] * 10
    with pytest.raises(ChatFailed, match="did not answer in 3 attempts; the last one: HTTP 500"):
        model(server, tmp_path, attempts=3).ask(asked(), SCHEMA)
    assert len(server.faults) == 7 and chat.meter.tokens() == 0


@pytest.mark.parametrize("fault", ["hang", "trickle"])
def test_a_server_that_hangs_or_trickles_is_left_at_the_deadline(server, tmp_path, fault):
    server.faults = [fault] * 9
    start = time.monotonic()
    with pytest.raises(ChatFailed, match=r"deadline|attempts"):
        model(server, tmp_path, timeout=0.3, deadline=0.8).ask(asked(), SCHEMA)
    assert time.monotonic() - start < 5


def test_a_server_that_is_not_there_costs_nothing(tmp_path):
    chat = ChatModel("m", "http://127.0.0.1:9/v1", Meter(Exchanges(tmp_path / "x.sqlite")), attempts=2, first_wait=0.01)
    with pytest.raises(ChatFailed, match="2 attempts; the last one: ConnectionError"):
        chat.say(asked())
    assert chat.meter.tokens() == 0


def test_an_answered_request_is_not_sent_again_by_anybody(server, tmp_path):
    server.delay = 0.1
    chat = model(server, tmp_path)
    assert list(as_they_come(lambda _: chat.ask(asked(), SCHEMA)[0]["n"], range(4), workers=4)) == [1, 1, 1, 1]
    assert len(server.bodies) == 1 and chat.meter.from_cache == 3
    again = model(server, tmp_path)
    assert again.ask(asked(), SCHEMA)[0] == {"n": 1} and len(server.bodies) == 1 and again.meter.tokens() == 120
    assert again.ask(asked(), SCHEMA, attempt=1)[0] == {"n": 1} and len(server.bodies) == 2
    other = model(server, tmp_path, "other-model")
    assert other.ask(asked(), SCHEMA)[0] == {"n": 1} and len(server.bodies) == 3


def test_requests_go_out_together_and_results_come_once(server, tmp_path):
    server.delay = 0.05
    chat = model(server, tmp_path, workers=5)
    found = sorted(as_they_come(lambda n: chat.ask(asked(n), SCHEMA)[0]["n"], range(20), workers=5))
    assert found == list(range(20)) and len(server.bodies) == 20 and 3 <= server.most_at_once <= 5


def test_the_schema_is_sent_and_left_out_where_the_server_does_not_take_it(server, tmp_path):
    model(server, tmp_path).ask(asked(), SCHEMA)
    assert server.bodies[0]["response_format"]["json_schema"]["schema"] == SCHEMA and server.bodies[0]["max_tokens"] == 1024
    refuse = [(400, {}, json.dumps({"error": {"message": "'response_format' of type 'json_schema' is not supported", "param": "response_format"}})),
              (400, {}, json.dumps({"error": {"message": "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.", "param": "max_tokens"}})),
              (400, {}, json.dumps({"error": {"message": "temperature does not support 0", "param": "temperature"}}))]
    server.faults = list(refuse)
    chat = model(server, tmp_path, temperature=0.0)
    assert chat.ask(asked(2), SCHEMA)[0] == {"n": 2} and chat.ask(asked(3), SCHEMA)[0] == {"n": 3}
    assert len(server.bodies) == 6
    assert all(set(body) == {"model", "messages", "max_completion_tokens", "stream"} for body in server.bodies[-2:])


def test_one_request_that_is_refused_is_told_from_a_server_that_refuses_all(server, tmp_path):
    chat, refusal = model(server, tmp_path), (400, {}, '{"error": {"message": "context length exceeded"}}')
    server.faults = [refusal] * 3
    for number in range(3):
        with pytest.raises(RequestRefused, match="context length exceeded"):
            chat.ask(asked(number), SCHEMA)
    server.faults = [refusal]
    with pytest.raises(ChatFailed, match="context length"):
        chat.ask(asked(4), SCHEMA)
    assert chat.ask(asked(5), SCHEMA)[0] == {"n": 5}
    server.faults = [refusal]
    with pytest.raises(RequestRefused):
        chat.ask(asked(6), SCHEMA)


@pytest.mark.parametrize("text", ['{"n": 1', "I cannot do that.", '{"n": "one"}', '{"m": 1}', "[1]", "", '{"n": NaN}', "{" * 3000])
def test_a_malformed_answer_is_repaired_once_and_then_given_up(server, tmp_path, text):
    server.faults = [{"content": text}]
    chat = model(server, tmp_path)
    assert chat.ask(asked(), SCHEMA) == ({"n": 1}, 1)
    repair = server.bodies[1]["messages"]
    assert repair[1] == {"role": "assistant", "content": text or "(nothing)"} and "cannot be used" in repair[2]["content"]
    server.faults = [{"content": text, "finish": "length"}] * 2
    with pytest.raises(BadAnswer):
        chat.ask(asked(2), SCHEMA)
    assert len(server.bodies) == 4
    with pytest.raises(BadAnswer):
        chat.ask(asked(2), SCHEMA)
    assert len(server.bodies) == 4  # paid for, kept, and malformed for ever


@pytest.mark.parametrize("text", ['{"n": 1}', 'Sure:\n```json\n{"n": 1}\n```', 'I think {"n": 1} fits', '<think>{"n": 9}</think> {"n": 1}', '{x} {"n": 1}'])
def test_json_is_found_in_the_text(text):
    assert json_in(text) == {"n": 1}


def test_a_budget_in_tokens_stops_before_it_is_exceeded_and_counts_what_was_spent_before(server, tmp_path):
    bound = len(json.dumps(model(server, tmp_path, max_tokens=50)._body({"messages": asked(), "schema": SCHEMA})).encode()) + 64 + 50
    budget = 5 * 120 + bound
    chat = model(server, tmp_path, budget_tokens=budget, max_tokens=50)
    with pytest.raises(BudgetSpent, match=f"the budget of {budget} tokens does not cover"):
        for number in range(1, 10):
            chat.ask(asked(number), SCHEMA)
    spent = chat.meter.tokens()
    assert spent <= budget < spent + bound and len(server.bodies) == spent // 120
    assert chat.ask(asked(1), SCHEMA)[0] == {"n": 1}  # what is paid for is served
    later = model(server, tmp_path, budget_tokens=budget, max_tokens=50)
    with pytest.raises(BudgetSpent):
        later.ask(asked(9), SCHEMA)
    assert len(server.bodies) == spent // 120
    assert model(server, tmp_path, budget_tokens=2 * budget, max_tokens=50).ask(asked(9), SCHEMA)[0] == {"n": 9}


def test_threads_wait_for_what_is_in_flight_before_the_budget_stops_them(server, tmp_path):
    server.delay = 0.05
    chat = model(server, tmp_path, budget_tokens=1400, max_tokens=500, workers=4)
    done = []
    with pytest.raises(BudgetSpent):
        for value in as_they_come(lambda n: chat.ask(asked(n), SCHEMA)[0]["n"], range(40), workers=4):
            done.append(value)
    assert len(done) == len(server.bodies) == len(chat.meter.exchanges) >= 4  # nothing that was answered is lost
    assert chat.meter.tokens() == 120 * len(done) <= 1400


def test_money_is_counted_at_the_given_prices_and_an_unknown_price_is_an_unknown_sum(server, tmp_path):
    chat = model(server, tmp_path, prices=PRICES, budget_money=0.0135)
    chat.ask(asked(), SCHEMA)
    assert chat.meter.cost() == pytest.approx((100 * 1.0 + 20 * 10.0) / 1e6)
    with pytest.raises(BudgetSpent, match="money"):
        for number in range(2, 200):
            chat.ask(asked(number), SCHEMA)
    assert chat.meter.cost() <= 0.0135
    unknown = model(server, tmp_path)
    assert unknown.meter.cost() is None and unknown.meter.summary()["cost"] is None
    with pytest.raises(bt.InvalidParameter, match="has no price"):
        model(server, tmp_path, "other", prices=PRICES, budget_money=1.0).ask(asked(), SCHEMA)


def test_without_a_count_of_the_server_the_upper_bound_is_charged(server, tmp_path):
    server.usage = None
    chat = model(server, tmp_path)
    chat.ask(asked(), SCHEMA)
    assert chat.meter.tokens() > 1024 and chat.meter.exchanges.bases() == {"bound": 1}
    assert model(server, tmp_path).meter.tokens() == chat.meter.tokens()


@pytest.mark.parametrize("content", ["m: 3", "m: {input: 1}", "m: {input: -1, output: 2}", "m: {input: .nan, output: 1}", "- m"])
def test_prices_that_make_no_sense_are_refused(tmp_path, content):
    (tmp_path / "prices.yaml").write_text(content)
    with pytest.raises(bt.InvalidParameter, match="prices"):
        load_prices(tmp_path / "prices.yaml")
    (tmp_path / "prices.yaml").write_text("m: {input: 0.5, output: 2}")
    assert load_prices(tmp_path / "prices.yaml") == {"m": {"input": 0.5, "output": 2.0}}


def test_the_key_is_sent_and_stands_nowhere_else(server, tmp_path, monkeypatch):
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    chat = model(server, tmp_path)
    server.faults = [{"content": json.dumps({"n": 1, "echo": KEY})}]
    chat.ask(asked(), SCHEMA)
    assert set(server.keys) == {f"Bearer {KEY}"}
    server.faults = [(401, {}, json.dumps({"error": {"message": f"Incorrect API key provided: {KEY} of Bearer sk-abcdefghijklmnopqrst"}}))]
    with pytest.raises(ChatFailed) as caught:
        chat.ask(asked(2), SCHEMA)
    said = str(caught.value) + repr(vars(chat)) + json.dumps(chat.settings) + json.dumps(chat.meter.summary())
    assert "Incorrect API key" in said and KEY not in said and "abcdefghijkl" not in said
    assert KEY.encode() not in b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert KEY not in json.dumps(server.bodies)


def test_no_key_goes_where_others_could_read_it(tmp_path, monkeypatch):
    meter = Meter(Exchanges(tmp_path / "x.sqlite"))
    for url in ("ftp://x/v1", "x", "http://user:pass@127.0.0.1/v1", "https://h/v1?key=abc", "http://["):
        with pytest.raises(bt.InvalidParameter, match="base_url") as caught:
            ChatModel("m", url, meter)
        assert "pass" not in str(caught.value).replace("password", "") and "abc" not in str(caught.value)
    assert ChatModel("m", "http://own-server:8000/v1", meter)
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    with pytest.raises(bt.InvalidParameter, match="unencrypted"):
        ChatModel("m", "http://own-server:8000/v1", meter)
    with pytest.raises(bt.InvalidParameter, match="workers"):
        ChatModel("m", "https://own-server/v1", meter, workers=0)


def test_foreign_text_is_made_harmless_for_display():
    assert clean("a\n b\x07\u202e<script>`x`", 100) == "a b‹script›'x'" and len(clean("x" * 1000, 20)) == 20


def test_after_a_failure_what_runs_still_comes_and_nothing_new_begins():
    begun, release = [], threading.Event()

    def work(n):
        begun.append(n)
        if n == 0:
            raise ValueError("first")
        release.wait(0.2)
        return n

    came = []
    with pytest.raises(ValueError, match="first"):
        for value in as_they_come(work, range(50), workers=3):
            came.append(value)
    assert came and sorted(came) == sorted(set(begun) - {0}) and len(begun) < 10
