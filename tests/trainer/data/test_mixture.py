"""General conversations beside the agent's: forms of files, how often, and how much."""

import json
from collections import Counter
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.parts import DATA, needs_data
from tests.support.rows import AGENT, GENERAL, dialogue, write
from trainer.data.loss_weights import WeightedSequence
from trainer.data.mixture import balance, draw
from trainer.data.rows import read_rows
from trainer.data.sequence_packing import pack
from trainer.errors import TrainerError
from trainer.training.length_sampler import LengthGroupedSampler
from trainer.training.options import SftOptions
from trainer.training.run import open_model
from trainer.training.sft import build, gather, sft

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning:transformers")
CHAT = DATA / "chat"


@pytest.fixture
def options(tiny: Path, tmp_path: Path) -> SftOptions:
    agent = write(tmp_path / "agent.jsonl", [{"messages": row} for row in AGENT])
    general = tmp_path / "general.json"
    general.write_text(json.dumps(GENERAL), "utf-8")
    return SftOptions(
        model=str(tiny),
        dataset=agent,
        output_dir=tmp_path / "out",
        max_length=256,
        bf16=False,
        general_data=general,
    )


def mean_loss(options: SftOptions, sequences: list[WeightedSequence]) -> float:
    """The mean over the trained tokens of `sequences`, one at a time."""
    model = open_model(options).model
    losses: list[float] = []
    for one in sequences:
        ids = torch.tensor([one.ids])
        with torch.no_grad():
            chances = model(ids).logits.log_softmax(-1)[0]
        losses += [
            -float(chances[at - 1, label]) for at, label in enumerate(one.labels) if label >= 0
        ]
    return sum(losses) / len(losses)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_the_loss_is_lambda_of_one_and_the_rest_of_the_other(
    options: SftOptions, share: float
) -> None:
    plain = open_model(options)
    found = gather(options, plain)
    agent, general = found.agent.sequences, found.general.sequences
    expected = share * mean_loss(options, agent) + (1 - share) * mean_loss(options, general)
    options = replace(options, agent_loss_weight=share, tree_packing="off")  # a batch is a row
    student = open_model(options)
    trainer = build(options, student, gather(options, student))
    batches = list(trainer.get_train_dataloader())
    items = trainer._get_num_items_in_batch(batches, torch.device("cpu"))
    model = trainer.model.train()
    with torch.no_grad():
        losses = [trainer.compute_loss(model, dict(b), num_items_in_batch=items) for b in batches]
    assert float(sum(losses)) == pytest.approx(expected, rel=1e-5)
    # A source that has no weight is not computed.
    assert len(batches) == (share > 0) * len(agent) + (share < 1) * len(general)


def some(number: int, start: int = 0) -> list[WeightedSequence]:
    return [WeightedSequence([start + n], [1.0], 1.0) for n in range(number)]


@given(
    st.integers(1, 60),
    st.integers(1, 60),
    st.floats(0.05, 1.0),
    st.integers(0, 3),
)
def test_the_ratio_is_the_agents_share_of_an_epoch(
    ours: int, theirs: int, ratio: float, seed: int
) -> None:
    agent, general = some(ours), some(theirs, 100)
    drawn = draw(agent, general, ratio, seed)
    assert abs(len(drawn) - ours * (1 - ratio) / ratio) <= 0.5
    often = Counter(one.ids[0] for one in drawn)
    assert max(often.values(), default=0) - min(often[100 + n] for n in range(theirs)) <= 1
    assert drawn == draw(agent, general, ratio, seed)


@given(st.lists(st.integers(1, 9), min_size=1), st.lists(st.integers(1, 9), min_size=1))
def test_every_source_weighs_its_share(ours: list[int], theirs: list[int]) -> None:
    agent = [WeightedSequence([1] * n, [1.0] * n, float(n)) for n in ours]
    general = [WeightedSequence([2] * n, [1.0] * n, float(n)) for n in theirs]
    mixed = balance(agent, general, 0.25)
    whole = sum(one.loss_denominator for one in mixed)
    weight = sum(sum(one.weights) for one in mixed if one.ids[0] == 1)
    assert weight / whole == pytest.approx(0.25)
    assert sum(sum(one.weights) for one in mixed) == pytest.approx(whole)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 50), min_size=1, max_size=80))
def test_packed_rows_hold_every_sequence_once(lengths: list[int]) -> None:
    sequences = [
        WeightedSequence([n] * length, [1.0] * length, 1.0) for n, length in enumerate(lengths)
    ]
    rows = list(pack(sequences, 50))
    assert all(len(row["input_ids"]) == sum(row["seq_lengths"]) <= 50 for row in rows)
    packed = []
    for row in rows:
        ids = iter(row["input_ids"])
        packed += [list(islice(ids, length)) for length in row["seq_lengths"]]
        assert row["labels"] == row["input_ids"]
        assert row["weights"] == [1.0] * len(row["input_ids"])
        assert row["loss_denominator"] == len(row["seq_lengths"])
    assert sorted(packed) == sorted(one.ids for one in sequences)
    # Two rows that are at most half full would have been one.
    assert sum(len(row["input_ids"]) <= 25 for row in rows) <= 1


@settings(max_examples=30)
@given(st.lists(st.integers(1, 50), max_size=80), st.integers(1, 5), st.integers(0, 9))
def test_every_row_is_met_once_an_epoch(lengths: list[int], batch: int, epoch: int) -> None:
    order = LengthGroupedSampler(lengths, batch, 7)
    order.set_epoch(epoch)
    met = list(order)
    assert sorted(met) == list(range(len(lengths)))
    again = LengthGroupedSampler(lengths, batch, 7)
    assert list(again) != [] or not lengths
    again.set_epoch(epoch)
    assert list(again) == met


def test_batches_hold_rows_of_like_length_in_random_order() -> None:
    lengths = [1, 50] * 40
    order = LengthGroupedSampler(lengths, 4, 0)
    met = [lengths[row] for row in order]
    batches = [tuple(met[at : at + 4]) for at in range(0, 80, 4)]
    assert set(batches) == {(1,) * 4, (50,) * 4}
    assert batches != sorted(batches, reverse=True)
    first = list(order)
    order.set_epoch(1)
    assert list(order) != first


@needs_data
def test_the_files_of_others_are_read() -> None:
    alpaca = list(read_rows(CHAT / "alpaca_en_demo.json"))
    assert [m["role"] for m in alpaca[0].messages] == ["user", "assistant"]
    sharegpt = list(read_rows(CHAT / "glaive_toolcall_en_demo.json"))
    called = next(row for row in sharegpt if any(m.get("tool_calls") for m in row.messages))
    at = next(n for n, m in enumerate(called.messages) if m.get("tool_calls"))
    call, answer = called.messages[at]["tool_calls"][0], called.messages[at + 1]
    assert (answer["role"], answer["tool_call_id"]) == ("tool", call["id"])
    assert isinstance(json.loads(call["function"]["arguments"]), dict)
    assert called.tools[0]["function"]["parameters"]["type"] == "object"


def test_forms_are_told_apart_record_by_record(tmp_path: Path) -> None:
    records = [
        {"messages": dialogue("a", "b")},
        {"system": "s", "conversations": [{"from": "human", "value": "a"}]},
        {"instruction": "i", "input": "j", "output": "b", "history": [["q", "r"]], "system": "s"},
    ]
    rows = list(read_rows(write(tmp_path / "chat.jsonl", records)))
    assert [row.defect for row in rows] == ["", "it has no assistant message", ""]
    assert [row.messages for row in rows] == [
        dialogue("a", "b"),
        [],
        [{"role": "system", "content": "s"}, *dialogue("q", "r", "i\nj", "b")],
    ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[", "record 1: not valid JSON"),
        ('["a"]', "record 1: a row must be an object, not text"),
        ('[{"text": "a"}]', "record 1: its columns are of no known format: text. Known are: "),
        ('[{"conversations": [{"from": "me", "value": ""}]}]', "record 1: .* not 'me'"),
        ('[{"conversations": [{"from": "function_call", "value": "x"}]}]', "that is not JSON"),
    ],
)
def test_a_file_of_no_form_is_named(tmp_path: Path, text: str, reason: str) -> None:
    file = tmp_path / "chat.json"
    file.write_text(text, "utf-8")
    with pytest.raises(TrainerError, match=reason):
        list(read_rows(file))


def test_calls_that_the_template_cannot_show_are_counted_not_trained(
    options: SftOptions,
) -> None:
    mixed: list[dict[str, Any]] = [
        *GENERAL,
        {
            "conversations": [
                {"from": "human", "value": "How many?"},
                {"from": "function_call", "value": '{"name": "count", "arguments": {}}'},
            ]
        },
    ]
    assert options.general_data is not None
    options.general_data.write_text(json.dumps(mixed), "utf-8")
    summary = sft(replace(options, agent_ratio=0.5, max_steps=1))
    (reason,) = summary.general["dropped"]
    assert "does not support tool calls" in reason
    assert (summary.general["rows"], summary.general["used"], summary.general["drawn"]) == (4, 3, 5)
    assert summary.sequences == 10
