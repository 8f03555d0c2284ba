"""`polislab record`: rollouts of a policy as a Minari dataset with behaviour probabilities."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from experiments.commands.output import JsonOption, check_json, emit, show


def record(
    policy: Annotated[
        Path, typer.Argument(help="A run folder, a policy folder, or the name of a rule.")
    ],
    dataset: Annotated[
        str, typer.Option(metavar="NAME", help="Name of the dataset, as city/random-v0.")
    ],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[KEY=VALUE]...",
            help="Overrides of the run's configuration (of configs/train.yaml for a bare policy).",
        ),
    ] = None,
    episodes: Annotated[int, typer.Option(min=1, help="How many episodes.")] = 16,
    seed: Annotated[
        int, typer.Option(min=0, help="Seed of the first episode; the others follow.")
    ] = 0,
    exploration: Annotated[
        float | None,
        typer.Option(metavar="SD", help="Gaussian noise around the policy's own levers."),
    ] = None,
    root: Annotated[
        Path | None,
        typer.Option(help="Folder of datasets; else MINARI_DATASETS_PATH, else Minari's own."),
    ] = None,
    json: JsonOption = None,
) -> None:
    """Record a stochastic policy: what it saw, did and got, and how probable its actions were.

    The dataset loads with `minari.load_dataset` (where MINARI_DATASETS_PATH names its folder);
    the layout stands in envs/adapters/minari_layout.py. A deterministic policy needs
    --exploration.

    Example: polislab record random --dataset city/random-v0 --episodes 64 scenario=city_v0

    Example: polislab record RUN --dataset city/ppo-v0 --exploration 0.1 --root datasets
    """
    from experiments import config
    from experiments import record as worker
    from experiments.errors import InputError
    from experiments.policies import load_policy
    from experiments.progress import progress

    check_json(json)
    base = load_policy(policy)[1].get("config") if policy.exists() else None
    loaded = config.load(overrides or [], base=base)
    options = loaded.settings.scenario
    steps = int(options["horizon"]) // int(options["months_per_step"])
    total = len(worker.batches(episodes)) * steps
    try:
        with progress("recording", total, "steps") as tick:
            facts = worker.record(loaded, policy, dataset, episodes, seed, exploration, root, tick)
    except ImportError as error:
        raise InputError(str(error)) from None
    show(f"{episodes} episodes in {facts['folder']}")
    show(f"MINARI_DATASETS_PATH={facts['root']} minari.load_dataset({dataset!r})")
    emit(facts, json)


def register(app: typer.Typer) -> None:
    app.command("record")(record)
