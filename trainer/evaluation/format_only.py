"""Measure only whether a student follows a template's format; no environment is played."""

import json
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import environments
from engine.chat.base import ChatRequest
from engine.templates import get
from engine.templates.base import World, world_of
from trainer.data.prompts import read_prompts
from trainer.errors import TrainerError
from trainer.evaluation.evaluate import ENDPOINT_CONCURRENCY, SLOTS, open_student
from trainer.evaluation.measures.batch_ask import Asked
from trainer.evaluation.measures.format_check import FormatReport, check_format
from trainer.evaluation.measures.llm_judge import journal_path
from trainer.evaluation.options import EvalOptions
from treegraft.write_files import write_text

REPORT, REPLIES = "format.json", "replies.jsonl"


def measure_format(options: EvalOptions, out: Path | None = None) -> FormatReport:
    """Ask the student each prompt of `options.format_only` once, and read its replies.

    With a folder `out`, the report and the replies are written there; asked again, the journal
    beside it answers.

    Raises:
        TreegraftError: The options, the file or the endpoint cannot be used.
    """
    if options.format_only is None:
        raise TrainerError("--format-only needs a file of prompts")
    template = get(options.template, options.dialect)
    prompts = read_prompts(options.format_only)[: options.limit]
    world = _world(options)
    sampling = {
        "temperature": options.temperature,
        "max_tokens": options.max_reply_tokens,
        "seed": options.seed,
    }
    with ExitStack() as stack:
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
        folder = out or Path(stack.enter_context(TemporaryDirectory())) / "replies"
        chat = stack.enter_context(open_student(options))
        concurrency = options.concurrency or (SLOTS if chat else ENDPOINT_CONCURRENCY)
        name = chat.name if chat else options.model
        asked = Asked(journal_path(folder), options.base_url, chat, concurrency)
        request = ChatRequest(name, [], sampling=sampling)
        report = check_format(asked, prompts, template, request, world)
    if out is not None:
        write_text(out / REPLIES, "".join(f"{line}\n" for line in report.rows()))
        write_text(out / REPORT, json.dumps(report.to_dict(), indent=2) + "\n")
    return report


def _world(options: EvalOptions) -> World | None:
    """Return what the environment of --env tells about itself, if one is named."""
    if not options.env:
        return None
    env = environments.make(
        options.env, data=options.data, split=options.split, **dict(options.env_args)
    )
    try:
        return world_of(env)
    finally:
        env.close()
