"""Score only the positions that have a label.

On CPU, TRL's fused head projects every position to the whole vocabulary and masks afterwards. A
row of 800 tokens has some 100 labels, and that projection takes half of a step on a small model.
On GPUs with Triton TRL selects the labelled positions itself, and this does nothing more.
"""

from typing import Any

import torch
from peft import PeftModel
from torch.nn import functional
from transformers.modeling_outputs import BaseModelOutputWithPast

from trainer.data.mask import IGNORE

_PER_TOKEN = ("log_probs", "entropy", "log_sum_sq_probs", "mean_logits", "is_top1")


def score_labelled_only(student: Any) -> None:
    """Narrow what TRL's fused head sees to the labelled positions; it returns the same.

    Args:
        student: A causal model, with an adapter or without, patched by TRL
            (`trl.trainer.utils.add_fused_lm_head`, which its trainers call): its forward takes
            `fused_lm_head` and labels that are already shifted, `shift_labels`, and returns
            figures of shape (batch, positions - 1), 0 where there is no label.
    """
    model: Any = student.get_base_model() if isinstance(student, PeftModel) else student
    fused = model.forward
    backbone = model.base_model

    def forward(*args: Any, fused_lm_head: bool = False, **kwargs: Any) -> Any:
        labels = kwargs.get("labels")
        if not fused_lm_head or labels is None or labels.device.type != "cpu":
            return fused(*args, fused_lm_head=fused_lm_head, **kwargs)
        # Position i is scored against token i + 1; the last one has nothing to predict.
        shifted = kwargs.pop("labels")[:, 1:]
        keep = shifted != IGNORE
        positions = functional.pad(keep, (0, 1), value=False)

        def narrow(
            module: torch.nn.Module, inputs: Any, out: BaseModelOutputWithPast
        ) -> BaseModelOutputWithPast:
            assert out.last_hidden_state is not None
            out.last_hidden_state = out.last_hidden_state[positions][None]  # (1, labelled, hidden)
            return out

        hook = backbone.register_forward_hook(narrow)
        try:
            out = fused(*args, fused_lm_head=True, shift_labels=shifted[keep][None], **kwargs)
        finally:
            hook.remove()
        for name in _PER_TOKEN:
            if (found := getattr(out, name, None)) is not None:
                setattr(out, name, found.new_zeros(keep.shape).masked_scatter(keep, found))
        out.label_mask = keep
        return out

    model.forward = forward
