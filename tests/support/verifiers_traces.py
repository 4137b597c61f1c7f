"""Write a file of traces with the real package verifiers (0.3.1), its own graph and its own writer.

    .venv/openenv/bin/python -m tests.support.verifiers_traces tests/golden/verifiers

The trace has two branches: after the first answer of the tool, the agent replied twice.
"""

import sys
from pathlib import Path


def write(folder: Path, rewards: tuple[float, ...] = (1.0, 0.0)) -> Path:
    """Write `traces.jsonl` into `folder`: an episode for each reward."""
    from verifiers.v1.cli.output import write_episode
    from verifiers.v1.configs.agent import WireAgentConfig
    from verifiers.v1.episode import WireEpisode
    from verifiers.v1.graph import MessageNode
    from verifiers.v1.task import WireTaskData
    from verifiers.v1.trace import AgentInfo, ModelCall, TraceTask, WireTrace
    from verifiers.v1.types import (
        AssistantMessage,
        SystemMessage,
        Tool,
        ToolCall,
        ToolMessage,
        Usage,
        UserMessage,
    )

    folder.mkdir(parents=True, exist_ok=True)
    for number, reward in enumerate(rewards):
        call = ToolCall(id=f"call_{number}", name="run", arguments='{"command":"ls"}')
        said = ("There is a.txt.", "There is b.txt.")[number % 2]
        nodes = [
            MessageNode(message=SystemMessage(content="You are an agent."), token_ids=[1, 2]),
            MessageNode(parent=0, message=UserMessage(content="List the files."), token_ids=[3]),
            MessageNode(
                parent=1,
                message=AssistantMessage(reasoning_content="I list them.", tool_calls=[call]),
                sampled=True,
                token_ids=[4, 101, 102],
                mask=[False, True, True],
                logprobs=[-0.1, -0.2],
            ),
            MessageNode(parent=2, message=ToolMessage(tool_call_id=call.id, content="a.txt")),
            MessageNode(
                parent=3,
                message=AssistantMessage(content=said),
                sampled=True,
                token_ids=[4, 103],
                mask=[False, True],
                logprobs=[-0.3],
            ),
        ]
        if not number:
            other = AssistantMessage(content="I cannot say.")
            nodes.append(MessageNode(parent=3, message=other, sampled=True))
        used = Usage(prompt_tokens=3, completion_tokens=2, cached_input_tokens=1, cost=0.001)
        task = TraceTask(type="Files", data=WireTaskData(idx=0), key="files-0")
        trace = WireTrace(
            id=f"trace{number}",
            task=task,
            agent=AgentInfo(config=WireAgentConfig()),
            tools=[Tool(name="run", description="Run.", parameters={"type": "object"})],
            nodes=nodes,
            calls=[ModelCall(node=2, model="small", usage=used, finish_reason="tool_calls")],
            is_completed=True,
            ok=True,
            stop_condition="agent_completed",
        )
        trace.record_reward("files", reward)
        write_episode(folder, WireEpisode(id=f"e{number}", task=task, ok=True, traces=[trace]))
    return folder / "traces.jsonl"


if __name__ == "__main__":
    write(Path(sys.argv[1]))
