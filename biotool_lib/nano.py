"""The nano model: a small Qwen3 from random weights, with a tokenizer of its own, made without a network."""

from __future__ import annotations

import random
import string
from collections.abc import Iterable, Mapping
from typing import Any

# Prompt and call, nothing else: a small model needs no system turn. Tools stand before the question where they are given.
CHAT_TEMPLATE = (
    "{%- if tools %}{{ '<|tools|>' }}{%- for tool in tools %}{{ tool | tojson }}{{ '\\n' }}{%- endfor %}{%- endif %}"
    "{%- for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{ '<|assistant|>' }}{%- endif %}"
)
SPECIAL = ["<|pad|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>", "<|tools|>", "<tool_call>", "</tool_call>"]


_SYLLABLES = ("ka", "lo", "mi", "ter", "von", "sa", "pri", "du", "ge", "nor", "bel", "ti", "ro", "xa", "qu", "fen", "zul", "or", "en", "ha")


def made_up_row(rng: random.Random) -> dict[str, Any]:
    """A question and a call of a function that does not exist, with names and values that mean nothing.

    All of the call stands in the question, so that what can be learned from such rows is to read, to copy and to write JSON.
    """
    function = f"{_word(rng)}_{_word(rng)}"
    arguments = {_word(rng): _value(rng) for _ in range(rng.choice((1, 1, 1, 2)))}
    parts = [f"{key} {value}" for key, value in arguments.items()] + [_word(rng) for _ in range(rng.randint(0, 3))]
    rng.shuffle(parts)
    return {"question": f"{function}: {' '.join(parts)}?", "call": {"name": function, "arguments": arguments}, "tools": []}


def _word(rng: random.Random) -> str:
    return "".join(rng.choice(_SYLLABLES) for _ in range(rng.randint(1, 3)))


def _value(rng: random.Random) -> str:
    """An identifier, a number, a range or a few words, each of a shape that many identifiers have."""
    def digits(low: int, high: int) -> str:
        return "".join(rng.choices(string.digits, k=rng.randint(low, high)))

    def capitals(low: int, high: int) -> str:
        return "".join(rng.choices(string.ascii_uppercase, k=rng.randint(low, high)))

    shapes = (
        lambda: capitals(2, 4) + digits(5, 11), lambda: _word(rng)[:2] + digits(4, 9), lambda: capitals(2, 5) + digits(0, 2),
        lambda: f"{digits(1, 2)}:{digits(5, 9)}-{digits(5, 9)}", lambda: digits(3, 8), lambda: f"{capitals(1, 1)}{digits(1, 1)}{capitals(1, 3)}{digits(1, 2)}",
        lambda: f"{capitals(2, 2)}_{digits(5, 9)}.{digits(1, 1)}", lambda: f"{_word(rng).capitalize()} {_word(rng)}", lambda: _word(rng),
    )
    return rng.choice(shapes)()


def make_tokenizer(texts: Iterable[str], vocab_size: int = 3072):
    """A byte-level BPE tokenizer in which capitals and blanks stand alone and digits go by threes from the left, so that an
    identifier or a word has the same tokens in a question and in a call, while names of functions and marks of JSON merge.

    Returns a transformers tokenizer with the chat template above. Example: `make_tokenizer(["BRCA1 in human"], 1600)`
    """
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(r"[0-9]{1,3}|[A-Z]|[a-z_]+|\s|[^0-9A-Za-z_\s]+"), behavior="isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    tokenizer.decoder = decoders.ByteLevel()
    # Every number of up to three digits is one token, whether or not the texts hold it.
    numbers = [f"{n:03d}" for n in range(1000)] * 40 + [f"{n:02d}" for n in range(100)] * 400
    tokenizer.train_from_iterator([*texts, *numbers], trainers.BpeTrainer(
        vocab_size=vocab_size, special_tokens=SPECIAL, show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    ))
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=SPECIAL[0], eos_token=SPECIAL[1], chat_template=CHAT_TEMPLATE,
        clean_up_tokenization_spaces=False,
    )


def make_model(architecture: Mapping[str, Any], tokenizer, seed: int = 0):
    """A Qwen3 language model with random weights; `architecture` holds fields of transformers.Qwen3Config."""
    from transformers import Qwen3Config, Qwen3ForCausalLM, set_seed

    set_seed(seed)
    config = Qwen3Config(
        vocab_size=len(tokenizer), pad_token_id=tokenizer.pad_token_id, eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None, use_cache=True, **architecture,
    )
    return Qwen3ForCausalLM(config)
