"""What is said where Python or NumPy asks a traced value for a number: the remedy that fits."""

from __future__ import annotations

import colorsys
import contextlib
import math
import random
import traceback

import numpy as np
import pytest
import scipy.linalg
import scipy.signal
import scipy.special

import functrace as ft
from functrace import errors

THREE = np.array([0.5, 1.0, 2.0])

EACH = {
    "jit": ft.jit,
    "vmap": lambda f: lambda n: ft.vmap(f)(np.array([n, n])),
    "make_ir": ft.make_ir,
    "under grad": lambda f: lambda n: ft.grad(lambda x: x * ft.jit(f)(n))(1.0),
}


def refused(call):
    with pytest.raises(errors.FunctraceError) as caught:
        call()
    assert "test_refusals.py" in str(caught.value)
    return caught.value


LENGTHS = {
    "zeros": lambda n: np.zeros(n),
    "empty": lambda n: np.empty(n),
    "ones of two axes": lambda n: np.ones((2, n)),
    "full": lambda n: np.full(n, 1.0),
    "eye": lambda n: np.eye(n),
    "arange": lambda n: np.arange(n),
    "linspace": lambda n: np.linspace(0.0, 1.0, n),
    "reshape": lambda n: THREE.reshape(n, 1),
    "a list of so many": lambda n: [0.0] * n,
    "so many of a list": lambda n: n * [0.0],
    "bytes": lambda n: bytes(n),
}


@pytest.mark.parametrize("how", EACH)
@pytest.mark.parametrize("case", LENGTHS)
def test_lengths_are_static_arguments(case, how):
    error = refused(lambda: EACH[how](LENGTHS[case])(3))
    assert isinstance(error, errors.UnknownValueError)
    assert "static_argnums" in str(error)
    assert "np.where" not in str(error)


@pytest.mark.parametrize("how", EACH)
def test_what_range_counts_to(how):
    def f(n):
        total = 0.0
        for i in range(n):
            total += i
        return total

    text = str(refused(lambda: EACH[how](f)(3)))
    assert "functrace.fori_loop" in text
    assert "static_argnums" in text
    assert "`n`" in text
    assert "if condition" not in text


@pytest.mark.parametrize("convert", [float, int, complex, math.sin, math.floor, lambda t: t.item()])
def test_numbers_of_python(convert):
    text = str(refused(lambda: ft.jit(lambda t: convert(t))(2.0)))
    assert "np.sin(t)" in text
    assert "if condition" not in text


def test_branches():
    text = str(refused(lambda: ft.jit(lambda t: 1.0 if t > 0 else 2.0)(2.0)))
    assert "functrace.cond" in text
    assert "functrace.while_loop" in text


def test_items_and_slices_of_a_list():
    values = [1.0, 2.0, 3.0]
    assert "functrace.switch" in str(refused(lambda: ft.jit(lambda i: values[i])(1)))
    assert "dynamic_slice" in str(refused(lambda: ft.jit(lambda i: values[i:])(1)))


def test_a_refusal_that_was_caught_is_forgotten():
    def f(n):
        with contextlib.suppress(TypeError):
            np.zeros(n)
        raise TypeError("mine")

    with pytest.raises(TypeError, match=r"^mine$") as caught:
        ft.jit(f)(3)
    assert not isinstance(caught.value, errors.FunctraceError)


def test_known_lengths_pass():
    assert ft.grad(lambda x: np.sum(x * np.ones(3)[: len(x)]))(THREE).shape == (3,)
    assert ft.grad(lambda x: np.sum(np.stack([x] * 2)))(1.5) == 2.0
    assert ft.jit(lambda n: [0] * n, static_argnums=0)(3) == [0] * 3


CONTAINERS = {
    "power": (lambda x: x**2, [1.0, 2.0], "`x` is a list"),
    "product": (lambda x: x * 2.0, [1.0, 2.0], "`x` is a list"),
    "difference": (lambda x: 1.0 - x, [1.0, 2.0], "`x` is a list"),
    "of a tuple": (lambda x: x @ x, (1.0, 2.0), "`x` is a tuple"),
    "of a dict": (lambda x: x / 2.0, {"a": 1.0}, "`x` is a dict"),
    "in a dict": (lambda x: x["w"] ** 2, {"w": [1.0, 2.0]}, r"`x\['w'\]` is a list"),
    "a sign": (lambda x: -x, [1.0, 2.0], "`x` is a list"),
}


@pytest.mark.parametrize("how", [ft.grad, ft.jit, ft.make_ir, ft.jacfwd])
@pytest.mark.parametrize("case", CONTAINERS)
def test_operators_on_containers(case, how):
    f, argument, says = CONTAINERS[case]
    with pytest.raises(errors.OperandError, match=says) as caught:
        how(lambda x: np.sum(f(x)))(argument)
    assert "np.array([1.0, 2.0])" in str(caught.value)
    assert isinstance(caught.value.__cause__, TypeError)


def test_other_type_errors_are_the_users():
    with pytest.raises(TypeError, match="unsupported operand") as caught:
        ft.grad(lambda x: x * (len("ab") ** None))(1.0)
    assert type(caught.value) is TypeError


def test_arguments_that_are_used_too_late():
    for transform in (ft.grad, ft.jit, lambda f: lambda x: ft.jvp(f, (x,), (1.0,))):
        kept = []
        transform(lambda x, kept=kept: (kept.append(x), x * 1.0)[1])(1.0)
        with pytest.raises(errors.LeakedTracerError) as caught:
            kept[0] * 2.0
        assert "unknown" not in str(caught.value)
        assert "test_refusals.py" in str(caught.value)


def test_the_remedy_is_one_that_exists():
    for name in ("logsumexp", "softmax"):
        text = str(refused(lambda n=name: ft.grad(lambda x: getattr(scipy.special, n)(x))(THREE)))
        assert f"functrace.scipy.special.{name}" in text
        assert hasattr(ft.scipy.special, name)
    text = str(refused(lambda: ft.grad(lambda x: scipy.special.mathieu_a(1, x))(1.0)))
    assert "functrace.scipy" not in text


def test_a_column_of_pandas_names_the_users_line():
    pandas = pytest.importorskip("pandas")
    column = pandas.Series([1.0, 2.0])
    for call in (lambda t: column * t, lambda t: t + column.mul(t)):
        text = str(refused(lambda call=call: ft.grad(lambda t: np.sum(call(t)))(2.0)))
        assert "to_numpy()" in text
        assert "site-packages" not in text


def asserts(x):
    assert np.all(x > 0)


def branches(x):
    if x[0] > 0 and x[1] > 0:
        return x
    return -x


BRANCHES = {
    "max": (lambda x: max(x[0], x[1]), "np.maximum(x[0], x[1])"),
    "max of three": (lambda x: max(x[0], x[1], 2.0), "np.maximum(np.maximum(x[0], x[1]), 2.0)"),
    "max of one": (lambda x: max(x), "np.max(x)"),
    "min": (lambda x: min(x[0], x[1]), "np.minimum(x[0], x[1])"),
    "min of a list": (lambda x: min([x[0], x[1]]), "np.min(np.stack([x[0], x[1]]))"),
    "sorted": (lambda x: sorted(x), "np.sort(x)"),
    "and": (lambda x: x[0] and x[1], "np.logical_and(x[0], x[1])"),
    "or": (lambda x: x[0] or x[1], "np.logical_or(x[0], x[1])"),
    "not": (lambda x: not x[0], "np.logical_not(x[0])"),
    "between": (lambda x: 0 < x[0] < 1, "np.logical_and(0 < x[0], x[0] < 1)"),
    "in": (lambda x: 1.0 in x, "np.any(x == 1.0)"),
    "assert": (asserts, "functrace.debug.callback"),
    "if": (branches, "np.logical_and(x[0] > 0, x[1] > 0)"),
}


@pytest.mark.parametrize("case", BRANCHES)
def test_what_asks_for_truth_gets_its_own_remedy(case):
    f, remedy = BRANCHES[case]
    text = str(refused(lambda: ft.jit(f)(THREE)))
    assert remedy in text
    assert ("np.where(condition, a, b)" in text) == (case == "if")


@pytest.mark.parametrize(
    "f",
    [
        lambda n: np.repeat(THREE, n),
        lambda n: THREE.repeat(n),
        lambda n: np.repeat(THREE * n, n),
        lambda n: np.diag(THREE * n, n),
        lambda n: np.split(THREE * n, n),
        lambda n: ft.scan(lambda c, _: (c, None), 0.0, None, length=n),
    ],
)
def test_numbers_that_shape_the_result_are_static_arguments(f):
    text = str(refused(lambda: ft.jit(f)(2)))
    assert "static_argnums" in text
    assert "math.sin" not in text
    assert "np.where" not in text
    assert "Tracer(" not in text


def test_a_mask_alone_is_told_of_by_the_name_of_the_function():
    assert "np.where without x and y" in str(
        refused(lambda: ft.jit(lambda x: np.where(x > 0))(THREE))
    )


@pytest.mark.parametrize(
    ("f", "instead"),
    [
        (lambda a: scipy.linalg.solve(a, np.ones(2)), "linalg.solve, which takes traced values"),
        (lambda a: scipy.linalg.inv(a), "linalg.inv, which takes traced values"),
        (lambda a: scipy.linalg.det(a), "linalg.det, which takes traced values"),
        (lambda a: scipy.linalg.cholesky(a), "linalg.cholesky, which takes traced values"),
        (lambda a: scipy.linalg.eigh(a)[0], "linalg.eigh, which takes traced values"),
        (lambda a: scipy.linalg.norm(a), "linalg.norm, which takes traced values"),
    ],
)
def test_scipys_linear_algebra_has_numpys_in_its_place(f, instead):
    assert instead in str(refused(lambda: ft.grad(lambda a: np.sum(f(a)))(np.eye(2))))


def test_a_function_of_another_package_is_not_taken_for_numpys():
    text = str(refused(lambda: ft.jit(lambda x: scipy.signal.convolve(x, x))(THREE)))
    assert "functrace.numpy.convolve" not in text


def test_pythons_own_library_is_nobodys_line():
    error = refused(lambda: ft.jit(lambda x: colorsys.rgb_to_hsv(x[0], x[1], x[2]))(THREE))
    assert "colorsys.py" not in str(error)


def test_a_mask_of_an_ordinary_array_keeps_the_shape():
    table = np.arange(3.0)
    text = str(refused(lambda: ft.jit(lambda x: table[x > 0])(THREE)))
    assert "np.where(x > 0, table, 0)" in text


def test_what_has_no_transpose_needs_no_rule():
    text = str(refused(lambda: ft.linear_transpose(np.sin, 1.0)(1.0)))
    assert "functrace.vjp" in text
    assert "rule" not in text


def test_an_error_is_printed_once():
    table = np.arange(3.0)
    error = refused(lambda: ft.jit(lambda i: np.take(table, i))(1))
    assert "".join(traceback.format_exception(error)).count(error.what) == 1


DRAWS = {
    "size": lambda n: np.random.default_rng(0).normal(size=(n, 2)),
    "legacy size": lambda n: np.random.RandomState(0).rand(n),
    "scale": lambda n: np.random.default_rng(0).normal(n, 1.0),
    "bound": lambda n: np.random.default_rng(0).integers(0, n),
    "permutation": lambda n: np.random.default_rng(0).permutation(n),
    "probabilities": lambda n: np.random.default_rng(0).choice(2, p=np.stack([n, 1.0 - n])),
    "seed": lambda n: np.random.default_rng(n),
    "legacy seed": lambda n: np.random.RandomState(n),
    "Python's": lambda n: random.randint(0, n),
}


@pytest.mark.filterwarnings("ignore::functrace.errors.FrozenDrawWarning")
@pytest.mark.parametrize("how", EACH)
@pytest.mark.parametrize("case", DRAWS)
def test_random_numbers_are_drawn_outside(case, how):
    error = refused(lambda: EACH[how](DRAWS[case])(3))
    assert "drawn outside" in str(error)
    assert "np.stack([a, b])" not in str(error)
    assert "Tracer(" not in str(error).partition("\n")[0] or case == "seed"


@pytest.mark.parametrize("how", [ft.grad, ft.jit])
def test_functions_of_math_are_named_as_they_were_written(how):
    def f(x):
        return x * math.hypot(x, 2.0 * x)

    text = str(refused(lambda: how(f)(3.0)))
    (line,) = (line for line in text.splitlines() if "In place of math.hypot" in line)
    written = line.partition(" write ")[2].partition(". Stay")[0]
    repaired = eval(f"lambda x: x * {written}", {"functrace": ft})  # as the advice is printed
    assert how(repaired)(3.0) == pytest.approx(how(lambda x: x * np.hypot(x, 2.0 * x))(3.0))


WHOLE = {
    "zeros": lambda n: n * np.sum(np.ones(n)),
    "range": lambda n: n * sum(range(n)),
    "item": lambda n: n * [1.0, 2.0, 3.0][n],
}


@pytest.mark.parametrize("case", WHOLE)
def test_what_is_differentiated_is_no_whole_number(case):
    error = refused(lambda: ft.grad(WHOLE[case])(2.0))
    assert isinstance(error, errors.LostDerivativeError)
    assert "int(functrace.stop_gradient(n))" in str(error)
    assert "np.sin" not in str(error)


SIZES = {
    "np.unique": (np.unique, "np.sort"),
    "np.nonzero": (np.nonzero, "np.count_nonzero"),
    "np.where": (lambda x: np.where(x > 0), "np.argmax"),
    "np.argwhere": (np.argwhere, "np.where"),
    "np.bincount": (lambda x: np.bincount(x.astype(int)), "functrace.numpy.bincount(x, length=n)"),
}


@pytest.mark.parametrize("name", SIZES)
def test_a_size_that_is_not_known_gets_the_advice_that_fits(name):
    f, remedy = SIZES[name]
    text = str(refused(lambda: ft.jit(f)(THREE)))
    assert remedy in text.splitlines()[-1]


def test_counting_as_the_refusal_of_bincount_says():
    numbers = np.array([3, 1, 3])
    counted = ft.jit(lambda x: ft.numpy.bincount(x, length=4))
    np.testing.assert_array_equal(counted(numbers), np.bincount(numbers))


def test_an_index_of_switch_that_is_no_whole_number():
    for call in (
        lambda: ft.switch(1.0, [np.sin, np.cos], 1.0),
        lambda: ft.jit(lambda i: ft.switch(i, [np.sin, np.cos], 1.0))(1.0),
        lambda: ft.vmap(lambda i: ft.switch(i, [np.sin, np.cos], 1.0))(np.ones(2)),
    ):
        with pytest.raises(errors.ArgumentError, match=r"write functrace.cond.*|i.astype\(int\)"):
            call()


@pytest.mark.parametrize("transform", [ft.grad, ft.jit])
def test_tables_of_pandas_with_traced_numbers(transform):
    pandas = pytest.importorskip("pandas")
    column = pandas.Series([1.0, 2.0])
    for compute in (
        lambda x: column * x,
        lambda x: column // x,
        lambda x: divmod(column, x)[0],
        lambda x: column % x,
        lambda x: column < x,
        lambda x: column.to_frame() // x,
        lambda x: pandas.Index([1.0, 2.0]) // x,
    ):
        text = str(refused(lambda compute=compute: transform(lambda x: compute(x).sum())(2.0)))
        assert "column.to_numpy() * t" in text
        assert f"{compute.__code__.co_filename}:{compute.__code__.co_firstlineno}" in text
    with pytest.raises(KeyError):  # a mistake that has nothing to do with traced values
        transform(lambda x: pandas.DataFrame({"a": [1.0]})["b"].to_numpy() * x)(2.0)
