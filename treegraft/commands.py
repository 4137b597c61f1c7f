"""The `engine` and `trainer` commands: what each part is called, where it is, and what it does.

The functions parse flags, call the Python API and print. They are imported when they are run.
"""

import sys

import typer

from engine.cli.lazy import lazy_app
from engine.terminal import guarded

ENGINE = {
    "explore": ("engine.cli.explore:explore", "Search tasks and keep every state visited."),
    "rounds": ("treegraft.rounds.cli:rounds", "Explore, export, train, evaluate; then repeat."),
    "stats": ("engine.cli.runs:stats", "Print a run's solve rate, cost and tree shapes."),
    "show": ("engine.cli.runs:show", "Print a task's tree, or list a run's tasks."),
    "view": ("engine.cli.view:view", "Show a run in the browser, and annotate it."),
    "import": ("engine.cli.import_:import_run", "Make a run of what another system recorded."),
    "export": ("engine.cli.export:export", "Write SFT rows or DPO pairs."),
    "correct": ("engine.cli.correct:correct", "Correct a step, and play its path again."),
    "benchmark": ("engine.cli.benchmark:benchmark", "Freeze reviewed steps as references."),
    "credit": ("engine.cli.credit:credit", "Value each state of a run by playing on from it."),
    "branch": ("engine.cli.branch:branch", "Branch failed paths where they went wrong."),
    "judge": ("engine.cli.judge:judge", "Judge the steps of a run's successful paths."),
    "make": ("engine.cli.make:make", "Make tasks, templates, thoughts and negatives."),
    "audit": ("treegraft.audit.cli:audit", "Find what is wrong with rows; write a data card."),
    "push": ("treegraft.push.cli:push", "Push rows and their card to the Hugging Face Hub."),
    "validate": ("engine.cli.validate:validate", "Find broken tasks by playing their solutions."),
    "bench-env": ("engine.cli.bench_env:bench_env", "Time steps and snapshots of an environment."),
    "new-env": ("engine.cli.new_env:new_env", "Write a small world of your own, to be changed."),
    "envs": ("engine.cli.envs:envs", "List environments, or the options of one."),
    "doctor": ("engine.cli.doctor:doctor", "Say what this machine can do."),
    "cache": ("engine.cli.cache:cache", "List and prune the journal of paid replies."),
    "sandbox": ("engine.cli.sandbox:sandbox", "Check and build sandboxes."),
    "proxy": ("engine.cli.proxy:proxy", "Serve an endpoint whose replies are paid once."),
    "serve-env": ("engine.cli.serve_env:serve_env", "Serve an environment to OpenEnv's clients."),
    "shop": ("engine.cli.shop:shop", "Let people play tasks of the web shop."),
}
TRAINER = {
    "sft": ("trainer.cli.train:sft", "Fine-tune a model on rows."),
    "dpo": ("trainer.cli.train:dpo", "Train a model on preference pairs."),
    "kto": ("trainer.cli.train:kto", "Train a model on rows labelled good or bad."),
    "distill": ("trainer.cli.train:distill", "Train a model on a teacher's probabilities."),
    "data": ("trainer.cli.data:data", "Say what files of rows hold, and what would be left out."),
    "mask": ("trainer.cli.mask:mask", "Show and prove which tokens are trained on."),
    "plan": ("trainer.cli.plan:plan", "Say what memory, time and money a training takes."),
    "eval": ("trainer.cli.eval:eval_", "Measure a model in an environment; compare runs."),
    "gguf": ("trainer.cli.gguf:gguf", "Write a student for llama.cpp and Ollama."),
    "serve": ("trainer.cli.serve:serve", "Serve a model behind OpenAI's chat API."),
}


def engine_app() -> typer.Typer:
    """Return the `engine` command."""
    return lazy_app("engine", "Explore tool environments; export rows to train on.", ENGINE)


def trainer_app() -> typer.Typer:
    """Return the `trainer` command."""
    return lazy_app("trainer", "Train a student on rows; measure it in environments.", TRAINER)


def engine() -> None:
    """Run the `engine` command."""
    sys.exit(guarded(engine_app()))


def trainer() -> None:
    """Run the `trainer` command."""
    sys.exit(guarded(trainer_app()))
