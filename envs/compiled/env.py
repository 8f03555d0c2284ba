"""The governance environment whose step is one compiled program.

The same equations, traced from the step itself, so that a new lever, cost or scenario needs
nothing here. Sums are taken in another order than torch takes them: figures agree to about seven
digits less what they lose where large numbers cancel, not to the bit. Nothing flows back: learners
that climb gradients through the model need the step as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

import torch
from torch import Tensor

from envs.city import tree
from envs.city.dynamics import Moved
from envs.city.model import City
from envs.city.shocks import Shocks
from envs.compiled import library
from envs.compiled.step import CompiledStep
from envs.compiled.trace import carried, given, told, trace
from envs.errors import CompileError
from envs.governance import GovernanceEnv
from envs.groups import StepResult
from envs.scenario import Scenario

#: What a new program is proven by, and how far it may be off: a share of a unit, or of the figure.
PROVEN = ("observations", "rewards", "costs")
TOLERANCE = 1e-3


def problems(options: Scenario, dtype: torch.dtype, device: torch.device) -> list[str]:
    """Why a step cannot be compiled, in words."""
    found = []
    if dtype != torch.float32:
        found.append(f"dtype={dtype}: expected torch.float32")
    if device.type != "cpu":
        found.append(f"device={str(device)!r}: expected 'cpu'")
    if options.terminal != "costates":
        found.append(f"terminal={options.terminal!r}: expected 'costates'; a tail is simulated")
    if options.regime != "none":
        found.append(f"regime={options.regime!r}: expected 'none'; a break changes the equations")
    if options.information < 1 or options.bulletin:
        found.append(
            f"information={options.information}, bulletin={options.bulletin}: expected 1 and "
            "False; a channel of information draws its errors as it goes"
        )
    return found


class Carried:
    """A part of what is carried from step to step, as tensors."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name.removeprefix("_")

    def __get__(self, env: CompiledEnv, owner: type | None = None) -> Any:
        return env.opened()[self.name]

    def __set__(self, env: CompiledEnv, value: Any) -> None:
        env.opened()[self.name] = value
        env.tiles = None


class CompiledEnv(GovernanceEnv):
    """``GovernanceEnv`` with a compiled step; everything else is as there.

    What is carried from step to step lies in the program's own order, and as tensors too from when
    somebody asks for it until the next step. The step is traced and compiled when it is first
    made, and anew where options change.

    Raises:
        CompileError: options, dtype or device that cannot be compiled, all in one message; no
            compiler; gradients that are asked of a step.
    """

    _state = Carried()
    _flows = Carried()
    _potential = Carried()
    _said = Carried()

    def __init__(
        self,
        scenario_id: str,
        scenario: Scenario,
        city: City,
        num_envs: int,
        seed: int,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        if found := problems(scenario, dtype, torch.device(device)):
            raise CompileError(f"scenario {scenario_id!r} cannot be compiled: {'; '.join(found)}")
        library.compiler()
        self.tiles: Tensor | None = None
        self._opened: dict[str, Any] | None = {}
        self._told_weather: Moved | None = None
        self._program: CompiledStep | None = None
        self._forecast: list[Moved] = []
        self._standing = False
        super().__init__(scenario_id, scenario, city, num_envs, seed, dtype, device)

    def opened(self) -> dict[str, Any]:
        """What is carried from step to step, a tree of tensors."""
        if self._opened is None:
            assert self._program is not None
            assert self.tiles is not None
            found = self._program.opened(*self._last, self.tiles)
            names = iter(name for name, _ in tree.leaves(self._form))
            self._opened = tree.tree_map(lambda _: found[next(names)], self._form)
        return self._opened

    @property
    def _shocks(self) -> Shocks:
        """Shocks of the last month, of all rows."""
        if self._told_weather is not None:
            shocks = self._repeated(self._dynamics.shocks(self._told_weather))
            self._last_shocks, self._told_weather = shocks, None
        return self._last_shocks

    @_shocks.setter
    def _shocks(self, shocks: Shocks) -> None:
        self._last_shocks, self._told_weather = shocks, None

    def suppose(self, jump: Tensor, month: Tensor) -> NoReturn:
        """Refused: a compiled city does not break.

        Raises:
            CompileError: always.
        """
        raise CompileError("a compiled step supposes no breaks: make the world without compiled")

    def _lay(self) -> None:
        super()._lay()
        self._standing = False

    def _restart(self, rows: list[int]) -> None:
        if len(rows) == self.num_envs and self._opened is None:
            self._opened = {"said": self._form["said"]}  # the rest starts anew
        super()._restart(rows)

    def _weather(self) -> Shocks:
        if not self._forecast:
            return super()._weather()
        return self._repeated(self._dynamics.shocks(self._forecast.pop(0)))

    def _govern(self, asked: Mapping[str, Tensor]) -> StepResult:
        if torch.is_grad_enabled() and any(x.requires_grad for x in asked.values()):
            raise CompileError(
                "gradients are asked of a compiled step, which gives none: make the world without "
                "compiled, or step it under torch.no_grad()"
            )
        weather = [self._dynamics.move() for _ in range(self.months_per_step)]
        if self._program is None or not (self._standing or self._program.fits(self)):
            self._program = CompiledStep(trace(self), self)
            self._standing = True
            self._prove(self._program, asked, weather)
        elif not self._standing:
            self._program.stand(self)
            self._standing = True
        self.tiles, results = self._advanced(self._program, asked, weather)
        self._opened, self._told_weather = None, weather[-1]
        self._lived = self._lived + self.months_per_step
        terminated = self._lived >= self.options.horizon
        return StepResult(
            results["observations"],
            results["rewards"],
            results["costs"],
            terminated,
            torch.zeros_like(terminated),
            results["info"] | {"final_observations": results["observations"]},
        )

    def _advanced(
        self, program: CompiledStep, asked: Mapping[str, Tensor], weather: list[Moved]
    ) -> tuple[Tensor, dict[str, Any]]:
        """What is carried out of a step, and what it tells; the environment stays as it is."""
        if self.tiles is None:
            self._form = carried(self)
            self.tiles = program.carried(dict(tree.leaves(self._form)))
        now = given(dict(asked), weather, self._lived.to(self.dtype))
        self._last = self.tiles, program.given(dict(tree.leaves(now)))
        return program.advance(*self._last)

    def _prove(
        self, program: CompiledStep, asked: Mapping[str, Tensor], weather: list[Moved]
    ) -> None:
        """Set a new program beside the step that it was traced from, of all rows.

        Raises:
            CompileError: they tell different things: something that differs between environments
                did not reach the program.
        """
        _, results = self._advanced(program, asked, weather)
        before, lived, last = dict(self.opened()), self._lived, self._shocks
        self._forecast = list(weather)
        with torch.no_grad():
            expected = told(super()._govern(asked))
        self._opened, self._lived, self._shocks = before, lived, last
        found = dict(tree.leaves({name: results[name] for name in PROVEN}))
        wrong = [
            name
            for name, x in tree.leaves({name: expected[name] for name in PROVEN})
            if not bool(((found[name] - x).abs() <= TOLERANCE * (1 + x.abs())).all())
        ]
        if wrong:
            raise CompileError(
                f"scenario {self.scenario!r} cannot be compiled: {', '.join(wrong)} would differ; "
                "a scenario must read numbers of a city from the view and the scene it is given"
            )
