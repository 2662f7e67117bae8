"""Training: what stands in the prompt, the loss of our trainer beside the plain one, recipes, and runs that are cut, packed or shared."""

from __future__ import annotations

import importlib.util
import json
import os
import random
import re
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
import yaml

import biotool_lib as bt
from biotool_lib.nano import made_up_row, make_model, make_tokenizer
from biotool_lib.training import load_recipe, make_untrained, push_to_hub, train
from biotool_lib.training.recipe import FOLDER, system_prompt
from biotool_lib.training.rows import encode_rows, offered, prompt_ids, schemas
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
    brought = {**ROW, "tools": [{"function": "made_up(x)"}]}
    assert schemas(brought, load_recipe("laptop", menu="compact")) == brought["tools"]
    for key, value in (("menu", "gold"), ("menu_size", 3)):
        with pytest.raises(bt.InvalidParameter, match=f"{key}.*one of"):
            load_recipe("laptop", **{key: value})


def _trainer(tokenizer, model, folder, adapter=None, rows=None, **more):
    from datasets import Dataset
    from trl import SFTConfig

    rng = random.Random(1)
    rows = rows or encode_rows(tokenizer, [made_up_row(rng) for _ in range(8)], load_recipe("laptop"))[0]
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


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> bt.Run:
    """A run with a dataset of its own: made-up symbols, no stage before it."""
    made = bt.Run(tmp_path_factory.mktemp("runs") / "small")
    rng = random.Random(3)

    def row(number: int) -> dict:
        symbol = "".join(rng.choices("ABCDEFG", k=3)) + str(rng.randint(1, 9))
        question = rng.choice(("Where is {}?", "On which chromosome of human does {} lie?", "Find {} in human for me, please, now.")).format(symbol)
        return {**ROW, "id": f"r{number}", "group": f"g{number}", "question": question, "call": {"name": "lookup_by_symbol", "arguments": {"species": "human", "symbol": symbol}}}

    rows = [row(number) for number in range(56)]
    for split, some in (("train", rows[:48]), ("validation", rows[48:52]), ("test", rows[52:])):
        made.write(f"dataset/{split}.jsonl", some)
    return made


SMALL = {"base": "scratch", "architecture": TINY, "tokenizer_vocab": 400, "max_length": 256, "batch_size": 4, "made_up_rows": 0, "scramble": 0, "fewest_rows": 0,
         "checkpoint_every": 4, "max_new_tokens": 24, "epochs": 1}


def _log(folder) -> list[dict]:
    return [json.loads(line) for line in (folder / "training_log.jsonl").read_text().splitlines()]


def _losses(folder) -> dict[int, float]:
    return {entry["step"]: entry["loss"] for entry in _log(folder) if "loss" in entry}


def test_every_shipped_recipe_is_sound_and_says_how_it_is_launched():
    for path in FOLDER.glob("*.yaml"):
        recipe = load_recipe(path.stem)
        launch = r"python -m biotool_lib\.nano" if path.stem == "nano_base" else f"python -m biotool_lib.training --run runs/[a-z0-9]+ --recipe {path.stem}"
        assert re.match(f"# {launch}\n", path.read_text()), path
        assert recipe.name == path.stem
        if path.stem.startswith("published_"):
            assert (recipe.batch_size, recipe.gradient_accumulation, recipe.epochs, recipe.learning_rate) == (1, 16, 3, 2e-5)
            assert (recipe.scheduler, recipe.warmup_share, recipe.max_length, recipe.precision, recipe.packing) == ("cosine", 0.1, 2048, "bf16", False)
            assert (recipe.tuning, recipe.lora_rank) == (("full", 8) if path.stem == "published_qwen3_4b" else ("lora", 8))
            with pytest.raises(bt.InvalidParameter, match=r"system_prompt_file.*stands in"):
                system_prompt(recipe)


@pytest.mark.parametrize(("change", "says"), [
    ({"learning_rat": 1}, "learning_rate"), ({"optimizer": "adam"}, "adamw_8bit"), ({"packing": True, "scramble": 0.5}, "packed rows"),
])
def test_a_recipe_that_cannot_be_followed_is_refused_with_its_remedy(change, says):
    with pytest.raises(bt.InvalidParameter, match=says):
        load_recipe("laptop", **change)


def test_a_system_prompt_is_read_from_its_file_and_stands_in_prompt_and_trained_text(tokenizer, tmp_path):
    file = tmp_path / "prompt.txt"
    for text, says in (("", "empty"), (None, "FileNotFoundError")):
        file.unlink(missing_ok=True)
        if text is not None:
            file.write_text(text)
        with pytest.raises(bt.InvalidParameter, match=says):
            system_prompt(load_recipe("laptop", system_prompt_file=str(file)))
    file.write_text("Call one function.\n")
    recipe = load_recipe("laptop", system_prompt_file=str(file))
    prompt, (encoded,) = prompt_ids(tokenizer, ROW, recipe), encode_rows(tokenizer, [ROW], recipe)[0]
    assert tokenizer.decode(prompt).startswith("<|system|>Call one function.<|user|>") and encoded["input_ids"][: len(prompt)] == prompt


def test_the_published_menu_has_the_right_function_first_and_the_same_second_one():
    recipe = load_recipe("published_qwen3_4b")
    assert [s["function"]["name"] for s in schemas(ROW, recipe)] == ["lookup_by_symbol", "get_variation"]


def test_packed_rows_have_the_loss_that_each_has_alone(tokenizer, tmp_path):
    rng = random.Random(2)
    rows, _ = encode_rows(tokenizer, [made_up_row(rng) for _ in range(12)], load_recipe("laptop"))
    model = make_model(TINY, tokenizer, 0).eval()

    def losses(logits, labels):
        return torch.nn.functional.cross_entropy(logits[:-1], labels[1:], reduction="none", ignore_index=-100)[labels[1:] != -100]

    with torch.no_grad():
        alone = [losses(model(input_ids=torch.tensor([row["input_ids"]])).logits[0], torch.tensor(row["labels"])) for row in rows]
        together = []
        trainer = _trainer(tokenizer, model, tmp_path, packing=True, max_length=200, rows=rows)
        for batch in trainer.get_train_dataloader():
            batch = dict(batch)
            assert (batch["position_ids"][0] == 0).sum() > 1  # several rows in one
            labels = batch.pop("labels")[0]
            together.append(losses(trainer.model(**batch, use_cache=False).logits[0], labels))
    assert sum(map(len, alone)) == sum(map(len, together))
    assert torch.allclose(torch.cat(alone).sort()[0], torch.cat(together).sort()[0], atol=1e-5)


def test_a_killed_and_resumed_training_has_the_losses_of_an_uninterrupted_one(run, tmp_path):
    recipe = load_recipe("laptop", **SMALL)

    def stop(entry):
        if entry["step"] >= 6 and "loss" in entry:
            raise KeyboardInterrupt

    whole = _losses(train(run, recipe, "whole"))
    with pytest.raises(KeyboardInterrupt):
        train(run, recipe, "broken", on_log=stop)
    left = next((run.path / ".checkpoints").glob("broken-*"))
    (left / "checkpoint-6").mkdir()  # as if killed while it was written: no state in it
    resumed = _losses(train(run, recipe, "broken"))
    assert len(whole) == 12 and resumed.keys() == whole.keys() and max(abs(whole[step] - resumed[step]) for step in whole) < 1e-5


def test_packed_training_learns_and_reports_the_rows_that_do_not_fit(run):
    from transformers import AutoTokenizer

    packed = {**SMALL, "packing": True, "epochs": 3, "batch_size": 1, "learning_rate": 1e-2}
    folder = train(run, load_recipe("laptop", **packed), "packed")
    losses = list(_losses(folder).values())
    assert losses[-1] < losses[0] / 2
    rows = encode_rows(AutoTokenizer.from_pretrained(folder), run.read("dataset/train.jsonl"), load_recipe("laptop"))[0]
    middle = sorted(len(row["input_ids"]) for row in rows)[24]
    folder = train(run, load_recipe("laptop", **{**packed, "max_length": middle, "max_steps": 1}), "short")
    stamp = run.manifest["stages"]["model/short"]
    assert stamp["left_out"] == sum(len(row["input_ids"]) > middle for row in rows) > 0 and stamp["left_out"] + stamp["rows"] == 48
    assert f"fit {middle} tokens | {stamp['left_out']} |" in (folder / "README.md").read_text()
    with pytest.raises(bt.InvalidParameter, match="no row"):
        train(run, load_recipe("laptop", **{**SMALL, "max_length": 5}), "none")


def test_adapters_are_saved_beside_the_merged_model_and_stand_ins_are_named(run, caplog):
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    base = make_untrained(run, load_recipe("laptop", **SMALL))
    recipe = load_recipe("qwen3_4b_qlora", **{**SMALL, "base": str(base), "menu": "none", "precision": "fp32", "max_steps": 3, "gradient_accumulation": 1,
                                              "batch_size": 1, "lora_rank": 2})
    if importlib.util.find_spec("bitsandbytes") is None:
        with pytest.raises(bt.InvalidParameter, match="bitsandbytes"):
            train(run, recipe, "adapted")
    folder = train(run, replace(recipe, stand_ins=True, tuning="qlora"), "adapted")
    assert run.manifest["stages"]["model/adapted"]["swapped"] == ["base not quantised instead of NF4", "adamw_torch instead of adamw_8bit"]
    card = (folder / "README.md").read_text()
    assert "swapped on this machine" in card and "without bitsandbytes" in caplog.text and str(run.path) not in card
    assert {p.suffix for p in folder.rglob("*") if p.is_file()} <= {".safetensors", ".json", ".jsonl", ".md", ".jinja"}  # no pickles, no code
    merged, ids = AutoModelForCausalLM.from_pretrained(folder), torch.tensor([AutoTokenizer.from_pretrained(folder)("Where is ABC1?")["input_ids"]])
    adapted = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), folder / "adapter")
    with torch.no_grad():
        assert torch.allclose(merged(ids).logits, adapted(ids).logits, atol=1e-4)
        assert not torch.allclose(merged(ids).logits, AutoModelForCausalLM.from_pretrained(base)(ids).logits, atol=1e-4)


def test_two_processes_have_the_losses_of_one(run, tmp_path):
    """Each sees half of every step's rows; gradients are averaged over gloo. Sums are taken in another order, hence the tolerance."""
    recipe = tmp_path / "pair.yaml"
    recipe.write_text((FOLDER / "laptop.yaml").read_text())
    values = {**yaml.safe_load(recipe.read_text()), **SMALL, "batch_size": 4, "gradient_accumulation": 2}
    recipe.write_text(yaml.safe_dump(values))
    one = _losses(train(run, load_recipe(recipe), "one"))
    pair = bt.Run(tmp_path / "pair")
    for split in ("train", "validation"):
        pair.write(f"dataset/{split}.jsonl", run.read(f"dataset/{split}.jsonl"))
    code = ("import sys; from biotool_lib.common.runner import Run; from biotool_lib.training import load_recipe, train; "
            "train(Run(sys.argv[1]), load_recipe(sys.argv[2]), 'two')")
    script = tmp_path / "two.py"
    script.write_text(code)
    subprocess.run([sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", "0", "--standalone", str(script),
                    str(pair.path), str(recipe)], check=True, capture_output=True, timeout=900, env={**os.environ, "OMP_NUM_THREADS": "1"})
    two = _losses(pair.path / "models/two")
    assert bt.Run(pair.path).manifest["stages"]["model/two"]["processes"] == 2
    assert len(one) == 6 and two.keys() == one.keys() and max(abs(one[step] - two[step]) for step in one) < 1e-4
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORLD_SIZE", "3")
        with pytest.raises(bt.InvalidParameter, match="multiple of the number of processes"):
            train(run, load_recipe(recipe), "three")


def test_a_model_goes_to_the_hub_with_a_token_from_the_environment_only(run, monkeypatch):
    monkeypatch.delenv("HF_TOKEN", raising=False)
    with pytest.raises(bt.MissingArtefact):
        push_to_hub(run, "nothing", "somebody/model")
    make_untrained(run, load_recipe("laptop", **SMALL))
    with pytest.raises(bt.InvalidParameter, match="owner/name"):
        push_to_hub(run, "untrained", "no such name!")
    with pytest.raises(bt.InvalidParameter, match="HF_TOKEN"):
        push_to_hub(run, "untrained", "somebody/model")
