"""What stands in a prompt and what is learned, to the letter, for every base model that has a recipe."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import biotool_lib as bt
from biotool_lib.common.chat import encode, encode_prompt, parse, render_completion, render_prompt
from biotool_lib.nano import CHAT_TEMPLATE, make_tokenizer

TEMPLATES = Path(__file__).parent.parent / "benchmarks/templates"
TOOL = {"type": "function", "function": {"name": "einfo", "parameters": {"type": "object", "properties": {"db": {"type": "string"}}}}}
LINE = json.dumps(TOOL)
CALL = {"name": "einfo", "arguments": {"db": "gene", "retmax": 5, "all": True}}
ARGUMENTS = '{"db": "gene", "retmax": 5, "all": true}'
QUESTION = "Which fields has gene?"

TOOLS_QWEN = ("# Tools\n\nOne function or several may be called so as to help with what the user asks.\n\nThe signatures of the functions stand "
              f"between <tools></tools> tags of XML:\n<tools>\n{LINE}\n</tools>\n\nEach call is one json object with the function's name and its "
              'arguments between <tool_call></tool_call> tags of XML:\n<tool_call>\n{"name": <function-name>, "arguments": <args-json-object>}\n'
              "</tool_call><|im_end|>\n")
USER_QWEN = f"<|im_start|>user\n{QUESTION}<|im_end|>\n<|im_start|>assistant\n"
CALL_QWEN = f'<tool_call>\n{{"name": "einfo", "arguments": {ARGUMENTS}}}\n</tool_call><|im_end|>'
NO_THOUGHT = "<think>\n\n</think>\n\n"
USER_LLAMA = "<|start_header_id|>user<|end_header_id|>\n\n"

# model: (end token, what the prompt begins with, what it ends with, what is learned)
GOLDEN = {
    "qwen25": ("<|im_end|>", "<|im_start|>system\nYou belong to the Qwen models and you are an assistant that helps.\n\n" + TOOLS_QWEN, USER_QWEN, CALL_QWEN),
    "qwen3_instruct": ("<|im_end|>", "<|im_start|>system\n" + TOOLS_QWEN, USER_QWEN, CALL_QWEN),
    "qwen3": ("<|im_end|>", "<|im_start|>system\n" + TOOLS_QWEN, USER_QWEN + NO_THOUGHT, CALL_QWEN),
    "qwen35": (
        "<|im_end|>", f"<|im_start|>system\n# Tools\n\nThese functions can be used:\n\n<tools>\n{LINE}\n</tools>\n\n", USER_QWEN + NO_THOUGHT,
        "<tool_call>\n<function=einfo>\n<parameter=db>\ngene\n</parameter>\n<parameter=retmax>\n5\n</parameter>\n<parameter=all>\nTrue\n</parameter>\n"
        "</function>\n</tool_call><|im_end|>",
    ),
    "llama31": (
        "<|eot_id|>", "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nEnvironment: ipython\nCutting Knowledge Date: December 2023\n"
        f"Today Date: 26 Jul 2024\n\n<|eot_id|>{USER_LLAMA}Below are functions.",
        f"{json.dumps(TOOL, indent=4)}\n\n{QUESTION}<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
        f'{{"name": "einfo", "parameters": {ARGUMENTS}}}<|eot_id|>',
    ),
    "nano": ("<|end|>", f"<|tools|>{LINE}\n<|user|>", f"{QUESTION}<|assistant|>", f'<tool_call>{{"name": "einfo", "arguments": {ARGUMENTS}}}</tool_call><|end|>'),
}
PLAIN = {
    "qwen25": "<|im_start|>system\nYou belong to the Qwen models and you are an assistant that helps.<|im_end|>\n" + USER_QWEN, "qwen3_instruct": USER_QWEN,
    "qwen3": USER_QWEN + NO_THOUGHT, "qwen35": USER_QWEN + NO_THOUGHT, "nano": f"<|user|>{QUESTION}<|assistant|>",
    "llama31": "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n<|eot_id|>"
               f"{USER_LLAMA}{QUESTION}<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
}


@pytest.fixture(scope="module")
def tokenizers():
    def make(name: str):
        tokenizer = make_tokenizer([QUESTION, LINE, PLAIN[name]], 400)
        if name != "nano":
            special = [GOLDEN[name][0], "<|im_start|>", "<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>"]
            tokenizer.add_special_tokens({"eos_token": special[0], "bos_token": "<|begin_of_text|>", "additional_special_tokens": special[1:]})
            tokenizer.chat_template = (TEMPLATES / f"{name}.jinja").read_text()
        return tokenizer

    return {name: make(name) for name in GOLDEN}


@pytest.mark.parametrize("name", GOLDEN)
def test_prompt_and_answer_are_what_the_model_knows(tokenizers, name):
    end, begins, ends, learned = GOLDEN[name]
    prompt = render_prompt(tokenizers[name], QUESTION, [TOOL])
    assert prompt.startswith(begins) and prompt.endswith(ends)
    assert render_completion(tokenizers[name], QUESTION, CALL, [TOOL]) == learned
    assert render_prompt(tokenizers[name], QUESTION) == PLAIN[name]
    assert render_completion(tokenizers[name], QUESTION, None) == "No function fits this question." + end
    with_system = render_prompt(tokenizers[name], QUESTION, [TOOL], "Call one function.")
    assert with_system.count("Call one function.") == 1 and with_system.endswith(ends)


@pytest.mark.parametrize("name", GOLDEN)
@pytest.mark.parametrize("menu", [None, False, True], ids=["none", "full", "compact"])
def test_the_served_prompt_is_the_beginning_of_the_trained_text_and_only_the_call_is_learned(tokenizers, name, menu):
    tokenizer = tokenizers[name]
    tools = None if menu is None else [bt.tools()[tool].json_schema(compact=menu) for tool in ("lookup_by_symbol", "esearch")]
    rows = [("On which chromosome is BRCA1 (é, 中)?", {"name": "lookup_by_symbol", "arguments": {"species": "human", "symbol": 'BR"CA\\1é中'}}),
            ("What is the time?", None)]
    for question, call in rows:
        for system in (None, "Call one function."):
            whole, prompt = encode(tokenizer, question, call, tools, system), encode_prompt(tokenizer, question, tools, system)
            assert whole["input_ids"][: len(prompt)] == prompt and set(whole["labels"][: len(prompt)]) == {-100}
            learned = whole["labels"][len(prompt):]
            assert learned == whole["input_ids"][len(prompt):] and learned[-1] == tokenizer.eos_token_id and learned.count(tokenizer.eos_token_id) == 1
            text = tokenizer.decode(learned)
            assert text == render_completion(tokenizer, question, call, tools, system)
            assert tokenizer.decode(prompt).encode() == render_prompt(tokenizer, question, tools, system).encode()
            assert parse(text).call == call


@pytest.mark.parametrize("name", sorted(set(GOLDEN) - {"nano"}))
def test_prompt_and_answer_together_are_the_templates_own_conversation(tokenizers, name):
    turns = [{"role": "user", "content": QUESTION},
             {"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": CALL}]}]
    whole = tokenizers[name].apply_chat_template(turns, tools=[TOOL], tokenize=False)
    assert whole.rstrip("\n") == render_prompt(tokenizers[name], QUESTION, [TOOL]) + render_completion(tokenizers[name], QUESTION, CALL, [TOOL])


@pytest.mark.parametrize(("template", "end"), [
    (CHAT_TEMPLATE.replace("<|assistant|>", "<|assistant|> ") + "{# tool_calls #}", "<|end|>"),  # the prompt ends otherwise than the turn begins
    (CHAT_TEMPLATE + "{# tool_calls #}", "<|end|>"),  # no end token is written
])
def test_a_template_that_would_train_on_other_text_than_it_serves_is_refused(tokenizers, template, end):
    tokenizer = make_tokenizer([QUESTION], 300)
    tokenizer.chat_template = template
    with pytest.raises(bt.InvalidParameter, match="generation prompt"):
        render_completion(tokenizer, QUESTION, CALL)
