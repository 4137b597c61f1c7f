"""Build the executor of a run, with its chats, from what the user gave."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from engine.chat.base import Chat
from engine.chat.budget import Budget
from engine.chat.cache import has_replies
from engine.chat.open import ChatSpec, ChatStack, EndpointSpec
from engine.chat.prices import Price, needed_price, price_of, read_prices
from engine.config import Config, one_of
from engine.errors import UsageError
from engine.executors.base import Executor
from engine.executors.local import Local
from engine.panels import BUDGET, OUTPUT, TEACHER, WORKERS
from engine.policies.answer_grader import named_grader
from engine.policies.demonstration import NAME as DEMONSTRATION
from engine.runs.store import FILE, Store
from engine.telemetry.tracing import ACTIVE, traced
from engine.telemetry.trackers import NONE, tracker_names
from search.usage import Usage
from treegraft.errors import TreegraftError
from treegraft.ranges import check_ranges


@dataclass(frozen=True, slots=True, kw_only=True)
class RunBudget:
    """What a run may spend in all, by this command and by earlier ones; None means no bound.

    Attributes:
        usd: US dollars for the whole run.
        calls: Requests for the whole run.
        tokens: Prompt and completion tokens for the whole run.
    """

    usd: float | None = field(
        default=None, metadata={"flag": "budget-usd", "panel": BUDGET, "min": 0}
    )
    calls: int | None = field(
        default=None, metadata={"flag": "budget-calls", "panel": BUDGET, "min": 0}
    )
    tokens: int | None = field(
        default=None, metadata={"flag": "budget-tokens", "panel": BUDGET, "min": 0}
    )

    def __post_init__(self) -> None:
        check_ranges(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What a run works with; none of it changes the trees.

    Attributes:
        chat: A model in this process, in place of the config's endpoint.
        journal: File in which paid replies are kept.
        api_version: Azure OpenAI's api-version, such as 2024-10-21; --teacher names a deployment.
        prices: JSON file of prices that replace or extend the built-in table.
        concurrency: Tasks searched at once; per worker where there are workers.
        executor: local, processes (on this machine) or ray (on many machines; experimental).
        address: Address of the Ray cluster.
        workers: Number of workers of processes and ray.
        fail_fast: Stop at the first task that fails, and show the traceback.
        otel: Send OpenTelemetry spans of tasks, requests and tool calls where the OTEL_* variables
            say.
        otel_content: Record in the spans what was said, too.
        report_to: Where else to send the run's figures, a,b,c: trackio, wandb, mlflow.
    """

    chat: Chat | None = field(default=None, metadata={"hidden": True})
    journal: Path | None = field(
        default=None, metadata={"panel": OUTPUT, "default": "journal.db beside the run"}
    )
    api_version: str = field(
        default="",
        metadata={"panel": TEACHER, "default": "$OPENAI_API_VERSION where Azure needs it"},
    )
    prices: Path | None = field(default=None, metadata={"panel": BUDGET})
    concurrency: int = field(default=8, metadata={"panel": WORKERS, "min": 1})
    executor: str = field(default="local", metadata={"panel": WORKERS})
    address: str = field(
        default="", metadata={"panel": WORKERS, "default": "a cluster on this machine"}
    )
    workers: int | None = field(
        default=None, metadata={"panel": WORKERS, "min": 1, "default": "one per CPU"}
    )
    fail_fast: bool = field(default=False, metadata={"panel": WORKERS})
    otel: bool = field(default=False, metadata={"panel": OUTPUT})
    otel_content: bool = field(default=False, metadata={"panel": OUTPUT})
    report_to: str = field(default=NONE, metadata={"panel": OUTPUT})

    def __post_init__(self) -> None:
        check_ranges(self)
        one_of("executor", self.executor, ("local", "processes", "ray"))
        if self.executor == "local" and self.workers:
            raise UsageError("--workers is for --executor processes and ray")
        if self.executor != "ray" and self.address:
            raise UsageError("--address is for --executor ray")
        if self.executor != "local" and self.chat is not None:
            raise UsageError("a model in this process works with --executor local only")
        if self.executor != "local" and self.otel:
            raise UsageError("--otel works with --executor local only")
        tracker_names(self.report_to)


@asynccontextmanager
async def open_executor(
    config: Config, out: Path, budget: RunBudget, resources: Resources
) -> AsyncIterator[Executor]:
    """Open the executor of the run in folder `out`, and the chats it needs.

    Raises:
        PolicyError: there is no usable address or key for the teacher.
        PriceError: dollars are bounded, and the model has no price.
    """
    chats = _chat_spec(config, out, budget, resources)
    workers, concurrency = resources.workers, resources.concurrency
    if resources.executor == "ray":
        from engine.executors.ray import Cluster

        yield Cluster(resources.address, workers, concurrency, chats)
    elif resources.executor == "processes":
        from engine.executors.processes import Processes

        yield Processes(workers, concurrency, chats)
    else:
        teacher = None if config.teacher == DEMONSTRATION else resources.chat
        with traced(resources.otel, resources.otel_content):
            async with _local(chats, teacher, concurrency) as executor:
                yield executor


def _chat_spec(config: Config, out: Path, budget: RunBudget, resources: Resources) -> ChatSpec:
    prices = read_prices(resources.prices)
    teacher = student = grader = None
    bounded = budget.usd is not None or config.budget.usd is not None
    known_price = needed_price if bounded else price_of
    if config.teacher != DEMONSTRATION and resources.chat is None:
        price = known_price(config.teacher, prices)
        teacher = EndpointSpec.from_environment(
            config.base_url, price, config.api, resources.api_version
        )
    if student_endpoint := config.student_endpoint:
        # Without a price it counts no dollars: most users serve their students themselves.
        student = student_endpoint.spec(price_of(student_endpoint.model, prices))
    if config.grader:
        grader = _grader_spec(config, known_price(named_grader(config.grader)[0], prices))
    whole = Budget(budget.usd, budget.calls, budget.tokens, _spent(out))
    return ChatSpec(_journal(out, resources), whole, teacher, student, grader)


def _grader_spec(config: Config, price: Price | None = None) -> EndpointSpec:
    return EndpointSpec.from_environment(named_grader(config.grader)[1], price)


def _journal(out: Path, resources: Resources) -> Path:
    return resources.journal or out.resolve().parent / "journal.db"


async def check_teacher(config: Config, out: Path, resources: Resources) -> None:
    """See within seconds that the teacher's server can be reached, and the grader's.

    With replies of that server in the journal, nothing is asked: the run may need no other.

    Raises:
        PolicyError: it cannot be reached, refuses the key, or has no usable address.
    """
    specs = [_grader_spec(config)] if config.grader else []
    if config.teacher != DEMONSTRATION and resources.chat is None:
        version = resources.api_version
        specs.append(EndpointSpec.from_environment(config.base_url, None, config.api, version))
    for spec in specs:
        if not has_replies(_journal(out, resources), spec.address.where):
            await spec.check()


def trouble(config: Config, resources: Resources, budget: RunBudget) -> str:
    """Return why no chat of a run could be opened (no key, no price), or ""; nothing is sent."""
    try:
        _chat_spec(config, Path(), budget, resources)
    except TreegraftError as error:
        return str(error)
    return ""


def unpriced_models(config: Config, resources: Resources) -> list[str]:
    """Return the models that a run asks at an endpoint and whose price is not known.

    Raises:
        PriceError: the price file is not valid.
    """
    prices, asked = read_prices(resources.prices), []
    if config.teacher != DEMONSTRATION and resources.chat is None:
        asked.append(config.teacher)
    if config.student_endpoint:
        asked.append(config.student_endpoint.model)
    if config.grader:
        asked.append(named_grader(config.grader)[0])
    return [model for model in asked if price_of(model, prices) is None]


@asynccontextmanager
async def _local(chats: ChatSpec, chat: Chat | None, concurrency: int) -> AsyncIterator[Local]:
    """Open the executor of this process.   chat: the teacher, if it is not an endpoint."""
    if not (chat or chats.teacher or chats.student or chats.grader):
        yield Local(concurrency=concurrency)
        return
    async with ChatStack(chats.journal, chats.budget, ACTIVE.get().chat) as stack:
        if chats.teacher:
            chat = chats.teacher.open(concurrency)
        student, grader = (
            stack.add(each.open(concurrency)) if each else None
            for each in (chats.student, chats.grader)
        )
        teacher = stack.add(chat) if chat else None
        yield Local(teacher, concurrency, student, grader, stack.throttle)


def _spent(out: Path) -> Usage:
    """Return what the run in folder `out` has cost so far."""
    if not (out / FILE).exists():
        return Usage()
    with Store.create(out) as store:  # a kill may have left the file without its tables
        return store.usage()
