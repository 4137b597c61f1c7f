"""`engine proxy` is killed at work, again and again: what had come is not paid twice."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import openai

from engine.chat.journal_db import decode_reply
from tests.support.chat_server import ChatServer, Json

CLIENTS, EACH = 64, 3
LATENCY = 0.05


def start(folder: Path, upstream: str, port: int) -> tuple["subprocess.Popen[str]", str]:
    command = [sys.executable, "-m", "engine", "proxy", "--journal", str(folder / "j.db"), "--json"]
    process = subprocess.Popen(
        [*command, "--base-url", upstream, "--port", str(port)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OPENAI_API_KEY": "none"},
    )
    assert process.stdout
    return process, json.loads(process.stdout.readline())["base_url"]


def stop(process: "subprocess.Popen[str]", by: signal.Signals) -> None:
    process.send_signal(by)
    process.wait()
    assert process.stdout
    process.stdout.close()


def kept_in(journal: Path) -> set[str]:
    """Return the questions whose replies a journal holds."""
    with closing(sqlite3.connect(journal)) as db:
        replies = [decode_reply(row[0]) for row in db.execute("SELECT reply FROM replies")]
    return {reply.messages[0]["content"].removeprefix("reply to ") for reply in replies}


def wait_for_the_upstream(given: Counter[str], lock: threading.Lock) -> None:
    """Wait until it has answered all that it was asked before the proxy was killed."""
    before = -1
    while True:
        with lock:
            answered = given.total()
        if answered == before:
            return
        before = answered
        threading.Event().wait(6 * LATENCY)


def test_no_reply_that_came_is_paid_twice(tmp_path: Path) -> None:
    given: Counter[str] = Counter()
    lock = threading.Lock()

    def reply(request: Json) -> str:
        said = request["messages"][-1]["content"]
        with lock:
            given[said] += 1
        return f"reply to {said}"

    received: dict[str, str] = {}
    with ChatServer(reply, latency=LATENCY) as upstream:
        process, base_url = start(tmp_path, upstream.base_url, 0)
        port = int(base_url.rsplit(":", 1)[1].split("/")[0])
        kills = 0

        def work(number: int) -> None:
            for turn in range(EACH):
                words = f"{number // 2} {turn}"  # two clients ask each question
                while True:
                    try:
                        found = client.chat.completions.create(
                            model="m", messages=[{"role": "user", "content": words}]
                        )
                        break
                    except openai.APIConnectionError:
                        threading.Event().wait(0.05)
                with lock:
                    received[words] = str(found.choices[0].message.content)

        with (
            openai.OpenAI(base_url=base_url, api_key="none", max_retries=0) as client,
            ThreadPoolExecutor(CLIENTS) as clients,
        ):
            jobs = [clients.submit(work, number) for number in range(CLIENTS)]
            lost: Counter[str] = Counter()  # replies that a kill kept from the journal
            while kills < 3:
                while len(received) < 16 * (kills + 1):
                    threading.Event().wait(0.01)
                with lock:
                    had = set(received)
                stop(process, signal.SIGKILL)
                kills += 1
                wait_for_the_upstream(given, lock)
                kept = kept_in(tmp_path / "j.db")
                assert had <= kept, "a client had a reply that is not in the journal"
                with lock:
                    lost += Counter(w for w in given.keys() - kept if given[w] > lost[w])
                process, base_url = start(tmp_path, upstream.base_url, port)
            for job in jobs:
                job.result(timeout=60)
        stop(process, signal.SIGTERM)
    assert len(received) == CLIENTS // 2 * EACH
    assert all(said == f"reply to {words}" for words, said in received.items())
    # Only what a kill kept from the journal is asked again, once for each kill.
    assert all(number <= 1 + lost[words] for words, number in given.items())
