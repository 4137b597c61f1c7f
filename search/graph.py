"""A tree as a networkx graph, for its algorithms, drawings and file formats (GraphML)."""

import networkx

from search.tree import ROOT, Tree
from search.usage import Usage


def to_networkx(tree: Tree) -> "networkx.DiGraph[int]":
    """Return `tree` as a graph of ids, from ROOT (0) down.

    Every attribute is a text or a number, so that GraphML takes it. Nodes have action (canonical
    JSON), tool, thought, observation, reward, status, depth, actor, why, and the prompt_tokens and
    completion_tokens of their request (on its first node only). The graph has task and stopped.
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
            status=node.status,
            actor=node.actor,
            why=node.why,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            depth=graph.nodes[node.parent]["depth"] + 1,
        )
        graph.add_edge(node.parent, node.id)
    return graph


def tree_text(tree: Tree) -> str:
    """Return the tree as lines of text, a node per line with its action and status."""
    graph = to_networkx(tree)
    for id, attributes in graph.nodes.items():
        action = attributes.get("action", tree.task.prompt)
        reward = f" {attributes['reward']:g}" if attributes.get("reward") else ""
        attributes["label"] = f"{id} {_short(action)} [{attributes['status']}{reward}]"
    return "\n".join(networkx.generate_network_text(graph, sources=[ROOT]))


def _short(text: str, most: int = 80) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 3] + "..."
