"""Many tasks at once in this process."""

import asyncio
from collections.abc import Callable, Iterator

from engine.chat.base import Chat
from engine.chat.limiter import Throttle
from engine.config import Config
from engine.executors.base import OnResult, TaskRunner, close_env, make_env
from engine.executors.build_policy import build_grader, build_policy
from engine.executors.gc_pause import gc_paused
from environments import Task


class Local:
    """Searches in this process's event loop; environments run in threads.

    Args:
        chat: for the teacher; None for the demonstration teacher.
        student_chat: for a student that acts first; None without one.
        grader_chat: for the model that grades answers; None without one.
        throttle: returns how many requests may run at once now.
    """

    def __init__(
        self,
        chat: Chat | None = None,
        concurrency: int = 8,
        student_chat: Chat | None = None,
        grader_chat: Chat | None = None,
        throttle: Callable[[], Throttle] = Throttle,
    ) -> None:
        self.throttle = throttle
        self._chat, self._concurrency = chat, concurrency
        self._student_chat, self._grader_chat = student_chat, grader_chat

    async def run(self, config: Config, tasks: Iterator[Task], on_result: OnResult) -> None:
        """See `Executor`."""
        env = make_env(config)
        try:
            policy = build_policy(config, env, self._chat, self._student_chat)
            grader = build_grader(config, self._grader_chat)
            with gc_paused():
                async with asyncio.TaskGroup() as group:
                    for _ in range(self._concurrency):
                        runner = TaskRunner(config, policy, grader)
                        group.create_task(_search_all(runner, tasks, on_result))
        finally:
            close_env(env)


async def _search_all(runner: TaskRunner, tasks: Iterator[Task], on_result: OnResult) -> None:
    try:
        for task in tasks:
            on_result(task, await runner.search(task))
    finally:
        await runner.close()
