"""Options of the training commands, each declared once: the flags and the Python API use them.

Names, types, bounds and help texts stand here; `engine.cli.flags` makes flags of them. Nothing
here imports torch, so that `--help` answers at once.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from engine.cli.flags import flag_name
from trainer.data.row_source import RowSource, in_memory
from trainer.errors import TrainerError
from trainer.runtime.kernels import FLASH, Attention
from treegraft.ranges import out_of_range

MODEL, DATA, LOSS = "Model", "Data", "Loss"
OPTIMISATION, SPEED = "Optimisation", "Memory and speed"
CHECKPOINTS, OUTPUT = "Checkpoints and evaluation", "Output"

ROWS = {"panel": DATA, "type": Path}
"""Metadata of a field that holds rows: a file on the command line, and rows in Python too."""


def option(value: Any, panel: str, /, **metadata: Any) -> Any:
    """Return a dataclass field whose default is `value`; `engine.cli.flags` reads the metadata."""
    return field(default=value, metadata={"panel": panel, **metadata})


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """Options that every kind of training has, under TRL's names where TRL has them.

    Attributes:
        model: Directory, hub id or smollm2.
        dataset: Rows: a file of any format of docs/data.md, or a data set of the hub.
        output_dir: Directory for the trained model.
        eval_dataset: Held-out rows in the form of --dataset, to report their loss.
        allow_test_split: Train on rows of a test split too, the bundled ones included.
        held_out: Tasks that measure the student: a run's folder, or a file of prompts, tasks or
            rows; repeatable. Rows that hold one, or a task of a bundled test split, are refused.
        drop_held_out: Leave out rows that hold a held-out task, instead of refusing the file.
        learning_rate: Peak learning rate.
        num_train_epochs: Passes over the rows.
        max_steps: Optimizer steps; overrides --num-train-epochs.
        trained_tokens: Tokens that the loss sees in the whole training, to the next optimizer step;
            overrides --num-train-epochs. Methods are compared at equal numbers.
        per_device_train_batch_size: Rows per batch and process. On a CPU 1 is fastest, because a
            padded row needs an attention mask; on a GPU use what fits.
        gradient_accumulation_steps: Batches per optimizer step.
        max_length: Longest sequence in tokens; longer rows are never truncated.
        warmup_ratio: Share of all steps in which the learning rate rises.
        lr_scheduler_type: Learning-rate schedule: linear, cosine, constant, ...
        weight_decay: AdamW's weight decay.
        seed: Random seed of the order of rows and of LoRA's weights.
        logging_steps: Steps between log lines.
        push_to_hub: Push the model to the Hugging Face Hub at the end, with TRL's model card.
        hub_model_id: Where to push it: USER/NAME; default: the name of --output.
        hub_private_repo: Make that repository a private one, if there is none yet.
        report_to: Where else to log: none, wandb, tensorboard, ...
        eval_steps: Steps between evaluations on --eval-dataset.
        early_stopping_patience: Evaluations without a lower loss after which training stops; the
            best model is kept.
        save_strategy: When to write checkpoints.
        save_steps: Steps between checkpoints with --save-strategy steps.
        save_total_limit: Number of checkpoints to keep.
        resume_from_checkpoint: Continue from the last whole checkpoint in --output, if any.
        overwrite_output_dir: Replace the earlier output in --output.
        bf16: Compute in bfloat16 (autocast).
        dtype: Storage type of the weights; bfloat16, half the memory, needs LoRA or DeepSpeed.
        gradient_checkpointing: Recompute activations: less memory, more time.
        attn_implementation: How attention is computed: auto takes FlashAttention where it is
            installed, --bf16 holds and no tree is packed, else sdpa.
        use_liger_kernel: Take Liger's kernels for norms, rotary embeddings and MLPs (GPUs only).
        tree_packing: Compute the prefixes that rows share only once; auto where it is worth it.
        deepspeed: ZeRO over several processes: zero2, zero3, or a DeepSpeed configuration FILE.
        use_peft: Train a LoRA adapter; writes the merged model, and the adapter in adapter/.
        lora_r: LoRA's rank.
        lora_alpha: LoRA's scale.
    """

    model: str = field(metadata={"panel": MODEL})
    dataset: RowSource = field(metadata=ROWS)
    output_dir: Path = field(metadata={"panel": OUTPUT, "flag": "output"})
    eval_dataset: RowSource | None = field(default=None, metadata=ROWS)
    allow_test_split: bool = option(False, DATA)
    held_out: tuple[Path, ...] = option((), DATA)
    drop_held_out: bool = option(False, DATA)
    max_length: int = option(2048, DATA, min=1)
    learning_rate: float = option(5e-5, OPTIMISATION, min=0)
    num_train_epochs: float = option(1.0, OPTIMISATION, above=0)
    max_steps: int = option(-1, OPTIMISATION, min=-1, default="by epochs")
    trained_tokens: int | None = option(None, OPTIMISATION, min=1, default="by epochs")
    per_device_train_batch_size: int = option(1, OPTIMISATION, min=1)
    gradient_accumulation_steps: int = option(8, OPTIMISATION, min=1)
    warmup_ratio: float = option(0.05, OPTIMISATION, min=0, max=1)
    lr_scheduler_type: str = option("linear", OPTIMISATION)
    weight_decay: float = option(0.0, OPTIMISATION, min=0)
    seed: int = option(42, OPTIMISATION, min=0, max=2**32 - 1)
    use_peft: bool = option(False, MODEL)
    lora_r: int = option(16, MODEL, min=1)
    lora_alpha: int = option(32, MODEL, min=1)
    dtype: Literal["float32", "bfloat16"] = option("float32", SPEED)
    bf16: bool | None = option(None, SPEED, default="where it is fast")
    gradient_checkpointing: bool | None = option(None, SPEED, default="on GPUs")
    attn_implementation: Attention = option("auto", SPEED)
    use_liger_kernel: bool = option(False, SPEED)
    tree_packing: Literal["auto", "on", "off"] = option("auto", SPEED)
    deepspeed: str | None = option(None, SPEED, default="off")
    eval_steps: int = option(0, CHECKPOINTS, min=0, default="every epoch")
    early_stopping_patience: int = option(0, CHECKPOINTS, min=0, default="never")
    save_strategy: Literal["no", "epoch", "steps"] = option("no", CHECKPOINTS)
    save_steps: int = option(100, CHECKPOINTS, min=1)
    save_total_limit: int | None = option(None, CHECKPOINTS, min=1, default="all")
    resume_from_checkpoint: bool = option(False, CHECKPOINTS)
    overwrite_output_dir: bool = option(False, OUTPUT)
    logging_steps: int = option(5, OUTPUT, min=1)
    report_to: str = option("none", OUTPUT)
    push_to_hub: bool = option(False, OUTPUT)
    hub_model_id: str | None = option(None, OUTPUT, default="the name of --output")
    hub_private_repo: bool = option(False, OUTPUT)

    def __post_init__(self) -> None:
        """Convert plain values, and check each value and their combination.

        Raises:
            TrainerError: A value is out of its bounds, or flags contradict one another.
        """
        hints = get_type_hints(type(self))
        for each in fields(self):
            value = getattr(self, each.name)
            if value is None:
                continue
            if convert := _CONVERSIONS.get(hints[each.name]):
                # Rows given as an iterator are kept: more than one pass is made over them.
                object.__setattr__(self, each.name, convert(value))
            else:
                _check(flag_name(each), value, hints[each.name], each.metadata)
        if self.early_stopping_patience and self.eval_dataset is None:
            raise TrainerError("--early-stopping-patience needs --eval-dataset: held-out rows")
        if self.trained_tokens is not None and self.max_steps > 0:
            raise TrainerError("--trained-tokens and --max-steps: use one of them")
        if (self.hub_model_id or self.hub_private_repo) and not self.push_to_hub:
            raise TrainerError("--hub-model-id and --hub-private-repo need --push-to-hub")
        if self.attn_implementation in FLASH and self.tree_packing == "on":
            raise TrainerError(
                f"--attn-implementation {self.attn_implementation} and --tree-packing on: "
                "FlashAttention takes no mask of a tree: use one of them"
            )


@dataclass(frozen=True, kw_only=True)
class SftOptions(TrainingOptions):
    """Options of `trainer sft`.

    Attributes:
        dataset: Rows, as `engine export --to sft` writes them or in any format of docs/data.md: a
            file, or a data set of the hub.
        overlong: What to do with rows over --max-length: drop them, or split them at a turn.
        packing: Put several short rows into one sequence; they do not attend to each other.
        thought_weight: Loss weight of tokens of thought; those of the call have 1. A file without
            any thought is refused.
        allow_no_thoughts: With --thought-weight, take files without any thought, too, such as
            general chat.
        general_data: General chat to mix in, in any format of docs/data.md.
        agent_loss_weight: W in the loss W L_agent + (1 - W) L_general.
        agent_ratio: Share of agent rows in an epoch (AgentTuning's eta).
    """

    overlong: Literal["drop", "split"] = option("drop", DATA)
    packing: bool = option(False, SPEED)
    thought_weight: float = option(1.0, LOSS, min=0)
    allow_no_thoughts: bool = option(False, LOSS)
    general_data: RowSource | None = field(default=None, metadata=ROWS)
    agent_loss_weight: float | None = option(None, LOSS, min=0, max=1, default="by tokens")
    agent_ratio: float | None = option(None, DATA, above=0, max=1, default="by rows")

    def __post_init__(self) -> None:
        """Check, as in the base class; mixing options need something to mix with."""
        super().__post_init__()
        for name in ("agent_loss_weight", "agent_ratio"):
            if getattr(self, name) is not None and self.general_data is None:
                flag = "--" + name.replace("_", "-")
                raise TrainerError(f"{flag} needs --general-data: there is nothing to mix with")
        if self.packing and self.tree_packing == "on":
            raise TrainerError("--packing and --tree-packing on: use one of them")


@dataclass(frozen=True, kw_only=True)
class DpoOptions(TrainingOptions):
    """Options of `trainer dpo`.

    Attributes:
        dataset: Pairs, as `engine export --to dpo` writes them or in any format of docs/data.md: a
            file, or a data set of the hub.
        beta: How strongly the student is held to the reference model; IPO's tau.
        loss_type: sigmoid (DPO); sigmoid_norm, the same on means over the agent's tokens (TRL's
            name; for replies of unequal length); ipo (Azar et al. 2023, arXiv:2310.12036), on
            means too; or robust (arXiv:2403.00409), for a known share of wrong labels. See
            docs/preferences.md.
        label_smoothing: Share of pairs that may be the wrong way round (cDPO, Mitchell 2023, with
            sigmoid and sigmoid_norm; robust needs it). Below 0.5.
        sft_weight: Weight of the negative log-likelihood of chosen, a mean over its tokens, added
            to the loss (RPO: Pang et al. 2024, arXiv:2404.19733).
        step_weight: W in the loss L_trajectories + W L_steps, each the mean over the pairs of its
            pair_kind; --sft-weight is then of the chosen trajectories (IPR: Xiong et al. 2024,
            arXiv:2406.11176).
        boundary: Train only on pairs that the student ranks wrong, or right by at most so many
            nats (log p(chosen) - log p(rejected), before training).
        sync_ref_model: Let the reference follow the student (TR-DPO: Gorbatovski et al. 2024,
            arXiv:2404.09656), instead of computing its log-probabilities once; also with LoRA.
        ref_model_mixup_alpha: Share of the student that the reference takes each time.
        ref_model_sync_steps: Optimizer steps after which the reference follows.
        early_stopping_metric: What --early-stopping-patience watches on --eval-dataset: the loss,
            or the margin, by how much chosen has gained on rejected in log-probability.
    """

    learning_rate: float = option(1e-6, OPTIMISATION, min=0)
    beta: float = option(0.1, LOSS, min=0)
    loss_type: Literal["sigmoid", "sigmoid_norm", "ipo", "robust"] = option("sigmoid", LOSS)
    label_smoothing: float = option(0.0, LOSS, min=0, max=0.5)
    sft_weight: float = option(0.0, LOSS, min=0)
    step_weight: float | None = option(None, LOSS, above=0, default="all pairs alike")
    boundary: float | None = option(None, DATA, min=0, default="all pairs")
    sync_ref_model: bool = option(False, LOSS)
    ref_model_mixup_alpha: float = option(0.6, LOSS, above=0, max=1)
    ref_model_sync_steps: int = option(512, LOSS, min=1)
    early_stopping_metric: Literal["loss", "margin"] = option("loss", CHECKPOINTS)

    def __post_init__(self) -> None:
        """Check, as in the base class; and what each loss needs.

        Raises:
            TrainerError: A value is out of its bounds, or flags contradict one another.
        """
        super().__post_init__()
        self._check_loss()
        if self.sync_ref_model and self.deepspeed:
            raise TrainerError(
                "--sync-ref-model and --deepspeed: the reference cannot follow partitioned "
                "weights; use one of them"
            )
        if self.early_stopping_metric != "loss" and not self.early_stopping_patience:
            raise TrainerError("--early-stopping-metric needs --early-stopping-patience")

    def _check_loss(self) -> None:
        if self.loss_type == "ipo" and not self.beta:
            raise TrainerError("--beta 0: must be above 0 with --loss-type ipo")
        if self.loss_type == "ipo" and self.label_smoothing:
            raise TrainerError("--label-smoothing with --loss-type ipo: raise --beta instead")
        if self.loss_type == "robust" and not self.label_smoothing:
            raise TrainerError(
                "--loss-type robust needs --label-smoothing: the share of wrong labels"
            )
        if self.label_smoothing == 0.5:
            raise TrainerError("--label-smoothing 0.5: must be below 0.5")


@dataclass(frozen=True, kw_only=True)
class KtoOptions(TrainingOptions):
    """Options of `trainer kto`.

    Attributes:
        dataset: Rows with a reward (`engine export --to sft --min-reward 0`) or a label, or pairs;
            in any format of docs/data.md.
        per_device_train_batch_size: Rows per batch and process, at least 2: the KL term pairs each
            prompt with another row's completion.
        min_reward: Reward from which a row is a success.
        beta: How strongly the student is held to the reference model.
        desirable_weight: Loss weight of successes; the paper balances their number with it.
        undesirable_weight: Loss weight of failures.
    """

    learning_rate: float = option(1e-6, OPTIMISATION, min=0)
    per_device_train_batch_size: int = option(4, OPTIMISATION, min=1)
    gradient_accumulation_steps: int = option(2, OPTIMISATION, min=1)
    min_reward: float = option(1.0, DATA, min=0, max=1)
    beta: float = option(0.1, LOSS, min=0)
    desirable_weight: float = option(1.0, LOSS, min=0)
    undesirable_weight: float = option(1.0, LOSS, min=0)


@dataclass(frozen=True, kw_only=True)
class DistillOptions(SftOptions):
    """Options of `trainer distill`.

    Attributes:
        teacher: The model to learn from, with the student's tokenizer: directory, hub id or
            smollm2.
        beta: Which divergence, as TRL names it: 1 is the reverse KL (student from teacher), 0 the
            forward KL, between them the generalised Jensen-Shannon divergence.
        temperature: Softmax temperature of both distributions.
        tree_packing: Distillation does not pack; off is the only value.
    """

    teacher: str = field(metadata={"panel": MODEL})
    beta: float = option(1.0, LOSS, min=0, max=1)
    temperature: float = option(1.0, LOSS, above=0)
    tree_packing: Literal["off"] = option("off", SPEED)

    def __post_init__(self) -> None:
        """Check, as in the base class; the teacher is not partitioned."""
        super().__post_init__()
        if self.deepspeed is not None:
            raise TrainerError("--deepspeed is for other kinds of training: leave it out")


def _paths(places: str | Path | Iterable[str | Path]) -> tuple[Path, ...]:
    return tuple(map(Path, [places] if isinstance(places, str | Path) else places))


_CONVERSIONS: dict[Any, Callable[[Any], Any]] = {
    Path: Path,
    tuple[Path, ...]: _paths,
    RowSource: in_memory,
    RowSource | None: in_memory,
}


def _check(flag: str, value: Any, hint: Any, bounds: Mapping[str, Any]) -> None:
    choices = get_args(hint) if get_origin(hint) is Literal else ()
    if choices and value not in choices:
        raise TrainerError(f"{flag} {value}: use {' or '.join(choices)}")
    if wrong := out_of_range(value, bounds):
        raise TrainerError(f"{flag} {value}: {wrong}")
