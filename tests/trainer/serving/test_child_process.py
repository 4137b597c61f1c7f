"""Other servers as child processes: their command lines, start and end.

vLLM is not installed for the tests: a program called `vllm` that answers /health stands for it.
"""

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.web import HOST, listen
from tests.support.child_servers import announced, command_of
from tests.support.faults import gone
from trainer.errors import TrainerError
from trainer.serving import child_process, choose, external
from trainer.serving.options import Announcement, ServeOptions
from trainer.tokens.chat_template import ChatTemplate

ROOT = Path(__file__).parents[3]
SERVER = """\
import os, pathlib, signal, sys
from http.server import BaseHTTPRequestHandler, HTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/health" else 404)
        self.end_headers()

def end(number, _):
    print("asked to stop")
    sys.exit(0)

signal.signal(signal.SIGTERM, end)
pathlib.Path(os.environ["SEEN"]).write_text(" ".join([str(os.getpid()), *sys.argv[1:]]))
print("loading", flush=True)
port = int(sys.argv[sys.argv.index("--port") + 1])
HTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""
FAILING = "import sys; print('no GPU here'); print('  giving up'); sys.exit(3)"


@pytest.fixture
def seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the stand-in writes its process id and its arguments."""
    monkeypatch.setenv("SEEN", str(tmp_path / "seen"))
    return tmp_path / "seen"


def stand_in(code: str) -> tuple[external.ServerCommand, str]:
    with listen(HOST, 0) as listener:
        port = listener.getsockname()[1]
    command = [sys.executable, "-c", code, "--port", str(port)]
    return external.ServerCommand(command, "m"), f"http://127.0.0.1:{port}/v1"


def test_a_child_is_announced_when_it_answers_and_ends_on_a_signal(
    seen: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command, url = stand_in(SERVER)
    heard = []

    def ready(server: Announcement) -> None:
        heard.append(server)
        os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    said = child_process.run(command, "vllm", url, ready)
    assert heard == [Announcement("m", url, "vllm")]
    assert said.startswith("vllm served for ")
    shown = capsys.readouterr().err
    assert "loading\n" in shown and "asked to stop\n" in shown
    assert not command_of(int(seen.read_text().split()[0]))
    assert signal.getsignal(signal.SIGTERM) is before


def test_the_error_of_a_child_that_does_not_start_has_its_last_output() -> None:
    command, url = stand_in(FAILING)
    with pytest.raises(
        child_process.ServerStartError, match="status 3.*output: no GPU here / giving up"
    ):
        child_process.run(command, "vllm", url, lambda server: None)


def test_a_child_that_ends_without_a_signal_is_an_error(seen: Path) -> None:
    command, url = stand_in(SERVER)

    def ready(server: Announcement) -> None:
        os.kill(int(seen.read_text().split()[0]), signal.SIGKILL)

    with pytest.raises(TrainerError, match="vllm ended with exit status -9") as caught:
        child_process.run(command, "vllm", url, ready)
    assert not isinstance(caught.value, child_process.ServerStartError)


def test_the_command_line_of_vllm(tiny: Path) -> None:
    model = str(tiny)
    options = ServeOptions(model, port=5, key="secret", context=99, slots=7, name="student")
    command = external.vllm_command(["vllm"], options, hermes=True)
    assert command.arguments == [
        *("vllm", "serve", model, "--served-model-name", "student"),
        *("--host", "127.0.0.1", "--port", "5"),
        *("--max-model-len", "99", "--max-num-seqs", "7"),
        *("--enable-auto-tool-choice", "--tool-call-parser", "hermes"),
    ]
    assert (command.model_name, dict(command.env)) == ("student", {"VLLM_API_KEY": "secret"})
    plain = external.vllm_command(["vllm"], ServeOptions("owner/model", port=5), hermes=False)
    assert plain.arguments[2:5] == ["owner/model", "--served-model-name", "owner/model"]
    assert not {"--max-model-len", "--tool-call-parser"} & set(plain.arguments)
    assert plain.env == {}


def test_the_command_line_of_transformers(tiny: Path) -> None:
    options = ServeOptions(str(tiny), host="0.0.0.0", port=5)
    command = external.transformers_command(["t"], options, bf16=True)
    where = ["--host", "0.0.0.0", "--port", "5", "--dtype", "bfloat16"]
    assert command.arguments == ["t", "serve", str(tiny), *where]
    assert command.model_name == str(tiny), "it knows no other names"
    for changed in ({"slots": 3}, {"context": 9}, {"name": "n"}, {"key": "k"}):
        with pytest.raises(TrainerError, match="--backend transformers has no --"):
            external.transformers_command(["t"], ServeOptions("m", **changed), bf16=True)  # type: ignore[arg-type]


def test_templates_that_write_tool_call_json_are_known(renderer: ChatTemplate) -> None:
    assert not external.writes_hermes(renderer), "the embedded student's drops tools"


def test_auto_takes_the_first_usable_backend(
    tiny: Path, seen: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ServeOptions(str(tiny))
    first, *_ = choose.candidates(options)
    assert first == "builtin"
    monkeypatch.setenv("PATH", str(script(seen.parent, SERVER).parent), prepend=os.pathsep)
    assert choose.candidates(options)[:2] == ["vllm", "builtin"]
    assert choose.candidates(ServeOptions(str(tiny), "transformers")) == ["transformers"]


def script(folder: Path, code: str) -> Path:
    """A command `vllm` in its own folder."""
    made = folder / "bin" / "vllm"
    made.parent.mkdir()
    made.write_text(f"#!{sys.executable}\n{code}", "utf-8")
    made.chmod(made.stat().st_mode | stat.S_IXUSR)
    return made


@pytest.fixture
def command(seen: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []
    yield started
    for process in started:
        process.kill()
        process.communicate()


def serve(*flags: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "trainer", "serve", *flags, "--port", "0", "--json"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_killed_command_leaves_no_child(
    tiny: Path,
    seen: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: list[subprocess.Popen[str]],
) -> None:
    monkeypatch.setenv("PATH", str(script(seen.parent, SERVER).parent), prepend=os.pathsep)
    command.append(process := serve(str(tiny), "--backend", "vllm", "--name", "s"))
    said = announced(process)
    pid, *arguments = seen.read_text("utf-8").split()
    assert said == {"model": "s", "base_url": said["base_url"], "backend": "vllm"}
    assert arguments[:3] == ["serve", str(tiny), "--served-model-name"]
    assert said["base_url"] == f"http://127.0.0.1:{arguments[arguments.index('--port') + 1]}/v1"
    process.kill()
    gone(lambda: command_of(int(pid)), seconds=10)  # this file runs at the lowest priority


def test_auto_continues_if_the_first_does_not_start(
    tiny: Path,
    seen: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: list[subprocess.Popen[str]],
) -> None:
    monkeypatch.setenv("PATH", str(script(seen.parent, FAILING).parent), prepend=os.pathsep)
    command.append(process := serve(str(tiny)))
    assert announced(process)["backend"] == "builtin"
    process.send_signal(signal.SIGINT)
    _, words = process.communicate(timeout=60)
    assert process.returncode == 0, words
    assert "its last output: no GPU here / giving up; trying the next backend" in words
    assert words.endswith(" s\n") and "answered 0 requests with 0 tokens in " in words
