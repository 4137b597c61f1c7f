"""Ask a model while data are made: each reply is paid for once, kept, and within the budget."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.chat.address import APIS
from engine.chat.base import Chat, ChatRequest
from engine.chat.budget import Budget
from engine.chat.cache import has_replies
from engine.chat.incomplete import complete, incomplete
from engine.chat.open import ChatStack, EndpointSpec
from engine.chat.prices import needed_price, price_of, read_prices
from engine.config import one_of
from engine.panels import BUDGET, OUTPUT, TEACHER, WORKERS
from engine.runs.build_executor import RunBudget
from engine.telemetry.tracing import ACTIVE, check_traced, traced
from engine.templates.base import Message
from search.usage import Usage
from treegraft.ranges import SEED, check_ranges

RULES = "rules"
"""The value of `--model` that asks nobody: data are made by rule, without a key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AskerSettings:
    """Whom to ask, and how.

    Attributes:
        model: A model's name; `rules` makes everything by rule, and needs no model and no key.
        base_url: The endpoint.
        api: What it speaks: chat, or responses (OpenAI's Responses API).
        api_version: Azure OpenAI's api-version, such as 2024-10-21; --model names a deployment.
        temperature: Sampling temperature.
        max_reply_tokens: Maximum tokens per reply.
        seed: Random seed of sampling and of the rules.
        journal: File in which paid replies are kept.
        prices: JSON file of prices that replace or extend the built-in table.
        concurrency: Requests at once.
        otel: Send OpenTelemetry spans of what is asked and played where the OTEL_* variables say.
        otel_content: Record in the spans what was said, too.
    """

    model: str = field(default=RULES, metadata={"panel": TEACHER})
    base_url: str = field(
        default="", metadata={"panel": TEACHER, "default": "$OPENAI_BASE_URL, else OpenAI's"}
    )
    api: str = field(default="chat", metadata={"panel": TEACHER})
    api_version: str = field(
        default="",
        metadata={"panel": TEACHER, "default": "$OPENAI_API_VERSION where Azure needs it"},
    )
    temperature: float = field(default=1.0, metadata={"panel": TEACHER, "min": 0})
    max_reply_tokens: int = field(default=1024, metadata={"panel": TEACHER, "min": 1})
    seed: int = field(default=0, metadata={"panel": TEACHER, **SEED})
    journal: Path | None = field(
        default=None, metadata={"panel": OUTPUT, "default": "journal.db beside the output"}
    )
    prices: Path | None = field(default=None, metadata={"panel": BUDGET})
    concurrency: int = field(default=8, metadata={"panel": WORKERS, "min": 1})
    otel: bool = field(default=False, metadata={"panel": OUTPUT})
    otel_content: bool = field(default=False, metadata={"panel": OUTPUT})

    def __post_init__(self) -> None:
        check_ranges(self)
        check_traced(self.otel, self.otel_content)
        one_of("api", self.api, tuple(APIS))

    @property
    def by_rules(self) -> bool:
        """Whether no model is asked."""
        return self.model == RULES


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply as text.

    Attributes:
        text: what the model wrote.
        key: the request's key in the journal, for the provenance of what is made of it.
        usage: of the request, as when it was paid.
        incomplete: why the reply is not complete ("length", ...), after it was asked for again;
            "" if it is. Half a reply must not become data.
    """

    text: str
    key: str
    usage: Usage
    incomplete: str = ""


class Asker:
    """Asks one model, at most `concurrency` requests at once.

    Args:
        chat: over the journal and the budget; see `open_asker`.
        name: the model's.
        sampling: parameters of every request.
    """

    def __init__(
        self, chat: Chat, name: str, sampling: dict[str, Any], concurrency: int = 8
    ) -> None:
        self.name, self._chat, self._sampling = name, chat, sampling
        self._turn = asyncio.Semaphore(concurrency)

    async def ask(
        self, messages: Sequence[Message], *, attempt: int = 0, **sampling: Any
    ) -> Answer:
        """Return the reply to `messages`. What was answered before costs nothing.

        A reply that is not complete is asked for again. Equal messages with another `attempt` get
        another reply. `sampling` replaces parameters of this request.

        Raises:
            PolicyError: the server refuses this request, or retries are used up.
            EndpointUnusable: it can answer no request.
            BudgetSpent: the budget is spent.
        """
        parameters = self._sampling | sampling
        if "seed" in parameters:
            parameters["seed"] = (parameters["seed"] + attempt) % 2**31
        request = ChatRequest(self.name, list(messages), [], parameters, attempt)
        async with self._turn:
            reply, usage = await complete(self._chat, request)
        text = str(reply.messages[0].get("content") or "")
        return Answer(text, reply.key, usage, incomplete(reply)[0])


@asynccontextmanager
async def open_asker(
    settings: AskerSettings, budget: RunBudget, output: Path
) -> AsyncIterator[Asker]:
    """Open an asker whose journal stands beside `output`; on exit, replies under way are kept.

    Raises:
        PolicyError: there is no usable address or key, or the server cannot be reached.
        PriceError: dollars are bounded, and the model has no price.
    """
    prices = read_prices(settings.prices)
    price = (price_of if budget.usd is None else needed_price)(settings.model, prices)
    spec = EndpointSpec.from_environment(
        settings.base_url, price, settings.api, settings.api_version
    )
    journal = settings.journal or output.resolve().parent / "journal.db"
    if not has_replies(journal, spec.address.where):
        await spec.check()
    sampling = {
        "temperature": settings.temperature,
        "max_tokens": settings.max_reply_tokens,
        "seed": settings.seed,
    }
    bounds = Budget(budget.usd, budget.calls, budget.tokens)
    with traced(settings.otel, settings.otel_content):
        async with ChatStack(journal, bounds, ACTIVE.get().chat) as stack:
            chat = stack.add(spec.open(settings.concurrency))
            yield Asker(chat, settings.model, sampling, settings.concurrency)
