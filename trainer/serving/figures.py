"""What the built-in server has done, for its summary and for Prometheus."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from engine.chat import call_rates
from engine.chat.call_rates import CallRates
from engine.prometheus import Latency, Page
from trainer.inference.decoding import Generated
from trainer.inference.local_chat import usage_of


@dataclass(slots=True)
class Figures:
    """Since the server was started.

    Attributes:
        requests: Chat requests by the status of their answer.
        tokens: By kind: prompt, those of it that were not computed again (cached), completion.
        latency: Of answers with status 200.
        calls: What is wrong with the calls of tools.
    """

    requests: Counter[int] = field(default_factory=Counter)
    tokens: Counter[str] = field(default_factory=Counter)
    latency: Latency = field(default_factory=Latency)
    calls: CallRates = field(default_factory=CallRates)

    def answer(self, seconds: float, replies: Sequence[Generated]) -> None:
        """Count an answer."""
        used = usage_of(replies)
        self.requests[200] += 1
        self.latency.observe(seconds)
        self.tokens["prompt"] += used.prompt_tokens
        self.tokens["cached"] += used.cached_tokens
        self.tokens["completion"] += used.completion_tokens

    def metrics(self, under_way: int) -> str:
        """Return the figures in Prometheus' text format.

        Args:
            under_way: Requests that are being answered.
        """
        page = Page("treegraft_serve")
        by_status = [({"code": str(code)}, n) for code, n in sorted(self.requests.items())]
        page.counter("requests_total", "Chat requests by status.", by_status)
        page.gauge(
            "requests_under_way", "Chat requests that are being answered.", [({}, under_way)]
        )
        by_kind = [({"kind": kind}, n) for kind, n in sorted(self.tokens.items())]
        page.counter("tokens_total", "Tokens; cached ones are part of the prompts'.", by_kind)
        page.latency("seconds", "Until an answer.", [({}, self.latency)])
        call_rates.add_to(page, [({}, self.calls)])
        return page.text
