"""Planning: searches for plans over whole episodes, and control by plans on an estimated model."""

from __future__ import annotations

#: Baselines that need no learning from rewards, weakest first (MODEL sec. 17): what each adds to
#: those before it, by the name that `polislab train agent=NAME` accepts.
LADDER: dict[str, str] = {
    "status_quo": "nothing changes",
    "random": "levers move at random",
    "uniform": "one constant setting, chosen by hand",
    "proportional": "levers follow observed need",
    "pi": "indicators are steered to their targets, with memory",
    "adaptive_pi": "the gains of that steering follow their own success",
    "plan": "the best constant settings, by gradient through the model",
    "open_loop": "the best settings that vary over time, by gradient through the model",
    "cem": "the same plan from simulator calls alone, without gradients",
    "mpc": "plans are made anew as the city is observed, on an estimated model",
}
