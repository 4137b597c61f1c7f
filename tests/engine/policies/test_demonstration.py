"""The demonstration teacher in worlds that lack what it likes to use."""

from engine.policies.demonstration import DemonstrationPolicy
from environments import GIVE_UP
from search import Dfsdt
from tests.support.counter_world import CounterEnv
from tests.support.searching import play


class NoGivingUp(CounterEnv):
    tools = tuple(tool for tool in CounterEnv.tools if tool.name != GIVE_UP.name)


async def test_it_calls_only_tools_that_the_world_has() -> None:
    world = NoGivingUp()
    for task in world.tasks:
        policy = DemonstrationPolicy(world, mistake_rate=0.5)
        tree = await play(Dfsdt, world, task, policy, width=3, max_solutions=3, depth=6)
        assert tree.solved
        called = {node.step.action.tool for node in tree.nodes if node.step}
        assert called <= {tool.name for tool in world.tools_of(task)}
