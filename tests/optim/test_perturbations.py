"""Means over noise: their values and derivatives against those of the distributions."""

from __future__ import annotations

import numpy as np
import scipy.special
import scipy.stats

import functrace as ft
from functrace import nn
from functrace.optim import perturbations

SCORES = np.array([0.2, -0.4, 0.7])


def test_the_greatest_with_gumbels_noise_is_drawn_by_the_softmax():
    first = lambda scores: nn.one_hot(np.argmax(scores), 3)
    expected = scipy.special.softmax(SCORES / 0.5)
    jacobian = (np.diag(expected) - np.outer(expected, expected)) / 0.5
    for use_baseline in (True, False):
        soft = perturbations.make_perturbed_fun(first, 20_000, 0.5, use_baseline=use_baseline)
        compiled = ft.jit(soft)
        np.testing.assert_allclose(compiled(ft.random.key(0), SCORES), expected, atol=0.015)
        found = ft.jacrev(soft, argnums=1)(ft.random.key(1), SCORES)
        np.testing.assert_allclose(found, jacobian, atol=0.1)


def test_a_step_with_normal_noise_is_the_distribution_function():
    step = lambda tree: {"y": np.where(tree["x"] > 0, 1.0, 0.0)}
    soft = perturbations.make_perturbed_fun(step, 20_000, 0.5, perturbations.Normal())
    f = lambda x: soft(ft.random.key(0), {"x": x})["y"]
    value, slope = ft.value_and_grad(f)(0.3)
    assert abs(value - scipy.stats.norm.cdf(0.6)) < 0.01
    assert abs(slope - scipy.stats.norm.pdf(0.6) / 0.5) < 0.05
    np.testing.assert_allclose(ft.vmap(f)(np.array([0.3, 1.0]))[0], value)


def test_densities():
    x = np.linspace(-2, 3, 7)
    gumbel, normal = perturbations.Gumbel(), perturbations.Normal()
    np.testing.assert_allclose(gumbel.log_prob(x), scipy.stats.gumbel_r.logpdf(x))
    shift = np.log(2 * np.pi) / 2
    np.testing.assert_allclose(normal.log_prob(x), scipy.stats.norm.logpdf(x) + shift)
    assert normal.sample(ft.random.key(0), (2,), np.float32).dtype == np.float32
