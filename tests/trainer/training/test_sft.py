"""Training: what TRL's trainer is given, what it computes, and what the command writes."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.support import commands
from tests.support.rows import AGENT, BATCH, call, dialogue, write
from trainer.data.mask import IGNORE
from trainer.data.rows import PrepareOptions, Row, prepare, read_rows
from trainer.errors import TrainerError
from trainer.tokens.chat_template import ChatTemplate
from trainer.training.options import SftOptions
from trainer.training.output import ADAPTER, LOG, OPTIONS
from trainer.training.run import open_model
from trainer.training.sft import build, gather, sft

pytestmark = [
    # torch's pickler of the optimizer, transformers' own calls of what it deprecates
    pytest.mark.filterwarnings("ignore::FutureWarning:transformers"),
]


ROWS = [
    dialogue("How many books?", "Action: count\nAction Input: {}", "Observation: 3", "Three."),
    dialogue("How many loans?", "Action: count\nAction Input: {}", "Observation: 5", "Five."),
    dialogue("Who wrote it?", "Action: authors", "Observation: Ann " * 9, "Ann.", "Sure?", "Yes."),
    dialogue("And?", "No."),
]


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps({"messages": row}) + "\n" for row in ROWS), "utf-8")
    return file


@pytest.fixture
def options(tiny: Path, rows: Path, tmp_path: Path) -> SftOptions:
    return SftOptions(
        model=str(tiny),
        dataset=rows,
        output_dir=tmp_path / "out",
        max_length=256,
        bf16=False,
        **BATCH,
    )


def batches(options: SftOptions) -> Iterator[tuple[Any, dict[str, torch.Tensor]]]:
    """The trainer, and each batch as its own collator makes it."""
    student = open_model(options)
    trainer = build(options, student, gather(options, student))
    for batch in trainer.get_train_dataloader():
        yield trainer, dict(batch)


def test_the_labels_reach_the_loss_as_they_were_made(options: SftOptions, rows: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(options.model)
    made = prepare(ChatTemplate(tokenizer), read_rows(rows), 256).sequences
    given = {(tuple(one.ids), tuple(one.labels)) for one in made}
    seen = set()
    for _, batch in batches(options):
        assert len(batch["labels"]) == options.per_device_train_batch_size
        for ids, labels, shown in zip(
            batch["input_ids"], batch["labels"], batch["attention_mask"], strict=True
        ):
            length = int(shown.sum())
            assert (labels[length:] == IGNORE).all()
            seen.add((tuple(ids[:length].tolist()), tuple(labels[:length].tolist())))
    assert seen == given


@pytest.mark.parametrize("use_peft", [False, True])
def test_the_loss_and_its_gradient_are_the_labelled_tokens(
    options: SftOptions, use_peft: bool
) -> None:
    """Against cross entropy over all positions, written out by hand."""
    for trainer, batch in batches(replace(options, use_peft=use_peft)):
        model = trainer.model
        model.zero_grad()
        loss = trainer.compute_loss(model, dict(batch))
        loss.backward()
        gradients = {n: p.grad.clone() for n, p in model.named_parameters() if p.requires_grad}
        model.zero_grad()
        logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
        chances = logits[:, :-1].log_softmax(-1)
        targets = batch["labels"][:, 1:]
        chosen = chances.gather(-1, targets.clamp(min=0)[..., None])[..., 0]
        expected = -chosen[targets != IGNORE].mean()
        torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-6)
        expected.backward()
        assert len(gradients) > 10
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                torch.testing.assert_close(gradients[name], parameter.grad, rtol=1e-3, atol=1e-6)


def test_the_command_trains_a_model_that_loads(tiny: Path, rows: Path, tmp_path: Path) -> None:
    out, config = tmp_path / "out", tmp_path / "sft.yaml"
    config.write_text(
        f"model_name_or_path: {tiny}\ndataset: {rows}\nlearning_rate: 5e-2\n"
        "num-train-epochs: 9\nper_device_train_batch_size: 2\ngradient-accumulation-steps: 1\n"
        "logging_steps: 1\nmax_length: 90\nbf16: false\n"
    )
    flags = ["--config", str(config), "--output-dir", str(out), "--num-train-epochs", "4"]
    done = commands.trainer("sft", *flags, "--json")
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    summary = json.loads(done.stdout)
    assert (summary["rows"], summary["used"]) == (4, 3)
    assert summary["dropped"] == {"over --max-length 90": 1}
    assert summary["loss_last"] < summary["loss_first"] / 2
    model = AutoModelForCausalLM.from_pretrained(out)
    assert model.generation_config.eos_token_id == [2]
    assert AutoTokenizer.from_pretrained(out).chat_template
    log = [json.loads(line) for line in (out / LOG).read_text("utf-8").splitlines()]
    assert [entry["step"] for entry in log if "loss" in entry] == list(range(1, 9))
    kept = json.loads((out / OPTIONS).read_text("utf-8"))
    assert (kept["learning_rate"], kept["num_train_epochs"]) == (0.05, 4.0)

    with pytest.raises(TrainerError, match="not empty: .*--overwrite-output-dir"):
        sft(SftOptions(model=str(tiny), dataset=rows, output_dir=out))
    assert (out / LOG).exists()


def test_training_is_as_long_as_the_tokens_asked_for(options: SftOptions) -> None:
    """To the next step; a pass has two of them."""
    one_pass = sum(each.trained for each in gather(options, open_model(options)).train)
    done = sft(replace(options, trained_tokens=round(1.2 * one_pass)))
    assert (done.trained_tokens, done.steps, done.epochs) == (one_pass, 3, 1.5)


def test_lora_writes_the_merged_model_and_the_adapter(options: SftOptions, tiny: Path) -> None:
    summary = sft(replace(options, use_peft=True, max_steps=2, learning_rate=0.01))
    assert summary.steps == 2
    base = AutoModelForCausalLM.from_pretrained(tiny)
    merged = AutoModelForCausalLM.from_pretrained(options.output_dir)
    adapted = PeftModel.from_pretrained(base, str(options.output_dir / ADAPTER))
    ids = torch.tensor([[1, 520, 77, 198]])
    torch.testing.assert_close(merged(ids).logits, adapted(ids).logits, rtol=1e-4, atol=1e-5)
    with adapted.disable_adapter():
        assert not torch.allclose(merged(ids).logits, adapted(ids).logits, atol=1e-3)


def test_frozen_weights_are_kept_in_half_of_it(options: SftOptions) -> None:
    """Loss and gradients as with float32 ones; LoRA's own are float32."""
    lora = replace(options, use_peft=True)
    trainer, _ = next(batches(replace(lora, dtype="bfloat16")))
    kinds = {one.requires_grad: one.dtype for one in trainer.model.parameters()}
    assert kinds == {True: torch.float32, False: torch.bfloat16}

    loss, found = gradients(lora, dtype="bfloat16")
    known_loss, known = gradients(lora)
    assert loss == pytest.approx(known_loss, rel=0.01)
    assert len(found) == len(known) > 10
    for name, gradient in known.items():
        torch.testing.assert_close(found[name], gradient, rtol=0.1, atol=0.05 * gradient.norm())

    sft(replace(lora, dtype="bfloat16", max_steps=1))
    written = AutoModelForCausalLM.from_pretrained(options.output_dir)
    assert {one.dtype for one in written.parameters()} == {torch.bfloat16}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"max_length": 5}, "no row is left to train on: over --max-length 5 4"),
        ({"model": "/none"}, "/none: no such model directory"),
        ({"dataset": Path("none.jsonl")}, "none.jsonl: no such file"),
        ({"lr_scheduler_type": "zigzag"}, "zigzag"),
        ({"dtype": "float16"}, "--dtype float16: use float32 or bfloat16"),
        ({"dtype": "bfloat16"}, "--dtype bfloat16: .* add --use-peft, or --deepspeed"),
        ({"dtype": "bfloat16", "deepspeed": "zero2"}, "--deepspeed with --bf16"),
    ],
)
def test_what_cannot_be_used_is_said_before_anything_is_written(
    options: SftOptions, change: dict[str, Any], reason: str
) -> None:
    with pytest.raises(TrainerError, match=reason):
        sft(replace(options, **change))
    assert not options.output_dir.exists()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("learning_rate: [", "cannot read --config"),
        ("learning_rat: 1", "no such flag: learning_rat"),
        ("- 1", "must hold flags"),
    ],
)
def test_a_bad_config_is_one_line(tmp_path: Path, text: str, reason: str) -> None:
    config = tmp_path / "sft.yaml"
    config.write_text(text)
    done = commands.trainer("sft", "--config", str(config))
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert reason in done.stderr


def test_only_an_earlier_output_is_replaced(options: SftOptions) -> None:
    options.output_dir.mkdir()
    (options.output_dir / "thesis.txt").write_text("years of work")
    with pytest.raises(TrainerError, match="something other than an output"):
        sft(replace(options, overwrite_output_dir=True))
    assert (options.output_dir / "thesis.txt").read_text() == "years of work"


def gradients(options: SftOptions, **changed: Any) -> tuple[float, dict[str, torch.Tensor]]:
    """The loss of one optimizer step over every row, and its gradient, as the trainer has them."""
    options = replace(options, **changed)
    student = open_model(options)
    trainer = build(options, student, gather(options, student))
    trainer.create_optimizer_and_scheduler(1)
    batches = list(trainer.get_train_dataloader())
    items = trainer._get_num_items_in_batch(batches, torch.device("cpu"))
    model = trainer.model.train()
    losses = [trainer.training_step(model, dict(batch), items) for batch in batches]
    named = model.named_parameters()
    return float(sum(losses)), {n: p.grad.clone() for n, p in named if p.grad is not None}


def equal(
    one: tuple[float, dict[str, torch.Tensor]], other: tuple[float, dict[str, torch.Tensor]]
) -> None:
    assert one[0] == pytest.approx(other[0], rel=1e-5)
    assert one[1].keys() == other[1].keys()
    assert len(one[1]) > 10
    for name, gradient in one[1].items():
        torch.testing.assert_close(gradient, other[1][name], rtol=1e-4, atol=1e-6)


@pytest.fixture
def agent(options: SftOptions, tmp_path: Path) -> SftOptions:
    rows = write(tmp_path / "agent.jsonl", [{"messages": row} for row in AGENT])
    return replace(options, dataset=rows, thought_weight=0.25)


AT_ONCE = {"per_device_train_batch_size": 5, "gradient_accumulation_steps": 1}
ONE_BY_ONE = {"per_device_train_batch_size": 1, "gradient_accumulation_steps": 5}


@pytest.mark.parametrize("use_peft", [False, True])
def test_accumulating_changes_nothing_of_weighted_tokens(agent: SftOptions, use_peft: bool) -> None:
    peft = {"use_peft": use_peft}
    equal(gradients(agent, **AT_ONCE, **peft), gradients(agent, **ONE_BY_ONE, **peft))


def test_packed_rows_do_not_see_each_other(agent: SftOptions) -> None:
    student = open_model(agent)
    packed = replace(agent, packing=True)
    assert len(build(packed, student, gather(packed, student)).train_dataset) == 2
    equal(gradients(agent, **AT_ONCE), gradients(agent, **AT_ONCE, packing=True))


def test_bf16_is_the_same_within_its_precision(agent: SftOptions) -> None:
    exact, rounded = (
        sft(replace(agent, bf16=bf16, max_steps=1, overwrite_output_dir=True)).loss_first
        for bf16 in (False, True)
    )
    assert rounded == pytest.approx(exact, rel=1e-2)
    assert rounded != exact


def test_checkpointing_of_activations_changes_nothing(agent: SftOptions) -> None:
    apart = {**AT_ONCE, "gradient_checkpointing": True}
    equal(gradients(agent, **AT_ONCE), gradients(agent, **apart))


def test_thoughts_weigh_what_they_are_told_to(agent: SftOptions) -> None:
    """Against the formula, on weights that are found here by searching the text."""
    student = open_model(agent)
    tokenizer, model = student.renderer.tokenizer, student.model
    loss = weights = 0.0
    for messages in AGENT:
        text = tokenizer.apply_chat_template(messages, tokenize=False)
        found = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        ids = torch.tensor([found["input_ids"]])
        with torch.no_grad():
            chances = model(ids).logits.log_softmax(-1)[0, :-1]
        for message in messages[1::2]:
            start = text.index("<|im_start|>assistant\n" + message["content"]) + 22
            end = start + len(message["content"] + "<|im_end|>")
            thought = re.match(r"Thought: (.*)\n", message["content"])
            # The token of the blank before the thought holds the thought's first word too.
            span = range(0) if thought is None else range(start + 9, start + 9 + len(thought[1]))
            for at, (first, after) in enumerate(found["offset_mapping"]):
                if start <= first and after <= end:
                    weight = 0.25 if first < span.stop and after > span.start else 1.0
                    loss -= weight * float(chances[at - 1, ids[0, at]])
                    weights += weight
    assert gradients(agent, **AT_ONCE)[0] == pytest.approx(loss / weights, rel=1e-5)


WEIGHTS = [0.25, 2.0, 0.0, 1.0, 3.5]
WEIGHED = [
    [m | {"weight": WEIGHTS[(n + at) % 5]} if m["role"] == "assistant" else m for at, m in row]
    for n, row in enumerate(map(list, map(enumerate, AGENT)))
]


@pytest.mark.parametrize(
    "how",
    [{"tree_packing": "off"}, {"tree_packing": "on"}, {"packing": True}],
    ids=["rows", "tree", "packed"],
)
def test_messages_weigh_what_they_say(
    options: SftOptions, tmp_path: Path, how: dict[str, Any]
) -> None:
    """Against sum(weight x -log p) / sum(weights), each message found in the text."""
    options = replace(
        options,
        dataset=write(tmp_path / "w.jsonl", [{"messages": row} for row in [*WEIGHED, WEIGHED[0]]]),
        per_device_train_batch_size=6,
        **how,
    )
    student = open_model(options)
    tokenizer, model = student.renderer.tokenizer, student.model
    loss = weights = 0.0
    for messages in [*WEIGHED, WEIGHED[0]]:
        for at, message in enumerate(messages):
            if message["role"] != "assistant":
                continue
            render = tokenizer.apply_chat_template
            before = render(messages[:at], add_generation_prompt=True, return_dict=False)
            said = tokenizer(message["content"] + "<|im_end|>", add_special_tokens=False).input_ids
            with torch.no_grad():
                chances = model(torch.tensor([before + said])).logits.log_softmax(-1)[0]
            spoken = chances[range(len(before) - 1, len(before) + len(said) - 1), said]
            loss -= message["weight"] * float(spoken.sum())
            weights += message["weight"] * len(said)
    assert gradients(options)[0] == pytest.approx(loss / weights, rel=1e-5)
    summary = sft(replace(options, max_steps=1))
    assert (summary.used, summary.weighted_messages) == (6, 6)


def test_long_rows_are_split_at_turns_and_nothing_is_lost_unsaid(options: SftOptions) -> None:
    renderer = open_model(options).renderer
    texts = ["Task.", *(text for n in range(6) for text in (call(f"step {n}"), f"seen {n} " * 9))]
    messages = dialogue(*texts)[:-1]
    messages[7] = {"role": "assistant", "content": "long " * 200}
    lost = (messages[7], messages[9])  # and the one that answers what follows on it
    made = prepare(renderer, [Row(1, messages, [])], 150, PrepareOptions("split"))
    assert (made.used, made.split, made.lost_turns, dict(made.dropped)) == (1, 1, 2, {})
    assert all(len(one.ids) <= 150 for one in made.sequences)
    trained = [
        renderer.tokenizer.decode([label for label in one.labels if label != IGNORE])
        for one in made.sequences
    ]
    said = [m["content"] for m in messages if m["role"] == "assistant" and m not in lost]
    assert "".join(trained) == "".join(text + "<|im_end|>" for text in said)
    for one in made.sequences:
        text = renderer.tokenizer.decode(one.ids)
        assert text.count("Task.") == 1
        assert text.endswith("<|im_end|>")


def test_what_no_window_holds_is_dropped(options: SftOptions) -> None:
    renderer = open_model(options).renderer
    rows = [Row(1, dialogue("Task. " * 200, "Yes."), []), Row(2, dialogue("Task.", "Yes."), [])]
    made = prepare(renderer, rows, 150, PrepareOptions("split"))
    assert (made.used, dict(made.dropped)) == (1, {"no turn fits --max-length 150": 1})


def test_test_rows_are_refused_unless_told_otherwise(options: SftOptions, tmp_path: Path) -> None:
    rows = [
        {"messages": row, "split": split}
        for row, split in zip(ROWS[:2], ["train", "test"], strict=True)
    ]
    file = write(tmp_path / "split.jsonl", rows)
    with pytest.raises(TrainerError, match="1 of 2 rows are of the test split"):
        sft(replace(options, dataset=file))
    with pytest.raises(TrainerError, match="1 of 2 rows are of the test split"):
        sft(replace(options, eval_dataset=file))
    assert not options.output_dir.exists()
    assert sft(replace(options, dataset=file, allow_test_split=True, max_steps=1)).used == 2


def test_training_stops_when_the_held_out_loss_rises(options: SftOptions, tmp_path: Path) -> None:
    held_out = write(tmp_path / "held.jsonl", [{"messages": dialogue("How many?", "Forty-two.")}])
    early = replace(
        options,
        eval_dataset=held_out,
        early_stopping_patience=2,
        eval_steps=1,
        max_steps=60,
        learning_rate=0.05,
        warmup_ratio=0.0,
    )
    summary = sft(early)
    log = [json.loads(line) for line in (early.output_dir / LOG).read_text().splitlines()]
    losses = [entry["eval_loss"] for entry in log if "eval_loss" in entry]
    best = losses.index(min(losses))
    assert summary.steps == len(losses) == best + 3 < 60
    assert summary.eval_loss == min(losses)
    # The model that is kept is the best one, not the last.
    kept = replace(early, model=str(early.output_dir), overwrite_output_dir=True)
    student = open_model(kept)
    measured = build(kept, student, gather(kept, student)).evaluate()["eval_loss"]
    assert measured == pytest.approx(min(losses), rel=1e-4)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"overlong": "cut"}, "use drop or split"),
        ({"early_stopping_patience": 1}, "needs --eval-dataset"),
        ({"agent_ratio": 0.5}, "--agent-ratio needs --general-data"),
        (
            {"agent_ratio": 0.0, "general_data": Path("g")},
            "--agent-ratio 0.0: must be above 0",
        ),
        (
            {"agent_loss_weight": 1.5, "general_data": Path("g")},
            "--agent-loss-weight 1.5: must be at most 1",
        ),
        ({"thought_weight": -1.0}, "--thought-weight -1.0: must be at least 0"),
        ({"thought_weight": 0.5}, "holds no thought"),
    ],
)
def test_flags_that_make_no_sense_are_named(
    options: SftOptions, change: dict[str, Any], reason: str
) -> None:
    with pytest.raises(TrainerError, match=reason):
        sft(replace(options, **change))
    assert not options.output_dir.exists()
