"""The journal: a paid reply is committed before it is used, and never paid for again."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.chat.base import ChatReply, ChatRequest
from engine.chat.cache import Entry, Totals, entries, prune, totals
from engine.chat.endpoint import Endpoint
from engine.chat.journal import CachedChat, Journal, request_key
from engine.chat.journal_db import JournalError, open_journal
from engine.chat.retry import Retries
from search.policy import PolicyError
from search.usage import Usage
from tests.support.chat_server import ChatServer, Fault, status

URL = "http://127.0.0.1:1/v1"
ASK = ChatRequest("m", [{"role": "user", "content": "hi"}], [], {"temperature": 0.5})


def ask(text: str) -> ChatRequest:
    return replace(ASK, messages=[{"role": "user", "content": text}])


def reply(text: str, **usage: Any) -> ChatReply:
    return ChatReply(({"role": "assistant", "content": text},), Usage(1, **usage), "m-1", ("stop",))


@asynccontextmanager
async def served(
    path: Path, faults: Sequence[Fault] = (), latency: float = 0.0
) -> AsyncIterator[tuple[ChatServer, CachedChat, Journal]]:
    """A server that counts its requests in its replies, an endpoint, and a journal over it."""
    numbers = iter(range(10**6))
    with (
        ChatServer(lambda _: f"reply {next(numbers)}", faults=faults, latency=latency) as server,
        Journal(path) as journal,
    ):
        endpoint = Endpoint(server.base_url, retries=Retries(attempts=2, first=0.01))
        try:
            async with asyncio.timeout(20):
                yield server, CachedChat(endpoint, journal), journal
        finally:
            await endpoint.aclose()


async def test_a_reply_is_paid_once(tmp_path: Path) -> None:
    async with served(tmp_path / "deep" / "j.db") as (server, chat, _):
        first = await chat.complete(ASK)
        again = await chat.complete(ASK)
        assert again == first
        assert again.key == first.key == request_key(chat.base_url, ASK)
        assert (chat.paid, chat.cached) == (first.usage, first.usage)
        assert first.usage.prompt_tokens > 0
    assert len(server.requests) == 1


async def test_it_is_kept_for_the_next_process(tmp_path: Path) -> None:
    with ChatServer(lambda _: "hello") as server:
        endpoint = Endpoint(server.base_url)
        replies = []
        for _ in range(2):
            with Journal(tmp_path / "j.db") as journal:
                replies.append(await CachedChat(endpoint, journal).complete(ASK))
        await endpoint.aclose()
    assert replies[0] == replies[1]
    assert len(server.requests) == 1


DIFFERENT = [
    replace(ASK, model="n"),
    replace(ASK, messages=[{"role": "user", "content": "ho"}]),
    replace(ASK, messages=[*ASK.messages, *ASK.messages]),
    replace(ASK, tools=[{"type": "function"}]),
    replace(ASK, sampling={"temperature": 0.6}),
    replace(ASK, sampling={}),
    replace(ASK, sampling={"temperature": 1}),
    replace(ASK, sampling={"temperature": True}),
    replace(ASK, sampling={"temperature": 1.0}),
    replace(ASK, sampling={"temperature": "1"}),
    replace(ASK, sampling={"temperature": None}),
    replace(ASK, occurrence=1),
    ask("\U0001f600"),
    ask("\ud83d\ude00"),  # as Python holds it, two halves are not the whole
    ask("\\ud83d\\ude00"),
]


def test_everything_in_a_request_tells_it_apart() -> None:
    keys = {request_key(URL, request) for request in [ASK, *DIFFERENT]}
    keys.add(request_key("http://127.0.0.1:2/v1", ASK))
    assert len(keys) == len(DIFFERENT) + 2


def test_what_is_the_same_on_the_wire_is_the_same_request() -> None:
    request = ChatRequest("m", [{"content": "hi", "role": "user"}], [], {"temperature": 0.5}, 0)
    assert request_key(URL, request) == request_key(URL, ASK)


@pytest.mark.parametrize("value", [float("nan"), b"x", {1, 2}])
def test_what_is_not_json_is_a_defect(value: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        request_key(URL, replace(ASK, sampling={"seed": value}))


async def test_occurrences_are_asked_apart(tmp_path: Path) -> None:
    async with served(tmp_path / "j.db") as (_, chat, _journal):
        requests = [replace(ASK, occurrence=number) for number in range(3)]
        texts = [(await chat.complete(each)).messages[0]["content"] for each in requests * 2]
    assert texts == ["reply 0", "reply 1", "reply 2"] * 2


async def test_equal_requests_at_once_pay_once(tmp_path: Path) -> None:
    async with served(tmp_path / "j.db", latency=0.05) as (server, chat, _):
        replies = await asyncio.gather(*(chat.complete(ASK) for _ in range(20)))
        assert len({str(each) for each in replies}) == 1
        assert (chat.paid.calls, chat.cached.calls) == (1, 19)
    assert len(server.requests) == 1


async def test_a_failure_is_not_kept(tmp_path: Path) -> None:
    async with served(tmp_path / "j.db", faults=[status(400)]) as (server, chat, _):
        failures = await asyncio.gather(*[chat.complete(ASK)] * 1, return_exceptions=True)
        assert isinstance(failures[0], PolicyError)
        assert (await chat.complete(ASK)).messages[0]["content"] == "reply 0"
    assert len(server.requests) == 2


async def test_a_cancelled_call_is_still_kept(tmp_path: Path) -> None:
    async with served(tmp_path / "j.db", latency=0.2) as (server, chat, journal):
        task = asyncio.create_task(chat.complete(ASK))
        while not server.requests:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await chat.drain(5) == 0
        assert await journal.get(request_key(chat.base_url, ASK)) is not None
        await chat.complete(ASK)
    assert len(server.requests) == 1


async def test_drain_gives_up_in_time(tmp_path: Path) -> None:
    async with served(tmp_path / "j.db", latency=30) as (_, chat, _journal):
        tasks = [asyncio.create_task(chat.complete(ask(str(n)))) for n in range(3)]
        await asyncio.sleep(0.05)
        assert await chat.drain(0.05) == 3
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(each, asyncio.CancelledError) for each in results)
        assert await chat.drain(1) == 0


async def test_many_replies_at_once(tmp_path: Path) -> None:
    with Journal(tmp_path / "j.db") as journal:
        pairs = [(request_key(URL, ask(str(n))), reply(str(n))) for n in range(500)]
        kept = await asyncio.gather(
            *(journal.put(key, URL, "m", each) for key, each in pairs), return_exceptions=True
        )
        assert kept == [each for _, each in pairs]
        assert [await journal.get(key) for key, _ in pairs] == kept
    with pytest.raises(JournalError, match="closed"):
        await journal.put("00" * 32, URL, "m", reply("late"))
    journal.close()
    assert totals(tmp_path / "j.db").replies == 500


async def test_the_loop_runs_on_while_another_process_holds_the_file(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    with Journal(path) as journal, closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        putting = asyncio.create_task(journal.put("00" * 32, URL, "m", reply("x")))
        for _ in range(20):
            await asyncio.sleep(0.005)
            assert await journal.get("00" * 32) is None  # not before it is committed
        assert not putting.done()
        other.execute("COMMIT")
        assert await putting == reply("x") == await journal.get("00" * 32)


async def test_the_first_of_two_replies_counts(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    with Journal(path) as one, Journal(path) as other:
        await one.put("00" * 32, URL, "m", reply("first"))
        assert await other.put("00" * 32, URL, "m", reply("second")) == reply("first")


def test_it_serves_several_event_loops(tmp_path: Path) -> None:
    with Journal(tmp_path / "j.db") as journal:

        async def put(base: int) -> None:
            for number in range(base, base + 50):
                await journal.put(f"{number:064x}", URL, "m", reply(str(number)))

        threads = [threading.Thread(target=lambda b=b: asyncio.run(put(b))) for b in (0, 1000)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert asyncio.run(journal.get(f"{1049:064x}")) == reply("1049")


HOSTILE = st.sampled_from('\ud800\udbff\udc00\U0001f600\x00\x7f\u2028"\\\n\r/')
TEXT = st.lists(HOSTILE | st.characters(), max_size=8).map("".join)  # st.text draws no halves
NUMBER = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBER | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
MESSAGE = st.dictionaries(TEXT, JSON, max_size=4)
COUNT = st.integers(0, 2**53)


def test_a_hit_is_the_miss_byte_for_byte(tmp_path: Path) -> None:
    occurrences = iter(range(10**6))

    @settings(max_examples=100, deadline=None)
    @given(
        st.lists(MESSAGE, min_size=1, max_size=3),
        st.builds(Usage, COUNT, COUNT, COUNT, COUNT, st.floats(0, 1e9)),
        TEXT,
    )
    def check(messages: list[dict[str, Any]], usage: Usage, text: str) -> None:
        paid = ChatReply(tuple(messages), usage, text, (text,))
        request = ChatRequest(text, messages, occurrence=next(occurrences))
        key = request_key(URL, request)
        miss = runner.run(journal.put(key, URL, text, paid))
        hit = runner.run(journal.get(key))
        assert hit == miss == paid
        assert repr(hit) == repr(miss) == repr(paid)  # order of keys; 1 and 1.0 and True

    with Journal(tmp_path / "j.db") as journal, asyncio.Runner() as runner:
        check()
        assert len(entries(journal.path)) == 20


ASKER = """
import asyncio, os, signal, sys
from pathlib import Path
from engine.chat.base import ChatRequest
from engine.chat.endpoint import Endpoint
from engine.chat.journal import Journal, CachedChat

async def main(url, path, count, kill):
    endpoint = Endpoint(url)
    with Journal(Path(path)) as journal:
        chat = CachedChat(endpoint, journal)
        async def one(n):
            reply = await chat.complete(ChatRequest("m", [{"role": "user", "content": str(n)}]))
            print(n, reply.messages[0]["content"], flush=True)
            if n == kill:
                os.kill(os.getpid(), signal.SIGKILL)
        await asyncio.gather(*(one(n) for n in range(count)))
    await endpoint.aclose()

asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
"""


def asker(server: ChatServer, path: Path, count: int, kill: int = -1) -> subprocess.Popen[str]:
    """A process that asks `count` requests, and is killed -9 as the reply to `kill` arrives."""
    arguments = [server.base_url, str(path), str(count), str(kill)]
    return subprocess.Popen(
        [sys.executable, "-c", ASKER, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )


def test_many_open_a_new_journal_at_once(tmp_path: Path) -> None:
    at_once = 8
    for number in range(30):
        start = threading.Barrier(at_once)

        def opened(path: Path, start: threading.Barrier = start) -> None:
            start.wait()
            open_journal(path).close()

        with ThreadPoolExecutor(at_once) as pool:
            list(pool.map(opened, [tmp_path / f"{number}.db"] * at_once))


def test_two_processes_share_a_journal(tmp_path: Path) -> None:
    path, numbers = tmp_path / "j.db", iter(range(10**6))
    with ChatServer(lambda _: f"reply {next(numbers)}", latency=0.01) as server:
        askers = [asker(server, path, 100) for _ in range(2)]
        said = [sorted(each.communicate(timeout=30)[0].splitlines()) for each in askers]
        assert [each.returncode for each in askers] == [0, 0]
    assert said[0] == said[1]  # whoever paid, both use what was committed
    assert len(said[0]) == totals(path).replies == 100


def test_kill_9_loses_nothing_that_was_used(tmp_path: Path) -> None:
    path, numbers = tmp_path / "j.db", iter(range(10**6))
    with ChatServer(lambda _: f"reply {next(numbers)}", latency=0.01) as server:
        killed = asker(server, path, 200, kill=100)
        used = killed.communicate(timeout=30)[0].splitlines()
        assert killed.returncode == -signal.SIGKILL
        assert len(used) >= 100 / 2
        second = asker(server, path, 200)
        said = second.communicate(timeout=30)[0].splitlines()
    assert set(used) <= set(said)
    asked = [request["messages"][0]["content"] for request in server.requests]
    assert len(asked) - len(set(asked)) <= 64  # only what was under way is paid for twice
    paid = {line.split()[0] for line in used}
    assert all(asked.count(number) == 1 for number in paid)


def test_a_file_that_is_not_a_journal_is_left_alone(tmp_path: Path) -> None:
    corrupt = tmp_path / "corrupt.db"
    corrupt.write_bytes(b"this is no database, whatever its name" * 100)
    foreign = tmp_path / "foreign.db"
    with closing(sqlite3.connect(foreign)) as db:
        db.execute("CREATE TABLE replies (key)")
    newer = tmp_path / "newer.db"
    Journal(newer).close()
    with closing(sqlite3.connect(newer)) as db:
        db.execute("PRAGMA user_version = 99")
    folder = tmp_path / "folder"
    folder.mkdir()
    for path in (corrupt, foreign, newer):
        before = path.read_bytes()
        for use in (Journal, entries, totals, prune):
            with pytest.raises(JournalError, match=path.name):
                use(path)
        assert path.read_bytes() == before
    with pytest.raises(JournalError, match="folder"):
        Journal(folder)
    with pytest.raises(JournalError, match="there is no journal"):
        entries(tmp_path / "absent.db")


async def test_damage_in_the_middle_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    with Journal(path) as journal:
        await journal.put("00" * 32, URL, "m", reply("x"))
        with closing(sqlite3.connect(path)) as db, db:
            db.execute("UPDATE replies SET reply = x'ff'")
        with pytest.raises(JournalError, match=r"j\.db"):
            await journal.get("00" * 32)
        with closing(sqlite3.connect(path)) as db, db:
            db.execute("DROP TABLE replies")
        with pytest.raises(JournalError, match="no such table"):
            await journal.put("01" * 32, URL, "m", reply("x"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(JournalError):
        Journal(tmp_path / "j.db")


async def test_listing_and_pruning(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    with Journal(path) as journal:
        for number in range(6):
            request = replace(ASK, model=f"m{number % 2}")
            one = reply("x", prompt_tokens=10, completion_tokens=2, usd=0.5)
            await journal.put(f"{number:064x}", f"{URL}{number % 3}", request.model, one)
        with closing(sqlite3.connect(path)) as db, db:
            db.execute("UPDATE replies SET created = created - 3 * 86400 WHERE rowid <= 2")
        found = entries(path, model="m1", limit=2)
        assert [type(each) for each in found] == [Entry, Entry]
        assert found[0].time > found[1].time
        assert found[0].time.endswith("+00:00")
        assert (found[0].model, found[0].prompt_tokens, found[0].usd) == ("m1", 10, 0.5)
        size = sum(each.size for each in entries(path))
        assert totals(path) == Totals(6, 60, 12, 3.0, size)
        assert prune(path, older_than_days=2, model="m0", base_url=f"{URL}0") == 1
        assert prune(path, older_than_days=2) == 1
        assert prune(path, base_url=f"{URL}2") == 2
        assert await journal.get(f"{3:064x}") == one
        assert await journal.get(f"{5:064x}") is None
        assert prune(path) == 2
    assert totals(path) == Totals(0, 0, 0, 0.0, 0)
