"""What models write: every form of a call that is known, and text of every other kind."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from biotool_lib.common.chat import MAX_TEXT, parse

CALL = {"name": "lookup_by_symbol", "arguments": {"species": "human", "symbol": "BRCA1", "expand": True}}
BODY = json.dumps(CALL)
PARAMETERS = json.dumps({"name": CALL["name"], "parameters": CALL["arguments"]})
XML = ("<tool_call>\n<function=lookup_by_symbol>\n<parameter=species>\nhuman\n</parameter>\n<parameter=symbol>\nBRCA1\n</parameter>\n"
       "<parameter=expand>\nTrue\n</parameter>\n</function>\n</tool_call>")  # Qwen3.5 writes Python's words
PRETTY = json.dumps(CALL["arguments"], indent=2)


@pytest.mark.parametrize(("form", "text"), [
    ("hermes", f"<tool_call>{BODY}</tool_call>"),
    ("hermes", f"I look that up.\n<tool_call>\n{BODY}\n</tool_call><|im_end|>"),
    ("hermes", f"<think>\n<tool_call>{{\"name\": \"draft\", \"arguments\": {{}}}}</tool_call>\n</think>\n\n<tool_call>\n{BODY}"),
    ("qwen_xml", XML),
    ("qwen_xml", XML.replace("</function>\n</tool_call>", "")),
    ("llama", f"<|python_tag|>{PARAMETERS}<|eom_id|>"),
    ("llama", PARAMETERS + "<|eot_id|>"),
    ("llama_tag", f"<function=lookup_by_symbol>{json.dumps(CALL['arguments'])}</function><|eot_id|>"),
    ("react", f"Thought: it is a gene.\nAction: lookup_by_symbol\nAction Input: {PRETTY}\nObservation:"),
    ("react", f"Action: `lookup_by_symbol`\nAction Input:\n```json\n{PRETTY}\n```"),
    ("openai", json.dumps({"role": "assistant", "content": None, "tool_calls": [
        {"id": "c1", "type": "function", "function": {"name": CALL["name"], "arguments": json.dumps(CALL["arguments"])}}]})),
    ("json", BODY), ("json", f"[{BODY}]"),
    ("fenced", f"Here you are:\n```json\n{BODY}\n```\nDone."), ("fenced", f"```\n{BODY}\n```"), ("fenced", f"```json{BODY}```"),
    ("embedded", f"The call {{as asked}} is {BODY}, I think."),
])
def test_each_form_is_read_and_named(form, text):
    found = parse(text)
    assert (found.form, found.calls, found.call) == (form, 1, CALL)


def test_messages_of_a_server_are_read():
    tool_calls = [{"id": "c1", "type": "function", "function": {"name": CALL["name"], "arguments": json.dumps(CALL["arguments"])}}]
    for message in ({"tool_calls": tool_calls}, tool_calls, {"choices": [{"message": {"tool_calls": tool_calls}}]}):
        assert parse(message).call == CALL and parse(message).form == "openai"
    for nothing in (None, 3, [], {}, {"tool_calls": None}, {"choices": [None]}, {"choices": []}, b"<tool_call>"):
        assert parse(nothing) == parse("")


@pytest.mark.parametrize(("form", "text"), [
    ("hermes", f"<tool_call>{BODY}</tool_call>\n<tool_call>{BODY}</tool_call>"), ("qwen_xml", XML + XML),
    ("llama", f"<|python_tag|>{PARAMETERS}; {PARAMETERS}"), ("json", f"[{BODY}, {BODY}]"), ("fenced", f"```\n{BODY}\n```\nor\n```\n{BODY}\n```"),
    ("react", 2 * f"Action: lookup_by_symbol\nAction Input: {PRETTY}\n"), ("embedded", f"{BODY} and {BODY}"),
])
def test_several_calls_are_counted_and_the_first_counts(form, text):
    assert (parse(text).form, parse(text).calls, parse(text).call) == (form, 2, CALL)


@pytest.mark.parametrize("text", [
    "", "No function fits this question.", "<tool_call></tool_call>", "<tool_call>{", '{"name": "x"', '{"name": 3, "arguments": {}}', "[[[", "{}" * 99,
    f"<think>I could call {BODY}", "<function=>{}</function>", "Action: einfo\nAction Input: none",
    '{"type": "function", "function": {"name": "einfo", "parameters": {"type": "object", "properties": {}}}}',  # a schema is no call
])
def test_no_call_is_none(text):
    assert parse(text) == parse(None)


def test_values_of_tags_are_what_they_say():
    def value(text: str):
        return parse(f"<function=f><parameter=a>\n{text}\n</parameter></function>").call["arguments"]["a"]

    assert [value(t) for t in ("9606", "0.5", "-3", "true", "False", "null", "[1, 2]", '"5"')] == [9606, 0.5, -3, True, False, None, [1, 2], "5"]
    assert [value(t) for t in ("007", "12.10", "1e5", "rs699", "a\nb", "nan", "1" * 500)] == ["007", "12.10", "1e5", "rs699", "a\nb", "nan", "1" * 500]


def test_what_no_file_can_hold_is_replaced():
    call = parse('{"name": "f", "arguments": {"a": "\\ud800", "b": 1e999, "c": NaN, "d": ["\\udc00"]}}').call
    assert call["arguments"] == {"a": "\ufffd", "b": None, "c": None, "d": ["\ufffd"]}


PIECES = st.sampled_from([
    "<tool_call>", "</tool_call>", "<function=", "<function=f>", "</function>", "<parameter=a>", "</parameter>", "<|python_tag|>", "<|im_end|>",
    "<think>", "</think>", "Action: f", "Action Input:", "```json", "```", "{", "}", "[", "]", '"', ":", ",", "\\", "\n", " ", BODY, PARAMETERS, XML,
    '"name"', '"arguments"', '"parameters"', "1e999", "NaN", "\ud800", "é", "\x00",
])
ANY_JSON = st.recursive(st.none() | st.booleans() | st.floats() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
    st.sampled_from(["name", "arguments", "parameters", "function", "tool_calls", "choices", "message", "type"]), inner, max_size=4), max_leaves=12)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.one_of(st.text(), st.lists(PIECES, max_size=30).map("".join), ANY_JSON, ANY_JSON.map(json.dumps)))
@example("[" * 100_000)
def test_anything_is_read_without_an_error_and_what_is_found_can_be_written(value):
    found = parse(value)
    assert (found.call is None) == (found.form == "none") == (found.calls == 0)
    if found.call:
        assert found.call["name"] and isinstance(found.call["arguments"], dict)
        json.dumps(found.call, ensure_ascii=False, allow_nan=True).encode()


@pytest.mark.parametrize("piece", [
    "<tool_call>", "<tool_call>{", "<tool_call> ", " ", "<function=f>", "<function=f><parameter=a>", "<parameter=a>", "```", "```json\n", "{", '{"a":', "[",
    '{"name":"f","arguments":', "Action: f", "Action: f\nAction Input: {", "Action:", "<|python_tag|>", "<|python_tag|>{};", "<think>", "</think>", '"', "\\",
    "<|im_end|>", "<|", "9", "\n", '{"name": "f", "arguments": {}}', "Action: " + "a" * 1000,
])
def test_a_megabyte_of_anything_is_read_in_bounded_time(piece):
    times = MAX_TEXT // len(piece) + 1
    for text in (piece * times, "<tool_call>" + piece * times, "<function=f>" + piece * times, "```json" + piece * times):
        start = time.thread_time()
        parse(text)
        assert time.thread_time() - start < 5, piece
