"""A conversation prepared once is rendered as transformers renders it, and in its sandbox."""

from contextlib import suppress

import jinja2
import pytest

from tests.support.chat_templates import templates
from tests.support.conversations import CONVERSATIONS
from trainer.tokens.rendering import RenderedPrefixes

MESSAGES = [{"role": "user", "content": "a {0.__class__} b"}]


@pytest.mark.parametrize("name", sorted(templates()))
def test_each_prefix_is_what_transformers_writes(name: str) -> None:
    tokenizer = templates()[name].tokenizer()
    for one in CONVERSATIONS:
        messages, tools = [dict(message) for message in one.messages], one.tools
        prefixes = RenderedPrefixes(tokenizer, messages, tools)
        for length, generation in ((len(messages), False), (len(messages) - 1, True)):
            expected = None
            with suppress(jinja2.TemplateError, TypeError):
                expected = tokenizer.apply_chat_template(
                    messages[:length],
                    tools=tools or None,
                    tokenize=False,
                    add_generation_prompt=generation,
                )
            found = None
            with suppress(jinja2.TemplateError, TypeError):
                found = prefixes.render(length, generation=generation)
            assert found == expected


@pytest.mark.parametrize(
    ("template", "written"),
    [
        ("{{ messages[0].missing is defined }}", "False"),
        ("{{ messages[0].content.upper() }}", "A {0.__CLASS__} B"),
        ("{% for k, v in messages[0].items() %}{{ k }} {% endfor %}", "role content "),
        ("{% set n = namespace(x=1) %}{% set n.x = n.x + 1 %}{{ n.x }}", "2"),
        ("{% for m in messages %}{{ loop.last }}{{ loop.index0 }}{% endfor %}", "True0"),
        ("{{ messages[0].__class__ }}", None),
        ("{{ messages[0].content.__class__.__mro__ }}", None),
        ("{{ messages[0].content.format(messages) }}", None),
        ("{{ (messages[0].content | attr('format'))(messages) }}", None),
        ("{{ messages.append(1) }}", None),
        ("{{ messages[0].update({}) }}", None),
        ("{{ messages[0].pop('role') }}", None),
    ],
)
def test_the_sandbox_allows_no_more_than_before(template: str, written: str | None) -> None:
    """Twice, since the second time it remembers. None: refused."""
    tokenizer = templates()["chatml"].tokenizer()
    tokenizer.chat_template = template
    for _ in range(2):
        prefixes = RenderedPrefixes(tokenizer, MESSAGES, [])
        if written is not None:
            assert prefixes.render(1, generation=False) == written
            continue
        with pytest.raises(jinja2.exceptions.SecurityError):
            prefixes.render(1, generation=False)
