"""Settings of the learners that stay in torch; defaults and meanings stand in `configs/agent`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from agents.context import HalfLife
from agents.gain_loop import MetaSettings
from agents.learners.sections import SHARING
from agents.network import ACTIVATIONS, Width
from agents.ppo_settings import Count, CurriculumSettings
from agents.schema import Between, Fraction, OneOf

Rate = Annotated[float, Between(0.0, 1.0)]


@dataclass(frozen=True)
class Experience:
    """How much is lived through, how often it is kept, and how rewards are discounted."""

    num_envs: Annotated[int, Between(1, 65536)]
    env_steps: Count
    episodes_per_rollout: Annotated[int, Between(1, 100)]
    rollouts_per_segment: Annotated[int, Between(1, 10_000)]
    monthly_discount: Fraction
    curriculum: CurriculumSettings


@dataclass(frozen=True)
class Networks:
    """Perceptrons of policy and value alike."""

    hidden: tuple[Width, ...]
    activation: Annotated[str, OneOf(tuple(ACTIVATIONS))]
    sharing: Annotated[str, OneOf(SHARING)]
    standardise: bool


@dataclass(frozen=True)
class IPPOSettings(Experience, Networks):
    """Independent PPO: the value is of what an agent sees (`configs/agent/ippo.yaml`)."""

    log_std: Annotated[float, Between(-10.0, 2.0)]
    learning_rate: Rate
    learning_rate_end: Rate
    batch_size: Annotated[int, Between(2, 10**7)]
    epochs: Annotated[int, Between(1, 1000)]
    gae_lambda: Fraction
    clip_range: Annotated[float, Between(0.001, 1.0)]
    entropy: Annotated[float, Between(0.0, 1.0)]
    value_weight: Annotated[float, Between(0.0, 10.0)]
    max_gradient: Annotated[float, Between(0.001, 1000.0)]


@dataclass(frozen=True)
class MAPPOSettings(IPPOSettings):
    """Multi-agent PPO: the value also knows the global state (`configs/agent/mappo.yaml`)."""


@dataclass(frozen=True)
class ContextSettings(MAPPOSettings):
    """MAPPO with a memory of fixed traces (`configs/agent/context.yaml`); one network for all."""

    sharing: Annotated[str, OneOf(("all",))]
    half_lives: tuple[HalfLife, ...]


Push = Annotated[float, Between(0.0, 1000.0)]


@dataclass(frozen=True)
class MultiplierSettings:
    """Gains of the controller that sets the price of breaking a budget."""

    proportional: Push
    integral: Push
    derivative: Push
    limit: Annotated[float, Between(0.0, 1e6)]


@dataclass(frozen=True)
class LagrangianSettings(MAPPOSettings):
    """MAPPO under the budgets of constraint costs (`configs/agent/mappo_lagrangian.yaml`)."""

    multipliers: MultiplierSettings


@dataclass(frozen=True)
class Pathwise(Experience):
    """Learning by the gradient of the model over short windows with a value behind them."""

    window: Annotated[int, Between(1, 10_000)]
    learning_rate: Rate
    learning_rate_end: Rate
    max_gradient: Annotated[float, Between(0.001, 1000.0)]
    value_hidden: tuple[Width, ...]
    value_learning_rate: Rate
    value_epochs: Annotated[int, Between(1, 1000)]
    value_batches: Annotated[int, Between(1, 1000)]
    value_target: Fraction
    value_lambda: Fraction


@dataclass(frozen=True)
class ActorCriticSettings(Pathwise, Networks):
    """Short-horizon actor-critic (`configs/agent/actor_critic.yaml`)."""

    noise: Annotated[float, Between(0.0, 1.0)]


@dataclass(frozen=True)
class FeedbackSettings(Pathwise):
    """A linear feedback law by back-propagation (`configs/agent/feedback.yaml`)."""

    start: str | None
    periods: Annotated[int, Between(1, 10_000)]
    gain_learning_rate: Rate
    reference_rate: Fraction


@dataclass(frozen=True)
class ContextFeedbackSettings(FeedbackSettings):
    """The same law with a memory and a network (`configs/agent/context_feedback.yaml`)."""

    half_lives: tuple[HalfLife, ...]
    units: Annotated[int, Between(0, 1024)]
    network_learning_rate: Rate


@dataclass(frozen=True)
class AdaptiveFeedbackSettings(FeedbackSettings):
    """The same law behind a loop that scales its gains (`configs/agent/adaptive_feedback.yaml`)."""

    meta: MetaSettings


NATIVE: dict[str, type[Experience]] = {
    "ippo": IPPOSettings,
    "mappo": MAPPOSettings,
    "mappo_lagrangian": LagrangianSettings,
    "context": ContextSettings,
    "actor_critic": ActorCriticSettings,
    "feedback": FeedbackSettings,
    "context_feedback": ContextFeedbackSettings,
    "adaptive_feedback": AdaptiveFeedbackSettings,
}
