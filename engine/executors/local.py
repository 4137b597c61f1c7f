"""Many tasks at once in this process."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from engine.chat.base import Chat
from engine.config import Config
from engine.executors.base import Keep, TaskRunner, make_env, policy
from engine.executors.gc_pause import gc_paused
from environments import Task


class Local:
    """Searches in this process's event loop; environments work in threads.

    chat: what the teacher asks; None for the demonstration teacher.   concurrency: tasks at once.
    student_chat: what a student asks that acts first.
    """

    def __init__(
        self,
        chat: Chat | None = None,
        concurrency: int = 8,
        student_chat: Chat | None = None,
    ) -> None:
        self._chat, self._concurrency, self._student_chat = chat, concurrency, student_chat

    async def run(self, config: Config, tasks: Iterator[Task], keep: Keep) -> None:
        """See `Executor`."""
        # One thread for each environment at work, and some to spare.
        pool = ThreadPoolExecutor(self._concurrency + 4, thread_name_prefix="environment")
        asyncio.get_running_loop().set_default_executor(pool)
        lead = make_env(config)
        try:
            told = policy(config, lead, self._chat, self._student_chat)
            with gc_paused():
                async with asyncio.TaskGroup() as group:
                    for _ in range(self._concurrency):
                        group.create_task(_work(TaskRunner(config, told), tasks, keep))
        finally:
            lead.close()


async def _work(worker: TaskRunner, tasks: Iterator[Task], keep: Keep) -> None:
    try:
        for task in tasks:
            keep(task, await worker.search(task))
    finally:
        await worker.close()
