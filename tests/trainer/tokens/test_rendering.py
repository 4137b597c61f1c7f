"""A conversation prepared once is rendered as transformers renders it, and in its sandbox."""

from collections.abc import Callable
from functools import partial

import jinja2
import pytest

from tests.support.chat_templates import templates
from tests.support.conversations import CONVERSATIONS
from trainer.tokens.rendering import RenderedPrefixes

MESSAGES = [{"role": "user", "content": "a {0.__class__} b"}]


def outcome(render: Callable[[], object]) -> str:
    """What is written, or the error."""
    try:
        return str(render())
    except (jinja2.TemplateError, TypeError) as error:
        return repr(error)


@pytest.mark.parametrize("name", sorted(templates()))
def test_each_prefix_is_what_transformers_writes(name: str) -> None:
    tokenizer = templates()[name].tokenizer()
    for one in CONVERSATIONS:
        messages, tools = [dict(message) for message in one.messages], [*one.tools]
        prefixes = RenderedPrefixes(tokenizer, messages, tools)
        for length, generation in ((len(messages), False), (len(messages) - 1, True)):
            expected = outcome(
                partial(
                    tokenizer.apply_chat_template,
                    messages[:length],
                    tools=[*tools] or None,
                    tokenize=False,
                    add_generation_prompt=generation,
                )
            )
            found = outcome(partial(prefixes.render, length, generation=generation))
            assert found == expected


@pytest.mark.parametrize(
    "template",
    [
        "{{ messages[0].missing is defined }}",
        "{{ messages[0].content.upper() }}",
        "{% for k, v in messages[0].items() %}{{ k }} {% endfor %}",
        "{% set n = namespace(x=1) %}{% set n.x = n.x + 1 %}{{ n.x }}",
        "{% for m in messages %}{{ loop.last }}{{ loop.index0 }}{% endfor %}",
        "{{ messages[0].__class__ }}",
        "{{ messages[0].content.__class__.__mro__ }}",
        "{{ messages[0].content.format(messages) }}",
        "{{ (messages[0].content | attr('format'))(messages) }}",
        "{{ messages.append(1) }}",
        "{{ messages[0].update({}) }}",
        "{{ messages[0].pop('role') }}",
    ],
)
def test_the_sandbox_allows_what_it_allowed(template: str) -> None:
    """Twice, since the second time it remembers."""
    tokenizer = templates()["chatml"].tokenizer()
    tokenizer.chat_template = template
    expected = outcome(partial(tokenizer.apply_chat_template, MESSAGES, tokenize=False))
    assert "<class" not in expected
    for _ in range(2):
        prefixes = RenderedPrefixes(tokenizer, MESSAGES, [])
        assert outcome(partial(prefixes.render, 1, generation=False)) == expected
