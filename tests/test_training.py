"""Training: what stands in the prompt, and the loss of our trainer beside the plain one."""

from __future__ import annotations

import random

import pytest
import torch

import biotool_lib as bt
from biotool_lib.nano import made_up_row, make_model, make_tokenizer
from biotool_lib.training import load_recipe
from biotool_lib.training.rows import encode_rows, offered, schemas
from biotool_lib.training.trainer import CallTrainer

TINY = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 16,
        "intermediate_size": 64, "max_position_embeddings": 512, "tie_word_embeddings": True}
ROW = {"id": "r1", "kind": "call", "question": "Where is BRCA1?", "function": "lookup_by_symbol", "tools": ["einfo", "lookup_by_symbol"],
       "call": {"name": "lookup_by_symbol", "arguments": {"species": "human", "symbol": "BRCA1"}}}


@pytest.fixture(scope="module")
def tokenizer():
    rng = random.Random(0)
    return make_tokenizer([made_up_row(rng)["question"] for _ in range(200)], 400)


def test_compact_schemas_name_every_parameter_its_type_and_its_values():
    for tool in bt.tools().values():
        line = tool.json_schema(compact=True)["function"]
        assert line.startswith(f"{tool.name}(") and len(line) / 4 <= 200, tool.name
        required = line.removeprefix(tool.name).partition("[")[0]
        said, before = set(), ""
        for word in line.removeprefix(tool.name).strip("()").replace("[", " ").replace("]", " ").replace(";", " ").replace(":", " ").split():
            before = before + word if word.startswith("_") else word
            said.add(before)
        for name, parameter in tool.parameters.items():
            assert name in said, (tool.name, name)
            assert parameter.required == (name in required.replace(":", " ").replace(";", " ").strip("() ").split()), (tool.name, name)
            if parameter.enum and parameter.list != "csv":
                shown = [str(v) for v in parameter.enum if parameter.required or v != parameter.default]
                assert "|".join(shown) in line, (tool.name, name)


def test_menus_of_a_recipe_hold_the_right_function_and_the_rows_own():
    sizes = {size: offered(ROW, size) for size in (0, 1, 2, 8, 32, "all")}
    assert {size: len(names) for size, names in sizes.items()} == {0: 0, 1: 1, 2: 2, 8: 8, 32: 32, "all": len(bt.tools())}
    assert sizes[1] == ["lookup_by_symbol"] and sizes[2] == ROW["tools"] == offered(ROW)
    for size in (8, 32, "all"):
        assert set(ROW["tools"]) <= set(sizes[size]) and len(set(sizes[size])) == len(sizes[size]) and sizes[size] == offered(ROW, size)
    unanswerable = {**ROW, "call": None, "kind": "missing_information"}
    assert offered(unanswerable, 1) == ["einfo"]


def test_the_menu_of_a_recipe_has_a_form_and_a_size():
    recipe = load_recipe("laptop")
    assert schemas(ROW, recipe) is None and schemas(ROW, load_recipe("laptop", menu="full", menu_size=0)) is None
    assert schemas(ROW, load_recipe("laptop", menu="full")) == [bt.tools()[name].json_schema() for name in ROW["tools"]]
    assert schemas(ROW, load_recipe("laptop", menu="compact", menu_size=1)) == [bt.tools()["lookup_by_symbol"].json_schema(compact=True)]
    made_up = {**ROW, "functions": [bt.tools()["einfo"]]}
    assert schemas(made_up, load_recipe("laptop", menu="compact")) == [{"function": bt.tools()["einfo"].signature()}]
    for key, value in (("menu", "gold"), ("menu_size", 3)):
        with pytest.raises(bt.InvalidParameter, match=f"{key}.*one of"):
            load_recipe("laptop", **{key: value})


def _trainer(tokenizer, model, folder, adapter=None, **more):
    from datasets import Dataset
    from trl import SFTConfig

    rng = random.Random(1)
    rows, _ = encode_rows(tokenizer, [made_up_row(rng) for _ in range(8)], load_recipe("laptop"))
    arguments = SFTConfig(output_dir=str(folder), use_cpu=True, bf16=False, report_to="none", disable_tqdm=True,
                          per_device_train_batch_size=4, dataloader_pin_memory=False, **{"max_length": None, **more})
    return CallTrainer(model=model, args=arguments, processing_class=tokenizer, train_dataset=Dataset.from_list(rows), peft_config=adapter)


@pytest.mark.parametrize("adapter", [False, True], ids=["full", "lora"])
@pytest.mark.parametrize("packed", [False, True], ids=["padded", "packed"])
def test_the_loss_of_labelled_positions_is_the_plain_loss_with_the_same_gradient(tokenizer, tmp_path, adapter, packed):
    from peft import LoraConfig

    lora = LoraConfig(r=2, target_modules="all-linear", task_type="CAUSAL_LM", init_lora_weights=False) if adapter else None
    trainer = _trainer(tokenizer, make_model(TINY, tokenizer, 0), tmp_path, lora, packing=packed, max_length=256 if packed else None)
    batch = next(iter(trainer.get_train_dataloader()))
    labelled = (batch["labels"][:, 1:] != -100).sum()
    plain_inputs = {key: value for key, value in batch.items() if key != "labels"}
    for number in (None, labelled * 3):
        losses, gradients = [], []
        for plain in (False, True):
            trainer.model.zero_grad()
            if plain:  # the model's own loss, written out: every position through the vocabulary
                logits = trainer.model(**plain_inputs, use_cache=False).logits[:, :-1]
                total = torch.nn.functional.cross_entropy(logits.flatten(0, 1), batch["labels"][:, 1:].flatten(), reduction="sum")
                loss = total / (labelled if number is None else number)
            else:
                loss = trainer.compute_loss(trainer.model, dict(batch), num_items_in_batch=number)
            loss.backward()
            losses.append(loss.item())
            gradients.append(torch.cat([p.grad.flatten() for p in trainer.model.parameters() if p.grad is not None]))
        assert losses[0] == pytest.approx(losses[1], abs=1e-6)
        assert torch.allclose(*gradients, atol=1e-6) and gradients[0].abs().max() > 0
        theirs = super(CallTrainer, trainer).compute_loss(trainer.model, dict(batch), num_items_in_batch=number)
        assert losses[0] == pytest.approx(theirs.item(), abs=1e-6)


def test_tokens_are_counted_and_other_losses_are_left_to_trl(tokenizer, tmp_path):
    trainer = _trainer(tokenizer, make_model(TINY, tokenizer, 0), tmp_path, label_smoothing_factor=0.1)
    batch = next(iter(trainer.get_train_dataloader()))
    trainer.compute_loss(trainer.model, dict(batch))
    assert "entropy" in trainer._metrics["train"]  # TRL's own path
    trainer = _trainer(tokenizer, make_model(TINY, tokenizer, 0), tmp_path)
    trainer.compute_loss(trainer.model, dict(batch))
    assert trainer._metrics["train"] == {"num_tokens": [int(batch["attention_mask"].sum())]}
