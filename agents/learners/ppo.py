"""Independent and multi-agent PPO on the batched environment, with or without cost budgets.

Schulman et al. 2017; MAPPO after Yu et al. 2022: the value may know the global state. With
multipliers, advantages of constraint costs are set against those of the reward (Ray, Achiam and
Amodei 2019). Numerics as in Stable-Baselines3's PPO.

Shapes: T steps, B rows, N = T B environment steps of a rollout, a agents of a section, K networks
of a section, A levers, P inputs, S numbers of global state, C costs; V = 1 + C values of an agent
where costs are priced, else 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from agents.checkpoints import InParts, Memory, Part, Weights
from agents.learners.actors import Actor, Critic, parts_of, policy_of
from agents.learners.advantages import advantages, standardised
from agents.learners.banks import clip_gradients
from agents.learners.moments import Moments
from agents.learners.multipliers import Multipliers
from agents.learners.rollouts import Core, Episode, live_through
from agents.learners.sections import sections
from agents.learners.settings import IPPOSettings, LagrangianSettings, MAPPOSettings
from agents.policy import BasePolicy
from agents.segments import Segments


@dataclass(frozen=True)
class Batch:
    """Environment steps of a section.

    rows `[N, a, P]` standardised; actions `[N, a, A]`; log_prob, advantages `[N, a]`; returns
    `[N, a, V]`.
    """

    rows: Tensor
    actions: Tensor
    log_prob: Tensor
    advantages: Tensor
    returns: Tensor

    def shuffled(self, order: Tensor) -> Batch:
        """The same environment steps in another order."""
        columns = (getattr(self, name) for name in self.__dataclass_fields__)
        return Batch(*(column.index_select(0, order) for column in columns))

    def chunk(self, parts: int) -> list[Batch]:
        """Minibatches, views of this one."""
        columns = (getattr(self, name).chunk(parts) for name in self.__dataclass_fields__)
        return [Batch(*some) for some in zip(*columns, strict=True)]


@dataclass(frozen=True)
class Losses:
    """Sums over networks of means over their steps and agents."""

    policy: Tensor
    value: Tensor
    entropy: Tensor
    clipped: Tensor

    def total(self, settings: IPPOSettings) -> Tensor:
        """What is minimised."""
        found = self.policy + settings.value_weight * self.value
        return found - settings.entropy * self.entropy if settings.entropy else found

    def record(self, networks: int) -> list[Tensor]:
        """What a gradient step tells about itself: means over networks."""
        sums = (self.policy, self.value, self.entropy)
        return [*(x.detach() / networks for x in sums), self.clipped]


def losses(actor: Actor, critic: Critic, batch: Batch, state: Tensor, clip: float) -> Losses:
    """Clipped surrogate, squared error of the values, entropy.

    Args:
        state: `[N, S]` for central critics; clip: of the probability ratio.
    """
    networks = actor.section.networks
    surprise = (batch.actions - actor.mean(batch.rows)) / actor.log_std.exp()
    ratio = (actor.log_prob(surprise) - batch.log_prob).exp()
    weight = standardised(batch.advantages, networks)
    free, bounded = weight * ratio, weight * ratio.detach().clamp(1 - clip, 1 + clip)
    gain = torch.where(free <= bounded, free, bounded)  # the least; what is bounded pulls nothing
    errors = (critic(batch.rows, state) - batch.returns).square().sum(-1)
    entropy = actor.entropy()
    return Losses(
        policy=-gain.sum() / (gain.numel() // networks),
        value=errors.sum() / (errors.numel() // networks),
        entropy=entropy.sum() / (entropy.numel() // networks),
        clipped=((ratio.detach() - 1).abs() > clip).float().mean(),
    )


class MultiAgentPPO(InParts):
    """IPPO, MAPPO or Lagrangian MAPPO, as the settings say.

    Args:
        settings: of the algorithm.
        core: a batched environment whose rows end together.
        seed: of the run; every segment derives its own.
    """

    def __init__(self, settings: IPPOSettings, core: Core, seed: int) -> None:
        self.settings, self.core = settings, core
        self.segments = Segments.of(settings, core.steps_per_episode, seed)
        self.discount = settings.monthly_discount**core.months_per_step
        central = core.state_size if isinstance(settings, MAPPOSettings) else 0
        self.multipliers: Multipliers | None = None
        if isinstance(settings, LagrangianSettings):
            self.multipliers = Multipliers(settings.multipliers, core.groups, core.device)
        start = torch.Generator().manual_seed(self.segments.seed_of(0))
        self.actors, self.critics = [], []
        for section in sections(core.groups, settings.sharing):
            outputs = 1 + (section.costs if self.multipliers else 0)
            self.actors.append(Actor(section, settings, settings.log_std, start, core.device))
            self.critics.append(Critic(section, settings, outputs, central, start, core.device))
        self.state_moments = Moments((core.state_size,), settings.standardise, core.device)
        self.parameters = [
            [*actor.parameters(), *critic.parameters()]
            for actor, critic in zip(self.actors, self.critics, strict=True)
        ]
        every = [parameter for some in self.parameters for parameter in some]
        self.optimiser = torch.optim.Adam(every, settings.learning_rate, eps=1e-5, fused=True)

    def train(self, segment: int, tick: Callable[[], None]) -> Iterator[dict[str, float]]:
        """See `agents.segments.Learner`."""
        met = self.segments.meet(self.core, segment)
        seed: int | None = self.segments.seed_of(segment)
        generator = torch.Generator(self.core.device).manual_seed(self.segments.seed_of(segment))
        for rollout in self.segments.rollouts_of(segment):
            rate = self._schedule(rollout)
            episodes = []
            for _ in range(self.settings.episodes_per_rollout):
                episodes.append(live_through(self.core, self.actors, seed, generator, tick))
                seed = None
            yield self._metrics(rollout, rate, episodes) | self._learn(episodes, generator) | met

    def _schedule(self, rollout: int) -> float:
        """The learning rate falls linearly over the whole run."""
        start, end = self.settings.learning_rate, self.settings.learning_rate_end
        rate = end + (start - end) * (1 - rollout / self.segments.rollouts)
        self.optimiser.param_groups[0]["lr"] = rate
        return rate

    def _learn(self, episodes: Sequence[Episode], generator: torch.Generator) -> dict[str, float]:
        s = self.settings
        metrics = self._price(episodes)
        batches = [self._batch(number, episodes) for number in range(len(self.actors))]
        state = self.state_moments(torch.cat([e.states[:-1].flatten(0, 1) for e in episodes]))
        many = len(state)
        parts = math.ceil(many / s.batch_size)
        seen: list[Tensor] = []
        for _ in range(s.epochs):
            order = torch.randperm(many, generator=generator, device=state.device)
            if parts > 1:  # once for all minibatches, which are views
                batches, state = [batch.shuffled(order) for batch in batches], state[order]
            minibatches = zip(*(batch.chunk(parts) for batch in batches), strict=True)
            for some, now in zip(minibatches, state.chunk(parts), strict=True):
                seen.append(self._improve(some, now))
        for number, actor in enumerate(self.actors):
            actor.moments.update(torch.stack([e.tracks[number].rows[:-1] for e in episodes]))
        self.state_moments.update(torch.stack([e.states[:-1] for e in episodes]))
        names = ("policy_loss", "value_loss", "entropy", "clip_fraction")
        means = torch.stack(seen).mean(0).tolist()
        return metrics | {f"train/{name}": mean for name, mean in zip(names, means, strict=True)}

    def _price(self, episodes: Sequence[Episode]) -> dict[str, float]:
        """Set the multipliers by the costs of a rollout; what they are."""
        if self.multipliers is None:
            return {}
        means = {
            name: torch.stack([episode.costs[name] for episode in episodes]).mean(0)
            for name in episodes[0].costs
        }
        self.multipliers.update(means)
        return self.multipliers.metrics(means)

    def _improve(self, batches: Sequence[Batch], state: Tensor) -> Tensor:
        """One gradient step; losses for the record."""
        total, record = torch.zeros((), device=state.device), []
        for actor, critic, batch in zip(self.actors, self.critics, batches, strict=True):
            found = losses(actor, critic, batch, state, self.settings.clip_range)
            total = total + found.total(self.settings)
            record += found.record(actor.section.networks)
        self.optimiser.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        for parameters in self.parameters:
            clip_gradients(parameters, self.settings.max_gradient)
        self.optimiser.step()
        return torch.stack(record).reshape(len(batches), -1).mean(0)

    @torch.no_grad()
    def _batch(self, number: int, episodes: Sequence[Episode]) -> Batch:
        """A section's steps of all episodes with their advantages and returns."""
        actor, critic = self.actors[number], self.critics[number]
        parts = [self._valued(actor, critic, episode, number) for episode in episodes]
        return Batch(
            *(
                torch.cat([getattr(each, name).flatten(0, 1) for each in parts])
                for name in Batch.__dataclass_fields__
            )
        )

    def _valued(self, actor: Actor, critic: Critic, episode: Episode, number: int) -> Batch:
        """The same of one episode, with T and B apart."""
        track, s = episode.tracks[number], self.settings
        steps, many = track.rewards.shape[:2]
        rows = actor.moments(track.rows)
        state = self.state_moments(episode.states).flatten(0, 1)
        values = critic(rows.flatten(0, 1), state).unflatten(0, (steps + 1, many))
        paid = track.rewards.unsqueeze(-1)
        if self.multipliers is not None:
            paid = torch.cat([paid, track.costs * self.multipliers.per_unit(actor.section)], -1)
        cut = (~episode.terminated).to(values).reshape(-1, 1, 1)
        gains = advantages(paid, values[:-1], values[-1] * cut, self.discount, s.gae_lambda)
        advantage = gains[..., 0]
        if self.multipliers is not None:
            price = self.multipliers.of(actor.section)
            advantage = advantage - (price * gains[..., 1:]).sum(-1)
            advantage = advantage / (1 + price.sum(-1))
        log_prob = actor.log_prob(track.noise)
        return Batch(rows[:-1], track.actions, log_prob, advantage, gains + values[:-1])

    def _metrics(self, rollout: int, rate: float, episodes: Sequence[Episode]) -> dict[str, float]:
        rewards = [
            torch.cat([track.rewards for track in episode.tracks], -1).mean()
            for episode in episodes
        ]
        done = (rollout + 1) * self.segments.rollout_steps * self.segments.num_envs
        return {
            "rollout": rollout + 1.0,
            "env_steps": float(done),
            "reward": float(torch.stack(rewards).mean()),
            "welfare": sum(episode.welfare for episode in episodes) / len(episodes),
            "train/learning_rate": rate,
        }

    def policy(self) -> BasePolicy:
        """The actors as a policy that needs no learner."""
        return policy_of(self.actors, self.core.groups, self.settings)

    def parts(self) -> dict[str, Part]:
        """See `InParts`."""
        found = parts_of(self.actors)
        for number, critic in enumerate(self.critics):
            found[f"critic.{number}"] = Weights(critic)
        found |= {"state": self.state_moments, "optimiser": Memory(self.optimiser)}
        if self.multipliers is not None:
            found["multipliers"] = self.multipliers
        return found


__all__ = ["Batch", "Losses", "MultiAgentPPO", "losses"]
