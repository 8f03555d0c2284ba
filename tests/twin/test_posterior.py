"""A fitted twin on disk: numbers only, exact, dealt out once, refused when broken."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

import envs
from envs.city import tree
from envs.city.model import City
from envs.twin import posterior
from envs.twin.twin import Twin, fit, posterior_city, summary
from experiments.cities import city_fault, content_hash
from tests.twin import made_up


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Twin:
    world = made_up.worlds(seed=11, years=2)
    folder = made_up.package(tmp_path_factory.mktemp("city") / "c", made_up.texts(world, 0))
    return fit(folder, made_up.settings())


@pytest.fixture(scope="module")
def saved(twin: Twin, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("twin") / "made-up"
    posterior.save(posterior_city(twin), summary(twin), folder)
    return folder


def everything(city: City) -> dict[str, torch.Tensor]:
    found = {f"parameters.{k}": v for k, v in city.parameters.values.items()}
    for part in ("geography", "fundamentals", "start"):
        found |= dict(tree.leaves(getattr(city, part), part))
    assert city.drift is not None
    return found | {"drift": city.drift}


def test_saved_and_loaded_to_the_bit(twin: Twin, saved: Path) -> None:
    found = posterior.load(saved)
    one, other = everything(posterior_city(twin)), everything(found.members)
    assert one.keys() == other.keys()
    for name in one:
        assert torch.equal(one[name], other[name]), name
        assert one[name].dtype == other[name].dtype
    assert found.description["city"] == "made-up"
    assert found.description["years"] == [2001, 2003]


def test_folder_holds_text_and_tensors_only(saved: Path) -> None:
    assert sorted(path.name for path in saved.iterdir()) == ["ensemble.safetensors", "twin.json"]
    content = (saved / "ensemble.safetensors").read_bytes()
    header = content[8 : 8 + int.from_bytes(content[:8], "little")]
    assert set(json.loads(header)) - {"__metadata__"}, "a safetensors header names its tensors"


def test_training_and_gate_share_no_member_and_leave_none_out(saved: Path) -> None:
    found = posterior.load(saved)
    rents = [
        {tuple(row) for row in city.start.planning.home_rent.tolist()}
        for city in (found.city(posterior.TRAINING), found.city(posterior.GATE))
    ]
    everyone = {tuple(row) for row in found.members.start.planning.home_rent.tolist()}
    assert not rents[0] & rents[1]
    assert rents[0] | rents[1] == everyone
    assert len(everyone) == made_up.MEMBERS


def test_environments_run_on_training_draws_of_the_folder(saved: Path) -> None:
    env = envs.make("city_v0", city=str(saved), num_envs=4, cities=2, horizon=6, terminal="tail")
    env.reset(seed=0)
    result = env.step({g.name: torch.zeros(4, len(g.agents), len(g.action_names))
                       for g in env.groups})  # fmt: skip
    assert all(torch.isfinite(value).all() for value in result.observations.values())
    training = posterior.load(saved).city(posterior.TRAINING).start.planning.home_rent
    assert torch.equal(env.city.start.planning.home_rent, training[:2])
    assert city_fault(str(saved)) is None
    assert len(content_hash(str(saved))) == 64


def drop_parameter(folder: Path) -> None:
    tensors = load_file(folder / "ensemble.safetensors")
    del tensors["parameters.eps_h"]
    save_file(tensors, folder / "ensemble.safetensors")


def drop_state(folder: Path) -> None:
    tensors = load_file(folder / "ensemble.safetensors")
    del tensors["start.planning.home_rent"]
    save_file(tensors, folder / "ensemble.safetensors")


def cut_tensors(folder: Path) -> None:
    path = folder / "ensemble.safetensors"
    path.write_bytes(path.read_bytes()[:-5000])


def pickled(folder: Path) -> None:
    (folder / "ensemble.safetensors").write_bytes(pickle.dumps({"a": 1}))


def no_tensors(folder: Path) -> None:
    (folder / "ensemble.safetensors").unlink()


def bad_text(folder: Path) -> None:
    (folder / "twin.json").write_text("{")


def no_mapping(folder: Path) -> None:
    (folder / "twin.json").write_text("[1]")


def other_format(folder: Path) -> None:
    described: Any = json.loads((folder / "twin.json").read_text())
    (folder / "twin.json").write_text(json.dumps(described | {"format": 99}))


BREAKS = {
    drop_parameter: "no parameters eps_h",
    drop_state: "home_rent",
    cut_tensors: "not a fitted twin",
    pickled: "not a fitted twin",
    no_tensors: "not a fitted twin",
    bad_text: "not a fitted twin",
    no_mapping: "not a fitted twin",
    other_format: "format 99, expected 1",
}


@pytest.mark.parametrize("broken", BREAKS, ids=lambda f: f.__name__)
def test_a_broken_folder_gives_one_message_that_names_it(
    saved: Path, tmp_path: Path, broken: Callable[[Path], None]
) -> None:
    folder = tmp_path / "twin"
    shutil.copytree(saved, folder)
    broken(folder)
    with pytest.raises(ValueError, match=BREAKS[broken]) as caught:
        posterior.load(folder)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert city_fault(str(folder)) == str(caught.value)
