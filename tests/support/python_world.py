"""A task of the Python environment, and the environment with little patience."""

from dataclasses import replace

from environments import Task, ToolEnv
from environments.forked import LIMITS
from environments.python.env import PythonEnv

TASK = Task("t", "?", {"tests": ["assert f(3) == 9", "assert f(0) == 0"]}, group="t")


class ImpatientEnv(PythonEnv):
    limits = replace(LIMITS, seconds=2.0)


def start(env: ToolEnv, task: Task = TASK) -> None:
    env.reset(options={"task": task})
