"""The contract of environments, on the tasks of two classes."""

from collections.abc import Iterator

import pytest

from environments import ToolEnv, make
from tests.environments import test_contract as contract


@pytest.fixture(scope="module")
def env() -> Iterator[ToolEnv]:
    classes = "GorillaFileSystem,TwitterAPI"
    made = make("bfcl", split="test", categories="base,miss_func,miss_param", classes=classes)
    yield made
    made.close()


test_gymnasium_accepts_it = contract.test_gymnasium_accepts_it
test_instructions_and_tools = contract.test_instructions_and_tools_are_told
test_tasks_keep_their_secret = contract.test_tasks_are_distinct_and_keep_their_secret
test_solutions_solve = contract.test_solutions_earn_reward_one_and_noops_do_not
test_mistakes = contract.test_mistakes_are_other_actions_and_always_the_same
test_mistaken_last_steps = contract.test_mistaken_last_steps_do_not_solve
test_slips = contract.test_agents_slips_are_observations
test_over = contract.test_a_task_that_is_over_takes_no_step_until_restored
test_the_law = contract.test_the_law_under_interleaved_branches
test_releasing = contract.test_releasing_one_snapshot_leaves_the_others
test_closing_twice = contract.test_closing_twice_is_fine
