"""Configurations: Hydra groups and overrides, checked as a whole before anything runs."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import yaml
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

import configs
from agents.schema import SettingsError, closest, read
from experiments.cities import PRESETS
from experiments.errors import InputError
from experiments.settings import AGENTS, CLIMBERS, TrainSettings

GROUPS = ("scenario", "agent", "experiment")
UNSET = object()
T = TypeVar("T")


@dataclass(frozen=True)
class Config:
    """A checked configuration.

    settings: typed values; agent: typed settings of the agent; resolved: the same as plain values;
    job: the overrides that tell it from the others of its sweep, empty outside of one.
    """

    settings: TrainSettings
    agent: Any
    resolved: dict[str, Any]
    job: str = ""

    @property
    def scenario(self) -> str:
        """Name of the scenario."""
        return str(self.settings.scenario["id"])

    @property
    def kind(self) -> str:
        """Kind of the agent: a learner, `plan` or a rule."""
        return str(self.settings.agent["kind"])

    def environment(self, num_envs: int, seed: int, cities: int | None = None) -> dict[str, Any]:
        """Keywords of `envs.make` and `envs.sb3_vec_env` behind the scenario's id.

        Args:
            cities: number of different synthetic cities; None leaves it to the configuration.
        """
        options = {key: value for key, value in self.settings.scenario.items() if key != "id"}
        if self.settings.city in PRESETS:
            options["districts"] = self.settings.districts
            options["cities"] = cities or self.settings.cities
        return options | {
            "city": self.settings.city,
            "num_envs": num_envs,
            "seed": seed,
            "device": self.settings.device,
        }

    def scored_on(self, first_seed: int, cities: int | None = None) -> Config:
        """The same configuration with other held-out cities.

        Args:
            first_seed: of the cities. cities: their number; None leaves it.
        """
        experiment = self.settings.experiment
        evaluation = replace(
            experiment.evaluation,
            first_seed=first_seed,
            cities=cities or experiment.evaluation.cities,
        )
        changed = replace(experiment, evaluation=evaluation)
        plain = {"cities": evaluation.cities, "first_seed": first_seed}
        kept = self.resolved["experiment"]
        resolved = kept | {"evaluation": kept["evaluation"] | plain}
        return replace(
            self,
            settings=replace(self.settings, experiment=changed),
            resolved=self.resolved | {"experiment": resolved},
        )


def choices(group: str) -> list[str]:
    """Names that `group=NAME` accepts."""
    return sorted(path.stem for path in (configs.root() / group).glob("*.yaml"))


def load(
    overrides: Sequence[str], name: str = "train", base: Mapping[str, Any] | None = None
) -> Config:
    """Compose `configs/<name>.yaml` with overrides and check everything.

    Args:
        overrides: as Hydra writes them, `KEY=VALUE`.
        name: of the file that says which groups and keys there are.
        base: resolved values of an earlier run that replace the file's.

    Raises:
        InputError: listing every bad override and value.
    """
    problems: list[str] = []
    parsed = [entry for text in overrides if (entry := _parse(text, problems)) is not None]
    for entry in parsed:
        if entry.is_sweep_override():
            problems.append(f"{entry.input_line}: several values need -m")
    single = [entry for entry in parsed if not entry.is_sweep_override()]
    return _load(single, name, problems, base)


def sweep(overrides: Sequence[str], name: str = "train") -> list[Config]:
    """All combinations of overrides with several values, as `seed=range(0,3) agent=ppo,pi`.

    Raises:
        InputError: listing every bad override and value of every combination.
    """
    problems: list[str] = []
    parsed = [entry for text in overrides if (entry := _parse(text, problems)) is not None]
    values = [list(_values(entry, problems)) for entry in parsed]
    jobs, faults = [], dict.fromkeys(problems)
    for line in itertools.product(*values):
        entries = [entry for text in line if (entry := _parse(text, problems)) is not None]
        try:
            swept = (text for text, some in zip(line, values, strict=True) if len(some) > 1)
            jobs.append(replace(_load(entries, name, []), job=" ".join(swept)))
        except InputError as error:
            faults |= dict.fromkeys(error.problems)
    if faults:
        raise InputError(list(faults))
    return jobs


def _parse(text: str, problems: list[str]) -> Override | None:
    try:
        override: Override = OverridesParser.create().parse_override(text)
    except HydraException:
        problems.append(f"{text}: not of the form KEY=VALUE")
        return None
    if text.lstrip("+~").startswith(("hydra.", "hydra/")):
        problems.append(f"{text}: launchers need -m")
        return None
    if override.is_delete():
        problems.append(f"{text}: keys cannot be deleted")
        return None
    return override


def _values(override: Override, problems: list[str]) -> list[str]:
    if not override.is_sweep_override():
        return [str(override.input_line)]
    if not override.is_discrete_sweep():
        problems.append(f"{override.input_line}: only lists and ranges of values can be swept")
        return []
    key = override.get_key_element()
    return [f"{key}={value}" for value in override.sweep_string_iterator()]


def _load(
    overrides: Sequence[Override],
    name: str,
    problems: list[str],
    base: Mapping[str, Any] | None = None,
) -> Config:
    groups = [entry for entry in overrides if entry.key_or_group in GROUPS]
    composed = _compose(name, [t for entry in groups if (t := _choice(entry, problems))])
    for entry in groups:
        if entry.key_or_group == "scenario" and (offered := _offered(entry.value())):
            OmegaConf.update(composed, "scenario", offered, merge=False, force_add=True)
    chosen = {entry.key_or_group for entry in groups}
    for key, value in _completed(base or {}).items():
        if key not in chosen:
            OmegaConf.update(composed, key, value, merge=False, force_add=True)
    for entry in overrides:
        if entry not in groups:
            _assign(composed, entry, problems)
    resolved: Any = OmegaConf.to_container(composed, resolve=True)
    settings, agent = _check(resolved, problems)
    if problems or settings is None:
        raise InputError(list(dict.fromkeys(problems)))
    return Config(settings, agent, resolved)


def _completed(base: Mapping[str, Any]) -> dict[str, Any]:
    """Values of an earlier run, with the shipped ones of settings that its agent got since."""
    agent = base.get("agent")
    if not isinstance(agent, Mapping) or agent.get("kind") not in choices("agent"):
        return dict(base)
    text = (configs.root() / "agent" / f"{agent['kind']}.yaml").read_text(encoding="utf-8")
    return {**base, "agent": yaml.safe_load(text) | dict(agent)}


def _choice(override: Override, problems: list[str]) -> str | None:
    """What Hydra composes for a choice; nothing where it has no file."""
    group, value = str(override.key_or_group), override.value()
    known = choices(group)
    if value in known:
        return f"{group}={value}"
    if group == "scenario":
        from envs.registry import scenario_ids

        known = list(scenario_ids())
    if value not in known:
        problems.append(f"{group}: unknown choice {value!r}; {closest(str(value), known)}")
    return None


def _offered(name: Any) -> dict[str, Any]:
    """Options at their defaults of a scenario of another package, which brings no file."""
    from envs.registry import scenarios

    if name in choices("scenario") or name not in scenarios():
        return {}
    default = scenarios()[name]()
    return {"id": name} | {field.name: getattr(default, field.name) for field in fields(default)}


def _compose(name: str, overrides: Sequence[str]) -> DictConfig:
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(configs.root()), version_base="1.3"):
        return compose(name, overrides=list(overrides))


def _assign(composed: DictConfig, override: Override, problems: list[str]) -> None:
    """Set one value; a key must exist unless it is added with `+`, which the schema then judges."""
    key = str(override.key_or_group)
    known = [path for path, _ in _leaves(OmegaConf.to_container(composed))]
    try:
        found = OmegaConf.select(composed, key, default=UNSET, throw_on_missing=False)
        if found is UNSET and not override.is_add():
            problems.append(f"{key}: unknown key; {_nearest(key, known)}")
        else:
            OmegaConf.update(composed, key, override.value(), merge=False, force_add=True)
    except OmegaConfBaseException as error:
        problems.append(f"{key}: {str(error).splitlines()[0]}")


def _nearest(key: str, known: list[str]) -> str:
    """Hint for a mistyped path; `env_steps` finds `agent.env_steps`."""
    ends = [path for path in known if path.split(".")[-1] == key.split(".")[-1]]
    return f"did you mean {ends[0]!r}?" if ends else closest(key, known)


def _leaves(node: Any, path: str = "") -> list[tuple[str, Any]]:
    if not isinstance(node, dict) or not node:
        return [(path, node)]
    return [
        leaf
        for key, child in node.items()
        for leaf in _leaves(child, f"{path}.{key}" if path else str(key))
    ]


def _check(resolved: Any, problems: list[str]) -> tuple[TrainSettings | None, Any]:
    settings = _read(TrainSettings, resolved, "", problems)
    if isinstance(resolved.get("scenario"), dict):
        _check_scenario(resolved["scenario"], problems)
    chosen = resolved.get("agent")
    if not isinstance(chosen, dict):
        return settings, None
    kind = chosen.get("kind")
    if kind not in AGENTS:
        problems.append(f"agent.kind: unknown choice {kind!r}; {closest(str(kind), AGENTS)}")
        return settings, None
    if kind in CLIMBERS and resolved.get("compiled") is True:
        problems.append(f"compiled: agent {kind} climbs gradients, which a compiled step lacks")
    values = {key: value for key, value in chosen.items() if key != "kind"}
    return settings, _read(AGENTS[kind], values, "agent", problems)


def _check_scenario(chosen: Mapping[str, Any], problems: list[str]) -> None:
    """The scenario exists, and its own table of options accepts the values."""
    from envs.registry import scenarios

    known, name = scenarios(), chosen.get("id")
    if name not in known:
        problems.append(f"scenario.id: unknown choice {name!r}; {closest(str(name), known)}")
        return
    kind, default = known[name], known[name]()
    options = {field.name: getattr(default, field.name) for field in fields(kind)}
    options |= {str(key): value for key, value in chosen.items() if key != "id"}
    if scenario := _read(kind, options, "scenario", problems):
        problems.extend(f"scenario.{problem}" for problem in scenario.problems())


def _read(kind: type[T], data: Any, where: str, problems: list[str]) -> T | None:
    try:
        return read(kind, data, where)
    except SettingsError as error:
        problems.extend(error.problems)
        return None
