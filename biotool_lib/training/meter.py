"""How fast a training is: real tokens a second, and the share of the device's peak that they stand for (MFU)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from transformers import TrainerCallback

# Dense bf16 peak of the tensor cores in TFLOP/s (NVIDIA's data sheets; those of Hopper print the double, "with sparsity"), by the
# names that the driver gives.
PEAKS = {
    "NVIDIA A100-SXM4-40GB": 312.0, "NVIDIA A100-SXM4-80GB": 312.0, "NVIDIA A100-PCIE-40GB": 312.0, "NVIDIA A100 80GB PCIe": 312.0,
    "NVIDIA H100 80GB HBM3": 989.4, "NVIDIA H100 PCIe": 756.0, "NVIDIA H200": 989.4,
}


def peak_tflops(device_name: str) -> float | None:
    """The device's dense bf16 peak, or None for a GPU that is not in the list: never a guess.

    Example: `peak_tflops("NVIDIA A100-SXM4-40GB")`
    """
    return PEAKS.get(device_name)


def forward_flops(config, rows: Sequence[tuple[int, int]]) -> float:
    """FLOP of one forward pass over rows of (tokens, learned tokens) that do not see each other.

    Two for each weight and token; in attention two for each pair of a token and one before it, twice (scores and sums), for each
    of the `num_attention_heads` heads of `head_dim` (in Qwen3 that is not hidden_size / heads); the vocabulary only where
    something is learned. Embedding, norms and softmax are left out.
    """
    head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    queries, keys = config.num_attention_heads * head, config.num_key_value_heads * head
    weights = config.num_hidden_layers * config.hidden_size * (2 * queries + 2 * keys + 3 * config.intermediate_size)
    tokens, learned = sum(n for n, _ in rows), sum(m for _, m in rows)
    pairs = sum(n * (n + 1) / 2 for n, _ in rows)
    return 2 * weights * tokens + 4 * config.num_hidden_layers * queries * pairs + 2 * config.hidden_size * config.vocab_size * learned


def step_flops(config, rows: Sequence[tuple[int, int]], tuning: str = "full") -> float:
    """FLOP that a training step over the rows needs: the backward pass costs twice the forward one, or as much where the weights
    are frozen (adapters themselves are left out). What is computed again to save memory is not counted."""
    return forward_flops(config, rows) * (3 if tuning == "full" else 2)


class Meter(TrainerCallback):
    """Wall time and real tokens between the end of the first `warm_up` steps and the end of training."""

    def __init__(self, trainer: Any, warm_up: int) -> None:
        self.trainer, self.warm_up = trainer, warm_up
        self.seconds = 0.0
        self.tokens = self.steps = 0

    def on_step_end(self, args, state, control, **kwargs):
        """Read the clock when the device has finished what was asked of it."""
        import torch

        if torch.cuda.is_available():
            torch.cuda.synchronize()
        now = (time.perf_counter(), self.trainer._total_train_tokens, state.global_step)
        if state.global_step == self.warm_up:
            self._start = now
        elif state.global_step > self.warm_up:
            self.seconds, self.tokens, self.steps = (a - b for a, b in zip(now, self._start, strict=True))
