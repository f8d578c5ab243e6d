"""Machine code of whole Programs that is found on disk."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

pytest.importorskip("llvmlite")

import functrace as ft
from functrace.backends.native import disk, kernels, stored
from functrace.backends.native.backend import NativeBackend
from functrace.backends.native.stored import key_of


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path):
    monkeypatch.setattr(disk, "folder", lambda: tmp_path / "cache")
    before, ft.config.cache = ft.config.cache, True
    yield tmp_path / "cache"
    ft.config.cache = before


@pytest.fixture
def simplified(monkeypatch):
    """The Programs that were simplified."""
    found = []
    simple = NativeBackend._simple
    monkeypatch.setattr(
        NativeBackend, "_simple", lambda self, x: (found.append(x), simple(self, x))[1]
    )
    return found


def key(f, *args):
    return key_of(ft.make_ir(f)(*args), {})


def test_programs_that_do_the_same_have_the_same_key():
    a = key(lambda x: np.sin(x) * 2.0, np.ones(3))
    assert a == key(lambda y: np.sin(y) * 2.0, np.zeros(3))
    assert a is not None
    loop = lambda x: ft.scan(lambda c, r: (c * r, np.sin(c)), x[0], x)
    assert key(loop, np.ones(3)) == key(lambda x: loop(x), np.ones(3))


DIFFERENT = [
    (lambda x: x * 2.0, np.ones(3)),
    (lambda x: x * 2.5, np.ones(3)),
    (lambda x: x * -0.0, np.ones(3)),
    (lambda x: x * 0.0, np.ones(3)),
    (lambda x: x * np.float64(2.0), np.ones(3)),
    (lambda x: x * 2.0, np.ones(4)),
    (lambda x: x * 2.0, np.ones(3, np.float32)),
    (lambda x: x * 2.0, 1.0),
    (lambda x: x * 2.0, np.float64(1.0)),
    (lambda x: x * 2, np.ones(3)),
    (lambda x: x + 2.0, np.ones(3)),
    (lambda x: x * np.array([1.0, 2.0, 3.0]), np.ones(3)),
    (lambda x: x * np.array([1.0, 2.0, 4.0]), np.ones(3)),
    (lambda x: (x * 2.0, x), np.ones(3)),
    (lambda x: np.stack([x, x * 2.0]), np.ones(3)),
    (lambda x: np.stack([x, x * 2.0, x]), np.ones(3)),
    (lambda x: np.split(np.stack([x, x]), 2), np.ones(3)),
    (lambda x: np.sum(x, axis=0), np.ones((3, 3))),
    (lambda x: np.sum(x, axis=1), np.ones((3, 3))),
    (lambda x: ft.fori_loop(0, 3, lambda i, c: c * 2.0, x), np.ones(3)),
    (lambda x: ft.fori_loop(0, 3, lambda i, c: c * 3.0, x), np.ones(3)),
]


def test_programs_that_do_something_else_have_other_keys():
    keys = [key(*case) for case in DIFFERENT]
    assert None not in keys
    assert len(set(keys)) == len(keys)

    def silent(x):
        with np.errstate(all="ignore"):
            return x * 2.0

    assert key(silent, np.ones(3)) not in keys


def test_what_is_known_by_its_identity_has_no_key():
    def f(x):
        return ft.pure_callback(np.sin, ft.ShapeDtypeStruct((3,), float), x)

    assert key(f, np.ones(3)) is None
    ft.config.cache = False
    assert key(np.sin, np.ones(3)) is None


TABLE = np.arange(2000.0)


def together(x):
    total, rows = ft.scan(lambda c, row: (c + np.sum(row * TABLE), c * row), 0.0, x)
    return total, rows, np.linalg.solve(rows[:2, :2] + 3 * np.eye(2), x[0, :2])


def test_what_is_found_is_not_made_again(simplified):
    x = np.linspace(0.0, 1.0, 6000).reshape(3, 2000)
    results = []
    for _ in range(2):
        fast = ft.jit(ft.value_and_grad(lambda x: np.sum(together(x)[2])), backend="native")
        results.append(fast(x))
    assert len(simplified) == 1
    for a, b in zip(ft.tree.leaves(results[0]), ft.tree.leaves(results[1]), strict=True):
        np.testing.assert_array_equal(a, b)
    assert fast.explain(x).startswith("machine code")
    assert "scan" in fast.source(x)
    assert "define" in fast.llvm(x)
    assert len(simplified) == 2


def test_numpy_warns_in_place_of_what_was_found():
    for _ in range(2):
        fast = ft.jit(lambda x: 1.0 / x, backend="native")
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            np.testing.assert_array_equal(fast(np.array([0.0, 2.0])), [np.inf, 0.5])
        assert [str(x.message) for x in caught] == ["divide by zero encountered in divide"]


@pytest.mark.parametrize("what", ["object", "entry"])
def test_what_is_gone_or_damaged_is_made_again(folder, simplified, what):
    f = lambda x: np.sin(x) * 3.0
    ft.jit(f, backend="native")(np.ones(3))
    entry = folder / key(f, np.ones(3))
    for path in folder.iterdir():
        if (path == entry) == (what == "entry"):
            path.write_bytes(path.read_bytes()[:-1])
    found = ft.jit(f, backend="native")(np.ones(3))
    np.testing.assert_allclose(found, 3.0 * np.sin(np.ones(3)))
    assert len(simplified) == 2


def test_large_constants_are_not_kept(folder, simplified, monkeypatch):
    monkeypatch.setattr(stored, "MOST_CONSTANTS", 8000)
    for _ in range(2):
        ft.jit(lambda x: x * TABLE, backend="native")(np.ones(2000))
    assert len(simplified) == 2


def test_long_programs_have_no_key(monkeypatch):
    f = lambda x: np.sin(x) * 2.0
    monkeypatch.setattr(stored, "MOST_EQUATIONS", 2)
    assert key(f, 1.0) is not None
    monkeypatch.setattr(stored, "MOST_EQUATIONS", 1)
    assert key(f, 1.0) is None


def test_other_code_has_other_keys(monkeypatch):
    before = key(np.sin, np.ones(3))
    monkeypatch.setattr(stored, "_surroundings", lambda: ("others",))
    assert key(np.sin, np.ones(3)) != before


@pytest.fixture
def lowered(monkeypatch):
    """The Programs that were written in LLVM's language."""
    found = []
    kernel = kernels.Kernel
    monkeypatch.setattr(kernels, "Kernel", lambda x, *rest: (found.append(x), kernel(x, *rest))[1])
    return found


@ft.custom_jvp
def ruled(x):
    return np.sin(x) * x


ruled.defjvp(lambda primals, tangents: (ruled(*primals), tangents[0] * 3.0))


@pytest.mark.parametrize(
    ("f", "count"),
    [
        (lambda x: np.sort(np.sin(np.fft.fft(x).real) * 2.0 + np.cos(x)) * np.exp(x) + x, 1),
        (lambda x: np.cos(ruled(np.exp(x))) + x * 2.0, 1),
    ],
    ids=["parts", "rules of the user"],
)
def test_parts_and_what_is_left_of_rules_are_found(lowered, f, count):
    x, results = np.linspace(0.1, 1.0, 64), []
    for _ in range(2):
        results.append(ft.jit(f, backend="native")(x))
        assert len(lowered) == count
    np.testing.assert_array_equal(*results)
    np.testing.assert_allclose(results[0], f(x))


def test_constants_that_are_equal_are_kept_once(folder, lowered):
    tables = [np.tile(np.eye(200), (1, 1)) for _ in range(3)]
    f = lambda x: np.sum((x * tables[0] + np.sin(x)) * tables[1]) + np.sum(tables[2] * x)
    x = np.linspace(0.0, 1.0, 40000).reshape(200, 200)
    results = [ft.jit(f, backend="native")(x) for _ in range(2)]
    assert results[0] == results[1]
    assert len(lowered) == 1
    assert sum(path.stat().st_size for path in folder.iterdir()) < 100_000
