"""A small game in the form of ALFWorld's `game.tw-pddl`: a kitchen with a fridge and a table."""

import json
from typing import Any

_DOMAIN = """
(define (domain house)
 (:requirements :adl :action-costs :typing)
 (:types agent location receptacle object)
 (:predicates
    (atLocation ?a - agent ?l - location)
    (receptacleAtLocation ?r - receptacle ?l - location)
    (openable ?r - receptacle)
    (opened ?r - receptacle)
    (inReceptacle ?o - object ?r - receptacle)
    (checked ?r - receptacle)
    (seen ?l - location)
    (holds ?a - agent ?o - object)
    (holdsAny ?a - agent))
 (:functions (total-cost) - number)
 (:action look
    :parameters (?a - agent ?l - location)
    :precondition (and (atLocation ?a ?l))
    :effect (and (seen ?l)))
 (:action GotoLocation
    :parameters (?a - agent ?lStart - location ?lEnd - location ?r - receptacle)
    :precondition (and (atLocation ?a ?lStart) (receptacleAtLocation ?r ?lEnd))
    :effect (and (not (atLocation ?a ?lStart)) (atLocation ?a ?lEnd) (increase (total-cost) 1)))
 (:action OpenObject
    :parameters (?a - agent ?l - location ?r - receptacle)
    :precondition (and (openable ?r) (atLocation ?a ?l) (receptacleAtLocation ?r ?l)
        (not (opened ?r)))
    :effect (and (opened ?r) (checked ?r) (increase (total-cost) 1)))
 (:action PickupObject
    :parameters (?a - agent ?l - location ?o - object ?r - receptacle)
    :precondition (and (atLocation ?a ?l) (receptacleAtLocation ?r ?l) (inReceptacle ?o ?r)
        (not (holdsAny ?a)) (or (not (openable ?r)) (opened ?r)))
    :effect (and (not (inReceptacle ?o ?r)) (holds ?a ?o) (holdsAny ?a) (increase (total-cost) 1)))
 (:action PutObject
    :parameters (?a - agent ?l - location ?o - object ?r - receptacle)
    :precondition (and (atLocation ?a ?l) (receptacleAtLocation ?r ?l) (holds ?a ?o)
        (or (not (openable ?r)) (opened ?r)))
    :effect (and (inReceptacle ?o ?r) (not (holds ?a ?o)) (not (holdsAny ?a))
        (increase (total-cost) 1))))
"""
_PROBLEM = """
(define (problem kitchen) (:domain house)
 (:objects agent1 - agent
    loc_bar_0 loc_bar_1 loc_bar_2 - location
    Fridge_bar_a Table_bar_a Table_bar_b - receptacle
    Apple_bar_a Apple_bar_b - object)
 (:init (= (total-cost) 0) (atLocation agent1 loc_bar_0)
    (receptacleAtLocation Fridge_bar_a loc_bar_0) (receptacleAtLocation Table_bar_a loc_bar_1)
    (receptacleAtLocation Table_bar_b loc_bar_2) (openable Fridge_bar_a)
    (inReceptacle Apple_bar_a Fridge_bar_a) (inReceptacle Apple_bar_b Table_bar_a))
 (:goal (and (inReceptacle Apple_bar_a Table_bar_a)))
 (:metric minimize (total-cost)))
"""
_SHOWN = "[{o.indefinite + ' ' + o.name | inreceptacle(o:object, r:receptacle)}]"
_ROOM = "You see [{r.indefinite + ' ' + r.name | receptacleatlocation(r:receptacle, l2:location)}]."
_RULES = {
    "intro": "-= Welcome to the house! =-\\n\\n" + _ROOM + "\\n\\n#task#",
    "task": "Your task is to: put the apple of the fridge on a table.",
    "list_empty": "nothing",
    "list_separator": ", ",
    "list_last_separator": ", and ",
    "look.feedback": _ROOM,
    "GotoLocation.feedback": "You arrive at {r.name}.",
    "OpenObject.feedback": f"You open the {{r.name}}. In it, you see {_SHOWN}.",
    "PickupObject.feedback": "You pick up the {o.name} from the {r.name}.",
    "PutObject.feedback": f"You move the {{o.name}}. Now there is {_SHOWN}.",
}
_ACTIONS = {
    "look": "look",
    "GotoLocation": "go to [{r.name | receptacleatlocation(r:receptacle, lend:location)}]",
    "OpenObject": "open {r}",
    "PickupObject": "take {o} from {r}",
    "PutObject": "move {o} to {r}",
}
WALKTHROUGH = ["open fridge 1", "take apple 2 from fridge 1", "go to table 2",
               "move apple 2 to table 2"]  # fmt: skip


def game(**changed: str) -> dict[str, Any]:
    """Return the game; `changed` replaces texts of its grammar."""
    rules = {name: [{"rhs": text}] for name, text in (_RULES | changed).items()}
    actions = "\n".join(
        f'action {name} {{\n    template :: "{form}";\n    feedback :: "#{name}.feedback#";\n}}\n'
        for name, form in _ACTIONS.items()
    )
    grammar = f'\ngrammar :: """\n{json.dumps(rules, indent=4)}\n""";\n\n{actions}'.replace(
        "\\\\n", "\\n"
    )
    return {
        "pddl_domain": _DOMAIN,
        "grammar": grammar,
        "pddl_problem": _PROBLEM,
        "solvable": True,
        "walkthrough": WALKTHROUGH,
    }
