"""Fine-tune a student on rows: TRL's SFTTrainer, with our own sequences, masks and weights.

`trainer.training.output` describes what is written.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from datasets import Dataset
from trl.trainer.sft_config import SFTConfig

from trainer.data.loss_weights import WeightedSequence, columns
from trainer.data.mixture import balance, draw
from trainer.data.row_check import RowCheck
from trainer.data.row_source import RowSource, name_of
from trainer.data.rows import (
    PreparedRows,
    PrepareOptions,
    Row,
    prepare,
    read_rows,
    reasons,
    say_dropped,
)
from trainer.data.sequence_packing import pack
from trainer.errors import TrainerError
from trainer.runtime.distributed import say_once
from trainer.training.loss import WeightedCollator, WeightedTrainer
from trainer.training.options import SftOptions
from trainer.training.output import claim
from trainer.training.run import (
    LoadedModel,
    TrainingResult,
    TrainingSummary,
    callbacks,
    flags_checked,
    open_model,
    row_check,
    run,
)
from trainer.training.token_budget import with_passes
from trainer.training.trl_config import lora_config, trl_arguments
from trainer.tree_packing.batches import Packing, attach, plan


@dataclass(frozen=True, slots=True)
class Sources:
    """What is trained on.

    Attributes:
        agent: The rows of --dataset.
        general: The conversations of --general-data.
        train: Sequences of both, mixed.
        held_out: Sequences of --eval-dataset.
        drawn: Number of general sequences in `train`.
    """

    agent: PreparedRows
    general: PreparedRows
    train: list[WeightedSequence]
    held_out: list[WeightedSequence]
    drawn: int = 0


@dataclass(frozen=True, slots=True)
class SftSummary(TrainingSummary):
    """What SFT reports.

    Attributes:
        rows: Rows of --dataset.
        used: Rows trained on.
        dropped: Rows left out, by reason.
        split: Rows that became several windows.
        lost_turns: Turns of split rows that no window holds.
        general: The same counts of --general-data.
        sequences: Sequences of one epoch, both sources together.
        tokens: Their tokens.
        trained_tokens: Those of them that the loss sees.
        thought_tokens: Tokens that have the weight --thought-weight.
        weighted_messages: Assistant messages whose own weight is neither 0 nor 1.
        tokens_per_second: Tokens of the rows, without padding, over the training time.
    """

    rows: int
    used: int
    dropped: Mapping[str, int]
    split: int
    lost_turns: int
    general: Mapping[str, Any]
    sequences: int
    tokens: int
    trained_tokens: int
    thought_tokens: int
    weighted_messages: int
    tokens_per_second: float


MakeTrainer = Callable[..., WeightedTrainer]
"""The class, or a partial of one that is derived from it."""


def sft(options: SftOptions) -> SftSummary:
    """Train, and write the model.

    Raises:
        TrainerError: A flag, a file or the model cannot be used; nothing was written.
    """
    return fit(options, "sft", lambda student: WeightedTrainer)


def fit(
    options: SftOptions, command: str, trainer_for: Callable[[LoadedModel], MakeTrainer]
) -> SftSummary:
    """Train on rows as SFT reads them, and write the model.

    Args:
        options: The options of the command.
        command: Its name.
        trainer_for: Returns what makes the trainer of a student.

    Raises:
        TrainerError: A flag, a file or the model cannot be used; nothing was written.
    """
    output = claim(options, command)
    student = open_model(options)
    make = trainer_for(student)
    sources = gather(options, student)
    return _summary(sources, run(build(options, student, sources, make), student, output))


def gather(options: SftOptions, student: LoadedModel) -> Sources:
    """Read, tokenise and mix all rows.

    Raises:
        TrainerError: A file cannot be used, or nothing is left of it.
    """

    def ready(
        rows: Iterable[Row], source: RowSource, settings: PrepareOptions, check: RowCheck
    ) -> PreparedRows:
        prepared = _prepared(*check(list(rows), source), source, student, settings)
        if not (prepared.thoughts or options.allow_no_thoughts):
            _refuse_without_thoughts(options.thought_weight, source)
        return prepared

    check, measured = row_check(options), RowCheck(options.allow_test_split)
    settings = PrepareOptions(options.overlong, options.thought_weight)
    agent = ready(read_rows(options.dataset), options.dataset, settings, check)
    held_out: list[WeightedSequence] = []
    if options.eval_dataset is not None:
        rows = read_rows(options.eval_dataset)
        held_out = ready(rows, options.eval_dataset, settings, measured).sequences
    if options.general_data is None:
        return Sources(agent, PreparedRows(), agent.sequences, held_out)
    general = ready(
        read_rows(options.general_data),
        options.general_data,
        replace(settings, lenient=True),
        check,
    )
    drawn = general.sequences
    if options.agent_ratio is not None:
        drawn = draw(agent.sequences, drawn, options.agent_ratio, options.seed)
    if options.agent_loss_weight is not None and drawn:
        mixed = balance(agent.sequences, drawn, options.agent_loss_weight)
    else:
        mixed = agent.sequences + drawn
    return Sources(agent, general, mixed, held_out, len(drawn))


def build(
    options: SftOptions,
    student: LoadedModel,
    sources: Sources,
    make: MakeTrainer = WeightedTrainer,
) -> WeightedTrainer:
    """Return TRL's trainer, ready to train.

    Raises:
        TrainerError: TRL refuses the value of a flag, or the model cannot be tree-packed.
    """

    def table(sequences: list[WeightedSequence]) -> Dataset:
        if options.packing:
            return pack(sequences, student.max_length)
        return Dataset.from_dict(columns(sequences))

    options = with_passes(options, sum(one.trained for one in sources.train))
    tokenizer = student.renderer.tokenizer
    tree_packing = _tree_packing(options, student, sources.train)
    student.settle_attention(tree_packing.packed)
    train = table(sources.train)
    if tree_packing.packed:
        train = Dataset.from_list(tree_packing.grouped(train.to_list()))
    with flags_checked():
        trainer = make(
            student.model,
            args=SFTConfig(
                **trl_arguments(replace(options, **tree_packing.flags), len(train)),
                packing=False,
                dataset_kwargs={"skip_prepare_dataset": True},
            ),
            data_collator=WeightedCollator(tokenizer.pad_token_id, padding_free=options.packing),
            train_dataset=train,
            eval_dataset=table(sources.held_out) if sources.held_out else None,
            processing_class=tokenizer,
            peft_config=lora_config(options),
            callbacks=callbacks(options.output_dir, options.early_stopping_patience),
        )
    attach(tree_packing, trainer)
    return trainer


def _tree_packing(
    options: SftOptions, student: LoadedModel, sequences: list[WeightedSequence]
) -> Packing:
    if options.packing:
        return Packing([], reason="--packing")
    batch = options.per_device_train_batch_size
    packing = plan(
        options.tree_packing,
        student.model,
        [one.ids for one in sequences],
        budget=student.max_length * batch,
        step=batch * options.gradient_accumulation_steps,
    )
    if options.tree_packing != "off":
        say_once(packing.summary)
    return packing


def _prepared(
    rows: Sequence[Row],
    left_out: Counter[str],
    source: RowSource,
    student: LoadedModel,
    settings: PrepareOptions,
) -> PreparedRows:
    prepared = prepare(student.renderer, rows, student.max_length, settings)
    say_dropped(source, prepared.rows, prepared.dropped)
    prepared.rows += left_out.total()
    prepared.dropped += left_out
    if not prepared.sequences:
        why = reasons(prepared.dropped)
        raise TrainerError(f"{name_of(source)}: no row is left to train on: {why}")
    return prepared


def _refuse_without_thoughts(weight: float, source: RowSource) -> None:
    """Refuse rows in which the weight of thoughts would silently be that of all else.

    Raises:
        TrainerError: The weight is not 1.
    """
    if weight != 1:
        raise TrainerError(
            f"--thought-weight {weight:g}: {name_of(source)} holds no thought (a Thought: line, a "
            "<think> block, a reasoning field, text before a call), so each of its tokens would "
            "have weight 1; leave the flag out, or allow such a file with --allow-no-thoughts"
        )


def _summary(sources: Sources, result: TrainingResult) -> SftSummary:
    agent, general = sources.agent, sources.general
    tokens = sum(len(one.ids) for one in sources.train)
    common = result.summary()
    # Only the steps of this process count towards its speed, not those before a resumption.
    here = 1 - result.resumed / max(result.state.global_step, 1)
    computed = tokens * float(result.state.epoch or 0) * here
    return SftSummary(
        rows=agent.rows,
        used=agent.used,
        dropped=dict(agent.dropped),
        split=agent.split,
        lost_turns=agent.lost_turns,
        general={
            "rows": general.rows,
            "used": general.used,
            "dropped": dict(general.dropped),
            "drawn": sources.drawn,
        },
        sequences=len(sources.train),
        tokens=tokens,
        trained_tokens=sum(one.trained for one in sources.train),
        thought_tokens=agent.thoughts + general.thoughts,
        weighted_messages=agent.weighted + general.weighted,
        tokens_per_second=round(computed / max(common["seconds"], 0.1), 1),
        **common,
    )
