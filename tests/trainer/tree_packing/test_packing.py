"""Tree packing changes what is computed, and nothing of what comes out of it: loss and gradients
of TRL's own trainers, in float32, against the same rows unpacked."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from peft import LoraConfig
from transformers import PreTrainedTokenizerBase
from trl.trainer.dpo_config import DPOConfig
from trl.trainer.dpo_trainer import DPOTrainer
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer
from trl.trainer.utils import add_fused_lm_head

from tests.support.packed_rows import DISTINCT, GROUPED, PROMPT, ROWS, SAID, columns, save_small
from trainer.data.mask import IGNORE
from trainer.runtime.loading import load
from trainer.tree_packing.batches import Packing, attach
from trainer.tree_packing.forward import install

pytestmark = [
    # torch's pickler of the optimizer, transformers' own calls of what it deprecates
    pytest.mark.filterwarnings("ignore::FutureWarning:transformers"),
]

# transformers 5.2x renamed it.
CHECKPOINTING = next(
    name
    for name in ("activation_checkpointing", "gradient_checkpointing")
    if name in SFTConfig.__dataclass_fields__
)
APART = Packing([], reason="to compare with")


@pytest.fixture(scope="session")
def small(tokenizer: PreTrainedTokenizerBase, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    save_small(folder, tokenizer)
    return folder


def sft_step(
    folder: Path, packing: Packing, *, batch: int = len(ROWS), **flags: Any
) -> dict[str, torch.Tensor]:
    """The loss and every gradient of one optimizer step over ROWS."""
    model, tokenizer = load(str(folder), torch.float32)
    torch.manual_seed(1)
    peft = flags.pop("peft_config", None)
    config = {
        "per_device_train_batch_size": batch,
        "gradient_accumulation_steps": len(ROWS) // batch,
        CHECKPOINTING: False,
        **packing.flags,
        **flags,
    }
    trainer = SFTTrainer(
        model,
        args=SFTConfig(
            **config,
            output_dir=str(folder / "out"),
            max_steps=1,
            max_grad_norm=1e9,
            bf16=False,
            use_cpu=True,
            report_to="none",
            save_strategy="no",
            disable_tqdm=True,
            dataloader_pin_memory=False,
            max_length=None,
            dataset_kwargs={"skip_prepare_dataset": True},
        ),
        train_dataset=Dataset.from_list(packing.grouped(columns())),
        processing_class=tokenizer,
        peft_config=peft,
    )
    attach(packing, trainer)
    with gradients_of(trainer) as found:
        found["loss"] = torch.tensor(trainer.train().training_loss)
    assert trainer.model.is_gradient_checkpointing is config[CHECKPOINTING]
    return found


@contextmanager
def gradients_of(trainer: Any) -> Iterator[dict[str, torch.Tensor]]:
    """Copies of them, taken when the trainer measures their norm before the step."""
    found: dict[str, torch.Tensor] = {}

    def copy(optimizer: Any, *_: Any) -> None:
        for name, parameter in trainer.model.named_parameters():
            if parameter.requires_grad:
                found[name] = parameter.grad.clone()

    trainer.create_optimizer()
    handle = trainer.optimizer.register_step_pre_hook(copy)
    yield found
    handle.remove()


def assert_same(packed: dict[str, torch.Tensor], apart: dict[str, torch.Tensor]) -> None:
    assert packed.keys() == apart.keys() and len(packed) > 5
    for name in apart:
        torch.testing.assert_close(
            packed[name], apart[name], rtol=1e-5, atol=1e-5, msg=lambda text, n=name: f"{n}: {text}"
        )


LORA = LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM", init_lora_weights=False)
CHECKPOINTED = {CHECKPOINTING: True}
REENTRANT = {"use_reentrant": True}


@pytest.mark.parametrize(
    "flags",
    [
        {},
        {"batch": 1},
        {"batch": 2},
        CHECKPOINTED,
        CHECKPOINTED | {CHECKPOINTING + "_kwargs": REENTRANT},
        {"peft_config": LORA},
        CHECKPOINTED | {"peft_config": LORA, "batch": 3},
        CHECKPOINTED | {"loss_type": "dft"},
    ],
    ids=lambda flags: "-".join(flags) or "plain",
)
def test_a_step_of_sft_has_the_loss_and_gradients_of_the_rows_apart(
    small: Path, flags: dict[str, Any]
) -> None:
    """APART: in batches of `batch` rows, accumulated. GROUPED: two tries, accumulated."""
    assert_same(sft_step(small, GROUPED, **flags), sft_step(small, APART, **flags))


PAIRS = [
    {"prompt_ids": PROMPT, "chosen_ids": [20, 21, 22, 2, 30, 23, 2], "rejected_ids": [20, 24, 2]},
    {"prompt_ids": [*PROMPT, 20, 21], "chosen_ids": [27, 2], "rejected_ids": [28, 25, 26, 2]},
]


class PreTokenized(DPOTrainer):
    """Takes rows that are token ids."""

    def _prepare_dataset(self, dataset: Any, *_: Any) -> Any:
        return dataset


def dpo(folder: Path, **flags: Any) -> DPOTrainer:
    model, tokenizer = load(str(folder), torch.float32)
    torch.manual_seed(1)
    peft = flags.pop("peft_config", None)
    config = DPOConfig(
        output_dir=str(folder / "out"),
        per_device_train_batch_size=2,
        use_cpu=True,
        bf16=False,
        report_to="none",
        disable_tqdm=True,
        dataloader_pin_memory=False,
        **{CHECKPOINTING: False},
        **flags,
    )
    pairs = Dataset.from_list(PAIRS)
    return PreTokenized(
        model, args=config, train_dataset=pairs, processing_class=tokenizer, peft_config=peft
    )


def dpo_step(trainer: DPOTrainer) -> dict[str, torch.Tensor]:
    (batch,) = trainer.get_train_dataloader()
    trainer.model.zero_grad()
    found = {"loss": trainer.compute_loss(trainer.model, batch)}
    found["loss"].backward()
    for name, parameter in trainer.model.named_parameters():
        if parameter.grad is not None:
            found[name] = parameter.grad.clone()
    return found


@contextmanager
def widths(model: Any) -> Iterator[list[int]]:
    """How many tokens each forward embeds."""
    seen: list[int] = []
    hook = model.get_input_embeddings().register_forward_hook(
        lambda module, given, out: seen.append(given[0].numel())
    )
    yield seen
    hook.remove()


@pytest.mark.parametrize(
    "flags",
    [
        {},
        {"peft_config": LORA},
        CHECKPOINTED | {"loss_type": ["sigmoid", "sft"], "loss_weights": [1.0, 0.2]},
        {"loss_type": "ipo", "ld_alpha": 0.5},
    ],
    ids=lambda flags: "-".join(flags) or "plain",
)
def test_a_step_of_dpo_has_the_loss_and_gradients_of_the_halves_apart(
    small: Path, flags: dict[str, Any]
) -> None:
    """TRL's own DPOTrainer, whose code knows nothing of the trie that holds its pairs."""
    flags = dict(flags)
    checkpointing = flags.pop(CHECKPOINTING, False)
    trainer = dpo(small, **flags)
    if checkpointing:
        trainer.model.gradient_checkpointing_enable()
    model: Any = trainer.model
    with torch.no_grad():  # away from the reference, where DPO's loss is flat
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter += 0.02 * torch.randn_like(parameter)
    with widths(model) as apart_widths:
        apart = dpo_step(trainer)
    install(model)
    if trainer.ref_model is not None:
        install(trainer.ref_model)
    with widths(model) as packed_widths:
        packed = dpo_step(trainer)
    assert_same(packed, apart)
    assert packed_widths[0] < 0.6 * apart_widths[0]


def test_a_shared_token_is_computed_and_scored_once(small: Path) -> None:
    """The head and the backbone, counted."""
    model, _ = load(str(small), torch.float32)
    add_fused_lm_head(model)
    install(model)
    ids = torch.nn.utils.rnn.pad_sequence([torch.tensor(row) for row in ROWS], True, 0)
    shown = torch.nn.utils.rnn.pad_sequence([torch.ones(len(row)) for row in ROWS], True, 0)
    said = torch.isin(ids, torch.tensor(sorted(SAID))) & shown.bool()
    scored: list[int] = []
    model.base_model.register_forward_hook(
        lambda module, given, out: scored.append(out.last_hidden_state.shape[1])
    )
    with widths(model) as seen:
        out = model(
            input_ids=ids,
            attention_mask=shown,
            labels=ids.masked_fill(~said, IGNORE),
            fused_lm_head=True,
        )
    assert seen == [DISTINCT]
    assert scored == [DISTINCT]  # before the head narrows it
    assert out.log_probs.shape == (len(ROWS), ids.shape[1] - 1)
    assert out.label_mask.sum() == said.sum()
