"""Write the golden files of ATIF with Harbor's published models, which need Python 3.12.

    python3.12 -m venv harbor && harbor/bin/pip install harbor==0.26.0
    harbor/bin/python tests/support/harbor_files.py tests/golden

With a folder of trajectories after that, it checks them with the models:

    harbor/bin/python tests/support/harbor_files.py tests/golden DIR
"""

import json
import sys
from pathlib import Path

from harbor.models.trajectories import (
    Agent,
    FinalMetrics,
    Metrics,
    Observation,
    ObservationResult,
    Step,
    ToolCall,
    Trajectory,
)

RUN = {"type": "function", "function": {"name": "run", "description": "Run.", "parameters": {}}}


def trajectory() -> Trajectory:
    call = ToolCall(tool_call_id="call_0_1", function_name="run", arguments={"command": "ls"})
    result = ObservationResult(source_call_id="call_0_1", content="a.txt", extra={"exit_code": 0})
    spent = Metrics(
        prompt_tokens=20,
        completion_tokens=3,
        cached_tokens=8,
        cost_usd=0.002,
        prompt_token_ids=[1, 2, 3, 4],
        completion_token_ids=[101, 102, 103],
        logprobs=[-0.1, -0.2, -0.3],
    )
    steps = [
        Step(step_id=1, source="system", message="You are an agent."),
        Step(step_id=2, source="user", message="List the files.", timestamp="2026-10-01T10:00:00Z"),
        Step(
            step_id=3,
            source="agent",
            message="",
            reasoning_content="I list them.",
            tool_calls=[call],
            observation=Observation(results=[result]),
            metrics=spent,
            timestamp="2026-10-01T10:00:01Z",
            llm_call_count=1,
            extra={"note": "first"},
        ),
        Step(
            step_id=4,
            source="agent",
            message="There is a.txt.",
            model_name="small-model",
            metrics=Metrics(prompt_tokens=30, completion_tokens=4, cost_usd=0.001),
        ),
    ]
    return Trajectory(
        schema_version="ATIF-v1.7",
        session_id="session-1",
        agent=Agent(name="shell", version="1.0", model_name="model", tool_definitions=[RUN]),
        steps=steps,
        final_metrics=FinalMetrics(
            total_prompt_tokens=50, total_completion_tokens=7, total_cost_usd=0.003
        ),
    )


def main(golden: Path, folders: list[Path]) -> None:
    text = json.dumps(Trajectory.model_json_schema(), indent=1, sort_keys=True)
    (golden / "atif_schema.json").write_text(text + "\n")
    text = json.dumps(trajectory().to_json_dict(), indent=1)
    (golden / "atif_harbor.json").write_text(text + "\n")
    for file in (file for folder in folders for file in sorted(folder.glob("*.json"))):
        Trajectory.model_validate_json(file.read_text())
        print(f"{file.name}: valid")


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(each) for each in sys.argv[2:]])
