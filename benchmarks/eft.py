"""Score held-out answers under emulated fine-tuning, without holding three models at once.

The models are loaded one after the other and read the same rows, whose answers are given (teacher
forcing); their logits are then combined as `trainer serve --eft` does. The largest comes last.

    python -m benchmarks.eft --base BIG --tuned TUNED --untuned SMALL --rows rows.jsonl --number 10
"""

import argparse
import gc
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import DynamicCache

from trainer.runtime.loading import load
from trainer.tokens.chat_template import ChatTemplate
from trainer.tokens.trie import shared

BETAS = (0.5, 1.0, 1.5)
STEPS = 6  # single tokens whose time is taken


@dataclass(frozen=True, slots=True)
class Row:
    """A prompt and its answer, as token ids."""

    prompt: list[int]
    answer: list[int]


def read_rows(path: Path, renderer: ChatTemplate, number: int) -> list[Row]:
    """Return the first rows, each up to its first answer, with the token that ends it."""
    rows = []
    for line in path.read_text("utf-8").splitlines()[:number]:
        messages = json.loads(line)["messages"]
        first = next(n for n, each in enumerate(messages) if each["role"] == "assistant")
        context = renderer.render(messages[:first], generation=True)
        text = str(messages[first]["content"]) + renderer.stop
        rows.append(Row(renderer.encode(context), renderer.encode(text)))
    return rows


def logits_of(name: str, rows: list[Row]) -> Iterator[torch.Tensor]:
    """Yield the logits at each row's answer; the beginning that all rows share is read once."""
    model, _ = load(name, torch.float32)
    start = min(shared(row.prompt, rows[0].prompt) for row in rows)
    start = min([start, *(len(row.prompt) - 1 for row in rows)])
    cache = DynamicCache(config=model.config)
    begin = time.process_time()
    with torch.inference_mode():
        model(torch.tensor([rows[0].prompt[:start]]), past_key_values=cache, logits_to_keep=1)
        read = time.process_time() - begin
        begin, wall = time.process_time(), time.monotonic()
        for token in rows[0].answer[:STEPS]:
            model(torch.tensor([[token]]), past_key_values=cache)
        steps, wall = time.process_time() - begin, time.monotonic() - wall
        print(
            f"{name}: {start} tokens read in {read:.1f} s of processor time; "
            f"a token alone {steps / STEPS:.2f} s ({wall / STEPS:.2f} s by the clock)",
            flush=True,
        )
        for row in rows:
            cache.crop(start - cache.get_seq_length())  # that many tokens fewer
            ids = torch.tensor([row.prompt[start:] + row.answer[:-1]])
            out = model(ids, past_key_values=cache, logits_to_keep=len(row.answer))
            yield out.logits[0].float()
    del model
    gc.collect()


def main() -> None:
    """Print the mean log-probability of answers, and how many tokens are the likeliest."""
    parser = argparse.ArgumentParser(description=__doc__)
    for flag in ("--base", "--tuned", "--untuned"):
        parser.add_argument(flag, required=True)
    parser.add_argument("--rows", type=Path, required=True)
    parser.add_argument("--number", type=int, default=10)
    given = parser.parse_args()
    from trainer.tokens.chat_template import load_chat_template

    renderer = load_chat_template(given.tuned)
    size = max(renderer.tokenizer.get_vocab().values()) + 1
    rows = read_rows(given.rows, renderer, given.number)
    tuned = list(logits_of(given.tuned, rows))
    untuned = list(logits_of(given.untuned, rows))
    found: dict[str, list[tuple[float, int, int]]] = {}
    bases = logits_of(given.base, rows)
    for number, (row, base, small, plain) in enumerate(
        zip(rows, bases, tuned, untuned, strict=True), 1
    ):
        base, small, plain = (each[:, :size] for each in (base, small, plain))
        answer = torch.tensor(row.answer)
        scored = {"base": base, "tuned": small, "untuned": plain}
        scored |= {f"EFT, beta {beta:g}": base + beta * (small - plain) for beta in BETAS}
        for name, logits in scored.items():
            logs = logits.log_softmax(-1).gather(-1, answer[:, None])
            right = int((logits.argmax(-1) == answer).sum())
            found.setdefault(name, []).append((float(logs.sum()), right, len(answer)))
        print(f"rows 1 to {number}:", flush=True)
        for name, results in found.items():
            tokens = sum(length for *_, length in results)
            logs_sum = sum(score for score, *_ in results) / tokens
            share = sum(right for _, right, _ in results) / tokens
            whole = sum(right == length for _, right, length in results)
            print(f"  {name}: {logs_sum:.3f} per token, {share:.3f} likeliest, {whole} answers")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
