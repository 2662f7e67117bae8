"""The nano model: a small Qwen3 from random weights, with a tokenizer of its own, made without a network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

# Prompt and call, nothing else: a small model needs no system turn. Tools stand before the question where they are given.
CHAT_TEMPLATE = (
    "{%- if tools %}{{ '<|tools|>' }}{%- for tool in tools %}{{ tool | tojson }}{{ '\\n' }}{%- endfor %}{%- endif %}"
    "{%- for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{ '<|assistant|>' }}{%- endif %}"
)
SPECIAL = ["<|pad|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>", "<|tools|>", "<tool_call>", "</tool_call>"]


def make_tokenizer(texts: Iterable[str], vocab_size: int = 2048):
    """A byte-level BPE tokenizer in which digits, capitals and blanks stand alone, so that an identifier or a word has the
    same tokens in a question and in a call, while names of functions and the marks of JSON merge.

    Returns a transformers tokenizer with the chat template above. Example: `make_tokenizer(["BRCA1 in human"], 300)`
    """
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(r"[0-9A-Z]|[a-z_]+|\s|[^0-9A-Za-z_\s]+"), behavior="isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(texts, trainers.BpeTrainer(
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
