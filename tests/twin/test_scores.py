"""Scores against an independent implementation, and calibration of what claims to be calibrated."""

import numpy as np
import pytest
import scoringrules
from scipy import stats

from envs.twin import scores


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("members", [2, 7, 64])
def test_fair_crps_matches_the_oracle(members):
    g = rng(members)
    ensemble, observed = g.normal(size=(members, 5, 4)), g.normal(size=(5, 4))
    oracle = scoringrules.crps_ensemble(
        observed, np.moveaxis(ensemble, 0, -1), estimator="fair", backend="numpy"
    )
    assert np.abs(scores.fair_crps(ensemble, observed) - oracle).max() < 1e-12


def test_fair_crps_of_one_member_is_the_absolute_error():
    forecast, observed = rng().normal(size=(2, 6))
    found = scores.fair_crps(forecast[None], observed)
    assert np.array_equal(found, scores.absolute_error(forecast, observed))


def test_fair_crps_does_not_reward_ensemble_size():
    g = rng(1)
    observed = g.normal(size=40_000)
    small = scores.fair_crps(g.normal(size=(4, 40_000)), observed).mean()
    large = scores.fair_crps(g.normal(size=(64, 40_000)), observed).mean()
    assert small == pytest.approx(large, abs=0.01)
    assert large == pytest.approx(1 / np.sqrt(np.pi), abs=0.01)  # closed form of N(0, 1)


def test_joint_scores_match_the_oracle():
    g = rng(2)
    ensemble, observed = g.normal(size=(20, 3, 5)), g.normal(size=(3, 5))
    fan = np.moveaxis(ensemble, 0, -2)
    energy = scoringrules.es_ensemble(observed, fan, estimator="fair", backend="numpy")
    variogram = scoringrules.vs_ensemble(observed, fan, p=0.5, backend="numpy")
    assert np.abs(scores.energy_score(ensemble, observed) - energy).max() < 1e-12
    assert np.abs(scores.variogram_score(ensemble, observed) - variogram).max() < 1e-10


def test_joint_scores_leave_missing_components_out():
    g = rng(3)
    ensemble, observed = g.normal(size=(10, 4)), g.normal(size=4)
    holed = np.where(np.arange(4) == 2, np.nan, observed)
    rest = [0, 1, 3]
    for score in (scores.energy_score, scores.variogram_score):
        assert score(ensemble, holed) == pytest.approx(
            float(score(ensemble[:, rest], observed[rest]))
        )


def test_variogram_score_sees_a_wrong_dependence():
    g = rng(4)
    common = g.normal(size=(200, 1))
    together, apart = common + np.zeros((200, 5)), g.normal(size=(200, 5))
    observed = np.full(5, 0.3)
    assert scores.variogram_score(together, observed) < scores.variogram_score(apart, observed)


@pytest.mark.parametrize("level", [0.5, 0.9])
@pytest.mark.parametrize("members", [19, 64])
def test_interval_covers_as_often_as_it_says(level, members):
    g = rng(5)
    count = 20_000
    shares = scores.coverage(g.normal(size=(members, count)), g.normal(size=count), level)
    low, high = scores.binomial_band(count, level, confidence=0.999)
    assert low <= shares <= high


def test_binomial_band_is_the_exact_quantile():
    low, high = scores.binomial_band(33, 0.9)
    assert (low, high) == pytest.approx(tuple(stats.binom.ppf([0.025, 0.975], 33, 0.9) / 33))


def test_missing_observations_are_not_scored():
    ensemble, observed = rng(6).normal(size=(8, 3)), np.array([0.1, np.nan, -0.2])
    generator = rng(7)
    assert np.isnan(scores.fair_crps(ensemble, observed)).tolist() == [False, True, False]
    assert np.isnan(scores.covered(ensemble, observed, 0.9)).tolist() == [False, True, False]
    assert np.isnan(scores.pit(ensemble, observed, generator)).tolist() == [False, True, False]
    assert scores.rank_histogram(ensemble, observed, generator).sum() == 2


def test_pit_is_uniform_for_a_calibrated_fan_and_not_for_a_narrow_one():
    g = rng(8)
    ensemble, observed = g.normal(size=(19, 3000)), g.normal(size=3000)
    assert scores.uniformity_p_value(scores.pit(ensemble, observed, g)) > 0.01
    assert scores.uniformity_p_value(scores.pit(0.5 * ensemble, observed, g)) < 1e-6
    counts = scores.rank_histogram(ensemble, observed, g, bins=10)
    assert counts.shape == (10,)
    assert counts.sum() == 3000
    assert stats.chisquare(counts).pvalue > 0.01
    with pytest.raises(ValueError, match="divide"):
        scores.rank_histogram(ensemble, observed, g, bins=7)


def test_ties_do_not_favour_a_side():
    rank = scores.ranks(np.zeros((9, 5000)), np.zeros(5000), rng(9))
    assert set(rank) == set(range(10))
    assert rank.mean() == pytest.approx(4.5, abs=0.15)


def test_skill_is_one_minus_the_ratio_and_brackets_it():
    g = rng(10)
    reference = 1 + g.random((8, 33))
    ours = 0.8 * reference + 0.1 * g.random((8, 33))
    found = scores.skill(ours, reference, np.arange(8)[:, None], g)
    assert found.value == pytest.approx(1 - ours.sum() / reference.sum())
    assert found.blocks == 8
    assert 0 < found.lower < found.value < found.upper < 1
    even = scores.skill(reference, reference, np.arange(8)[:, None], g)
    assert (even.value, even.lower, even.upper) == (0.0, 0.0, 0.0)


def test_skill_interval_widens_with_dependence_inside_blocks():
    g = rng(11)
    shared = g.random((10, 1)) + np.zeros((10, 33))
    reference = np.ones((10, 33))
    whole = scores.skill(shared, reference, np.arange(10)[:, None], g)
    naive = scores.skill(shared, reference, np.arange(330).reshape(10, 33), g)
    assert whole.upper - whole.lower > 3 * (naive.upper - naive.lower)


def test_skill_uses_only_complete_pairs():
    ours, reference = np.array([1.0, np.nan, 2.0]), np.array([2.0, 1.0, 4.0])
    assert scores.skill(ours, reference, [0, 1, 2], rng()).value == pytest.approx(0.5)
    with pytest.raises(ValueError, match="at least one"):
        scores.skill([np.nan], [1.0], [0], rng())


@pytest.mark.parametrize(("scale", "value"), [("log", 20.0), ("logit", 0.2), ("level", -3.0)])
def test_scales_go_there_and_back(scale, value):
    assert scores.restored(scores.transformed([value], scale), scale) == pytest.approx([value])


def test_values_without_a_log_are_missing():
    assert np.isnan(scores.transformed([0.0, -1.0], "log")).all()
    assert np.isnan(scores.transformed([0.0, 1.0], "logit")).all()
