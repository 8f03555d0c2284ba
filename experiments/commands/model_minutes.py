"""`polislab model minutes`: what a minute on the road is worth in welfare."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from experiments.commands.model import app
from experiments.commands.output import JsonOption, check_json, emit, show


@app.command("minutes")
def minutes(
    districts: Annotated[int, typer.Option(min=3, max=400, help="Districts of the city.")] = 9,
    trials: Annotated[int, typer.Option(min=2, max=20, help="Weights to try at most.")] = 6,
    months: Annotated[
        int, typer.Option(min=12, help="Months simulated before the perpetuity.")
    ] = 360,
    json: JsonOption = None,
) -> None:
    """Solve kappa_w, the welfare weight of a minute, on a synthetic city with empty roads.

    Where nobody is in anybody's way a toll buys nothing, so that a unit it raises must be worth
    what a unit taken from a rebate is. The neutral prior is solved again at every weight tried;
    a trial takes one to three minutes. Exits with 1 where no weight was found.

    Example: polislab model minutes --json minutes.json
    """
    import torch

    from envs import presets
    from envs.city import minutes as worker
    from envs.city.parameters import TABLE
    from experiments.progress import progress
    from experiments.sheets import Sheet, terminal

    check_json(json)
    torch.set_num_threads(1)
    city = presets.cities(presets.SYNTHETIC, [0], districts, {"vc": worker.EMPTY})
    with progress("weights tried", trials, "trials") as tick:
        found = worker.solve(city, months=months, iterations=trials, progress=tick)
    best = min(found, key=lambda trial: abs(trial.toll - 1))
    rows = [(f"{trial.kappa_w:.5f}", f"{trial.toll:.4f}") for trial in found]
    columns = (">kappa_w, 1/min", ">value of a toll over a rebate")
    show(terminal(Sheet(f"Weight of a minute at v/c {worker.EMPTY:g}", columns, rows)))
    row = TABLE["kappa_w"]
    solved = worker.solved(best)
    ending = f"Solved: {best.kappa_w:.5f}" if solved else "No weight makes a toll worth a rebate"
    show(f"{ending}; the model's default is {row.default:g} ({row.low:g} to {row.high:g}).")
    emit({"trials": [asdict(t) for t in found], "solved": solved, "best": asdict(best)}, json)
    if not solved:
        raise typer.Exit(1)
