"""Statistics against closed forms and other implementations."""

import itertools

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as some
from hypothesis.extra.numpy import arrays

from experiments import statistics as st


@given(arrays(np.float64, some.integers(1, 60), elements=some.floats(-1e6, 1e6)))
def test_interquartile_mean_is_the_trimmed_mean(values):
    assert np.isclose(st.interquartile_mean(values), scipy.stats.trim_mean(values, 0.25))


def test_interquartile_mean_along_an_axis():
    values = np.random.default_rng(0).normal(size=(5, 9, 3))
    ours = st.interquartile_mean(values, axis=1)
    np.testing.assert_allclose(ours, scipy.stats.trim_mean(values, 0.25, axis=1))


@pytest.mark.parametrize(
    ("resample", "variance"),
    [
        # variance of the bootstrap mean of x[s, t] = a[s] + b[t], with plug-in variances A, B
        ("runs", lambda A, B, S, T: A / (S * T)),
        ("seeds", lambda A, B, S, T: A / S),
        ("crossed", lambda A, B, S, T: A / S + B / T),
    ],
)
def test_bootstrap_variance_has_its_closed_form(resample, variance):
    generator = np.random.default_rng(1)
    seeds, strata = 12, 20
    a, b = generator.normal(0, 2, seeds), generator.normal(0, 3, strata)
    draws = st.stratified_bootstrap(
        a[:, None] + b[None, :], generator, st.pooled_mean, 20_000, resample
    )
    expected = variance(a.var(), b.var(), seeds, strata)
    assert draws.var() == pytest.approx(expected, rel=0.06)


def test_same_generator_same_draws_and_chunks_do_not_matter(monkeypatch):
    values = np.random.default_rng(2).normal(size=(6, 7))

    def draw():
        return st.stratified_bootstrap(values, np.random.default_rng(3), replications=50)

    first = draw()
    np.testing.assert_array_equal(first, draw())
    monkeypatch.setattr(st, "_CHUNK_CELLS", 100)
    assert draw().shape == (50,)


def test_student_test_keeps_its_promise_with_few_seeds():
    """Seeds and draws both vary; the gain is zero: the lower bound exceeds it in 2.5 %."""
    generator = np.random.default_rng(4)
    above = 0
    for _ in range(400):
        scores = generator.normal(0, 1, (10, 1)) + generator.normal(0, 1, (1, 32))
        above += st.student_test(scores, generator, replications=300).interval.low > 0
    assert above / 400 <= 0.05


def test_where_only_seeds_vary_it_is_the_classical_t_interval():
    generator = np.random.default_rng(8)
    seeds = generator.normal(0.4, 1, 5)
    test = st.student_test(
        np.repeat(seeds[:, None], 12, axis=1), generator, st.pooled_mean, replications=40_000
    )
    exact = scipy.stats.ttest_1samp(seeds, 0, alternative="greater")
    ends = scipy.stats.ttest_1samp(seeds, 0).confidence_interval(0.95)
    assert (test.interval.low, test.interval.high) == pytest.approx((ends.low, ends.high), rel=0.03)
    assert test.p_value == pytest.approx(exact.pvalue, rel=0.03)


def test_where_cities_stay_it_is_the_t_interval_of_the_means_of_seeds():
    generator = np.random.default_rng(9)
    scores = generator.normal(0, 1, (6, 1)) + 10 * generator.normal(0, 1, (1, 20))
    test = st.student_test(scores, generator, st.pooled_mean, replications=40_000, resample="seeds")
    ends = scipy.stats.ttest_1samp(scores.mean(1), 0).confidence_interval(0.95)
    assert (test.interval.low, test.interval.high) == pytest.approx((ends.low, ends.high), rel=0.03)
    alone = st.student_test(scores[:1], generator, resample="seeds")
    assert (alone.interval.low, alone.interval.high) == (-np.inf, np.inf)


def test_student_interval_and_p_value_agree():
    generator = np.random.default_rng(5)
    for shift in (0.2, 0.6, 1.0):
        test = st.student_test(generator.normal(shift, 1, (10, 8)), generator, level=0.95)
        assert (test.interval.low > 0) == (test.p_value < 0.025)


def test_one_score_proves_nothing():
    test = st.student_test([[3.0]], np.random.default_rng(0))
    assert test.interval.low == -np.inf
    assert test.p_value == 1.0


def test_probability_of_improvement_equals_mann_whitney():
    generator = np.random.default_rng(6)
    first, second = generator.integers(0, 9, 14) * 1.0, generator.integers(0, 9, 11) * 1.0
    u = scipy.stats.mannwhitneyu(first, second).statistic
    assert st.probability_of_improvement(first, second) == pytest.approx(u / (14 * 11))


@pytest.mark.parametrize("resample", ["seeds", "crossed"])
def test_spread_of_the_probability_of_improvement_has_its_closed_form(resample):
    """Hoeffding's decomposition of the mean over pairs, drawn anew from what was seen."""
    generator = np.random.default_rng(9)
    first = generator.normal(0.2, 1, (9, 7))
    second = generator.normal(0, 1, (6, 7))
    wins = (first[:, None] > second[None]) * 1.0
    axes = (0, 1, 2) if resample == "crossed" else (0, 1)
    variance = 0.0
    for size in range(1, len(axes) + 1):
        for kept in itertools.combinations(axes, size):
            effect = _pure_effect(wins, kept)
            variance += effect.var() / np.prod([wins.shape[axis] for axis in kept])
    found = st.improvement_interval(
        first, second, np.random.default_rng(0), 0.6827, 40_000, resample
    )
    assert found.estimate == pytest.approx(wins.mean())
    assert (found.high - found.low) / 2 == pytest.approx(np.sqrt(variance), rel=0.05)


def test_runs_that_all_win_are_not_certain_to_win():
    """Five wins of five: Clopper-Pearson's lower end is (0.025)^(1/5)."""
    generator = np.random.default_rng(0)
    sure = st.improvement_interval(np.ones((5, 8)), np.zeros((1, 8)), generator)
    assert (sure.estimate, sure.low, sure.high) == pytest.approx((1.0, 0.025**0.2, 1.0))
    never = st.improvement_interval(np.zeros((5, 8)), np.ones((7, 8)), generator)
    assert (never.estimate, never.low, never.high) == pytest.approx((0.0, 0.0, 1 - 0.025**0.2))
    rules = st.improvement_interval(np.ones((1, 8)), np.zeros((1, 8)), generator)
    assert rules.low == pytest.approx(0.025 ** (1 / 8))


def test_profile_is_the_survival_function_and_its_area_the_mean():
    scores = np.random.default_rng(10).uniform(0, 1, (6, 11))
    cuts = np.linspace(0, 1, 20_001)
    profile = st.performance_profile(scores, cuts)
    exact = scipy.stats.ecdf(scores.ravel()).sf.evaluate(cuts)
    np.testing.assert_allclose(profile, exact)
    assert np.trapezoid(profile, cuts) == pytest.approx(scores.mean(), abs=1e-4)


def test_band_of_a_profile_has_the_spread_of_a_share():
    """With one stratum the share above a threshold is binomial: variance p (1 - p) / S."""
    scores = np.random.default_rng(11).normal(size=(200, 1))
    band = st.profile_band(
        scores, [-0.5, 0.0, 0.7], np.random.default_rng(0), 0.6827, 8000, "seeds"
    )
    share = band.estimate
    np.testing.assert_allclose(
        (band.high - band.low) / 2, np.sqrt(share * (1 - share) / 200), rtol=0.1
    )


def _pure_effect(values, kept):
    """Interaction of some axes, freed of all effects of fewer of them (``seeds`` averages the
    strata first)."""
    total = 0.0
    for size in range(len(kept) + 1):
        for part in itertools.combinations(kept, size):
            others = tuple(axis for axis in range(values.ndim) if axis not in part)
            total = total + (-1) ** (len(kept) - size) * values.mean(others, keepdims=True)
    return np.asarray(total)


def test_holm_by_hand():
    np.testing.assert_allclose(st.holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    assert st.holm([0.5, 0.9]).max() <= 1.0
    with pytest.raises(ValueError, match="p-values"):
        st.holm([-0.1])


@pytest.mark.parametrize("share", [0.05, 0.1, 0.37, 1.0])
def test_cvar_of_a_normal_sample_nears_its_closed_form(share):
    sample = scipy.stats.norm.ppf((np.arange(200_000) + 0.5) / 200_000)
    exact = -scipy.stats.norm.pdf(scipy.stats.norm.ppf(share)) / share
    assert st.cvar(sample, share) == pytest.approx(exact, abs=2e-3)


def test_cvar_counts_the_border_in_part():
    assert st.cvar([1.0, 2.0, 3.0, 4.0, 5.0], 0.3) == pytest.approx((1.0 + 0.5 * 2.0) / 1.5)


def test_binomial_interval_is_clopper_pearson():
    ours = st.binomial_interval(3, 40)
    exact = scipy.stats.binomtest(3, 40).proportion_ci(method="exact")
    assert (ours.low, ours.high) == pytest.approx((exact.low, exact.high))
    assert st.binomial_interval(0, 10).low == 0.0
    assert st.binomial_interval(10, 10).high == 1.0


@pytest.mark.parametrize("bad", [[], [[np.nan, 1.0]], np.zeros((2, 2, 2))])
def test_bad_scores_are_named(bad):
    with pytest.raises(ValueError, match="scores must be"):
        st.stratified_bootstrap(bad, np.random.default_rng(0))
