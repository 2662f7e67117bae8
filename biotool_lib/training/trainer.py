"""The trainer of TRL with a cheaper loss: only the positions that are learned go through the vocabulary."""

from __future__ import annotations

import torch
from trl import SFTTrainer


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


__all__ = ["CallTrainer"]
