"""Starting anew, through the engine: what is sent, kept, and asked again when a run is resumed."""

import json

import pytest

from engine.export.export import ExportSettings, export_rows
from engine.runs.build_executor import Resources, RunBudget
from engine.runs.codec import tree_to_dict
from engine.runs.run import Selection
from engine.runs.store import Store
from engine.templates.context import AGAIN
from tests.engine.policies.test_fireact import call
from tests.support.chat_server import ChatServer
from tests.support.configs import make_config, run

KEYS = "tests.engine.policies.test_fireact:Keys"


def mind(request: dict) -> dict:
    """Gives up twice, after a look; then looks and answers right."""
    told = json.dumps(request["messages"])
    if request["messages"][-1]["role"] == "user":
        return call("look", at=f"place {told.count(AGAIN)}")
    return call("answer", text="hook") if told.count(AGAIN) >= 2 else call("give_up")


@pytest.mark.parametrize("search", ["dfsdt", "react", "mcts"])
def test_a_run_that_was_cut_short_goes_on_to_the_same_tree(tmp_path, search):
    how = {"search": search, "width": 1, "restarts": 2, "template": "native", "retries": 0}
    how |= {"value": "reward"} if search == "mcts" else {}
    with ChatServer(mind) as server:
        config = make_config(KEYS, teacher="t", base_url=server.base_url, **how)
        trees = []
        for name, calls in (("a", 3), ("a", 5), ("a", 99), ("b", 99)):
            run(config, tmp_path / name, budget=RunBudget(calls=calls), resources=Resources())
            with Store.open(tmp_path / name) as store:
                trees.append(tree_to_dict(next(store.trees())))
        assert len(server.requests) == 6
    cut, longer, whole, again = ([node["id"] for node in tree["nodes"]] for tree in trees)
    assert (len(cut), len(longer), len(whole), len(again)) == (3, 5, 6, 6)
    assert trees[2] == trees[3] and trees[0]["stopped"] == "budget"
    assert [n.get("attempts") for n in trees[2]["nodes"]] == [None, None, [2], None, [2, 4], None]
    assert server.requests[-1]["messages"][0] == server.requests[0]["messages"][0]
    # The row of the path is the request of its last action, with what was answered.
    [row] = export_rows([tmp_path / "a"], ExportSettings(restarts="context"))
    bare = [{k: v for k, v in m.items() if k != "weight"} for m in row["messages"]]
    assert bare[:-1] == server.requests[-1]["messages"]


def test_toolbenchs_finish_starts_anew(tmp_path):
    def restart(request: dict) -> dict:
        if AGAIN in json.dumps(request["messages"]):
            return call("Finish", return_type="give_answer", final_answer="done")
        return call("Finish", return_type="give_up_and_restart")

    with ChatServer(restart) as server:
        config = make_config("api", teacher="t", base_url=server.base_url, restarts=1, width=1)
        run(config, tmp_path / "r", selection=Selection(limit=1))
    with Store.open(tmp_path / "r") as store:
        [tree] = store.trees()
    assert [node.status for node in tree.nodes] == ["gave_up", "failed"]
    assert tree.nodes[1].attempts == (1,) and tree.nodes[1].parent == 0
