"""The throughput meter: work per token and the peak of a device."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from transformers import LlamaConfig, Qwen3Config

from biotool_lib.training.meter import Meter, forward_flops, peak_tflops, step_flops

QWEN3_4B = Qwen3Config(vocab_size=151936, hidden_size=2560, intermediate_size=9728, num_hidden_layers=36, num_attention_heads=32,
                       num_key_value_heads=8, head_dim=128)


def test_a_4b_token_costs_six_flop_a_weight_and_its_attention():
    weights = 4_022_468_096 - 2560 * 73 - 36 * 2 * 128  # the model's own count without its norms; the embedding is also the head
    one = step_flops(QWEN3_4B, [(1, 1)])
    assert one == pytest.approx(6 * weights + 12 * 36 * 32 * 128, rel=1e-9) and one / 1e9 == pytest.approx(24.1, abs=0.05)
    # heads are 128 wide, which is not hidden_size / heads = 80; attention grows with the pairs of tokens
    long = forward_flops(QWEN3_4B, [(2048, 0)]) - 2048 * forward_flops(QWEN3_4B, [(1, 0)])
    assert long == pytest.approx(4 * 36 * 32 * 128 * (2048 * 2049 / 2 - 2048))


def test_only_learned_positions_go_through_the_vocabulary_and_frozen_weights_get_no_gradient():
    head = 2 * 2560 * 151936
    assert forward_flops(QWEN3_4B, [(10, 4)]) - forward_flops(QWEN3_4B, [(10, 0)]) == 4 * head
    assert step_flops(QWEN3_4B, [(10, 4)], "lora") * 3 == step_flops(QWEN3_4B, [(10, 4)]) * 2
    assert forward_flops(QWEN3_4B, [(5, 1), (7, 2)]) == forward_flops(QWEN3_4B, [(5, 1)]) + forward_flops(QWEN3_4B, [(7, 2)])
    llama = LlamaConfig(hidden_size=64, num_attention_heads=4, num_key_value_heads=4, intermediate_size=1, num_hidden_layers=1, vocab_size=1)
    assert forward_flops(llama, [(1, 0)]) == 2 * 64 * (4 * 64 + 3) + 4 * 64


def test_the_peak_of_an_unknown_gpu_is_not_guessed():
    assert peak_tflops("NVIDIA A100-SXM4-80GB") == 312 and peak_tflops("NVIDIA H200") == 989.4
    assert [peak_tflops(name) for name in ("NVIDIA H200 NVL", "NVIDIA A1000", "Tesla T4", "")] == [None] * 4


def test_the_meter_counts_between_the_warm_up_and_the_end():
    trainer = SimpleNamespace(_total_train_tokens=0)
    meter = Meter(trainer, warm_up=2)
    for step in range(1, 6):
        trainer._total_train_tokens += 100 * step
        meter.on_step_end(None, SimpleNamespace(global_step=step), None)
    assert (meter.tokens, meter.steps) == (300 + 400 + 500, 3) and meter.seconds > 0
