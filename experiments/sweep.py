"""Sweeps: every combination is checked first, then Hydra's launchers run them.

A sweep has its folder `RUNS/sweeps/HASH`, the same for the same jobs, so that the same command
resumes it: `sweep.json` names the run folders, `N/log.txt` holds what job N had to say.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from hydra import version
from hydra._internal.callbacks import Callbacks
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

import configs
from agents.schema import closest
from envs.errors import ScenarioError
from experiments import config
from experiments.config import Config
from experiments.errors import InputError
from experiments.progress import progress
from experiments.runs import Run, now, run_of, write_json
from experiments.train import train

EXTRAS = {
    "joblib": "sweep",
    "ray": "ray",
    "ray_aws": "ray",
    "submitit_local": "slurm",
    "submitit_slurm": "slurm",
}
"""Launchers of plugins, and the extra of this package that brings each."""
BASIC = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"
POLL_SECONDS = 1.0


@dataclass(frozen=True)
class Sweep:
    """A checked sweep: jobs without repetition, and the launcher's words."""

    jobs: tuple[Config, ...]
    words: tuple[str, ...]

    @property
    def runs(self) -> list[Run]:
        return [run_of(job) for job in self.jobs]

    @property
    def folder(self) -> Path:
        """Where the sweep keeps its list and its logs; the same jobs have the same folder."""
        names = "\n".join(str(run.folder) for run in self.runs)
        digest = hashlib.sha256(names.encode()).hexdigest()[:12]
        return Path(self.jobs[0].settings.runs) / "sweeps" / digest


@dataclass(frozen=True)
class Outcome:
    """How one job ended: error is empty where its run is finished."""

    job: Config
    run: Run
    skipped: bool
    error: str

    @property
    def name(self) -> str:
        """The job in the words of the command, and where its run is or would be."""
        return f"{self.job.job} ({self.run.folder})" if self.job.job else str(self.run.folder)


def plan(overrides: Sequence[str]) -> Sweep:
    """All jobs of `-m` overrides, each composed and checked; nothing is written.

    Args:
        overrides: of `configs/train.yaml`, with several values where wanted; those that begin
            with `hydra` go to the launcher.

    Raises:
        InputError: listing every bad override of every job, and of the launcher.
    """
    words = tuple(text for text in overrides if _is_hydra(text))
    problems: list[str] = []
    try:
        _compose([*words, "job=0"])
    except InputError as error:
        problems += error.problems
    jobs: list[Config] = []
    try:
        jobs = config.sweep([text for text in overrides if not _is_hydra(text)])
    except InputError as error:
        problems += error.problems
    if problems:
        raise InputError(problems)
    unique = {run_of(job).folder: job for job in reversed(jobs)}
    return Sweep(tuple(reversed(unique.values())), words)


def launch(sweep: Sweep, command: Sequence[str]) -> list[Outcome]:
    """Run all jobs that are not finished and say how each ended.

    Jobs do not touch one another: where one fails, or its world refuses its options, the others
    go on and their runs are kept.

    Raises:
        KeyboardInterrupt: on Ctrl-C; the same command resumes what was stopped.
    """
    runs = sweep.runs
    done = {run.folder for run in runs if run.finished}
    waiting = [i for i, run in enumerate(runs) if run.folder not in done]
    write_json(
        sweep.folder / "sweep.json",
        {
            "command": list(command),
            "launcher": list(sweep.words),
            "started": now(),
            "runs": [str(run.folder) for run in runs],
        },
    )
    errors: dict[int, str] = {}
    try:
        if waiting:
            errors = _launch(sweep, waiting, command)
    except Exception as error:  # a launcher's own failure; what its jobs finished is kept
        last = str(error).strip().splitlines() or [""]
        errors = dict.fromkeys(waiting, f"the launcher stopped: {type(error).__name__}: {last[0]}")
    return [
        Outcome(
            job=sweep.jobs[i],
            run=run,
            skipped=run.folder in done,
            error="" if run.finished else errors.get(i, "") or "not finished",
        )
        for i, run in enumerate(runs)
    ]


def job(
    jobs: Sequence[Mapping[str, Any]], command: Sequence[str], folder: str, picked: DictConfig
) -> str:
    """What a launcher runs, in whatever process: one training. Returns what went wrong, if so.

    Args:
        jobs: resolved configurations of all jobs; command: for the manifest.
        folder: in which the command was given; relative paths start there.
        picked: holds the number of the job.
    """
    os.chdir(folder)
    here = str(HydraConfig.get().launcher._target_) == BASIC
    log = Path(HydraConfig.get().runtime.output_dir) / "log.txt"
    with contextlib.nullcontext() if here else _logged(log):
        try:
            train(config.load([], base=jobs[int(picked.job)]), command)
        except ScenarioError as error:
            return str(error)
        except Exception as error:
            traceback.print_exc(file=sys.stderr)
            last = str(error).strip().splitlines() or [""]
            return f"{type(error).__name__}: {last[0]}"
    return ""


def _launch(sweep: Sweep, waiting: Sequence[int], command: Sequence[str]) -> dict[int, str]:
    """Hand jobs to the launcher; returns their errors by number."""
    hydra, composed = _compose(
        [*sweep.words, "job=0", f"hydra.sweep.dir='{sweep.folder.resolve()}'"]
    )
    _settle_ray(composed)
    work = partial(job, [config.resolved for config in sweep.jobs], list(command), str(Path.cwd()))
    launcher = Plugins.instance().instantiate_launcher(
        hydra_context=HydraContext(config_loader=hydra.config_loader, callbacks=Callbacks()),
        task_function=work,
        config=composed,
    )
    shown = composed.hydra.launcher._target_ != BASIC
    with _watched([sweep.runs[i] for i in waiting]) if shown else contextlib.nullcontext():
        returns = launcher.launch([[f"job={i}"] for i in waiting], initial_job_idx=0)
    return {i: _error(found) for i, found in zip(waiting, returns, strict=True)}


def _error(found: Any) -> str:
    try:
        return str(found.return_value)
    except Exception as error:  # what the job could not answer itself, such as a missing import
        return f"{type(error).__name__}: {error}"


def _compose(words: Sequence[str]) -> tuple[Hydra, DictConfig]:
    """Hydra with `configs/sweep.yaml` under the launcher's overrides.

    Raises:
        InputError: a launcher that is not there, or settings that it does not know.
    """
    version.setbase("1.3")
    GlobalHydra.instance().clear()
    hydra = Hydra.create_main_hydra2("polislab", create_config_search_path(str(configs.root())))
    try:
        composed = hydra.compose_config(
            "sweep", list(words), RunMode.MULTIRUN, with_log_configuration=False
        )
    except (HydraException, OmegaConfBaseException) as error:
        raise InputError(_fault(words, hydra, str(error))) from None
    finally:
        GlobalHydra.instance().clear()
    return hydra, composed


def _fault(words: Sequence[str], hydra: Hydra, message: str) -> str:
    known = hydra.config_loader.get_group_options("hydra/launcher")
    for word in words:
        key, _, name = word.partition("=")
        if key == "hydra/launcher" and name not in known:
            if name in EXTRAS:
                return f"{word}: needs pip install 'polislab[{EXTRAS[name]}]'"
            return f"hydra/launcher: unknown choice {name!r}; {closest(name, known)}"
    return " ".join(message.split())


def _settle_ray(composed: DictConfig) -> None:
    """Ray without its dashboard and statistics of use; a cluster that runs keeps its memory.

    The plugin asks for little shared memory, which Ray refuses where it joins a cluster.
    """
    settings = OmegaConf.select(composed, "hydra.launcher.ray.init")
    if settings is None:
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    with open_dict(settings):
        if settings.get("address") in (None, "local"):
            settings.setdefault("include_dashboard", False)
            settings.setdefault("_node_ip_address", "127.0.0.1")
        else:
            settings.setdefault("object_store_memory", None)


@contextlib.contextmanager
def _logged(path: Path) -> Iterator[None]:
    """Output of this process goes to a file: several at once would garble the terminal."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        path.open("a", encoding="utf-8") as file,
        contextlib.redirect_stdout(file),
        contextlib.redirect_stderr(file),
    ):
        yield


@contextlib.contextmanager
def _watched(runs: Sequence[Run]) -> Iterator[None]:
    """A bar that counts finished runs while a launcher works elsewhere."""
    over = threading.Event()
    with progress("runs of the sweep", len(runs)) as tick:

        def watch() -> None:
            counted = 0
            while True:
                last = over.wait(POLL_SECONDS)
                finished = sum(run.finished for run in runs)
                for _ in range(finished - counted):
                    tick()
                counted = finished
                if last:
                    return

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            over.set()
            watcher.join()


def _is_hydra(text: str) -> bool:
    return text.lstrip("+~").startswith(("hydra.", "hydra/"))


def read_sweeps(root: Path) -> list[tuple[str, list[Run]]]:
    """Sweeps under a folder of runs: name and runs."""
    found = []
    for path in sorted((root / "sweeps").glob("*/sweep.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        found.append((path.parent.name, [Run(Path(folder)) for folder in content["runs"]]))
    return found
