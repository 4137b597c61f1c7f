"""How TRL, LLaMA-Factory, axolotl and prime-rl read a record, and which messages they train.

Each reading turns a record into one of our formats (`formats`), with a mark on each message that
the trainer trains (`mask_rules.MARK`). What they do is restated from their documentation and
published code, which docs/masks.md names; none of them is imported. Their settings come from their
own files (`mask_settings`).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from trainer.data.formats.instructions import prompt_of, turns_in
from trainer.data.formats.values import decoded, kind, listed
from trainer.data.mask_rules import MARK, TOKENS
from trainer.data.mask_tokens import Axolotl, TokenRule, trl
from trainer.errors import RowError, WrongValue

Record = Mapping[str, Any]
Settings = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reading:
    """How a trainer reads the records of a data set.

    Attributes:
        trainer: Its name.
        convert: From a record to a record of a known format, with marks. It raises RowError for
            what the trainer would leave out.
        rule: Which tokens of a conversation it trains; None where only its messages are known.
    """

    trainer: str
    convert: Callable[[Record], Record]
    rule: TokenRule | None = None


def reading(trainer: str, settings: Settings) -> Reading:
    """Return how a trainer, one of `TRAINERS`, reads a data set with these settings."""
    return TRAINERS[trainer](settings)


def _marked(message: Any, trained: bool) -> Any:
    return {**message, MARK: trained} if isinstance(message, Mapping) else message


def _turns(value: Any, column: str) -> list[Any]:
    return listed(turns_in(value), column)


# TRL: SFTConfig's assistant_only_loss and completion_only_loss; DPO counts all after the prompt.


def _trl(settings: Settings) -> Reading:
    only_replies = bool(settings.get("assistant_only_loss"))
    given = settings.get("completion_only_loss")
    convert = partial(_trl_record, only_replies, True if given is None else bool(given))
    return Reading("TRL", convert, trl if only_replies else None)


def _trl_record(only_replies: bool, only_completion: bool, record: Record) -> Record:
    def marked(turns: Iterable[Any], trained: bool = True) -> list[Any]:
        return [
            _marked(m, trained and (not only_replies or m.get("role") == "assistant"))
            if isinstance(m, Mapping)
            else m
            for m in turns
        ]

    if "chosen" in record or "rejected" in record:
        sides = {side: _side(record.get(side)) for side in ("chosen", "rejected")}
        return {**record, **sides}
    if record.get("messages") is not None:
        return {
            **record,
            "messages": _with_tokens(marked(_turns(record["messages"], "messages")), record),
        }
    if {"prompt", "completion"} <= record.keys():
        before = marked(prompt_of(record, "prompt"), not only_completion)
        after = turns_in(record["completion"])
        if isinstance(after, str):
            after = [{"role": "assistant", "content": after}]
        told = [_context(m) if m["role"] == "assistant" else m for m in before]
        return {
            "messages": [*told, *marked(listed(after, "completion"))],
            "tools": record.get("tools"),
        }
    return record


def _context(message: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**message, "weight": 0}


def _side(value: Any) -> Any:
    turns = turns_in(value)
    if isinstance(turns, str):
        turns = [{"role": "assistant", "content": turns}]
    return [_marked(m, True) for m in turns] if isinstance(turns, list) else turns


def _with_tokens(messages: list[Any], record: Record) -> list[Any]:
    """Put a row's own tokens on its last message: TRL takes them in place of the messages."""
    ids = record.get("input_ids")
    masks = [record[m] for m in ("assistant_masks", "completion_mask") if record.get(m) is not None]
    if ids is None or not messages or not isinstance(messages[-1], Mapping):
        return messages
    for mask in (ids, *masks):
        if not isinstance(mask, list) or len(mask) != len(ids):
            raise WrongValue("input_ids and its masks must be lists of the same length")
    trained = [all(row) for row in zip(*masks, strict=True)] if masks else [True] * len(ids)
    return [*messages[:-1], {**messages[-1], TOKENS: (ids, trained)}]


# LLaMA-Factory: an entry of dataset_info.json; mask_history and train_on_prompt of the training.

_COLUMNS = {"prompt": "instruction", "query": "input", "response": "output"}
_COLUMNS |= {"messages": "conversations"}
_TAGS = {"role_tag": "from", "content_tag": "value", "user_tag": "human", "assistant_tag": "gpt"}
_TAGS |= {"observation_tag": "observation", "function_tag": "function_call", "system_tag": "system"}


@dataclass(frozen=True, slots=True)
class _LlamaFactory:
    formatting: str = "alpaca"
    ranking: bool = False
    columns: Mapping[str, str | None] = field(default_factory=lambda: _COLUMNS)
    tags: Mapping[str, str | None] = field(default_factory=lambda: _TAGS)
    mask_history: bool = False
    train_on_prompt: bool = False

    def __call__(self, record: Record) -> Record:
        messages = self._alpaca(record) if self.formatting == "alpaca" else self._turns(record)
        system = self._value(record, "system")
        if system and (not messages or messages[0]["role"] != "system"):
            messages.insert(0, {"role": "system", "content": system, MARK: False})
        row: dict[str, Any] = {"tools": self._value(record, "tools") or None}
        sides = {side: self._value(record, side) for side in ("chosen", "rejected")}
        if self.ranking and all(sides.values()):
            made = {side: [self._answer(value)] for side, value in sides.items()}
            return row | {"prompt": messages} | made
        label = self._value(record, "kto_tag")
        return row | {"messages": messages} | ({"kto_tag": label} if label is not None else {})

    def _value(self, record: Record, name: str) -> Any:
        column = self.columns.get(name)
        return record.get(column) if column else None

    def _answer(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {**self._turn(value), MARK: True}
        return {"role": "assistant", "content": value, MARK: True}

    def _alpaca(self, record: Record) -> list[dict[str, Any]]:
        texts: list[Any] = []
        history = self._value(record, "history")
        for pair in history if isinstance(history, list) else []:
            if not isinstance(pair, list | tuple) or len(pair) != 2:
                raise WrongValue("history must be a list of pairs")
            texts += pair
        asked = [self._value(record, name) for name in ("prompt", "query")]
        texts.append("\n".join(str(part) for part in asked if part))
        if not self.ranking:
            texts.append(self._value(record, "response"))
        turns = [{"role": ("user", "assistant")[n % 2], "content": t} for n, t in enumerate(texts)]
        return self._choose(turns)

    def _turns(self, record: Record) -> list[dict[str, Any]]:
        turns = [self._turn(turn) for turn in listed(self._value(record, "messages"), "messages")]
        system = [turns.pop(0)] if turns and turns[0]["role"] == "system" else []
        _check_order([turn["role"] for turn in turns], self.ranking, self.formatting == "openai")
        return [{**turn, MARK: False} for turn in system] + self._choose(turns)

    def _turn(self, turn: Any) -> dict[str, Any]:
        if not isinstance(turn, Mapping):
            raise WrongValue(f"a message must be an object, not {kind(turn)}")
        role, content = (self.tags.get(f"{name}_tag") for name in ("role", "content"))
        said = {
            self.tags.get(f"{theirs}_tag"): ours
            for theirs, ours in (
                ("user", "user"),
                ("assistant", "assistant"),
                ("observation", "observation"),
                ("function", "function_call"),
                ("system", "system"),
            )
        }
        name = said.get(turn.get(role)) if role else None
        if name is None:
            raise RowError(f"LLaMA-Factory leaves it out: no tag for {turn.get(role or '')!r}")
        kept = ("tool_calls", "weight")
        more = {key: turn[key] for key in kept if turn.get(key) is not None}
        return {"role": name, "content": turn.get(content) if content else None, **more}

    def _choose(self, turns: list[dict[str, Any]]) -> list[dict[str, Any]]:
        replies = [n for n, t in enumerate(turns) if t["role"] in ("assistant", "function_call")]
        chosen = set(replies[-1:] if self.mask_history else replies)
        if self.train_on_prompt:
            chosen = set(range(len(turns)))
        if self.ranking:
            chosen = set()
        return [{**turn, MARK: number in chosen} for number, turn in enumerate(turns)]


def _check_order(roles: list[str], ranking: bool, merges: bool) -> None:
    """Require what LLaMA-Factory does: what is asked and what is answered, in turn."""
    if merges:  # tool results in a row become one message
        roles = [r for n, r in enumerate(roles) if r != "observation" or roles[n - 1 : n] != [r]]
    kinds = (("user", "observation"), ("assistant", "function_call"))
    if any(role not in kinds[number % 2] for number, role in enumerate(roles)):
        raise RowError("LLaMA-Factory leaves it out: its roles do not alternate")
    if len(roles) % 2 != int(ranking):
        raise RowError("LLaMA-Factory leaves it out: it does not end with an answer")


def _llama_factory(settings: Settings) -> Reading:
    names = ("formatting", "ranking", "columns", "tags", "mask_history", "train_on_prompt")
    made = _LlamaFactory(**{name: settings[name] for name in names if name in settings})
    return Reading("LLaMA-Factory", made)


# axolotl: an entry of `datasets:` with `type: chat_template`.

_AXOLOTL_ROLES = {"user": ("human", "user"), "assistant": ("gpt", "assistant")}


@dataclass(frozen=True, slots=True)
class _AxolotlRow:
    field_messages: str = "messages"
    field_system: str = "system"
    field_tools: str = "tools"
    properties: Mapping[str, str] = field(default_factory=dict)
    roles: Mapping[str, str] = field(default_factory=dict)
    roles_to_train: frozenset[str] = frozenset({"assistant"})
    train_on_inputs: bool = False
    training: str | None = None
    last_only: bool = False
    drop_system: bool = False

    def __call__(self, record: Record) -> Record:
        given = listed(record.get(self.field_messages), self.field_messages)
        if not given:
            raise RowError(f"{self.field_messages} is missing")
        turns = [self._turn(turn) for turn in given]
        if turns[0]["role"] != "system" and record.get(self.field_system):
            turns.insert(0, {"role": "system", "content": record[self.field_system], MARK: False})
        if self.drop_system and turns[0]["role"] == "system":
            turns = turns[1:]
        if self.last_only:
            last = len(turns) - 1
            turns = [{**turn, MARK: number == last} for number, turn in enumerate(turns)]
        return {"messages": turns, "tools": record.get(self.field_tools)}

    def _turn(self, turn: Any) -> dict[str, Any]:
        if not isinstance(turn, Mapping):
            raise WrongValue(f"a message must be an object, not {kind(turn)}")
        names = self.properties or {"role": "role", "content": "content"}
        made = {
            name: turn[source] for name, source in names.items() if turn.get(source) is not None
        }
        for name in ("tool_calls", "tool_call_id", "name", "reasoning_content", "weight"):
            if turn.get(name) is not None:
                made.setdefault(name, turn[name])
        made["role"] = self.roles.get(str(made.get("role")), made.get("role"))
        chosen = self.train_on_inputs or made["role"] in self.roles_to_train
        told = turn.get(self.training) if self.training else None
        if told is not None:
            chosen = bool(told)
            made["weight"] = 1 if chosen else 0
        return {**made, MARK: chosen}


def _axolotl(settings: Settings) -> Reading:
    roles = settings.get("roles") or {**_AXOLOTL_ROLES, "system": ("system",), "tool": ("tool",)}
    named = {source: ours for ours, sources in roles.items() for source in sources}
    trained = settings.get("roles_to_train", ["assistant"]) or []
    eos = settings.get("train_on_eos", "turn")
    training = settings.get("message_field_training")
    detail = settings.get("message_field_training_detail")
    last_only = not (trained or eos or settings.get("train_on_eot") or training or detail)
    convert = _AxolotlRow(
        field_messages=settings.get("field_messages") or "messages",
        field_system=settings.get("field_system") or "system",
        field_tools=settings.get("field_tools") or "tools",
        properties=settings.get("message_property_mappings") or {},
        roles=named,
        roles_to_train=frozenset(named.get(role, role) for role in trained),
        train_on_inputs=bool(settings.get("train_on_inputs")),
        training=training,
        last_only=last_only,
        drop_system=bool(settings.get("drop_system_message")),
    )
    rule = Axolotl(
        train_on_eos=eos or "none",
        eot_tokens=tuple(settings.get("eot_tokens") or ()),
        train_on_eot=settings.get("train_on_eot") or eos or "none",
        last_only=last_only,
    )
    return Reading("axolotl", convert, rule if settings.get("model_template", True) else None)


# prime-rl: loss_mask says which roles are trained; messages go before prompt and completion.


def _prime_rl(settings: Settings) -> Reading:
    trained = {"assistant": True, **(settings.get("loss_mask") or {})}
    columns = settings.get("columns") or {}
    return Reading("prime-rl", partial(_prime_rl_record, trained, columns))


def _prime_rl_record(
    trained: Mapping[str, bool], columns: Mapping[str, str], record: Record
) -> Record:
    def column(name: str) -> Any:
        return record.get(columns.get(name, name))

    if column("messages") is not None:
        messages = _turns(column("messages"), "messages")
    elif column("prompt") is not None and column("completion") is not None:
        messages = [*_told(column("prompt"), "user", context=True)]
        messages += _told(column("completion"), "assistant")
    else:
        raise RowError("prime-rl refuses it: it has neither messages nor prompt and completion")
    tools = column("tools") if column("tools") is not None else record.get("tool_defs")
    marked = [
        _marked(m, bool(trained.get(str(m.get("role"))))) if isinstance(m, Mapping) else m
        for m in messages
    ]
    return {"messages": marked, "tools": decoded(tools, "tools")}


def _told(value: Any, role: str, context: bool = False) -> list[Any]:
    """Return the messages of a prompt or a completion; the replies of a prompt are context."""
    turns = turns_in(value)
    if isinstance(turns, str):
        turns = [{"role": role, "content": turns}]
    told = listed(turns, role)
    if not context:
        return told
    return [
        _context(m) if isinstance(m, Mapping) and m.get("role") == "assistant" else m for m in told
    ]


TRAINERS: Mapping[str, Callable[[Settings], Reading]] = {
    "trl": _trl,
    "llama-factory": _llama_factory,
    "axolotl": _axolotl,
    "prime-rl": _prime_rl,
}
"""The trainers whose data sets are known, by the names that the command takes."""
