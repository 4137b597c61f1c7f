"""How failed paths are branched, and the config of the run that this makes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

from engine.config import Config, current_names, one_of
from engine.credit.plays_on import PlaysOn, config_with, repeats_itself
from engine.errors import UsageError
from engine.panels import SEARCH, TEACHER
from engine.runs.world_of_run import IMPORTED
from search import PLAYED_ON, Branching, Tree
from search.branching import At


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchSettings(PlaysOn):
    """Who plays on, and where.

    Attributes:
        at: What says at which step a path went wrong: failure (bisecting with continuations: the
            policy solves the task from the state before it and no more from the one after it), or
            low-value (values: the run is one of `engine credit`).
        below: A lower value than this is low (--at low-value).
        tries: Continuations of a state that say whether the policy still solves the task there
            (--at failure).
        width: Continuations at most of the state at which a path is branched.
        max_solutions: Successful continuations of that state after which a path is done.
        paths: Failed paths of a task at most.
        depth: Steps per path; never less than the longest failed path has.
        splice: After a success, also play the rest of it after the wrong step, without asking the
            policy: for recovery rows.
        grader: MODEL or MODEL@URL that grades answers to tasks without a known answer; its key is
            OPENAI_API_KEY.
        world: Options of `Config` that name the world: env, data, split, env_args; empty for the
            run's own.
    """

    at: At = field(default="failure", metadata={"panel": SEARCH, "type": str})
    below: float = field(default=0.5, metadata={"panel": SEARCH, "above": 0, "max": 1})
    tries: int = field(default=4, metadata={"panel": SEARCH, "min": 1})
    width: int = field(default=8, metadata={"panel": SEARCH, "min": 1})
    max_solutions: int = field(default=1, metadata={"panel": SEARCH, "min": 1})
    paths: int = field(default=1, metadata={"panel": SEARCH, "min": 1})
    depth: int | None = field(
        default=None, metadata={"panel": SEARCH, "min": 1, "default": "the run's"}
    )
    splice: bool = field(default=True, metadata={"panel": SEARCH})
    grader: str = field(default="", metadata={"panel": TEACHER, "default": "the run's"})
    world: Mapping[str, Any] = field(default_factory=dict, metadata={"hidden": True})

    def __post_init__(self) -> None:
        PlaysOn.__post_init__(self)
        one_of("at", self.at, get_args(At))

    def kept(self, stored: Mapping[str, Any]) -> dict[str, Any]:
        """Return the options of the run that is made, from the stored config of the branched one.

        Raises:
            UsageError: The world or the policy is missing, or the run has no values.
        """
        imported, world = stored["env"] == IMPORTED, self.world
        if imported and not world:
            raise UsageError("the run was imported and names no world: name it with --env")
        if imported and not self.policy:
            raise UsageError(
                "the run was imported, so nobody can play on in it: name a model with --policy, "
                "or demonstration"
            )
        if self.at == "low-value" and stored.get("search") not in PLAYED_ON:
            raise UsageError(
                "--at low-value: the run holds no values of states; make them with `engine credit "
                "RUN` and branch RUN/credit, or use --at failure"
            )
        default = Config(env=world.get("env", stored["env"])).to_dict()
        of_world = {name: default[name] for name in _WORLD} | dict(world) if world else {}
        own = {} if imported else current_names(stored)
        graded = {"grader": self.grader} if self.grader else {}
        return self.options(default | own | of_world | graded)

    def config(
        self, options: Mapping[str, Any], longest: int, trees: Callable[[str], Sequence[Tree]]
    ) -> Config:
        """Return the config of the run that is made.

        Args:
            options: Those that `kept` returned.
            longest: Steps of the longest failed path.
            trees: Returns the earlier trees of a task of the world.

        Raises:
            UsageError: The options do not go together.
        """
        once = repeats_itself(options)
        search = Branching(
            at=self.at,
            below=self.below,
            tries=1 if once else self.tries,
            width=1 if once else self.width,
            max_solutions=self.max_solutions,
            paths=self.paths,
            depth=max(self.depth or options["depth"], longest),
            retries=options["retries"],
            splice=self.splice,
            trees=trees,
        )
        return config_with(options, search)


_WORLD = ("env", "data", "split", "env_args", "sandbox")
