"""A tree as a networkx graph, for its algorithms and its file formats (GraphML and others)."""

import networkx

from search.tree import ROOT, Node, Tree
from search.usage import Usage


def status(node: Node) -> str:
    """One word: "solved", "gave_up", "failed" (answered wrongly), "cut" (by a limit), "open"."""
    step = node.step
    if step.solved:
        return "solved"
    if step.info.get("gave_up"):
        return "gave_up"
    if step.terminated:
        return "failed"
    return "cut" if step.truncated else "open"


def to_networkx(tree: Tree) -> "networkx.DiGraph[int]":
    """Nodes are ids (ROOT is 0); every attribute is a string or a number, so that GraphML takes it.

    Node attributes: action (canonical JSON), tool, thought, observation, reward, status, depth,
    prompt_tokens and completion_tokens (of the request, on the first node that it brought),
    actor and why (see `Node`).
    Graph attributes: task, stopped.
    """
    graph: networkx.DiGraph[int] = networkx.DiGraph(task=tree.task.id, stopped=tree.stopped)
    graph.add_node(ROOT, status="root", depth=0, observation=tree.task.prompt)
    counted: set[int] = set()
    for node in tree.nodes:
        step = node.step
        usage = Usage()
        if node.call >= 0 and node.call not in counted:
            counted.add(node.call)
            usage = tree.calls[node.call].usage
        graph.add_node(
            node.id,
            action=step.action.key,
            tool=step.action.tool,
            thought=step.action.thought,
            observation=step.observation,
            reward=step.reward,
            status=status(node),
            actor=node.actor,
            why=node.why,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            depth=graph.nodes[node.parent]["depth"] + 1,
        )
        graph.add_edge(node.parent, node.id)
    return graph
