"""The filter against closed forms and published figures."""

import pytest
import torch

from envs.twin import filter as ensemble_filter
from envs.twin import lorenz
from envs.twin.localisation import CITY_WIDE, gaspari_cohn, observation_weights

N, X, Y = 40, 6, 4


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def problem(seed=0, members=N):
    """Ensemble, linear observation operator, observations, error variances."""
    g = generator(seed)
    ensemble = torch.randn(members, X, generator=g, dtype=torch.float64) @ torch.randn(
        X, X, generator=g, dtype=torch.float64
    )
    operator = torch.randn(Y, X, generator=g, dtype=torch.float64)
    observed = torch.randn(Y, generator=g, dtype=torch.float64)
    variance = 0.1 + torch.rand(Y, generator=g, dtype=torch.float64)
    return ensemble, operator, observed, variance


def kalman(ensemble, operator, observed, variance):
    """Textbook Kalman update of the ensemble's own sample moments."""
    mean, covariance = ensemble.mean(0), torch.cov(ensemble.T)
    total = operator @ covariance @ operator.T + torch.diag(variance)
    gain = covariance @ operator.T @ torch.linalg.inv(total)
    posterior = (torch.eye(X, dtype=torch.float64) - gain @ operator) @ covariance
    return mean + gain @ (observed - operator @ mean), posterior


def close(a, b, tolerance=1e-10):
    return torch.allclose(a, b, rtol=0, atol=tolerance)


@pytest.mark.parametrize("members", [8, 40, 300])
@pytest.mark.parametrize("rotated", [False, True])
def test_etkf_is_the_kalman_update_of_its_sample_moments(members, rotated):
    ensemble, operator, observed, variance = problem(members=members)
    analysis = ensemble_filter.etkf(
        ensemble,
        ensemble @ operator.T,
        observed,
        variance,
        rotation=generator(1) if rotated else None,
    )
    mean, covariance = kalman(ensemble, operator, observed, variance)
    assert close(analysis.mean(0), mean)
    assert close(torch.cov(analysis.T), covariance)


def test_a_missing_observation_counts_as_dropped():
    ensemble, operator, observed, variance = problem()
    holed, holed_variance = observed.clone(), variance.clone()
    holed[1], holed_variance[1] = torch.nan, torch.nan
    kept = torch.tensor([0, 2, 3])
    analysis = ensemble_filter.etkf(ensemble, ensemble @ operator.T, holed, holed_variance)
    dropped = ensemble_filter.etkf(
        ensemble, (ensemble @ operator.T)[:, kept], observed[kept], variance[kept]
    )
    assert close(analysis, dropped)
    nothing = torch.full((Y,), torch.nan)
    assert close(ensemble_filter.etkf(ensemble, ensemble @ operator.T, nothing, variance), ensemble)


def test_inflation_multiplies_the_forecast_anomalies():
    ensemble, operator, observed, variance = problem()
    inflated = ensemble.mean(0) + 1.3 * (ensemble - ensemble.mean(0))
    assert close(
        ensemble_filter.etkf(ensemble, ensemble @ operator.T, observed, variance, inflation=1.3),
        ensemble_filter.etkf(inflated, inflated @ operator.T, observed, variance),
    )


def test_batched_update_equals_each_row_alone():
    rows = [problem(seed) for seed in range(3)]
    inflation = torch.tensor([1.0, 1.1, 1.2])
    turns = torch.stack([ensemble_filter.random_rotation(N, generator(i)) for i in range(3)])
    batch = ensemble_filter.etkf(
        torch.stack([e for e, _, _, _ in rows]),
        torch.stack([e @ h.T for e, h, _, _ in rows]),
        torch.stack([y for _, _, y, _ in rows]),
        torch.stack([r for _, _, _, r in rows]),
        inflation,
        turns,
    )
    for i, (ensemble, operator, observed, variance) in enumerate(rows):
        alone = ensemble_filter.etkf(
            ensemble, ensemble @ operator.T, observed, variance, inflation[i], generator(i)
        )
        assert close(batch[i], alone)


def test_random_rotation_is_orthogonal_and_keeps_the_mean():
    turn = ensemble_filter.random_rotation(9, generator(3))
    ones = torch.ones(9, dtype=torch.float64)
    assert close(turn @ turn.T, torch.eye(9, dtype=torch.float64))
    assert close(turn @ ones, ones)
    assert close(turn, ensemble_filter.random_rotation(9, generator(3)))
    assert not close(turn, torch.eye(9, dtype=torch.float64), 0.1)


def test_gaspari_cohn_is_one_at_zero_smooth_and_compact():
    taper = gaspari_cohn(torch.tensor([0.0, 1.0, 2.0, 3.0], dtype=torch.float64), 1.0)
    assert taper.tolist() == pytest.approx([1.0, 5 / 24, 0.0, 0.0], abs=1e-12)
    fine = gaspari_cohn(torch.linspace(0, 3, 301, dtype=torch.float64), 1.0)
    assert (fine.diff() <= 1e-12).all()
    with pytest.raises(ValueError, match="half_width"):
        gaspari_cohn(fine, 0.0)


def test_local_filter_with_full_weights_is_the_global_one():
    ensemble, operator, observed, variance = problem()
    predicted = ensemble @ operator.T
    local = ensemble_filter.letkf(
        ensemble.reshape(N, 3, 2),
        predicted,
        observed,
        variance,
        torch.ones(3, Y),
        inflation=1.1,
        rotation=generator(5),
    )
    whole = ensemble_filter.etkf(ensemble, predicted, observed, variance, 1.1, generator(5))
    assert close(local.reshape(N, X), whole)


def test_local_filter_leaves_districts_out_of_reach_alone():
    ensemble, operator, observed, variance = problem()
    predicted, blocks = ensemble @ operator.T, ensemble.reshape(N, 3, 2)
    distance = (torch.arange(3.0)[:, None] - torch.arange(3.0)).abs() * 10
    near = observation_weights(distance, torch.tensor([0, 0, 1, 1]), half_width=5.0)
    analysis = ensemble_filter.letkf(blocks, predicted, observed, variance, near)
    assert close(analysis[:, 2], blocks[:, 2])
    assert not close(analysis[:, 0], blocks[:, 0], 1e-3)
    only_first = ensemble_filter.etkf(blocks[:, 0], predicted[:, :2], observed[:2], variance[:2])
    assert close(analysis[:, 0], only_first)
    city = observation_weights(distance, torch.tensor([0, CITY_WIDE, 1, 1]), half_width=5.0)
    assert city[:, 1].tolist() == [1.0, 1.0, 1.0]


def test_innovation_statistics_match_the_dense_formula():
    ensemble, operator, observed, variance = problem()
    predicted = ensemble @ operator.T
    found = ensemble_filter.innovation_statistics(predicted, observed, variance)
    total = torch.cov(predicted.T) + torch.diag(variance)
    gap = observed - predicted.mean(0)
    assert float(found.normalised) == pytest.approx(float(gap @ torch.linalg.solve(total, gap)))
    assert float(found.rmse) == pytest.approx(float((gap**2 / variance).mean().sqrt()))
    expected = (torch.diagonal(total) / variance).mean().sqrt()
    assert float(found.spread) == pytest.approx(float(expected))
    assert float(found.spread_to_rmse) == pytest.approx(float(expected / found.rmse))
    assert float(found.bias) == pytest.approx(float((gap / variance.sqrt()).mean()))
    assert float(found.count) == Y


def test_normalised_innovation_of_a_consistent_forecast_is_chi_square():
    g = generator(2)
    total, cycles = 0.0, 400
    variance = torch.full((Y,), 0.5, dtype=torch.float64)
    for _ in range(cycles):
        draws = torch.randn(201, Y, generator=g, dtype=torch.float64)
        noise = torch.randn(Y, generator=g, dtype=torch.float64) * variance.sqrt()
        found = ensemble_filter.innovation_statistics(draws[1:], draws[0] + noise, variance)
        total += float(found.normalised) / cycles
    assert total == pytest.approx(Y, abs=0.5)


@pytest.mark.parametrize(("truth", "start"), [(1.0, 1.5), (1.5, 1.0)])
def test_adapted_inflation_finds_the_missing_spread(truth, start):
    g = generator(4)
    variance = torch.ones(50, dtype=torch.float64)
    inflation = torch.tensor(start, dtype=torch.float64)
    for _ in range(400):
        predicted = torch.randn(40, 50, generator=g, dtype=torch.float64)
        deviation = torch.randn(2, 50, generator=g, dtype=torch.float64)
        observed = truth * deviation[0] + deviation[1]
        inflation = ensemble_filter.adapted_inflation(inflation, predicted, observed, variance)
    assert float(inflation) == pytest.approx(truth, abs=0.12)


def test_adapted_inflation_waits_while_nothing_is_observed():
    predicted = torch.randn(10, 3, generator=generator(), dtype=torch.float64)
    missing = torch.full((3,), torch.nan)
    moved = ensemble_filter.adapted_inflation(1.2, predicted, missing, torch.ones(3))
    assert float(moved) == pytest.approx(1.2)


def test_relaxation_restores_a_share_of_the_prior_spread():
    ensemble, operator, observed, variance = problem()
    analysis = ensemble_filter.etkf(ensemble, ensemble @ operator.T, observed, variance)
    relaxed = ensemble_filter.relaxed_to_prior_spread(analysis, ensemble, 0.5)
    assert close(relaxed.mean(0), analysis.mean(0))
    assert close(relaxed.std(0), (analysis.std(0) + ensemble.std(0)) / 2)


def test_disagreeing_shapes_are_named():
    ensemble, operator, observed, variance = problem()
    predicted = ensemble @ operator.T
    with pytest.raises(ValueError, match="members"):
        ensemble_filter.etkf(ensemble, predicted[:-1], observed, variance)
    with pytest.raises(ValueError, match="observations"):
        ensemble_filter.etkf(ensemble, predicted, observed[:-1], variance)
    with pytest.raises(ValueError, match="weights"):
        ensemble_filter.letkf(
            ensemble.reshape(N, 3, 2), predicted, observed, variance, torch.ones(2, Y)
        )


@pytest.mark.parametrize("name", sorted(lorenz.SETTINGS))
def test_lorenz_96_reproduces_the_published_error(name):
    setting = lorenz.SETTINGS[name]
    outcome = lorenz.run(setting, seeds=range(8), cycles=1000)
    assert outcome.diverged == 0
    assert outcome.median <= setting.published + 0.02
    assert outcome.median >= setting.published - 0.03


def test_lorenz_96_seed_does_not_depend_on_its_batch():
    setting = lorenz.SETTINGS["etkf_28"]
    batch = lorenz.run(setting, seeds=[3, 7], cycles=20, burn_in=20)
    alone = lorenz.run(setting, seeds=[7], cycles=20, burn_in=20)
    assert float(batch.rmse[1]) == pytest.approx(float(alone.rmse[0]), rel=1e-6)


def test_lorenz_96_counts_lost_seeds():
    # A deliberate failure: three members without localisation cannot follow 40 variables.
    lost = lorenz.Setting(members=3, inflation=1.0, published=0.18)
    outcome = lorenz.run(lost, seeds=[0, 1], cycles=100, burn_in=100)
    assert outcome.diverged == 2
    assert outcome.median > lorenz.DIVERGED
