"""The nano model: a small Qwen3 made from random weights without a network, and the base of it that ships in `base/`.

`make nano` makes the base anew (`python -m biotool_lib.nano`).
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..catalogue import tools
from .made_up import TRAIN, UNSEEN, Words, made_up_row

BASE = Path(__file__).parent / "base"

# Prompt and call, nothing else: a small model needs no system turn. Tools stand before the question where they are given, a line
# each: a compact schema as its signature, since every token of a prompt costs a laptop time, any other as JSON.
CHAT_TEMPLATE = (
    "{%- if tools %}{{ '<|tools|>' }}{%- for tool in tools %}"
    "{{ (tool.function if tool.function is string else tool | tojson) + '\\n' }}{%- endfor %}{%- endif %}"
    "{%- for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{ '<|assistant|>' }}{%- endif %}"
)
SPECIAL = ["<|pad|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>", "<|tools|>", "<tool_call>", "</tool_call>"]


# The frame of a call, then small words between blanks, then what values are made of.
_SPLIT = (
    r'\{"name": "|", "arguments": \{"|", "arguments": \{|": "|", "|": |, "|"\}\}|\}\}'
    r"| (?:of|the|in|and|for|to|is|are|a|with|by|from|on|as|which|what|that|i|my|me)(?= )|[0-9]{1,3}|[A-Z]|[a-z_]+|\s|[^0-9A-Za-z_\s]"
)


def make_tokenizer(texts: Iterable[str], vocab_size: int = 3072):
    """A byte-level BPE tokenizer in which capitals, blanks and marks stand alone and digits go by threes from the left, so that an
    identifier or a word has the same tokens in a question and in a call, while the frame of a call in JSON takes few tokens.

    Returns a transformers tokenizer with the chat template above. Example: `make_tokenizer(["BRCA1 in human"], 1600)`
    """
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(_SPLIT), behavior="isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    tokenizer.decoder = decoders.ByteLevel()
    # Every number of up to three digits is one token, whether or not the texts hold it.
    numbers = [f"{n:03d}" for n in range(1000)] * 40 + [f"{n:02d}" for n in range(100)] * 400
    frame = ['{"name": "x", "arguments": {"x": "x", "x": 1, "x": "x"}} {"name": "x", "arguments": {"x": 1}}'] * 400
    tokenizer.train_from_iterator([*texts, *numbers, *frame], trainers.BpeTrainer(
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


def base_tokenizer():
    """The tokenizer of the base: trained on made-up rows, and on names and descriptions of the catalogue, so that these take few tokens.

    Of the catalogue the tokenizer has seen the words; the weights of the base have seen no function, schema or question of it.
    """
    rng = random.Random("tokenizer")
    texts = [text for row in (made_up_row(rng) for _ in range(3000)) for text in (row["question"], str(row["call"]), str(row["tools"]))]
    for tool in tools().values():
        said = " ".join([tool.name, tool.description, *(f"{p.name} {p.description} {' '.join(map(str, p.enum or ()))}" for p in tool.parameters.values())])
        texts += [said] * 8
    return make_tokenizer(texts)


def vocabulary_pieces(tokenizer) -> tuple[str, ...]:
    """The words and parts of words of a tokenizer, to be copied in drills, so that each of them has been copied before it is met."""
    return tuple(sorted(piece for piece in tokenizer.get_vocab() if piece.isascii() and piece.isalpha() and piece.islower() and len(piece) > 1))


__all__ = ["BASE", "CHAT_TEMPLATE", "SPECIAL", "TRAIN", "UNSEEN", "Words", "base_tokenizer", "made_up_row", "make_model", "make_tokenizer",
           "vocabulary_pieces"]
