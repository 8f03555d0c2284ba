"""Minari datasets of many governors: one documented layout, written whole and read back.

An episode of T steps in the dataset (a Minari storage in HDF5; nothing is pickled), groups of
n agents with O observations, A levers and C constraint costs, S numbers of global state:

observations: group -> [T + 1, n, O], the last after the last step (space: Dict of Box)
actions: group -> [T, n, A] in [-1, 1], as the environment was given them (space: Dict of Box)
rewards: [T] mean over all agents of all groups; terminations, truncations: [T]
seed (of the episode's metadata): the row's seed in `envs.make` and `reset`

and its infos, which begin with the reset as Minari's do, so that entry t + 1 belongs to step t
and entry 0 is zero except for the state:

drawn: group -> [T + 1, n, A], the policy's draw before it was clipped to the bounds
log_probability: group -> [T + 1, n] float64, log-density of each agent's draw (not of the action)
rewards: group -> [T + 1, n]
costs: group -> [T + 1, n, C], groups with costs only
welfare: component -> [T + 1], of the step, against the status-quo twin
state: [T + 1, S]

The metadata hold "polislab": the layout's name, the scenario with its options and city, the
groups with the names of their agents, observations, actions and costs with budgets, and where
the data came from (policy and its fingerprint, exploration, seeds, code). A batch of the same
rows with the recorded seeds and actions gives the recorded rewards to the bit; an episode's row
alone gives them up to the rounding of float32.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from envs.adapters.layout import OBSERVATION_BOUND
from envs.adapters.optional import needs_extra
from envs.groups import Group

FORMAT = "polislab-minari-1"
#: Key of the dataset's metadata that holds ours.
KEY = "polislab"

Table = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Episode:
    """One episode; arrays as in the layout, but all of a step's at place t.

    observations [T + 1, n, O] and actions, drawn [T, n, A], log_probability, rewards [T, n],
    costs [T, n, C] by group; welfare [T] by component; state [T + 1, S]; terminated, truncated [T].
    """

    seed: int
    observations: Table
    actions: Table
    drawn: Table
    log_probability: Table
    rewards: Table
    costs: Table
    welfare: Table
    state: NDArray[Any]
    terminated: NDArray[np.bool_]
    truncated: NDArray[np.bool_]


def dataset_root(root: Path | None = None) -> Path:
    """Folder of datasets: as given, else `MINARI_DATASETS_PATH`, else Minari's own."""
    with needs_extra():
        from minari.storage.datasets_root_dir import get_dataset_path

    return root or Path(get_dataset_path())


def name_fault(name: str) -> str | None:
    """Why a dataset cannot have this name, or nothing."""
    with needs_extra():
        from minari.dataset.minari_dataset import DATASET_ID_RE

    match = DATASET_ID_RE.fullmatch(name)
    if match and match["version"] is not None:
        return None
    return f"{name!r} is no name of a dataset: expected (namespace/)name-v0, like city/random-v0"


def space_of(groups: Sequence[Group], width: str, bound: float, dtype: type) -> spaces.Dict:
    """Dict of boxes [n, width] by group; width: "observation_names" or "action_names"."""
    return spaces.Dict(
        {
            group.name: spaces.Box(-bound, bound, (group.size, len(getattr(group, width))), dtype)
            for group in groups
        }
    )


def write_dataset(
    name: str,
    groups: Sequence[Group],
    episodes: Iterable[Episode],
    facts: Mapping[str, Any],
    root: Path | None = None,
    **about: str,
) -> Path:
    """Write episodes as the Minari dataset `name`; readers see it whole or not at all.

    Args:
        facts: plain values for the metadata, beside the groups.
        root: folder of datasets, see `dataset_root`.
        about: Minari's own metadata, as `algorithm_name` and `description`.

    Raises:
        ValueError: a bad name, or a dataset that is there already.
    """
    with needs_extra():
        import h5py  # noqa: F401
        from minari.dataset.minari_storage import MinariStorage
    if fault := name_fault(name):
        raise ValueError(fault)
    folder = dataset_root(root) / name
    if folder.exists():
        raise ValueError(f"{folder} is there already: choose another name or version")
    part = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    part.mkdir(parents=True)
    try:
        storage = MinariStorage.new(
            part / "data",
            observation_space=space_of(groups, "observation_names", OBSERVATION_BOUND, np.float32),
            action_space=space_of(groups, "action_names", 1.0, np.float32),
        )
        ours = {"format": FORMAT, "groups": [asdict(group) for group in groups], **facts}
        storage.update_metadata(
            {"dataset_id": name, "minari_version": version("minari"), KEY: ours, **about}
        )
        storage.update_episodes(_buffer(episode) for episode in episodes)
        os.replace(part, folder)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    return folder


def read_episodes(dataset: Any) -> list[Episode]:
    """The episodes of a dataset of `minari.load_dataset` as they were written.

    Raises:
        ValueError: a dataset of another layout.
    """
    found = dataset.storage.metadata.get(KEY, {}).get("format")
    if found != FORMAT:
        raise ValueError(f"layout {found!r}: expected a dataset of the layout {FORMAT!r}")
    indices = [int(index) for index in dataset.episode_indices]
    seeds = [int(m["seed"]) for m in dataset.storage.get_episode_metadata(indices)]
    return [_episode(each, seed) for each, seed in zip(dataset, seeds, strict=True)]


def _buffer(episode: Episode) -> Any:
    from minari.data_collector.episode_buffer import EpisodeBuffer

    per_agent = np.concatenate(list(episode.rewards.values()), axis=1)
    return EpisodeBuffer(
        seed=episode.seed,
        observations=dict(episode.observations),
        actions=dict(episode.actions),
        rewards=per_agent.mean(1),  # type: ignore[arg-type]
        terminations=episode.terminated,  # type: ignore[arg-type]
        truncations=episode.truncated,  # type: ignore[arg-type]
        infos={
            "state": episode.state,
            "welfare": _after_reset(episode.welfare),
            "costs": _after_reset({name: x for name, x in episode.costs.items() if x.shape[-1]}),
            "rewards": _after_reset(episode.rewards),
            "drawn": _after_reset(episode.drawn),
            "log_probability": _after_reset(episode.log_probability),
        },
    )


def _after_reset(table: Table) -> dict[str, NDArray[Any]]:
    """Put the entry of the reset, zeros, before the steps."""
    return {name: np.concatenate([np.zeros_like(x[:1]), x]) for name, x in table.items()}


def _episode(found: Any, seed: int) -> Episode:
    infos = found.infos
    steps = {
        name: {key: values[1:] for key, values in infos.get(name, {}).items()}
        for name in ("drawn", "log_probability", "rewards", "costs", "welfare")
    }
    for name, values in steps["rewards"].items():
        steps["costs"].setdefault(name, np.zeros((*values.shape, 0), dtype=values.dtype))
    return Episode(
        seed=seed,
        observations=found.observations,
        actions=found.actions,
        state=infos["state"],
        terminated=found.terminations,
        truncated=found.truncations,
        **steps,
    )
