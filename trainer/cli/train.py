"""The commands `trainer sft`, `trainer dpo`, `trainer kto` and `trainer distill`."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING

from engine.cli.flags import command
from engine.terminal import Json, results_only
from trainer.cli.options import RENAMED, Config
from trainer.runtime.distributed import is_main, process_group, say_once
from trainer.runtime.prepare import prepare_torch
from trainer.training.options import DistillOptions, DpoOptions, KtoOptions, SftOptions

if TYPE_CHECKING:
    from trainer.training.dpo import DpoSummary
    from trainer.training.kto import KtoSummary
    from trainer.training.run import TrainingSummary
    from trainer.training.sft import SftSummary

_flags = partial(command, renamed=RENAMED)


@_flags
def sft(options: SftOptions, config: Config = None, json_: Json = False) -> None:
    """Fine-tune on rows, with loss on exactly what the agent wrote and its stop token."""
    with _training():
        from trainer.training.sft import sft

        done = sft(options)
    _print(done, _sft_line(done), as_json=json_)


@_flags
def dpo(options: DpoOptions, config: Config = None, json_: Json = False) -> None:
    """Train on preference pairs, by the log-probability of what the agent wrote."""
    with _training():
        from trainer.training.dpo import dpo

        done = dpo(options)
    _print(done, _dpo_line(done), as_json=json_)


@_flags
def kto(options: KtoOptions, config: Config = None, json_: Json = False) -> None:
    """Train on single successes and failures, where there are no pairs."""
    with _training():
        from trainer.training.kto import kto

        done = kto(options)
    _print(done, _kto_line(done), as_json=json_)


@_flags
def distill(options: DistillOptions, config: Config = None, json_: Json = False) -> None:
    """Learn a local teacher's probabilities of each token that the agent wrote."""
    with _training():
        from trainer.training.distill import distill

        done = distill(options)
    _print(done, _sft_line(done), as_json=json_)


@contextmanager
def _training() -> Iterator[None]:
    prepare_torch()
    with process_group(), results_only():
        yield


def _print(done: "TrainingSummary", line: str, *, as_json: bool) -> None:
    if not as_json:
        say_once(line)
    elif is_main():
        print(json.dumps(asdict(done)))


def _sft_line(done: "SftSummary") -> str:
    split = f", split {done.split} ({done.lost_turns} turns lost)" if done.split else ""
    general = done.general
    mixed = f", {general['drawn']} general of {general['used']}" if general["rows"] else ""
    thoughts = f" ({done.thought_tokens} of thought)" if done.thought_tokens else ""
    weighted = f", {done.weighted_messages} messages weighted" if done.weighted_messages else ""
    return (
        f"{done.used} of {done.rows} rows used{mixed}, dropped {_dropped(done.dropped)}{split}; "
        f"{done.tokens} tokens, {done.trained_tokens} trained{thoughts}{weighted}; "
        f"{_losses(done)}; "
        f"{done.seconds:.0f} s, {done.tokens_per_second:.0f} tokens/s; "
        f"model written to {done.output_dir}"
    )


def _dpo_line(done: "DpoSummary") -> str:
    return (
        f"{done.used} of {done.rows} pairs used, dropped {_dropped(done.dropped)}; "
        f"{done.tokens} tokens, {done.scored_tokens} written by the agent; "
        f"{_losses(done)}; "
        f"{100 * done.ranked_wrong:.0f} % ranked wrong before training; "
        f"chosen preferred in {100 * done.accuracy:.0f} % of the last pairs, "
        f"margin {done.margin:.3f}; log-probability of chosen {done.chosen_before:.2f} to "
        f"{done.chosen_after:.2f}, over rejected {done.margin_before:.2f} to "
        f"{done.margin_after:.2f}; "
        f"{done.seconds:.0f} s; model written to {done.output_dir}"
    )


def _kto_line(done: "KtoSummary") -> str:
    return (
        f"{done.used} of {done.rows} cases used, {done.successes} successes, "
        f"dropped {_dropped(done.dropped)}; "
        f"{done.tokens} tokens, {done.scored_tokens} written by the agent; "
        f"{_losses(done)}; "
        f"log-probability of successes {done.successes_before:.2f} to {done.successes_after:.2f}, "
        f"of failures {done.failures_before:.2f} to {done.failures_after:.2f}; "
        f"{done.seconds:.0f} s; model written to {done.output_dir}"
    )


def _losses(done: "TrainingSummary") -> str:
    resumed = f" (resumed at {done.resumed})" if done.resumed else ""
    held_out = "" if done.eval_loss is None else f", held out {done.eval_loss:.3f}"
    return (
        f"{done.steps} steps{resumed}, loss {done.loss_first:.3f} to {done.loss_last:.3f}{held_out}"
    )


def _dropped(dropped: Mapping[str, int]) -> str:
    return ", ".join(f"{reason}: {number}" for reason, number in dropped.items()) or "none"
