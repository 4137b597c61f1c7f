"""Score only the positions that have a label.

On CPU, TRL's fused head projects every position to the whole vocabulary and masks afterwards; a
row of 800 tokens has some 100 labels, and that projection is half of a step on a small model. On
GPUs with Triton it picks the labelled positions itself, and this does nothing more.
"""

from typing import Any

import torch
from torch.nn import functional
from transformers import PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPast

from trainer.mask import IGNORE


def score_labelled_only(model: PreTrainedModel) -> None:
    """Narrow what TRL's fused head sees to the labelled positions; the loss is the same.

    model: already patched by TRL (`trl.trainer.utils.add_fused_lm_head`, which SFTTrainer calls):
    its forward takes `fused_lm_head` and labels that are already shifted, `shift_labels`.
    """
    fused = model.forward
    backbone = model.base_model

    def forward(*args: Any, fused_lm_head: bool = False, **kwargs: Any) -> Any:
        labels = kwargs.get("labels")
        if not fused_lm_head or labels is None or labels.device.type != "cpu":
            return fused(*args, fused_lm_head=fused_lm_head, **kwargs)
        # Position i is scored against token i + 1; the last has nothing to foretell.
        shifted = functional.pad(kwargs.pop("labels")[:, 1:], (0, 1), value=IGNORE)
        keep = shifted != IGNORE

        def narrow(
            module: torch.nn.Module, given: Any, out: BaseModelOutputWithPast
        ) -> BaseModelOutputWithPast:
            assert out.last_hidden_state is not None
            out.last_hidden_state = out.last_hidden_state[keep][None]  # (1, labelled, hidden)
            return out

        hook = backbone.register_forward_hook(narrow)
        try:
            return fused(*args, fused_lm_head=True, shift_labels=shifted[keep][None], **kwargs)
        finally:
            hook.remove()

    model.forward = forward
