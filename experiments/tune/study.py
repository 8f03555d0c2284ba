"""A study: trials proposed by Optuna, trained as runs, scored on tuning cities, resumed exactly.

Each trial's sampler is seeded by the study's seed and the number of trials before it, so that a
study that was stopped proposes what it would have proposed. All trials share training seeds and
tuning cities. Unpromising ones are stopped early by the median of the others' training reward.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from experiments import config
from experiments.config import Config
from experiments.errors import InputError
from experiments.evaluate import evaluate
from experiments.runs import FINISHED, Run
from experiments.settings import TUNING_RUNS, TUNING_SEED
from experiments.statistics import interquartile_mean
from experiments.status import BUDGETS
from experiments.train import held_out, learn
from experiments.tune.space import Range, words

VALUES = ("reward", "return")
STAGES = 20
STARTUP = 10
"""Trials drawn at random before the sampler learns from them (Optuna's default)."""


@dataclass(frozen=True)
class Study:
    """What is tuned.

    overrides: of the configuration; space: searched; folder: of the trials' runs;
    storage: SQLite where its name ends in `.db`, otherwise a journal; seeds: training seeds of
    each trial; cities: tuning cities; seed: of the sampler.
    """

    overrides: tuple[str, ...]
    space: tuple[Range, ...]
    folder: Path
    storage: Path
    seeds: int
    cities: int
    seed: int

    def question(self) -> str:
        """Checksum over everything that decides what a trial's score means."""
        resolved = config.load(self.overrides).resolved
        kept = {key: value for key, value in resolved.items() if key not in ("seed", "runs")}
        ranges = [repr(entry) for entry in self.space]
        text = json.dumps([kept, ranges, self.seeds, self.cities, self.seed], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Trial:
    """One trial: its values, how it ended (`complete`, `pruned` or `failed`) and its score.

    score: interquartile mean of welfare over training seeds and tuning cities.
    """

    number: int
    values: Mapping[str, Any]
    ended: str
    score: float | None
    error: str = ""


def tune(
    study: Study,
    trials: int,
    timeout: float | None,
    command: Sequence[str],
    told: Callable[[Trial], None],
) -> list[Trial]:
    """Run trials until the study holds `trials` of them or the time is over.

    Args:
        timeout: seconds; a trial that runs is not cut. command: for the manifests.
        told: called after each trial.

    Raises:
        InputError: Optuna is missing, or the storage holds another study.
        Interrupted: on Ctrl-C; the same study goes on with the trial that was stopped.
    """
    import time

    optuna = library()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    kept = _open(optuna, study)
    for stale in kept.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)):
        kept.tell(stale.number, state=optuna.trial.TrialState.FAIL)
    started = time.monotonic()
    while (number := len(done(kept, study.space))) < trials:
        if timeout is not None and time.monotonic() - started > timeout:
            break
        _one(optuna, kept, study, number, command)
        told(done(kept, study.space)[-1])
    return done(kept, study.space)


def done(kept: Any, space: Sequence[Range]) -> list[Trial]:
    """Trials that ended, the stopped ones left out, in the order of their numbers."""
    found: list[Trial] = []
    for trial in kept.get_trials(deepcopy=False):
        ended = str(trial.state.name).lower()
        error = str(trial.user_attrs.get("error", ""))
        if ended in ("complete", "pruned") or error:
            decoded = {
                entry.key: json.loads(value) if entry.choices else value
                for entry in space
                if (value := trial.params.get(entry.key)) is not None
            }
            score = float(trial.value) if ended == "complete" else None
            found.append(Trial(len(found), decoded, "failed" if error else ended, score, error))
    return found


def best(trials: Sequence[Trial]) -> Trial | None:
    """The complete trial with the highest score."""
    complete = [trial for trial in trials if trial.score is not None]
    return max(complete, key=lambda trial: trial.score or -math.inf, default=None)


def library() -> Any:
    """Optuna.

    Raises:
        InputError: it is not installed.
    """
    try:
        import optuna
    except ImportError:
        raise InputError("tuning needs Optuna: pip install 'polislab[tune]'") from None
    return optuna


def _open(optuna: Any, study: Study) -> Any:
    """The study in its storage, made where there is none."""
    study.storage.parent.mkdir(parents=True, exist_ok=True)
    if study.storage.suffix == ".db":
        storage = optuna.storages.RDBStorage(f"sqlite:///{study.storage}")
    else:
        backend = optuna.storages.journal.JournalFileBackend(str(study.storage))
        storage = optuna.storages.JournalStorage(backend)
    kept = optuna.create_study(
        storage=storage,
        study_name="polislab",
        direction="maximize",
        load_if_exists=True,
        pruner=optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=STAGES // 4),
    )
    question = study.question()
    if kept.user_attrs.get("question", question) != question:
        raise InputError(
            f"{study.storage}: holds a study of another configuration, space, number of seeds or "
            "cities; give this one another --name or --storage"
        )
    kept.set_user_attr("question", question)
    return kept


def _one(optuna: Any, kept: Any, study: Study, number: int, command: Sequence[str]) -> None:
    """Propose, train and score one trial."""
    drawn = np.random.SeedSequence([study.seed, number]).generate_state(1)[0]
    kept.sampler = optuna.samplers.TPESampler(seed=int(drawn), n_startup_trials=STARTUP)
    trial = kept.ask()
    values = {entry.key: entry.suggest(trial) for entry in study.space}
    try:
        score = _score(optuna, trial, study, number, values, command)
        kept.tell(trial, score)
    except optuna.TrialPruned:
        kept.tell(trial, state=optuna.trial.TrialState.PRUNED)
    except KeyboardInterrupt:
        kept.tell(trial, state=optuna.trial.TrialState.FAIL)
        raise
    except Exception as error:  # one bad corner of the space must not end the search
        trial.set_user_attr("error", f"{type(error).__name__}: {error}")
        kept.tell(trial, state=optuna.trial.TrialState.FAIL)


def _score(
    optuna: Any,
    trial: Any,
    study: Study,
    number: int,
    values: Mapping[str, Any],
    command: Sequence[str],
) -> float:
    """Interquartile mean of welfare over training seeds and tuning cities."""
    scores = []
    for part in range(study.seeds):
        seed = f"seed={TUNING_RUNS + part}"
        loaded = config.load([*study.overrides, *words(values), seed])
        loaded = loaded.scored_on(TUNING_SEED, study.cities)
        folder = study.folder / "trials" / f"{number:04d}" / f"seed-{part}"
        run = Run(folder, _pruner(optuna, trial, loaded, part * STAGES))
        run.begin(loaded, command)
        env = held_out(loaded)
        policy = learn(loaded, run, env.groups)
        result = evaluate(env, {"policy": policy}, TUNING_SEED, lambda: None)
        run.mark(FINISHED)
        scores.append(result.welfare["overall"][0])
    score = float(interquartile_mean(np.stack(scores)))
    if not math.isfinite(score):
        raise ValueError("the score is not a finite number")
    return score


def _pruner(
    optuna: Any, trial: Any, loaded: Config, first: int
) -> Callable[[Mapping[str, Any]], None]:
    """Reports a run's training reward at each twentieth of its length and stops a poor trial."""
    reported = [first - 1]

    def watch(row: Mapping[str, Any]) -> None:
        column = next((name for name in BUDGETS if name in row), None)
        value = next((float(row[name]) for name in VALUES if name in row), math.nan)
        total = getattr(loaded.agent, BUDGETS[column], 0) if column else 0
        if not column or not total or not math.isfinite(value):
            return
        stage = first + min(STAGES - 1, int(STAGES * float(row[column]) / total))
        if stage > reported[0]:
            reported[0] = stage
            trial.report(value, stage)
            if trial.should_prune():
                raise optuna.TrialPruned

    return watch
