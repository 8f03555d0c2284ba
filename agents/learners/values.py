"""The value behind a window: what the rest of an episode is worth to all agents.

Shapes: B rows of the environment, F features: the global state and what every agent sees.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from agents.checkpoints import Memory, Part, Weights, restore, tensors_of
from agents.learners.advantages import advantages
from agents.learners.banks import Bank
from agents.learners.moments import Moments
from agents.learners.settings import Pathwise
from envs.groups import Group


class Value:
    """A perceptron with a slower copy of itself, its target, that windows lean on."""

    def __init__(
        self,
        settings: Pathwise,
        groups: Sequence[Group],
        state_size: int,
        device: torch.device,
        generator: torch.Generator,
    ) -> None:
        self.settings = settings
        self.groups = groups
        size = state_size + sum(g.size * len(g.observation_names) for g in groups)
        widths = (size, *settings.value_hidden, 1)
        self.network = Bank(1, widths, "tanh", 1.0, generator).to(device)
        self.target = Bank(1, widths, "tanh", 1.0, generator).to(device)
        self.target.load_state_dict(self.network.state_dict())
        self.target.requires_grad_(False)
        self.moments = Moments((size,), active=True, device=device)
        self.optimiser = torch.optim.Adam(
            self.network.parameters(), settings.value_learning_rate, fused=True
        )

    def features(self, observations: Mapping[str, Tensor], state: Tensor) -> Tensor:
        """Features `[B, F]`."""
        parts = [state, *(observations[group.name].flatten(1) for group in self.groups)]
        return torch.cat([x.to(torch.float32) for x in parts], -1)

    def __call__(self, features: Tensor) -> Tensor:
        """Values `[...]` by the target of features `[..., F]`; gradients pass to the features."""
        return self._by(self.target, features)

    def _by(self, network: Bank, features: Tensor) -> Tensor:
        rows: Tensor = network(self.moments(features).unsqueeze(-2))
        return rows.squeeze(-1).squeeze(-1)

    def learn(
        self,
        features: Tensor,
        rewards: Tensor,
        alive: Tensor,
        discount: float,
        generator: torch.Generator,
    ) -> float:
        """Fit the values of a window to its lambda returns; the mean squared error.

        Args:
            features: `[h + 1, B, F]` from before the first step to after the last.
            rewards: `[h, B]`; alive: `[B]` 0 where the last step ended the episode.
        """
        s = self.settings
        with torch.no_grad():
            values = self(features)
            last = values[-1] * alive
            found = advantages(rewards, values[:-1], last, discount, s.value_lambda)
            goals = (found + values[:-1]).flatten()
        rows, errors = features[:-1].flatten(0, 1), []
        for _ in range(s.value_epochs):
            order = torch.randperm(len(rows), generator=generator, device=rows.device)
            for index in order.chunk(s.value_batches):
                miss = self._by(self.network, rows[index]) - goals[index]
                loss = miss.square().mean()
                self.optimiser.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                nn.utils.clip_grad_norm_(self.network.parameters(), s.max_gradient)
                self.optimiser.step()
                errors.append(loss.detach())
        with torch.no_grad():
            pairs = zip(self.target.parameters(), self.network.parameters(), strict=True)
            for slow, fast in pairs:
                slow.lerp_(fast, 1 - s.value_target)
        return float(torch.stack(errors).mean())

    def tensors(self) -> dict[str, Tensor]:
        """What a checkpoint keeps."""
        return tensors_of(self._parts())

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Continue from `tensors`."""
        restore(self._parts(), tensors)

    def _parts(self) -> dict[str, Part]:
        return {
            "network": Weights(self.network),
            "target": Weights(self.target),
            "moments": self.moments,
            "optimiser": Memory(self.optimiser),
        }
