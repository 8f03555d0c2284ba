"""One step of one environment as a graph of tensor operations without side effects.

Everything that differs between environments or from step to step is an input: what the
environment carries from step to step, the numbers of its city, and actions and shocks. What is
left are numbers that options and sizes fix.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch._decomp import core_aten_decompositions
from torch._functorch.compile_utils import fx_graph_cse
from torch.func import functionalize
from torch.fx import Graph
from torch.fx.experimental.proxy_tensor import make_fx

from envs.city import tree
from envs.city.dynamics import Moved
from envs.city.parameters import Parameters
from envs.city.shocks import Shocks
from envs.errors import CompileError
from envs.governance import GovernanceEnv
from envs.ground import Ground
from envs.groups import StepResult

#: Tensors by the path of names that leads to them.
Named = dict[str, Tensor]
#: Parts of a city beside its parameters.
CITY = ("geography", "fundamentals", "start", "drift", "panel")


@dataclass(frozen=True)
class Trace:
    """A step of one environment as a graph.

    Placeholders are ``carried``, ``ground`` and ``given``, results ``carried`` and ``told``, each
    in order: shapes by name, whose first axis counts the rows of an environment (governed, copies,
    twin), or is one. form: a tree with a tensor for every one told. read: names of inputs that the
    step reads.
    """

    graph: Graph
    carried: dict[str, torch.Size]
    ground: dict[str, torch.Size]
    given: dict[str, torch.Size]
    told: dict[str, torch.Size]
    form: dict[str, Any]
    read: frozenset[str]


def carried(env: GovernanceEnv) -> dict[str, Any]:
    """What an environment carries from step to step, a tree."""
    return {
        "state": env._state,
        "flows": env._flows,
        "potential": env._potential,
        "said": env._said,
    }


def numbers(env: GovernanceEnv) -> dict[str, Any]:
    """Numbers of the cities that an environment stands on, a tree."""
    on = env._ground
    return {
        "parameters": on.model.parameters.values,
        **{name: getattr(on.model, name) for name in CITY},
        "first": on.first,
        "reference": on.reference,
        "start_values": on.start_values,
        "beta": on.beta,
        "prices": on.prices.prices,
        "told": on.told,
        "published": env._publication.start,
    }


def standing(on: Ground, found: dict[str, Any]) -> Ground:
    """A ground with other numbers, whose rows all stand on one city."""
    model = replace(
        on.model,
        parameters=Parameters(found["parameters"]),
        **{name: found[name] for name in CITY},
    )
    prices = replace(on.prices, prices=found["prices"])
    rest = {name: found[name] for name in ("first", "reference", "start_values", "beta", "told")}
    return replace(on, model=model, governed=model, prices=prices, **rest)


def given(actions: Named, weather: list[Moved], lived: Tensor) -> dict[str, Any]:
    """What comes with a step, a tree."""
    months = {str(month): moved for month, moved in enumerate(weather)}
    return {"actions": actions, "weather": months, "lived": lived}


def told(result: StepResult) -> dict[str, Any]:
    """What a step tells, a tree."""
    info = {name: x for name, x in result.info.items() if name != "final_observations"}
    return {
        "observations": result.observations,
        "rewards": result.rewards,
        "costs": result.costs,
        "info": info,
    }


class OneEnv(GovernanceEnv):
    """An environment of one row whose weather is told."""

    forecast: list[Moved]

    def _weather(self) -> Shocks:
        return self._repeated(self._dynamics.shocks(self.forecast.pop(0)))


def trace(env: GovernanceEnv) -> Trace:
    """Trace a step of an environment that stands on the first city of ``env``.

    Raises:
        CompileError: the step hangs on values, so that no one graph is the step.
    """
    one = OneEnv(env.scenario, env.options, env.city, 1, env._first_row, env.dtype, env.device)
    # which stocks have a price is settled for all rows together
    priced = replace(env._ground.prices, prices=tree.tree_map(_first, env._ground.prices.prices))
    one._ground = on = replace(one._ground, prices=priced)
    quiet = [one._dynamics.move() for _ in range(one.months_per_step)]
    lived = one._lived.to(one.dtype)
    trees = [carried(one), numbers(one), given(one._quiet_actions(), quiet, lived)]
    results: dict[str, torch.Size] = {}
    form: dict[str, Any] = {}

    def step(*flat: Tensor) -> list[Tensor]:
        source = iter(flat)
        before, ground, now = (_filled(each, source) for each in trees)
        one._ground, one._publication.start = standing(on, ground), ground["published"]
        one._state, one._flows = before["state"], before["flows"]
        one._potential, one._said = before["potential"], before["said"]
        one._lived = now["lived"]
        one.forecast = list(now["weather"].values())
        result = told(one._govern(now["actions"]))
        results.update((name, x.shape) for name, x in tree.leaves(result))
        form.update(tree.tree_map(lambda x: torch.empty(0), result))
        after = dict(tree.leaves(carried(one)))
        return [*(after[name] for name in names), *(x for _, x in tree.leaves(result))]

    names = [name for name, _ in tree.leaves(trees[0])]
    inputs = [x.clone() for each in trees for _, x in tree.leaves(each)]
    with torch.no_grad():
        step(*inputs)  # once as it is: what modules keep for later must not come from the trace
    pure = functionalize(step, remove="mutations")  # type: ignore[no-untyped-call]
    try:
        with torch.no_grad(), _uncollected():
            found = make_fx(pure, decomposition_table=dict(core_aten_decompositions()))(*inputs)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[0]
        raise CompileError(f"scenario {env.scenario!r} cannot be compiled: {reason}") from error
    found.graph = fx_graph_cse(found.graph)  # type: ignore[no-untyped-call]
    found.graph.eliminate_dead_code()
    before, ground, now = ({name: x.shape for name, x in tree.leaves(each)} for each in trees)
    every = [*before, *ground, *now]
    nodes = [node for node in found.graph.nodes if node.op == "placeholder"]
    read = frozenset(name for name, node in zip(every, nodes, strict=True) if node.users)
    return Trace(found.graph, before, ground, now, results, form, read)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the garbage collector, which looks through all that a trace keeps again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _filled(like: dict[str, Any], source: Iterator[Tensor]) -> dict[str, Any]:
    return tree.tree_map(lambda _: next(source), like)


def _first(x: Tensor) -> Tensor:
    return x[:1]
