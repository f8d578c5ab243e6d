"""Warnings of random numbers that are drawn while a function is recorded."""

import linecache
import warnings
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

import functrace as ft
from functrace.errors import FrozenDrawWarning, FunctraceWarning
from functrace.tracing import draws

GENERATOR = np.random.default_rng(0)
LEGACY = np.random.RandomState(0)
X = np.ones(3)


class Model:
    def __init__(self):
        self.generator = np.random.default_rng(1)

    def noisy(self, x):
        return x + self.generator.normal(size=3)  # drawn here


def helper(x):
    return x * GENERATOR.random()  # drawn here


class OfAClass:
    generator = np.random.default_rng(4)

    def noisy(self, x):
        return x + self.generator.normal(size=3)  # drawn here


class Inheriting(OfAClass):
    pass


def from_a_class(x):
    return x + OfAClass.generator.normal(size=3)  # drawn here


model = Model()


def from_a_global(x):
    return x + GENERATOR.normal(size=3)  # drawn here


def from_the_shared_generator(x):
    return x + np.random.rand(3)  # noqa: NPY002  # drawn here


def from_a_legacy_generator(x):
    return x + LEGACY.rand(3)  # drawn here


def from_an_attribute(x):
    return x + model.generator.normal(size=3)  # drawn here


def in_a_helper(x):
    return helper(x) + 1.0


def from_a_default(x, generator=np.random.default_rng(3)):  # noqa: B008
    return x + generator.normal(size=3)  # drawn here


def by_permutation(x):
    return x[GENERATOR.permutation(3)]  # drawn here


def from_a_closure():
    generator = np.random.default_rng(2)

    def f(x):
        return x + generator.normal(size=3)  # drawn here

    return f


FUNCTIONS = {
    "global": from_a_global,
    "shared": from_the_shared_generator,
    "legacy": from_a_legacy_generator,
    "attribute": from_an_attribute,
    "helper": in_a_helper,
    "default": from_a_default,
    "permutation": by_permutation,
    "closure": from_a_closure(),
    "method": model.noisy,
    "class": from_a_class,
    "method of a class": OfAClass().noisy,
    "inherited": Inheriting().noisy,
    "partial": partial(lambda generator, x: x + generator.random(3), GENERATOR),  # drawn here
    "gradient": ft.grad(lambda x: np.sum(from_a_global(x) ** 2)),
}

RECORDINGS = {
    "jit": lambda f: ft.jit(f)(X),
    "make_ir": lambda f: ft.make_ir(f)(X),
    "vmap": lambda f: ft.vmap(f)(X[None]),
    "scan": lambda f: ft.jit(lambda x: ft.scan(lambda c, _: (c + f(x), None), x, None, 2))(X),
    "grad of jit": lambda f: ft.grad(lambda x: np.sum(ft.jit(f)(x)))(X),
}


@pytest.mark.parametrize("recording", RECORDINGS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_draw_is_warned_of_at_its_line(name, recording):
    with pytest.warns(
        FrozenDrawWarning, match="pass them as an argument; or draw from a key, functrace.random"
    ) as caught:
        RECORDINGS[recording](FUNCTIONS[name])
    lines = {(warning.filename, warning.lineno) for warning in caught}
    ((file, line),) = lines
    assert file == __file__
    assert "drawn here" in linecache.getline(file, line)


def test_a_draw_that_only_decides_is_seen_at_the_end():
    def f(x):
        return x if GENERATOR.random() < 2.0 else -x

    with pytest.warns(FrozenDrawWarning) as caught:
        ft.jit(f)(X)
    assert caught[0].filename == __file__
    assert issubclass(FrozenDrawWarning, FunctraceWarning)


def test_there_is_no_warning_where_nothing_is_frozen():
    def quiet(x, noise):
        return np.sum(x * noise)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ft.grad(lambda x: np.sum(from_a_global(x) ** 2))(X)
        ft.jit(quiet)(X, GENERATOR.normal(size=3))
        ft.jvp(from_a_global, (X,), (X,))
        ft.linearize(from_a_global, X)
        fast = ft.jit(quiet)
        for _ in range(3):
            fast(X, GENERATOR.normal(size=3))


def unseeded(x):
    return x + np.random.default_rng().normal(size=3)  # drawn here


def unseeded_legacy(x):
    return x + np.random.RandomState().rand(3)  # drawn here


def unseeded_shared(x):
    np.random.seed()  # noqa: NPY002  # drawn here
    return x + np.random.rand(3)  # noqa: NPY002  # drawn here


def with_system_entropy(x):
    entropy = np.random.SeedSequence().entropy  # drawn here
    return x + np.random.Generator(np.random.PCG64(entropy)).normal(size=3)


UNSEEDED = [unseeded, unseeded_legacy, unseeded_shared, with_system_entropy]


@pytest.mark.parametrize("recording", RECORDINGS)
@pytest.mark.parametrize("f", UNSEEDED)
def test_a_generator_without_a_seed_is_warned_of_where_it_is_made(f, recording):
    with pytest.warns(FrozenDrawWarning, match="seeded by the system|drawn") as caught:
        RECORDINGS[recording](f)
    for warning in caught:
        assert warning.filename == __file__
        assert "drawn here" in linecache.getline(__file__, warning.lineno)


def seeded(x):
    legacy, seed = np.random.RandomState, [3, 4]
    x = x + np.random.default_rng(3).normal(size=3) + np.random.RandomState(3).rand(3)
    return x + legacy(seed).rand(3) + legacy(seed=5).rand(3)


def with_the_shared_generator_seeded(x):
    np.random.seed(3)  # noqa: NPY002
    return x + np.random.rand(len(x))  # noqa: NPY002


def with_a_generator_seeded(x):
    LEGACY.seed(4)
    return x + LEGACY.rand(len(x))


def with_a_state(x):
    LEGACY.set_state(np.random.RandomState(7).get_state())
    return x + LEGACY.rand(len(x))


NOTHING_KEPT = {
    "eval_shape": lambda f: ft.eval_shape(f, X),
    "eval_shape of scan": lambda f: ft.eval_shape(
        lambda x: ft.scan(lambda c, _: (f(c), None), x, None, length=2)[0], X
    ),
    "eval_shape of vmap": lambda f: ft.eval_shape(ft.vmap(f), X[None]),
    "a branch that is not taken": lambda f: ft.grad(
        lambda x: np.sum(ft.cond(np.sum(x) < 0, f, np.sin, x))
    )(X),
    "a loop in a branch that is not taken": lambda f: ft.cond(
        False, lambda x: ft.map(f, x[None])[0], np.sin, X
    ),
    "a loop without trips": lambda f: ft.while_loop(lambda c: np.sum(c) < 0, f, X),
    "eager loop": lambda f: ft.fori_loop(0, 2, lambda i, x: f(x), X),
    "jacfwd": lambda f: ft.jacfwd(f)(X),
    "jacrev": lambda f: ft.jacrev(f)(X),
    "hessian": lambda f: ft.hessian(lambda x: np.sum(f(x) ** 3))(X),
    "callback": lambda f: ft.jit(
        lambda x: ft.pure_callback(f, ft.ShapeDtypeStruct((3,), float), x)
    )(X),
}


@pytest.mark.parametrize("f", [from_a_global, from_the_shared_generator, *UNSEEDED])
@pytest.mark.parametrize("mode", NOTHING_KEPT)
def test_there_is_no_warning_where_what_is_recorded_is_dropped(mode, f):
    NOTHING_KEPT[mode](f)  # warnings are errors


@pytest.mark.parametrize("recording", RECORDINGS)
@pytest.mark.parametrize(
    "f", [seeded, with_the_shared_generator_seeded, with_a_generator_seeded, with_a_state]
)
def test_a_generator_with_a_seed_draws_the_same_numbers_anyway(f, recording):
    RECORDINGS[recording](f)  # warnings are errors


def test_a_seed_that_is_only_an_attribute_is_given_to_no_generator():
    settings = SimpleNamespace(seed=3)
    f = lambda x: x + settings.seed * np.random.rand(3)  # noqa: NPY002
    with pytest.warns(FrozenDrawWarning):
        ft.jit(f)(X)


def test_what_is_jitted_is_kept_where_all_around_it_is_not():
    for f in (from_a_global, unseeded):
        with pytest.warns(FrozenDrawWarning):
            ft.eval_shape(ft.jit(f), X)


def test_a_draw_in_a_branch_that_is_not_taken_is_not_told_of_by_what_is_recorded_around_it():
    f = lambda x: ft.cond(False, from_a_global, np.sin, x) + 1.0
    ft.jit(f)(X)  # warnings are errors
    with pytest.warns(FrozenDrawWarning):
        ft.jit(lambda x: f(x) + GENERATOR.random())(X)


def test_a_body_that_is_recorded_twice_is_warned_of_once():
    f = lambda x: ft.scan(lambda c, _: (c * x[0] * GENERATOR.random(), None), 1, None, length=2)[0]
    with pytest.warns(FrozenDrawWarning) as caught:
        ft.jit(f)(X)
    assert len(caught) == 1


def test_a_spare_normal_number_of_the_shared_generator_is_seen():
    def f(x):
        return x + np.random.randn()  # noqa: NPY002

    np.random.randn()  # noqa: NPY002  (two are drawn at once, and one is kept)
    state = np.random.get_state()  # noqa: NPY002
    if not state[3]:
        np.random.randn()  # noqa: NPY002
    with pytest.warns(FrozenDrawWarning):
        ft.jit(f)(X)


@pytest.mark.parametrize("of", [np.random.PCG64, np.random.PCG64DXSM, np.random.MT19937])
def test_each_number_drawn_changes_what_is_read_of_a_state(of):
    generator = np.random.Generator(of(3))
    read = draws._reader_of(generator)
    states = [read()]
    assert read() == states[0]
    for draw in [
        generator.random,
        generator.standard_normal,
        lambda: generator.integers(0, 10, dtype=np.int64),
        lambda: generator.integers(0, 10, size=3),
        lambda: generator.permutation(4),
    ]:
        draw()
        states.append(read())
        assert states[-1] != states[-2]


@pytest.mark.parametrize("of", [np.random.PCG64, np.random.PCG64DXSM])
def test_half_a_word_that_is_spared_is_read_as_well(of):
    generator = np.random.Generator(of(3))
    read = draws._reader_of(generator)
    for _ in range(4):  # each second one takes what the first one has left
        before = read()
        generator.integers(0, 10, dtype=np.int32)
        assert read() != before
    generator.bit_generator.state = of(9).state
    assert read() == draws._reader_of(np.random.Generator(of(9)))()
