"""A governor that notices a break, estimates anew what the city is, and plans anew for it.

A self-tuning planner, as control engineers call it (Åström and Wittenmark, Adaptive Control, 1995):
it keeps a model of each city beside it, and as long as the model foresees what is observed the
policy at hand governs. When it no longer does, the parameters must have jumped. Every step from
then on the jump is the one that is most probable after all that was observed since (by
Levenberg-Marquardt; the prior is that of a twin), and the plan is climbed anew in the city as
estimated, under the weather that is to be expected.

It knows the equations, what each city was before, how wide parameters jump, and the weather so far.
It knows neither that nor when a city breaks, nor how far which parameter jumps, nor the weather to
come: it expects what the levels so far fade to, and does not know a trend from a swing. Of what the
city does it sees what governors see.

Shapes: B rows, O figures that governors see in all, J numbers of a jump, T steps, n agents of a
group, A levers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from envs.city import tree
from experiments.regret.oracle import Actions, Climb, best_plan

#: Months lived before a break that has not come.
NEVER = 1_000_000_000
#: What the model foresees of a figure that is off by more was not foreseen (figures are in units of
#: notable changes; the rest is rounding; assumed).
SURPRISE = 1e-3
#: Standard deviations of the prior beyond which no number of a jump is looked for (assumed).
FARTHEST = 4.0


@dataclass(frozen=True)
class Tuning:
    """How parameters are estimated and plans made.

    iterations: steps of Levenberg-Marquardt of each estimate, which begins where the last one
    ended; without any the planner takes the city for what it was. error: of the model in each
    figure, notable changes (assumed). probe: distance at which slopes are taken, standard
    deviations of the prior (assumed). climbs: gradient steps of each plan; the first takes twice
    as many.
    """

    iterations: int
    error: float = 0.01
    probe: float = 0.05
    climbs: int = 30

    def problems(self, scenario: Mapping[str, Any]) -> list[str]:
        """Why it cannot govern in a scenario of such options, in words."""
        if scenario["information"] == 1 and not scenario["bulletin"]:
            return []
        told = f"information={scenario['information']} bulletin={scenario['bulletin']}"
        return [
            f"scenario {told}: the self-tuning planner cannot tell errors of figures from a break; "
            "expected information=1.0 bulletin=false, or --estimates 0 to leave it out"
        ]

    def work(self, steps: int) -> int:
        """Steps of estimates and plans in so many steps of the world after a break."""
        renewals = steps - 1
        return renewals * (self.iterations + self.climbs) + self.climbs if renewals else 0


class Tuner:
    """What the governor of a batch of cities knows, and how it comes to know more.

    Attributes:
        month: months that each row had lived when it broke, as noticed ``[B]``; `NEVER` until then.
        jump: as estimated ``[B, J]``.
        seen: figures of each step since the last that was foreseen in every row ``[B, O]``.
    """

    def __init__(
        self,
        world: Callable[[int], Any],
        seeds: Sequence[int],
        steps: int,
        tuning: Tuning,
        tick: Callable[[], None],
    ) -> None:
        """Args: world: makes environments of the same rows so many times over, without breaks.
        steps: that it is to govern. tick: called after every step of an estimate or a plan."""
        self.world, self.seeds, self.left = world, list(seeds), steps
        self.tuning, self.tick = tuning, tick
        self.model = world(1)
        self.model.reset(seed=self.seeds)
        self._since = self.model.moment()
        self._probes: Any = None
        self._probed: Any = None
        self.month = torch.full((len(self.seeds),), NEVER)
        self.jump = torch.zeros(len(self.seeds), self.model.jump_size)
        self._last: Actions = {}
        self._past: list[Actions] = []
        self._done: list[Actions] = []
        self.seen: list[Tensor] = []
        self._plan: list[Actions] = []

    @property
    def noticed(self) -> Tensor:
        """Rows whose break was noticed ``[B]``."""
        return self.month < NEVER

    def act(self, observations: Mapping[str, Tensor], asked: Actions) -> Actions:
        """What is done in the next step of the world.

        Args:
            observations: before it. asked: what the policy at hand would do.
        """
        if self._last:
            self._watch(observations)
        self._last = asked
        if bool(self.noticed.any()):
            self._estimate()
            self._renew(asked)
            broken, planned = self.noticed[:, None, None], self._plan.pop(0)
            self._last = {name: torch.where(broken, planned[name], x) for name, x in asked.items()}
        self.left -= 1
        return self._last

    @torch.no_grad()
    def _watch(self, observations: Mapping[str, Tensor]) -> None:
        """Take in what is seen after the last step, and which rows it tells to have broken."""
        self._done.append(self._last)
        self.seen.append(self._figures(observations))
        lived = self._since.lived + self.model.months_per_step * (len(self._done) - 1)
        surprise = (self.foreseen()[-1] - self.seen[-1]).abs().amax(-1) > SURPRISE
        self.month = torch.where(surprise & ~self.noticed, lived, self.month)
        if not bool(self.noticed.any()):
            self._since = self.model.moment()
            self._past, self._done, self.seen = [*self._past, *self._done], [], []

    def _renew(self, asked: Actions) -> None:
        """The best plan of the steps that are left, in the city as estimated."""
        start, climbs = self._plan, self.tuning.climbs
        if not start:
            start, climbs = [asked] * self.left, 2 * climbs
        with torch.no_grad():
            self.foreseen()
            self.model.expect(self.model.weather)
            here = self.model.moment()
        self._plan = best_plan(
            self.model, here, start, Climb(climbs, renew=max(climbs, 1)), self.tick
        )
        self.model.reset(seed=self.seeds)  # the weather so far is what it was again

    @torch.no_grad()
    def _estimate(self) -> None:
        """The most probable jump after what was seen, in each row."""
        rows, size = self.jump.shape
        unit = torch.eye(size)
        trial, damping, least = self.jump, torch.ones(rows), torch.full((rows,), torch.inf)
        best = {
            "jump": self.jump,
            "fall": torch.zeros(rows, size),
            "bend": unit.expand(rows, size, size),
        }
        for _ in range(self.tuning.iterations):
            errors, slopes = self._probe(trial)
            unlikely = errors.square().sum(1) + trial.square().sum(1)
            here = {
                "jump": trial,
                "fall": torch.einsum("bej,be->bj", slopes, errors) + trial,
                "bend": torch.einsum("bej,bek->bjk", slopes, slopes) + unit,
            }
            better = unlikely < least
            best, least = tree.where(better, here, best), torch.where(better, unlikely, least)
            damping = torch.where(better, damping / 4, damping * 4)
            steep = best["bend"].diagonal(dim1=1, dim2=2) * damping.unsqueeze(1)
            move = torch.linalg.solve(best["bend"] + torch.diag_embed(steep), best["fall"])
            trial = (best["jump"] - move).clamp(-FARTHEST, FARTHEST)
            self.tick()
        self.jump = best["jump"]

    def _probe(self, jump: Tensor) -> tuple[Tensor, Tensor]:
        """Errors of what is foreseen under a jump ``[B, T O]``, and how they change with each of
        its numbers ``[B, T O, J]``, in units of `Tuning.error`."""
        times, rows = 1 + jump.shape[1], len(jump)
        if self._probes is None:
            self._probes = self.world(times)
            self._probes.reset(seed=self.seeds * times)
            for actions in self._past:
                self._probes.step(_times(actions, times))
            self._probed = self._probes.moment()
        off = torch.cat([torch.zeros(1, jump.shape[1]), self.tuning.probe * torch.eye(times - 1)])
        every = (jump + off.unsqueeze(1)).flatten(0, 1)
        figures = self._live(
            self._probes,
            self._probed,
            every,
            self.month.repeat(times),
            [_times(x, times) for x in self._done],
        )
        figures = figures.reshape(len(figures), times, rows, -1).permute(1, 2, 0, 3).flatten(2)
        errors = (figures[0] - torch.stack(self.seen, 1).flatten(1)) / self.tuning.error
        slopes = (figures[1:] - figures[0]) / (self.tuning.probe * self.tuning.error)
        return errors, slopes.permute(1, 2, 0)

    def foreseen(self) -> Tensor:
        """What the model says of the steps since the last that was foreseen ``[T, B, O]``."""
        return self._live(self.model, self._since, self.jump, self.month, self._done)

    def _live(
        self, world: Any, since: Any, jump: Tensor, month: Tensor, done: Sequence[Actions]
    ) -> Tensor:
        """Figures of some steps of a world from a moment on, as is supposed ``[T, B, O]``."""
        world.suppose(jump, month)
        world.go_back(since)
        return torch.stack([self._figures(world.step(x).observations) for x in done])

    def _figures(self, observations: Mapping[str, Tensor]) -> Tensor:
        """What all governors see ``[B, O]``."""
        return torch.cat([x.flatten(1) for x in observations.values()], 1)


def _times(actions: Actions, times: int) -> Actions:
    """The same actions for as many copies of all rows."""
    return {name: x.repeat(times, 1, 1) for name, x in actions.items()}
