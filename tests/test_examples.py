"""Every example runs, finds what it says it finds, and draws its picture without a warning."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).parent.parent
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


def load(name: str) -> ModuleType:
    specification = importlib.util.spec_from_file_location(
        f"examples.{name}", ROOT / "examples" / f"{name}.py"
    )
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    # Dataclasses look their own module up.
    sys.modules[specification.name] = module
    specification.loader.exec_module(module)
    return module


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "made" / "by the example"


def assert_drawn(out: Path, name: str) -> None:
    picture = (out / f"{name}.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) > 10_000


@pytest.mark.slow
def test_digits_are_read(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    accuracy = load("digits").main(["--out", str(out)])
    assert accuracy >= 0.97
    assert f"accuracy on the 359 held-out digits: {accuracy:.2%}" in capsys.readouterr().out
    assert_drawn(out, "digits")


@pytest.mark.slow
def test_convolutions_read_digits(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    accuracy = load("convolutions").main(["--epochs", "8", "--out", str(out)])
    assert accuracy >= 0.95
    assert f"accuracy on the 359 held-out digits: {accuracy:.2%}" in capsys.readouterr().out
    assert_drawn(out, "convolutions")


@pytest.mark.slow
def test_text_is_written(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    last = load("write_text").main(["--steps", "40", "--size", "32", "--out", str(out)])
    assert last < 2.8
    assert "cross-entropy of a letter: 3." in capsys.readouterr().out
    assert_drawn(out, "write_text")


@pytest.mark.slow
def test_digits_that_nobody_wrote(out: Path) -> None:
    losses = load("variational_autoencoder").main(["--epochs", "5", "--out", str(out)])
    assert losses[-1] < 32 < losses[0]
    assert_drawn(out, "variational_autoencoder")


@pytest.mark.slow
def test_words_are_copied(out: Path) -> None:
    assert load("copying").main(["--steps", "60", "--out", str(out)]) > 0.95
    assert_drawn(out, "copying")


@pytest.mark.slow
def test_both_posteriors_are_the_exact_one(out: Path) -> None:
    found = load("bayesian_regression").main(
        ["--steps", "600", "--draws", "150", "--out", str(out)]
    )
    assert found["variation"] < 0.2
    assert found["chains"] < 0.2
    assert found["spreads"] < 0.15
    assert_drawn(out, "bayesian_regression")


def test_the_heat_equation_is_solved(out: Path) -> None:
    assert load("heat_network").main(["--steps", "150", "--out", str(out)]) < 0.1
    assert_drawn(out, "heat_network")


def test_the_pendulum_learns(out: Path) -> None:
    assert 0 <= load("pendulum").main(["--steps", "5", "--out", str(out)]) <= 1
    assert_drawn(out, "pendulum")


@pytest.mark.slow
def test_the_pendulum_swings_up(out: Path) -> None:
    assert load("pendulum").main(["--out", str(out)]) > 0.6


def test_backpropagation_by_hand_agrees(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    difference = load("backpropagation_by_hand").main(["--out", str(out)])
    assert difference < 1e-12
    assert "30.0" in capsys.readouterr().out
    assert_drawn(out, "backpropagation_by_hand")
    shown = (out / "backpropagation_by_hand_2.svg").read_text(encoding="utf-8")
    assert "f1 * w" in shown
    assert "-12" in shown


def test_regression_learns(out: Path) -> None:
    losses = load("regression").main(["--epochs", "15", "--out", str(out)])
    assert list(losses) == ["two layers", "four layers"]
    for values in losses.values():
        assert values[-1] < values[0] / 2
    assert_drawn(out, "regression")


def test_hinge_has_the_gradient_of_the_formula(out: Path) -> None:
    assert load("hinge").main(["--steps", "20", "--out", str(out)]) == 0
    assert_drawn(out, "hinge")


def test_gradient_checking_catches_the_mistake_of_the_text() -> None:
    errors = load("worked_network").main([])
    assert max(errors["ft.grad"].values()) < 1e-7
    assert max(errors["by hand"].values()) < 1e-7
    assert min(errors["the text"].values()) > 0.1


def test_worked_network_has_the_values_of_the_text() -> None:
    network = load("worked_network")
    signals = network.forward(network.parameters_of_the_text())
    np.testing.assert_allclose(signals.z1, [0.5, 1.1, 1.7])
    np.testing.assert_allclose(signals.z2, [2.76])
    np.testing.assert_allclose(signals.yhat, [0.941], atol=1e-3)
    np.testing.assert_allclose(network.loss(network.parameters_of_the_text()), 0.061, atol=5e-4)


def test_layers_by_hand_agree() -> None:
    assert load("layers_by_hand").main(["--batch", "16"]) < 1e-12


@pytest.mark.slow
def test_gradients_vanish_and_remedies_help(out: Path) -> None:
    norms = load("vanishing_gradients").main(["--steps", "3", "--out", str(out)])
    first = {name: values[0] for name, values in norms.items()}
    assert first["sigmoid"] < 1e-12
    assert first["sigmoid"] < first["tanh"] < first["tanh, Xavier"]
    assert first["ReLU"] < 1e-4 < first["ReLU, He"]
    assert first["ReLU, normalised"] > 1e-3
    assert first["tanh, skips"] > 1e-2
    assert first["ReLU, large weights"] > 10
    assert first["ReLU, large weights, clipped"] < 1
    assert_drawn(out, "vanishing_gradients")


@pytest.mark.slow
def test_implicit_gradients_are_right_and_small(out: Path) -> None:
    found = load("implicit").main(["--steps", "3", "--out", str(out)])
    for name in ("Newton, implicit", "Newton, through 8 steps", "equilibrium, implicit"):
        assert found[name].error < 1e-6
    assert found["equilibrium, through 5 steps"].error > 1e-3
    through_all = found["equilibrium, through 160 steps"]
    assert found["equilibrium, implicit"].megabytes < through_all.megabytes / 10
    assert_drawn(out, "implicit")


@pytest.mark.slow
def test_scipy_minimizes(out: Path) -> None:
    found = load("scipy_minimize").main(["--out", str(out)])
    assert found["distance"] < 1e-4
    assert found["accuracy"] > 0.93
    assert_drawn(out, "scipy_minimize")


@pytest.mark.slow
def test_a_gaussian_process_is_fitted(out: Path) -> None:
    found = load("gaussian_process").main(["--out", str(out)])
    assert 0.1 < found["noise"] < 0.3
    assert found["gain"] > 10
    assert found["error"] < 1e-3
    assert_drawn(out, "gaussian_process")


@pytest.mark.slow
def test_a_differential_equation_is_fitted(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = load("ode_fit").main(["--years", "12", "--out", str(out)])
    assert found["largest"] < 3
    assert found["error"] < 0.2
    assert "standard errors" in capsys.readouterr().out
    assert_drawn(out, "ode_fit")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_is_tested_and_listed(path: Path) -> None:
    assert f'load("{path.stem}")' in Path(__file__).read_text(encoding="utf-8")
    listed = (ROOT / "docs" / "examples.md").read_text(encoding="utf-8")
    assert f"](../examples/{path.name})" in listed
