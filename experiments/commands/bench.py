"""`polislab bench`: how fast the model and learning on it are."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from experiments.commands.output import JsonOption, check_json, emit, show

MODEL = {
    "districts": "districts",
    "rows": "batch",
    "milliseconds": "ms a step",
    "city_months": "city-months/s",
    "slowest": "slowest repeat",
    "fastest": "fastest repeat",
}
LEARNING = {
    "scenario": "scenario",
    "city": "city",
    "districts": "districts",
    "agents": "agents",
    "city_steps": "agent-steps/s",
    "null_steps": "null core",
    "ratio": "ratio",
    "lowest": "lowest",
    "highest": "highest",
    "goal": "goal",
}
TEXT = ("scenario", "city")


def bench(
    threads: Annotated[int, typer.Option(min=1, help="Threads of torch.")] = 1,
    json: JsonOption = None,
) -> None:
    """Time the city model, and PPO on it beside PPO on a world that computes nothing.

    Example: polislab bench --json bench.json
    """
    import torch

    from experiments.bench import Plan, measure
    from experiments.progress import progress

    check_json(json)
    torch.set_num_threads(threads)
    plan = Plan()
    with progress("measuring", plan.work, "measurements") as tick:
        result = measure(plan, tick)
    show(_table("City model: one step, float32, no gradients", MODEL, result["model"]))
    show(
        _table(
            f"Stable-Baselines3 PPO: {plan.environments} environments, {plan.months} months a "
            f"step, batch {plan.batch}, {plan.epochs} epochs",
            LEARNING,
            result["learning"],
        )
    )
    show(f"{threads} thread(s) on {result['machine']['cores']} cores; medians of repeats")
    emit(result, json)


def _table(title: str, columns: dict[str, str], records: list[dict[str, Any]]) -> Any:
    from rich.table import Table

    from experiments.bench import rows_of

    shown = Table(title=title)
    for heading in columns.values():
        shown.add_column(heading, justify="left" if heading in TEXT else "right")
    for cells in rows_of(records, tuple(columns)):
        shown.add_row(*cells)
    return shown


def register(app: typer.Typer) -> None:
    app.command("bench")(bench)
