"""Between the truth and those who govern: keeps the information channel of an environment."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from envs.city import tree
from envs.city.channel import Channel, ChannelState
from envs.city.information import BIASES, DISTRICT, indicator_of
from envs.city.model import City, CityState, Flows
from envs.scenario import Scenario
from envs.scene import Scene
from envs.view import View


class Publication:
    """What the governors of a batch are told, month by month.

    Where the options ask for today's values there is no channel, and nothing is computed:
    views read the scene. Witnesses see what they live through as it is.
    """

    def __init__(self, options: Scenario, scene: Scene) -> None:
        """Args: scene: the first year; the scenario looks at it once, and the channel is made
        for the figures that it asked for.

        Raises:
            ValueError: a figure that no series publishes.
        """
        self.start = dict(scene.start)
        self._witnesses = options.witnesses()
        asked = [
            (figure, viewer)
            for figure, viewer in self._asked(options, scene)
            if viewer not in self._witnesses
        ]
        self._channel: Channel | None = None
        if options.information < 1 or options.bulletin:
            figures = list(dict.fromkeys(figure for figure, _ in asked))
            self._channel = Channel(
                self.start,
                {name: bias(scene.city, scene.state, scene.flows) for name, bias in BIASES.items()},
                figures,
                list(dict.fromkeys(viewer for _, viewer in asked)),
                options.information,
            )
            self._state: ChannelState = self._channel.begin()

    def _asked(self, options: Scenario, scene: Scene) -> list[tuple[str, str]]:
        """Every figure that is looked at, with its viewer; their first-year values are kept."""
        asked: dict[tuple[str, str], None] = {}

        def look(figure: str, viewer: str, revised: bool) -> Tensor:
            asked[figure, viewer] = None
            self.start.setdefault(figure, scene.value(figure))
            if not figure.startswith(DISTRICT) and indicator_of(figure).district is not None:
                self.start.setdefault(DISTRICT + figure, scene.value(DISTRICT + figure))
            return self.start[figure]

        policy = scene.state.treasury.policy
        options.observe(View(scene.city, self.start, policy, scene.elapsed, look, said=scene.said))
        return list(asked)

    def seed(self, row: int, seed: int) -> None:
        """Give the errors of a row a fresh random stream."""
        if self._channel is not None:
            self._channel.seed(row, seed)

    def restart(self, rows: Sequence[int]) -> None:
        """Put rows back to the first year as it stands published."""
        if self._channel is not None:
            self._state = self._channel.restart(self._state, rows)

    @property
    def state(self) -> ChannelState | None:
        """What was measured and released so far; None where there is no channel."""
        return self._state if self._channel is not None else None

    @state.setter
    def state(self, state: ChannelState | None) -> None:
        if state is not None:
            self._state = state

    def detach(self) -> None:
        """Cut the graph of what was published so far."""
        if self._channel is not None:
            self._state = tree.tree_map(Tensor.detach, self._state)

    def publish(self, city: City, now: CityState, flows: Flows) -> None:
        """File and release the figures of a month."""
        if self._channel is not None:
            measured = self._channel.measure(self._state, city, now, flows)
            self._state, _ = self._channel.publish(self._state, measured, self._channel.draw())

    def view(self, scene: Scene) -> View:
        """What governors may look at now."""
        channel, policy = self._channel, scene.state.treasury.policy
        if channel is None:

            def truth(figure: str, viewer: str, revised: bool) -> Tensor:
                return scene.value(figure)

            return View(scene.city, self.start, policy, scene.elapsed, truth, said=scene.said)
        state, seen = self._state, dict[tuple[str, bool], Tensor]()

        def published(figure: str, viewer: str, revised: bool) -> Tensor:
            if viewer in self._witnesses:
                return scene.value(figure)
            if (viewer, revised) not in seen:
                seen[viewer, revised] = channel.look(state, viewer, revised)
            return channel.figure(seen[viewer, revised], figure)

        return View(
            scene.city, self.start, policy, scene.elapsed, published, shared=False, said=scene.said
        )
