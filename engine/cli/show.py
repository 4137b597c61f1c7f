"""A tree in the terminal, and as GraphML."""

from pathlib import Path

import networkx
from rich.text import Text
from rich.tree import Tree as RichTree

from search.graph import to_networkx
from search.tree import ROOT, Node, Tree
from treegraft.write_files import atomic_write

_COLOURS = {"solved": "green", "failed": "red", "gave_up": "yellow", "cut": "magenta"}
_MAX_WIDTH = 100
"""Characters of an action or an observation."""


def rich_tree(tree: Tree) -> RichTree:
    """Return `tree` for rich.

    Each node shows its id, status, reward, action, tokens and observation; in runs where a student
    acts first also who acted.
    """
    used = tree.usage
    head = Text(f"{tree.task.id}  ", "bold")
    head.append(
        f"{'solved' if tree.solved else 'not solved'}, stopped: {tree.stopped}, by {tree.source}, "
        f"{len(tree.nodes)} nodes, {used.calls} calls, {used.tokens} tokens"
    )
    top = RichTree(head)
    top.add(Text(tree.task.prompt, "italic"))
    # Not recursive, because a path may be deeper than Python's stack.
    waiting = [(top, child) for child in reversed(tree.children(ROOT))]
    while waiting:
        parent, node = waiting.pop()
        branch = parent.add(_line(tree, node))
        waiting += [(branch, child) for child in reversed(tree.children(node.id))]
    return top


def _line(tree: Tree, node: Node) -> Text:
    step, word = node.step, node.status
    action = step.action.key if step.action.tool else f"malformed: {step.action.thought}"
    line = Text(f"{node.id} ", "dim")
    line.append(f"{word} ", _COLOURS.get(word, "default"))
    if step.ended:
        line.append(f"r={step.reward:g} ")
    if node.actor or node.why:
        line.append(f"{node.actor}: " if node.actor else f"teacher ({node.why}): ", "magenta")
    if node.attempts:
        line.append(f"anew after {', '.join(map(str, node.attempts))}: ", "magenta")
    line.append(_one_line(action), "cyan")
    if node.call >= 0:
        usage = tree.calls[node.call].usage
        line.append(f"  [{usage.prompt_tokens}+{usage.completion_tokens} tokens]", "dim")
    if node.id in tree.closed:
        line.append(f"  closed: {tree.closed[node.id]}", "yellow")
    line.append(f"\n{_one_line(step.observation)}", "dim")
    return line


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _MAX_WIDTH else f"{line[: _MAX_WIDTH - 1]}…"


def write_graphml(tree: Tree, file: Path) -> None:
    """Write `tree` for graph tools. Characters that XML cannot hold become "?"."""
    graph = to_networkx(tree)
    for _, attributes in graph.nodes(data=True):
        for key, value in attributes.items():
            if isinstance(value, str):
                attributes[key] = "".join(c if _is_xml(c) else "?" for c in value)
    with atomic_write(file) as part:
        networkx.write_graphml(graph, part)


def _is_xml(c: str) -> bool:
    return c in "\t\n\r" or " " <= c <= "\ud7ff" or "\ue000" <= c <= "\ufffd" or c > "\uffff"
