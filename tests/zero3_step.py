"""One optimizer step of packed SFT under DeepSpeed ZeRO-3, a process of several; no test itself.

    torchrun --nproc_per_node 2 tests/zero3_step.py MODEL OUT ROWS

ROWS: JSON of a group of rows for each process. OUT gets the model's weights after the step.
"""

import json
import sys
from pathlib import Path

import deepspeed
import torch
from datasets import Dataset
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from trainer.loading import load
from trainer.packing.batches import Packing, attach
from trainer.packing.support import refusal

CONFIG = {
    "zero_optimization": {
        "stage": 3,
        "overlap_comm": False,
        "stage3_gather_16bit_weights_on_model_save": True,
        # As if the model were large: nothing is small enough to stay whole.
        "stage3_param_persistence_threshold": 0,
    },
    "zero_allow_untested_optimizer": True,
    "gradient_clipping": 1e9,
    "train_micro_batch_size_per_gpu": "auto",
    "gradient_accumulation_steps": "auto",
    "train_batch_size": "auto",
}


def main(folder: str, out: str, rows: str) -> None:
    deepspeed.init_distributed("gloo")
    groups = json.loads(rows)
    packing = Packing([list(range(len(group["input_ids"]))) for group in groups])
    config = SFTConfig(
        **packing.flags,
        deepspeed=CONFIG,
        output_dir=out,
        optim="sgd",
        learning_rate=1.0,
        lr_scheduler_type="constant",
        max_grad_norm=1e9,
        max_steps=1,
        bf16=False,
        use_cpu=True,
        report_to="none",
        disable_tqdm=True,
        dataloader_pin_memory=False,
        max_length=None,
        dataset_kwargs={"skip_prepare_dataset": True},
    )
    model, tokenizer = load(folder, torch.float32)
    assert all(hasattr(parameter, "ds_id") for parameter in model.parameters())
    assert refusal(model, 64) == ""
    trainer = SFTTrainer(
        model, args=config, train_dataset=Dataset.from_list(groups), processing_class=tokenizer
    )
    attach(packing, trainer)
    widths: list[int] = []
    model.get_input_embeddings().register_forward_hook(
        lambda module, given, out: widths.append(given[0].numel())
    )
    trainer.train()
    trainer.save_model(out)
    (Path(out) / f"widths-{trainer.args.process_index}").write_text(json.dumps(widths), "utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
