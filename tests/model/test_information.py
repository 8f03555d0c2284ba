"""The information channel: late, noisy, in part; each row its own; nothing at full information."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from envs.city import tree
from envs.city.channel import DRAWS, Channel, ChannelState
from envs.city.information import (
    BIASES,
    DISTRICT,
    FIGURES,
    REVISION,
    SERIES,
    TREASURY,
    Series,
    formula_of,
    indicator_of,
    interpolated,
    series_of,
)
from envs.city.levers import GOVERNORS
from envs.city.model import City, CityState, Flows
from tests.model.runs import last

CITY = ("population", "rent", "jobs", "traffic", "evasion", "transit_trips", "complaints")
LOCAL = ("rent", "traffic", "complaints")
FIGURES_HERE = (*CITY, *(DISTRICT + name for name in LOCAL))
VIEWERS = (*GOVERNORS, "boards")


def first_month(city: City, rows: int = 1) -> tuple[CityState, Flows]:
    state, flows = last(city, {}, 1)
    many = (lambda x: x.expand(rows, *x.shape[1:]).clone()) if rows > 1 else (lambda x: x)
    return tree.tree_map(many, state), tree.tree_map(many, flows)


def channel(
    city: City,
    information: float,
    rows: int = 1,
    seed: int = 0,
    figures: Sequence[str] = FIGURES_HERE,
) -> Channel:
    """A channel whose row i has the seed ``seed + i``."""
    state, flows = first_month(city, rows)
    names = {*figures}
    names |= {DISTRICT + n for n in figures if n in FIGURES and FIGURES[n].district is not None}
    start = {name: formula_of(name)(city, state, flows) for name in names}
    biased = {name: bias(city, state, flows) for name, bias in BIASES.items()}
    made = Channel(start, biased, figures, VIEWERS, information)
    for row in range(rows):
        made.seed(row, seed + row)
    return made


def columns(city: City, figures: Sequence[str] = FIGURES_HERE) -> list[str]:
    """The figure of every column."""
    widths = [city.districts if name.startswith(DISTRICT) else 1 for name in figures]
    return [name for name, width in zip(figures, widths, strict=True) for _ in range(width)]


def run(made: Channel, measured: Tensor, noise: Tensor) -> tuple[ChannelState, list[Tensor]]:
    """Publish months ``[T, B, n]`` with noise ``[T, B, DRAWS, n]``."""
    state, seen = made.begin(), []
    for now, errors in zip(measured, noise, strict=True):
        state, latest = made.publish(state, now, errors)
        seen.append(latest)
    return state, seen


@pytest.mark.parametrize("row", SERIES.values(), ids=str)
def test_every_series_is_well_formed(row: Series) -> None:
    assert row.block in (*GOVERNORS, TREASURY)
    assert row.every in (1, 3, 12)
    assert row.lag >= 0
    assert 0 <= row.coverage <= 1
    assert 0 <= row.missing < 0.5
    assert 0 <= row.noise < 0.5
    assert row.bias in ("", *BIASES)
    assert row.source
    for name in row.figures:
        assert indicator_of(name), name
        assert series_of(name) is row, f"{name} is published twice"


def test_the_ends_of_the_scale_are_perfect_and_the_table() -> None:
    for row in SERIES.values():
        silo = interpolated(row, 0.0)
        assert silo.coverage == pytest.approx(row.coverage)
        assert replace(silo, coverage=row.coverage) == row
        perfect = interpolated(row, 1.0)
        assert (perfect.lag, perfect.every, perfect.noise, perfect.missing) == (0, 1, 0.0, 0.0)
        assert perfect.coverage == 1
        better, worse = interpolated(row, 0.6), interpolated(row, 0.3)
        assert (better.lag, better.every) <= (worse.lag, worse.every)
        assert better.noise <= worse.noise
        assert better.coverage >= worse.coverage
    with pytest.raises(ValueError, match="expected 0 to 1"):
        interpolated(row, 1.5)


def test_full_information_is_transparent_to_the_bit(nine: City) -> None:
    made = channel(nine, 1.0, rows=3)
    state, (now, flows) = made.begin(), first_month(nine, 3)
    truth = [formula_of(name)(nine, now, flows).reshape(3, -1) for name in FIGURES_HERE]
    assert torch.equal(made.measure(state, nine, now, flows), torch.cat(truth, 1))
    for measured in torch.randn(20, 3, len(columns(nine)), dtype=torch.float64):
        state, seen = made.publish(state, measured, made.draw())
        assert torch.equal(seen, measured)
        for viewer in VIEWERS:
            assert torch.equal(made.look(state, viewer), measured)


def without_error(months: int, width: int) -> Tensor:
    """Noise ``[months, 1, DRAWS, width]`` under which every release appears and none errs."""
    noise = torch.zeros(months, 1, DRAWS, width, dtype=torch.float64)
    noise[:, :, 2] = 9.0
    return noise


@pytest.mark.parametrize("information", [0.0, 0.4, 0.8])
def test_a_figure_is_of_the_last_reference_month_that_had_time_to_appear(
    nine: City, information: float
) -> None:
    made = channel(nine, information)
    names, months = columns(nine), 60
    rows = [interpolated(series_of(name), information) for name in names]
    calendar = torch.arange(1, months + 1, dtype=torch.float64).reshape(-1, 1, 1)
    measured = calendar.expand(-1, 1, len(names))
    state, seen = run(made, measured, without_error(months, len(names)))
    for month, latest in enumerate(seen, 1):
        for column, row in enumerate(rows):
            reference = (month - row.lag) // row.every * row.every
            if reference >= 1:
                assert float(latest[0, column]) == reference, (names[column], month)
    for column, row in enumerate(rows):
        age = REVISION + row.lag
        assert float(state.revised[0, column]) == (months - age) // row.every * row.every


def test_errors_have_the_size_of_the_table_and_revisions_a_third(nine: City) -> None:
    made = channel(nine, 0.0, figures=("rent", "district:rent"))
    ones, sigma = torch.ones(240, 1, 10, dtype=torch.float64), SERIES["prices"].noise
    state, errors, revisions = made.begin(), [], []
    for measured in ones:
        state, seen = made.publish(state, measured, made.draw())
        errors.append(torch.log(seen))
        revisions.append(torch.log(state.revised))
    late = slice(REVISION + SERIES["prices"].lag, None)
    assert torch.cat(errors[late]).std() == pytest.approx(sigma, rel=0.05)
    assert torch.cat(revisions[late]).std() == pytest.approx(sigma / 3, rel=0.05)
    assert torch.cat(errors[late]).mean().abs() < 0.1 * sigma


def test_releases_that_do_not_appear_leave_the_figure_before(nine: City) -> None:
    made = channel(nine, 0.0, figures=("traffic",))
    state, months = made.begin(), 600
    same, before = 0, state.seen
    for measured in torch.rand(months, 1, 1, dtype=torch.float64):
        state, seen = made.publish(state, measured, made.draw())
        same, before = same + int(torch.equal(seen, before)), seen
    assert same / months == pytest.approx(SERIES["traffic"].missing, abs=0.03)
    assert same > 0


def shifted(state: CityState, **planning: Tensor) -> CityState:
    return replace(state, planning=replace(state.planning, **planning))


def test_low_incomes_are_undercounted(nine: City) -> None:
    state, flows = first_month(nine)
    people = flows.residents.people.clone()
    people[..., :2] *= 1.5
    more_poor = replace(flows, residents=replace(flows.residents, people=people))
    true, counted = (channel(nine, level, figures=("population",)) for level in (1.0, 0.0))
    gain = [
        float(made.measure(made.begin(), nine, state, more_poor)[0, 0])
        / float(flows.residents.people.sum())
        for made in (true, counted)
    ]
    newcomers = gain[0] - 1
    share = float(flows.residents.people[..., :2].sum() / flows.residents.people.sum())
    expected = (1 + newcomers - 0.05 * (share + newcomers)) / (1 - 0.05 * share)
    assert gain[0] > 1.05
    assert gain[1] == pytest.approx(expected, rel=1e-3)


def test_jobs_off_the_books_are_not_registered(nine: City) -> None:
    state, flows = first_month(nine)
    worse = replace(state, treasury=replace(state.treasury, evasion=state.treasury.evasion + 0.1))
    hidden = state.treasury.evasion[:, 1:].mean()
    seen = []
    for level in (1.0, 0.5, 0.0):
        made = channel(nine, level, figures=("jobs",))
        seen.append(float(made.measure(made.begin(), nine, worse, flows)[0, 0]))
    assert seen[0] == float(flows.market.jobs.sum())
    kept = float((0.9 - hidden) / (1 - hidden))
    assert seen[2] / seen[0] == pytest.approx(kept, rel=1e-3)
    assert seen[1] / seen[0] == pytest.approx(kept**0.5, rel=1e-3)


def test_complaints_hear_those_who_speak_up(nine: City) -> None:
    state, flows = first_month(nine)
    people = torch.ones_like(flows.residents.people)
    flows = replace(flows, residents=replace(flows.residents, people=people))
    published = {}
    for kind in (0, 5):
        loss = torch.zeros_like(state.planning.perceived)
        loss[..., kind] = 0.2
        worse = shifted(state, perceived=state.planning.perceived - loss)
        for level in (1.0, 0.0):
            made = channel(nine, level, figures=("district:complaints",))
            found = made.measure(made.begin(), nine, worse, flows)
            published[kind, level] = float(found.mean())
    assert published[0, 1.0] == pytest.approx(published[5, 1.0])
    assert published[5, 0.0] > published[5, 1.0] > published[0, 0.0] > 0.5


def test_nobody_counts_where_no_sensor_stands(thirty_three: City) -> None:
    figures = ("traffic", "district:traffic")
    made = channel(thirty_three, 0.0, rows=20, figures=figures)
    state = made.begin()
    number = list(SERIES).index("traffic")
    standing = state.standing[:, number]
    assert float(standing.double().mean()) == pytest.approx(SERIES["traffic"].coverage, abs=0.06)
    assert bool(standing.any(1).all())
    now, flows = first_month(thirty_three, 20)
    before = made.measure(state, thirty_three, now, flows)
    busy = torch.where(standing, 1.0, 2.0) * flows.traffic.vehicle_km
    jammed = replace(flows, traffic=replace(flows.traffic, vehicle_km=busy))
    after = made.measure(state, thirty_three, now, jammed)
    assert torch.allclose(after[:, 0], before[:, 0]), "the counted districts are as before"
    noise = without_error(1, after.shape[1]).expand(-1, 20, -1, -1)[0]
    for _ in range(3):
        state, _ = made.publish(state, after * 1.5, noise)
    seen = made.figure(made.look(state, "boards"), "district:traffic")
    first = made.figure(made._first, "district:traffic")
    assert torch.equal(torch.isclose(seen, first), ~standing)


def test_a_silo_hides_what_others_collect_and_sharing_grows(nine: City) -> None:
    levels = (0.0, 0.3, 0.7, 1.0)
    figures = tuple(name for row in SERIES.values() for name in row.figures if ":" not in name)
    states = [channel(nine, level, rows=40, figures=figures).begin() for level in levels]
    for viewer, governor in enumerate(GOVERNORS):
        for column, name in enumerate(figures):
            row = series_of(name)
            told = [state.visible[:, viewer, column] for state in states]
            if row.block in (governor, TREASURY):
                assert row.name == "audits" or all(bool(x.all()) for x in told)
                continue
            assert not bool(told[0].any())
            assert bool(told[-1].all())
            assert bool((told[1] <= told[2]).all()), "who knew more at .3 than at .7?"
    others = torch.stack([state.visible[:, 0].double().mean() for state in states])
    assert bool((others.diff() > 0.1).all())


def test_a_board_knows_its_own_district_in_a_silo(nine: City) -> None:
    visible = channel(nine, 0.0, rows=10).begin().visible[:, VIEWERS.index("boards")]
    for column, name in enumerate(columns(nine)):
        if series_of(name).coverage == 1:
            assert bool((visible[:, column] == name.startswith(DISTRICT)).all()), name


@pytest.mark.parametrize("row", [0, 37, 63])
def test_a_row_of_sixty_four_errs_as_it_does_alone_to_the_bit(nine: City, row: int) -> None:
    crowd, alone = channel(nine, 0.3, rows=64, seed=5), channel(nine, 0.3, rows=1, seed=5 + row)
    many, one = crowd.begin(), alone.begin()
    for measured in torch.rand(30, 64, len(columns(nine)), dtype=torch.float64):
        many, _ = crowd.publish(many, measured, crowd.draw())
        one, _ = alone.publish(one, measured[row : row + 1], alone.draw())
        for viewer in VIEWERS:
            for revised in (False, True):
                together = crowd.look(many, viewer, revised)[row]
                assert torch.equal(together, alone.look(one, viewer, revised)[0])


def test_restarting_a_row_leaves_the_others_to_the_bit(nine: City) -> None:
    made = channel(nine, 0.2, rows=4)
    state = made.begin()
    for measured in torch.rand(15, 4, len(columns(nine)), dtype=torch.float64):
        state, _ = made.publish(state, measured, made.draw())
    after = made.restart(state, [1, 3])
    for (name, old), (_, new) in zip(tree.leaves(state), tree.leaves(after), strict=True):
        assert torch.equal(old[[0, 2]], new[[0, 2]]), name
    assert after.month.tolist() == [15, 0, 15, 0]
    assert torch.equal(after.history[1, 0], after.history[1, -1])
    assert not torch.equal(after.seen[1], state.seen[1])
    assert not torch.equal(after.standing[1], state.standing[1])


def test_gradients_pass_with_the_delay(nine: City) -> None:
    made = channel(nine, 0.0, figures=("rent",))
    measured = torch.rand(6, 1, 1, dtype=torch.float64, requires_grad=True)
    noise = torch.stack([made.draw() for _ in measured])
    _, seen = run(made, measured, noise)
    (slope,) = torch.autograd.grad(seen[-1].sum(), measured)
    lag = SERIES["prices"].lag
    factor = torch.exp(SERIES["prices"].noise * noise[-1, 0, 0, 0])
    assert slope.flatten()[-1 - lag] == factor
    assert int((slope != 0).sum()) == 1


def test_a_figure_that_nobody_publishes_is_refused(nine: City) -> None:
    with pytest.raises(ValueError, match="no series publishes 'happiness'"):
        series_of("happiness")
    with pytest.raises(ValueError, match="has no district values"):
        formula_of("district:unemployment")


def test_the_less_is_told_the_further_off_are_figures(nine: City) -> None:
    figures = tuple(name for row in SERIES.values() for name in row.figures if ":" not in name)
    generator = torch.Generator().manual_seed(2)
    steps = 0.02 * torch.randn(48, 8, len(figures), generator=generator, dtype=torch.float64)
    misses = []
    for level in (1.0, 0.75, 0.5, 0.25, 0.0):
        made = channel(nine, level, rows=8, figures=figures)
        truth = made.begin().history[:, 0] * torch.exp(steps.cumsum(0))
        state, miss = made.begin(), torch.zeros(())
        for now in truth:
            state, _ = made.publish(state, now, made.draw())
            miss = miss + torch.log(made.look(state, "services") / now).nan_to_num().abs().mean()
        misses.append(float(miss) / len(truth))
    assert misses[0] == 0
    assert misses == sorted(misses)
    assert misses[-1] > 2 * misses[1] > 0
