"""Options of `engine proxy`."""

from dataclasses import dataclass, field, replace
from pathlib import Path

from engine.chat.address import check_key
from engine.chat.budget import Budget
from engine.chat.cache import totals
from engine.chat.endpoint import Endpoint
from engine.chat.open import EndpointSpec
from engine.chat.prices import Prices, read_prices
from engine.chat.retry import Retries
from engine.web import HOST, LOOPBACK
from search.usage import Usage
from treegraft.ranges import check_ranges


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxySettings:
    """What to serve.

    Attributes:
        journal: File in which every reply is kept.
        base_url: The upstream; its key is read from the environment.
        max_usd: US dollars that the journal's replies may cost in all; None for no bound.
        max_calls: Replies in all.
        max_tokens: Prompt and completion tokens in all.
        prices: JSON file of prices that replace or extend the built-in table.
        api: How the upstream is asked: chat or responses.
        api_version: Azure OpenAI's api-version.
        timeout: Seconds that an attempt may take.
        attempts: How often a request is sent at most, if the upstream fails.
        concurrency: Requests to the upstream at once; fewer while it says that it is overloaded.
        host: Address to listen on.
        port: Port; 0 for any free one.
        token_env: Name of a variable of the environment that holds the token which clients must
            send.
    """

    journal: Path
    base_url: str = field(default="", metadata={"default": "$OPENAI_BASE_URL, else OpenAI"})
    max_usd: float | None = field(default=None, metadata={"min": 0})
    max_calls: int | None = field(default=None, metadata={"min": 0})
    max_tokens: int | None = field(default=None, metadata={"min": 0})
    prices: Path | None = None
    api: str = field(default="", metadata={"default": "what the address says"})
    api_version: str = ""
    timeout: float = field(default=300.0, metadata={"min": 0.01})
    attempts: int = field(default=10, metadata={"min": 1})
    concurrency: int = field(default=64, metadata={"min": 1})
    host: str = HOST
    port: int = field(default=8088, metadata={"min": 0, "max": 65535})
    token_env: str = ""

    def __post_init__(self) -> None:
        check_ranges(self)

    @property
    def loopback(self) -> bool:
        """Whether only this machine can connect."""
        return self.host in LOOPBACK

    def open_endpoint(self) -> Endpoint:
        """Open the upstream.

        Raises:
            PolicyError: The address or the key cannot be used.
        """
        return self._spec().open(self.concurrency)

    def check(self) -> None:
        """Raise the error that `open_endpoint` would raise."""
        spec = self._spec()
        check_key(spec.api_key, spec.address.key_variable)

    def _spec(self) -> EndpointSpec:
        spec = EndpointSpec.from_environment(self.base_url, None, self.api, self.api_version)
        retries = Retries(self.attempts)
        return replace(spec, retries=retries, timeout=self.timeout, keep_unread=True)

    def read_prices(self) -> Prices:
        """Return the prices of models."""
        return read_prices(self.prices)

    def budget(self) -> Budget:
        """Return the budget, of which the journal's replies are spent."""
        held = totals(self.journal)
        spent = Usage(held.replies, held.prompt_tokens, held.completion_tokens, 0, held.usd)
        return Budget(self.max_usd, self.max_calls, self.max_tokens, spent)
