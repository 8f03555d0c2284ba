"""Learners on the batched environment that never leave torch.

`ippo`, `mappo`, `mappo_lagrangian` and `context` learn from rewards alone; `actor_critic`,
`feedback`, `context_feedback` and `adaptive_feedback` learn by the gradient of the differentiable
model (MODEL sections 17 and 22.8). All resume to the same bits (`agents.segments`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agents.learners.settings import NATIVE, ContextSettings, IPPOSettings, Pathwise

if TYPE_CHECKING:
    from agents.learners.rollouts import Core
    from agents.learners.settings import Experience
    from agents.segments import Learner

__all__ = ["NATIVE", "make"]


def make(settings: Experience, core: Core, seed: int) -> Learner:
    """The learner of its settings.

    Args:
        settings: an instance of one of the classes in `NATIVE`.
        core: a batched environment; for learning by gradients a differentiable one.
        seed: of the run.

    Raises:
        TypeError: settings of no learner.
    """
    from agents.learners.context import ContextPPO
    from agents.learners.pathwise import PathwiseLearner
    from agents.learners.ppo import MultiAgentPPO

    if isinstance(settings, ContextSettings):
        return ContextPPO(settings, core, seed)
    if isinstance(settings, IPPOSettings):
        return MultiAgentPPO(settings, core, seed)
    if isinstance(settings, Pathwise):
        return PathwiseLearner(settings, core, seed)
    raise TypeError(f"{type(settings).__name__}: expected settings of {', '.join(NATIVE)}")
