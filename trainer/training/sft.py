"""Fine-tune a student on rows: TRL's SFTTrainer, with sequences, masks and weights of our own.

What is written is described in `trainer.training.output`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from datasets import Dataset  # type: ignore[import-untyped]
from trl.trainer.sft_config import SFTConfig

from trainer.data.chat_data import read_chats
from trainer.data.long_conversations import Overlong
from trainer.data.loss_weights import WeightedSequence, columns
from trainer.data.mixture import balance, draw
from trainer.data.rows import How, PreparedRows, Row, prepare, read_rows, refuse_test
from trainer.data.sequence_packing import pack, packed_columns
from trainer.errors import TrainerError
from trainer.runtime.distributed import say
from trainer.training.loss import WeightedCollator, WeightedTrainer
from trainer.training.options import Training, arguments, lora
from trainer.training.output import ADAPTER, LOG, OPTIONS
from trainer.training.run import (
    LoadedModel,
    TrainingResult,
    TrainingSummary,
    callbacks,
    flags_checked,
    open_model,
    run,
)
from trainer.tree_packing.batches import Packing, attach, checked, plan

__all__ = ["ADAPTER", "LOG", "OPTIONS", "Options", "Sources", "Summary", "build", "gather", "sft"]


@dataclass(frozen=True, slots=True)
class Options(Training):
    """Flags of `trainer sft`; see `Training` for those of every command.

    overlong: what becomes of rows over max_length.   thought_weight: of the loss on tokens of
    thought; those of the call have 1.   packing: several sequences in one row.
    general_data: conversations to mix in; agent_loss_weight and agent_ratio: see `mixing`, None
    for as the files' own sizes have it.
    """

    overlong: Overlong = "drop"
    thought_weight: float = 1.0
    packing: bool = False
    general_data: Path | None = None
    agent_loss_weight: float | None = None
    agent_ratio: float | None = None


@dataclass(frozen=True, slots=True)
class Sources:
    """What is trained on. train: of both sources, mixed.   held_out: the agent's, for evaluation.
    drawn: general sequences in `train`."""

    agent: PreparedRows
    general: PreparedRows
    train: list[WeightedSequence]
    held_out: list[WeightedSequence]
    drawn: int = 0


@dataclass(frozen=True, slots=True)
class Summary(TrainingSummary):
    """rows, used, dropped, split, lost: of --dataset (see `PreparedRows`).
    general: what became of
    --general_data.   sequences, tokens, trained_tokens: of one epoch of the mixture.
    thought_tokens: those that --thought_weight was put on.
    tokens_per_second: all tokens of the rows, padding not counted, over the training time."""

    rows: int
    used: int
    dropped: Mapping[str, int]
    split: int
    lost: int
    general: Mapping[str, Any]
    sequences: int
    tokens: int
    trained_tokens: int
    thought_tokens: int
    tokens_per_second: float


def sft(options: Options) -> Summary:
    """Train, and write the model.

    Raises:
        TrainerError: something that the user can mend, before anything is written.
    """
    _check(options)
    student = open_model(options, "sft")
    sources = gather(options, student)
    trainer = build(options, student, sources)
    ran = run(trainer, options, student.renderer, "sft")
    return _summary(options, sources, ran)


def gather(options: Options, student: LoadedModel) -> Sources:
    """The one place where files become sequences.

    Raises:
        TrainerError: a file cannot be used, or nothing is left of it.
    """
    how = How(options.overlong, options.thought_weight)
    agent = _prepared(options, student, options.dataset, how)
    if options.thought_weight != 1 and not agent.thoughts:
        raise TrainerError("--thought_weight: no thought was found in the rows; leave the flag out")
    held_out = (
        _prepared(options, student, options.eval_dataset, how).sequences
        if options.eval_dataset
        else []
    )
    if options.general_data is None:
        return Sources(agent, PreparedRows(), agent.sequences, held_out)
    chats = read_chats(options.general_data)
    general = _ready(options, student, chats, options.general_data, How(options.overlong, 1, True))
    drawn = general.sequences
    if options.agent_ratio is not None:
        drawn = draw(agent.sequences, drawn, options.agent_ratio, options.seed)
    if options.agent_loss_weight is not None and drawn:
        mixed = balance(agent.sequences, drawn, options.agent_loss_weight)
    else:
        mixed = agent.sequences + drawn
    return Sources(agent, general, mixed, held_out, len(drawn))


def build(options: Options, student: LoadedModel, sources: Sources) -> WeightedTrainer:
    """TRL's trainer over `sources`, ready to train.

    Raises:
        TrainerError: a flag has a value that TRL refuses.
    """
    tokenizer = student.renderer.tokenizer
    packing = _packing(options, student, sources.train)
    train = _rows(options, student, sources.train)
    if packing.packed:
        train = Dataset.from_list(packing.grouped(train.to_list()))
    with flags_checked():
        trainer = WeightedTrainer(
            student.model,
            args=SFTConfig(
                **arguments(replace(options, **packing.flags), len(train)),
                packing=False,
                dataset_kwargs={"skip_prepare_dataset": True},
            ),
            data_collator=WeightedCollator(tokenizer.pad_token_id, padding_free=options.packing),
            train_dataset=train,
            eval_dataset=_rows(options, student, sources.held_out) if sources.held_out else None,
            processing_class=tokenizer,
            peft_config=lora(options),
            callbacks=callbacks(options),
        )
    attach(packing, trainer)
    return trainer


def _packing(options: Options, student: LoadedModel, sequences: list[WeightedSequence]) -> Packing:
    mode = checked(options.tree_packing)
    if options.packing:
        if mode == "on":
            raise TrainerError("--packing and --tree_packing on: use one of them")
        return Packing([], reason="--packing")
    batch = options.per_device_train_batch_size
    packing = plan(
        mode,
        student.model,
        [one.ids for one in sequences],
        budget=student.longest(options.max_length) * batch,
        step=batch * options.gradient_accumulation_steps,
    )
    if mode != "off":
        say(packing.summary)
    return packing


def _rows(options: Options, student: LoadedModel, sequences: list[WeightedSequence]) -> Dataset:
    if options.packing:
        rows = pack(sequences, student.longest(options.max_length))
        return Dataset.from_dict(packed_columns(rows))
    return Dataset.from_dict(columns(sequences))


def _prepared(options: Options, student: LoadedModel, file: Path, how: How) -> PreparedRows:
    return _ready(options, student, list(read_rows(file)), file, how)


def _ready(
    options: Options, student: LoadedModel, rows: list[Row], file: Path, how: How
) -> PreparedRows:
    if not options.allow_test_split:
        refuse_test([row.split for row in rows], file)
    made = prepare(student.renderer, rows, student.longest(options.max_length), how)
    if not made.sequences:
        raise TrainerError(f"{file}: no row is left to train on: {made.reasons or 'no rows'}")
    return made


def _check(options: Options) -> None:
    """Flags whose values, or whose company, make no sense."""
    if options.overlong not in ("drop", "split"):
        raise TrainerError(f"--overlong {options.overlong}: use drop or split")
    if options.thought_weight < 0:
        raise TrainerError("--thought_weight must not be below 0")
    mixing = {
        "--agent_loss_weight": (options.agent_loss_weight, 0.0),
        "--agent_ratio": (options.agent_ratio, 1e-6),
    }
    for flag, (value, least) in mixing.items():
        if value is not None and options.general_data is None:
            raise TrainerError(f"{flag} needs --general_data: there is nothing to mix with")
        if value is not None and not least <= value <= 1:
            bound = "above 0" if least else "at least 0"
            raise TrainerError(f"{flag} {value}: must be {bound} and at most 1")


def _summary(options: Options, sources: Sources, ran: TrainingResult) -> Summary:
    agent, general = sources.agent, sources.general
    chat = {"rows": general.rows, "used": general.used, "dropped": dict(general.dropped)}
    tokens = sum(len(one.ids) for one in sources.train)
    epochs = float(ran.state.epoch or 0)
    known = ran.summary()
    return Summary(
        rows=agent.rows,
        used=agent.used,
        dropped=dict(agent.dropped),
        split=agent.split,
        lost=agent.lost,
        general={**chat, "drawn": sources.drawn},
        sequences=len(sources.train),
        tokens=tokens,
        trained_tokens=sum(one.trained for one in sources.train),
        thought_tokens=agent.thoughts,
        tokens_per_second=_rate(tokens * epochs, ran, known["seconds"]),
        output_dir=str(options.output_dir),
        **known,
    )


def _rate(tokens: float, ran: TrainingResult, seconds: float) -> float:
    """Of this process: what a killed one had done is not counted."""
    done = 1 - ran.resumed / max(ran.state.global_step, 1)
    return round(tokens * done / max(seconds, 0.1), 1)
