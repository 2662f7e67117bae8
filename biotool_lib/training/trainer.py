"""The trainer of TRL with a cheaper loss: only the positions that are learned go through the vocabulary."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import PrinterCallback, TrainerCallback
from trl import SFTConfig, SFTTrainer

from ..errors import InvalidParameter, Problem
from .recipe import Recipe, kernels


class CallTrainer(SFTTrainer):
    """TRL's `SFTTrainer` whose loss head sees the labelled positions alone and reports no entropy or token accuracy.

    The loss is the same mean over labelled tokens. A call is a small part of its prompt, so most rows of the largest matrix
    product of a small model, the one with the vocabulary, are saved. Whatever else the loss may hold (Liger, load balancing of
    experts, label smoothing, another type of loss) is left to TRL.
    """

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        """The mean cross-entropy of the labelled tokens; the mean is over all of an optimiser step where its number is given."""
        special = self.args.use_liger_kernel or self.aux_loss_enabled or self.label_smoother or self.compute_loss_func
        if return_outputs or special or self.args.loss_type != "nll":
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        labels = inputs["labels"]
        following = torch.nn.functional.pad(labels[:, 1:], (0, 1), value=-100)
        learned = following != -100
        head = self.accelerator.unwrap_model(model).get_output_embeddings()
        # The hook works inside the model's own forward pass, so that wrappers (adapters, several GPUs) see nothing unusual.
        hook = head.register_forward_pre_hook(lambda _, args: (args[0][learned],))
        try:
            logits = model(**{key: value for key, value in inputs.items() if key != "labels"}, use_cache=False).logits
        finally:
            hook.remove()
        total = torch.nn.functional.cross_entropy(logits.float(), following[learned], reduction="sum")
        count = learned.sum() if num_items_in_batch is None else num_items_in_batch
        loss = total / torch.as_tensor(count).clamp(min=1)
        if self.args.average_tokens_across_devices and num_items_in_batch is not None:
            loss = loss * self.accelerator.num_processes  # the number counts the tokens of all processes, whose gradients are averaged
        self._count(inputs)
        return loss

    def _count(self, inputs) -> None:
        """Real tokens that training has seen, which TRL counts in the method that is replaced here."""
        if self.model.training:
            tokens = inputs["attention_mask"].sum() if "attention_mask" in inputs else torch.tensor(inputs["input_ids"].numel())
            self._total_train_tokens += int(self.accelerator.gather_for_metrics(tokens.to(self.accelerator.device)).sum())
        self._metrics["train" if self.model.training else "eval"]["num_tokens"] = [self._total_train_tokens]


def make_trainer(model, tokenizer, data: Mapping[str, Any], recipe: Recipe, seed: int, work: Path, on_log=None) -> CallTrainer:
    """A trainer for encoded rows (`data["train"]`, and `data["validation"]` if there is one) that follows a recipe.

    Raises InvalidParameter if the devices cannot share a step evenly. Example: `make_trainer(model, tokenizer, data, recipe, 0, folder)`
    """
    class Watch(TrainerCallback):
        def on_log(self, args, state, control, logs=None, **kwargs):
            if on_log and logs:
                on_log({"step": state.global_step, "steps": state.max_steps, **logs})

    cpu, processes = not torch.cuda.is_available(), int(os.environ.get("WORLD_SIZE", "1"))
    turns, uneven = divmod(recipe.gradient_accumulation, processes)
    if uneven:
        remedy = f"a multiple of the number of processes, which is {processes}: they share the rows of a step"
        raise InvalidParameter(f"recipe {recipe.name}", [Problem("gradient_accumulation", recipe.gradient_accumulation, remedy)])
    # Packed rows are shuffled anew in each epoch; other rows come in an order that was made before, all epochs in one.
    epochs = recipe.epochs if recipe.packing else 1
    steps = recipe.max_steps if recipe.max_steps > 0 else -(-len(data["train"]) // (recipe.batch_size * recipe.gradient_accumulation))
    every = {"logging_steps": 0.02, "eval_steps": 0.125} if recipe.packing else \
        {"logging_steps": max(1, steps // 50), "eval_steps": max(25, steps // 8)}
    arguments = SFTConfig(
        output_dir=str(work), max_length=recipe.max_length if recipe.packing else None, packing=recipe.packing, eval_packing=False,
        train_sampling_strategy="random" if recipe.packing else "sequential",
        num_train_epochs=epochs, max_steps=recipe.max_steps if recipe.packing else steps,
        per_device_train_batch_size=recipe.batch_size, per_device_eval_batch_size=recipe.batch_size, gradient_accumulation_steps=turns,
        gradient_checkpointing=recipe.gradient_checkpointing, gradient_checkpointing_kwargs={"use_reentrant": False},
        learning_rate=recipe.learning_rate, lr_scheduler_type=recipe.scheduler, weight_decay=recipe.weight_decay,
        warmup_steps=recipe.warmup_share if recipe.packing else round(steps * recipe.warmup_share),
        optim=recipe.optimizer, adam_beta2=recipe.adam_beta2, bf16=recipe.precision != "fp32", use_liger_kernel=kernels(recipe)["liger"],
        use_cpu=cpu, ddp_backend="gloo" if cpu and processes > 1 else None, seed=seed, data_seed=seed, **every,
        eval_strategy="steps" if "validation" in data else "no", save_strategy="steps", save_steps=recipe.checkpoint_every, save_total_limit=1,
        report_to="tensorboard" if recipe.tensorboard else "none", disable_tqdm=True, dataloader_pin_memory=not cpu,
    )
    adapter = None
    if recipe.tuning != "full":
        from peft import LoraConfig

        adapter = LoraConfig(r=recipe.lora_rank, lora_alpha=recipe.lora_alpha, lora_dropout=recipe.lora_dropout,
                             target_modules=recipe.lora_targets, task_type="CAUSAL_LM")
    trainer = CallTrainer(model=model, args=arguments, processing_class=tokenizer, train_dataset=data["train"],
                          eval_dataset=data.get("validation"), peft_config=adapter, callbacks=[Watch()])
    trainer.remove_callback(PrinterCallback)
    return trainer


__all__ = ["CallTrainer", "make_trainer"]
