"""Rows that share prefixes, and a model small enough to train on them in a test."""

from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerBase

from trainer.data.mask import IGNORE
from trainer.tree_packing.batches import Packing

PROMPT = [7, 8, 9, 10, 11, 12, 13]
# Two paths part after a turn, one goes on from the end of another, one stands there twice, one
# has another prompt.
ROWS = [
    [*PROMPT, 20, 21, 22, 2, 30, 31, 23, 24, 2],
    [*PROMPT, 20, 21, 22, 2, 30, 31, 25, 2],
    [*PROMPT, 20, 21, 22, 2, 30, 31, 25, 2, 33, 34, 26, 2],
    [*PROMPT, 27, 2],
    [40, 41, 42, 28, 29, 2],
    [*PROMPT, 27, 2],
]
DISTINCT = 7 + 4 + 2 + 3 + 2 + 4 + 2 + 6
SAID = {2, *range(20, 30)}
GROUPED = Packing([[3, 0, 1, 5], [2, 4]], ratio=2.0, accumulation=2)


def save_small(folder: Path, tokenizer: PreTrainedTokenizerBase) -> None:
    """Write a Llama of two layers and 64 tokens, randomly initialised, and `tokenizer`."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=64,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        initializer_range=0.2,
        pad_token_id=2,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def columns() -> list[dict[str, list[int]]]:
    return [
        {"input_ids": row, "labels": [id if id in SAID else IGNORE for id in row]} for row in ROWS
    ]
