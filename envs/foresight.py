"""Looking ahead: an environment goes back to where it stood, and is told what to expect.

For governors that plan on a model of their own: they try actions on it, go back, and try others.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from envs import regime
from envs.city.channel import ChannelState
from envs.city.dynamics import Dynamics, Position
from envs.city.model import CityState, Flows
from envs.city.shocks import Shocks
from envs.ground import Ground
from envs.publication import Publication


@dataclass(frozen=True)
class Moment:
    """Where all rows of an environment stand, random streams left out."""

    state: CityState
    flows: Flows
    potential: Tensor
    said: dict[str, Tensor]
    lived: Tensor
    shocks: Shocks
    position: Position
    published: ChannelState | None


class Foresight:
    """The part of an environment that looks ahead; ``B`` rows, ``W`` levels of shocks."""

    _state: CityState
    _flows: Flows
    _potential: Tensor
    _said: dict[str, Tensor]
    _lived: Tensor
    _shocks: Shocks
    _dynamics: Dynamics
    _publication: Publication
    _ground: Ground

    def moment(self) -> Moment:
        """Where all rows stand now."""
        return Moment(
            self._state,
            self._flows,
            self._potential,
            self._said,
            self._lived,
            self._shocks,
            self._dynamics.position(),
            self._publication.state,
        )

    def go_back(self, moment: Moment) -> None:
        """Put all rows back to a moment; their random streams go on."""
        self._state, self._flows = moment.state, moment.flows
        self._potential, self._said = moment.potential, moment.said
        self._lived, self._shocks = moment.lived, moment.shocks
        self._dynamics.go_back(moment.position)
        self._publication.state = moment.published

    @property
    def weather(self) -> Tensor:
        """Levels of shocks ``[B, W]``, log points: of the whole city, then of districts."""
        return self._dynamics.levels

    def expect(self, weather: Tensor) -> None:
        """Until the next episode: the weather is what is expected after ``weather`` ``[B, W]``.

        Levels fade at their persistence towards the mean trend of the preset, or of the twin's
        rows; there are no innovations and no crises.
        """
        self._dynamics.expect(weather)

    @property
    def jump_size(self) -> int:
        """Standard normal numbers J that a jump of a row's parameters is made of."""
        return regime.jump_size(self._ground.model.parameters)

    def suppose(self, jump: Tensor, month: Tensor) -> None:
        """Until rows stand on other cities: each breaks as is supposed, and its twin alike.

        Parameters jump as in the regime ``parameters`` at strength 1; gradients flow to the jump.

        Args:
            jump: standard normal numbers ``[B, J]``. month: months lived before it ``[B]``.
        """
        on = self._ground
        blocks = len(on.start.treasury.debt) // on.rows
        supposed = regime.supposed(on.model, jump, month, blocks)
        self._ground = replace(on, regime=supposed)
