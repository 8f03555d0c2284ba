"""`polislab bench`: how fast the model and learning on it are, also beside other libraries."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from experiments.commands.output import JsonOption, check_json, emit, show
from experiments.errors import InputError

MODEL = {
    "districts": "districts",
    "rows": "batch",
    "milliseconds": "ms a step",
    "city_months": "city-months/s",
    "slowest": "slowest repeat",
    "fastest": "fastest repeat",
    "limit": "limit, ms",
    "share": "share of limit",
    "goal": "goal",
    "reached": "reached",
}
MEMORY = {
    "districts": "districts",
    "rows": "batch",
    "megabytes": "peak, MB",
    "per_row": "MB a row",
}
LEARNING = {
    "scenario": "scenario",
    "city": "city",
    "compiled": "compiled",
    "districts": "districts",
    "agents": "agents",
    "city_steps": "agent-steps/s",
    "null_steps": "null core",
    "ratio": "ratio",
    "lowest": "lowest",
    "highest": "highest",
    "goal": "goal",
    "reached": "reached",
    "note": "",
}
MARL = {
    "world": "world",
    "environments": "environments",
    "agents": "agents",
    "own": "ours, frames/s",
    "benchmarl": "BenchMARL",
    "ratio": "ratio",
    "lowest": "lowest",
    "highest": "highest",
    "goal": "goal",
    "reached": "reached",
    "note": "",
}
PEERS = {
    "world": "world",
    "library": "library",
    "batch": "batch",
    "agents": "agents",
    "agent_steps": "agent-steps/s",
    "slowest": "slowest repeat",
    "fastest": "fastest repeat",
    "note": "",
}
TEXT = ("scenario", "city", "world", "library", "note")


def bench(
    threads: Annotated[int, typer.Option(min=1, help="Threads of torch.")] = 1,
    device: Annotated[
        str, typer.Option(help="Where the model's months run: cpu, or cuda where there is one.")
    ] = "cpu",
    json: JsonOption = None,
) -> None:
    """Time the city model beside its arithmetic limit, PPO beside PPO on an idle world, our MAPPO
    beside BenchMARL's, and our environments beside those of other libraries.

    Libraries that are not installed get a row that says how to install them.

    Example: polislab bench --json bench.json
    """
    import torch

    from experiments import peer_speed
    from experiments.bench import Plan, measure
    from experiments.progress import progress

    check_json(json)
    if device != "cpu" and not (device.startswith("cuda") and torch.cuda.is_available()):
        raise InputError(f"--device {device}: expected cpu, or cuda on a machine that has one")
    torch.set_num_threads(threads)
    plan = Plan(device=device)
    with progress("measuring", plan.work, "measurements") as tick:
        result = measure(plan, tick)
    show(
        _table(f"City model: one month, float32, inference mode, {device}", MODEL, result["model"])
    )
    show("The limit is the month's own exponentials and matrix products, timed alone.")
    show(_table("Memory of a month", MEMORY, result["memory"]))
    if result["agreement"] is not None:
        show(f"{device} and cpu after a year: {result['agreement']:.1e} apart at most (relative)")
    show(
        _table(
            f"Stable-Baselines3 PPO: {plan.environments} environments, {plan.months} months a "
            f"step, batch {plan.batch}, {plan.epochs} epochs",
            LEARNING,
            result["learning"],
        )
    )
    show(
        _table(
            f"MAPPO: a network [64, 64] for each group, {plan.environments} environments, whole "
            f"episodes, minibatches of {plan.minibatch} frames, {plan.epochs} epochs",
            MARL,
            result["marl"],
        )
    )
    show(
        _table(
            "Environments under random actions; a step of a city is "
            f"{peer_speed.MONTHS} months of it and of its status-quo twin",
            PEERS,
            result["peers"],
        )
    )
    show(f"{threads} thread(s) on {result['machine']['cores']} cores; medians of repeats")
    emit(result, json)


def _table(title: str, columns: dict[str, str], records: list[dict[str, Any]]) -> Any:
    """A table without the columns that no record fills."""
    from rich.table import Table

    from experiments.bench import rows_of

    shown = Table(title=title)
    filled = [key for key in columns if any(record.get(key, "") != "" for record in records)]
    for key in filled:
        shown.add_column(columns[key], justify="left" if key in TEXT else "right")
    for cells in rows_of(records, tuple(filled)):
        shown.add_row(*cells)
    return shown


def register(app: typer.Typer) -> None:
    app.command("bench")(bench)
