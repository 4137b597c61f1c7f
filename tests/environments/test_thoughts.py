"""Thoughts by rule: what each world says before an action, from what the agent has seen."""

from collections.abc import Callable

import pytest

from environments.api.thoughts import thought as of_services
from environments.kg.thoughts import thought as of_a_graph
from environments.os.thoughts import thought as of_a_shell
from environments.python.thoughts import thought as of_code
from environments.search_qa.thoughts import thought as of_pages
from environments.sql.thoughts import plan
from environments.sql.thoughts import thought as of_sql
from environments.thoughts import plain_thought
from environments.types import Action, Step, Task
from environments.webshop.demonstration.thoughts import constraints
from environments.webshop.demonstration.thoughts import thought as of_a_shop

BOOKS = Task("b", "What is the highest price of any book?\nDatabase: town_library")
SHOP = Task(
    "s",
    "WebShop\nInstruction: \ni would like a cat tree with wall anchor. i want the color grey, and "
    "price lower than 120.00 dollars\n[button] Search [button_]\n",
)
RESULTS = (
    "Instruction:\ni would like a cat tree\nPage 1 (Total results: 1)\n[button] TT1 [button_]\n"
    "Plush Cat Tree with Wall Anchor\n$87.49\n"
)
PAGE = (
    "color\n  [button] beige [button_]\n  [clicked button] grey [clicked button_]\n"
    "Plush Cat Tree\nPrice: $87.49\n[button] Buy Now [button_]\n"
)


def step(tool: str, observation: str = "", **arguments: object) -> Step:
    return Step(Action(tool, arguments), observation)


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("SELECT max(price) FROM books", "read books, take the largest price"),
        (
            "SELECT town, COUNT(*) FROM m JOIN l ON m.id = l.m_id WHERE due < '2020' GROUP BY town "
            "HAVING COUNT(*) > 2 ORDER BY town DESC LIMIT 3",
            "read m and l, joined on m.id = l.m_id, keep the rows where due < '2020', group them "
            "by town, keep the groups where COUNT(*) > 2, show town and count the rows, order by "
            "town, the largest first, and take the first 3",
        ),
        ("SELECT DISTINCT a FROM t", "show a without repeats"),
        ("SELECT a FROM t UNION SELECT b FROM u", "combined by UNION: read t, show a"),
        ("SELECT a FROM t WHERE b IN (SELECT b FROM u)", "with a query inside that reads u"),
        ("SELECT SUBSTR(a, 1, 4) FROM t", "show SUBSTR(a, 1, 4)"),  # sqlglot says SUBSTRING
        ("UPDATE loans SET fine = 0 WHERE id = 4", "In loans I set fine = 0 in the rows where id"),
        ("DELETE FROM loans WHERE id = 4", "I delete from loans the rows where id = 4"),
        ("SELECT SELECT", "I try a statement"),
    ],
)
def test_a_query_in_words(sql: str, words: str) -> None:
    assert words in plan(sql)


FOUND = step("run_sql", "MAX(price)\n47.07\n(1 row)", sql="SELECT MAX(price) FROM books")
NONE = step("run_sql", "title\n(no rows)", sql="SELECT 1")


@pytest.mark.parametrize(
    ("rule", "task", "path", "action", "words"),
    [
        (of_sql, BOOKS, [], Action("list_tables", {}), "What is the highest price of any book?"),
        (of_sql, BOOKS, [], Action("describe_table", {"table": "books"}), "speaks of book"),
        (of_sql, BOOKS, [], Action("describe_table", {"table": "loans"}), "No word of the"),
        (of_sql, BOOKS, [FOUND], Action("answer", FOUND.action.arguments), "1 row; that is 47.07"),
        (of_sql, BOOKS, [NONE], Action("answer", {"sql": "SELECT 1"}), "found no rows"),
        (of_sql, BOOKS, [FOUND], Action("answer", {"sql": "SELECT a FROM t"}), "read t, show a"),
        (of_a_shop, SHOP, [], Action("search", {"query": "cat"}), "cat tree; wall anchor; grey"),
        (
            of_a_shop,
            SHOP,
            [step("search", RESULTS, query="cat")],
            Action("click", {"element": "tt1"}),
            "names cat tree, wall anchor and price lower than 120.00 dollars; its page has to tell "
            "about grey",
        ),
        (
            of_a_shop,
            SHOP,
            [step("search", RESULTS, query="cat"), step("click", PAGE, element="grey")],
            Action("click", {"element": "buy now"}),
            "shows cat tree, grey and price lower than 120.00 dollars. Not shown: wall anchor",
        ),
        (
            of_code,
            Task("p", "Add the numbers."),
            [],
            Action(
                "python", {"code": "def add(xs):\n    for x in xs:\n        pass\n    return 1"}
            ),
            "define add(xs); go through xs as x; return 1",
        ),
        (
            of_code,
            Task("p", "Add."),
            [step("python", "7\n", code="3 + 4")],
            Action("answer", {"value": 7}),
            "The last result is 7. The answer that I give is 7.",
        ),
        (of_code, Task("p", "Add."), [], Action("python", {"code": "def ("}), "a piece of code"),
        (
            of_a_shell,
            Task("o", "How many files are there?"),
            [],
            Action("bash", {"command": "find . -type f | wc -l"}),
            "find to look for files in all folders, then wc to count",
        ),
        (
            of_a_shell,
            Task("o", "How many files are there?"),
            [step("bash", "7\n", command="ls | wc -l")],
            Action("answer", {"text": "7"}),
            "I have seen '7'. I was asked: How many files are there? My answer is 7.",
        ),
        (
            of_a_graph,
            Task("k", "Question: Where is Polish spoken?\nEntities: Polish"),
            [step("get_neighbors", "#0 = Poland", variable="Polish", relation="language of")],
            Action("answer", {"variable": "#0"}),
            "#0 holds Poland. #0 is my answer.",
        ),
        (
            of_pages,
            Task("q", "Is Delhi a city?"),
            [step("search", "Page: Delhi\nDelhi is a city in India. It is old.", query="Delhi")],
            Action("search", {"query": "India"}),
            "I have read: Delhi is a city in India. A page names India",
        ),
        (
            of_services,
            Task("a", "Today is 2026-05-04. When does it rain?"),
            [step("list", '{"error": "", "response": {"page": 1, "pages": 3}}', city="Oslo")],
            Action("list", {"city": "Oslo", "page": 2}),
            "That was page 1 of 3. I use list for city 'Oslo', page 2.",
        ),
        (
            plain_thought,
            Task("x", "Open the door. Then go."),
            [],
            Action("turn", {"key": "red"}),
            "The task: Open the door. I call turn with key 'red'.",
        ),
        (
            plain_thought,
            Task("x", "Open."),
            [Step(Action("turn", {}), "error: it is stuck", info={"error": "stuck"})],
            Action("pull", {}),
            "The last call failed: error: it is stuck. I call pull.",
        ),
    ],
)
def test_a_thought_says_what_is_known_and_wanted(
    rule: Callable[[Task, list[Step], Action], str],
    task: Task,
    path: list[Step],
    action: Action,
    words: str,
) -> None:
    assert words in rule(task, path, action)


def test_constraints_are_those_of_the_instruction() -> None:
    wanted = ["cat tree", "wall anchor", "grey", "price lower than 120.00 dollars"]
    assert constraints(SHOP.prompt) == wanted
