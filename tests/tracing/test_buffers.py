"""Plain arrays under transformations: written with traced values, and else as NumPy's arrays."""

from __future__ import annotations

import linecache
import pickle
import re
from typing import Any

import numpy as np
import pytest
import scipy.linalg
import scipy.special

import functrace as ft
import functrace.numpy as fnp
from functrace import errors
from tests.tracing.test_views import differentiated_alike, program

X = np.array([0.5, -1.0, 2.0])


def loop(x: Any) -> Any:
    out = fnp.zeros(3)
    for i in range(3):
        out[i] = x[i] ** 2 * (out[i - 1] if i else 1.0)
    return out


def rows(x: Any) -> Any:
    table = fnp.empty((2, 3))
    table[0] = x
    table[1, :] = table[0] * x[::-1]
    return table


def filled(x: Any) -> Any:
    full = fnp.full((2, 2), 3.0)
    full[fnp.array([0, 1]), [1, 0]] = x[:2]
    full[full > 2.5] += x[2]
    return full


def views_first(x: Any) -> Any:
    grid = fnp.arange(6.0).reshape(2, 3)
    row, column, flat = grid[1], grid[:, 0], grid.ravel()
    row[0] = x[0]
    column *= x[1]
    flat[-1] = row[0] * x[2]
    return grid + column[:, None]


def written_plainly_meanwhile(x: Any) -> Any:
    scratch = fnp.ones(3)
    total = fnp.zeros(())
    for i in range(3):
        scratch[:] = i + 1.0
        total += np.sum(x * scratch)
    return total


def number_of_axes_0(x: Any) -> Any:
    total = fnp.array(0.0)
    alias = total
    total += x[0] * x[1]
    line = fnp.zeros(3)
    last = line[..., 2]
    last += x[2] ** 2
    return alias + line


def by_functions(x: Any) -> Any:
    out = fnp.zeros((3, 3))
    fnp.fill_diagonal(out, x)
    fnp.put(out, [1, 2], x[0] * 2)
    fnp.copyto(out[1], x**2)
    fnp.place(out, fnp.eye(3) == 1, [x[1]])
    np.multiply(out[0], x, out=out[0])
    np.add(out[2], x, out=out[2], where=np.array([True, False, True]))
    out.flat[4] = x[2]
    out[1:].fill(x[0])
    return out


def of_all_kinds(x: Any) -> Any:
    made = [
        fnp.zeros_like(x), fnp.ones_like(np.ones(3)), fnp.full_like(x, 2.0), fnp.eye(3)[0],
        fnp.identity(3)[1], fnp.linspace(0.0, 1.0, 3), fnp.copy(np.ones(3)), fnp.array([1.0] * 3),
        fnp.asarray([1.0, 2.0, 3.0]), fnp.empty_like(np.ones(3)), fnp.tri(3)[2], np.ones_like(x),
        fnp.ones(3) * 2, np.sqrt(fnp.ones(3)), fnp.arange(3.0).copy(), fnp.arange(3).astype(float),
    ]  # fmt: skip
    for y in made:
        y[0] = x[0] * x[1]
        y[1:] = x[1:]
    return np.stack(made)


def arguments_out(x: Any) -> Any:
    a, b, c, d = (fnp.zeros(3) for _ in range(4))
    total, parts = fnp.zeros(()), fnp.zeros((2, 3))
    np.clip(x, -0.7, 1.0, out=a)
    fnp.clip(a * x, -0.3, 0.3, b)
    np.cumsum(x * a, out=c)
    fnp.sum(x * x, out=total)
    np.divmod(x * 3.1, 1.7, out=(parts[0], parts[1]))
    np.concatenate([x[:1], a[1:]], out=d)
    return np.stack([a, b, c, d, parts[1]]) * total


def joined(x: Any) -> Any:
    table = fnp.concatenate([np.ones(2), np.zeros(1)])
    tiled, sorted_, kept = fnp.tile(np.arange(3.0), 1), fnp.sort([3.0, 1.0, 2.0]), fnp.outer(X, X)
    for y in (table, tiled, sorted_, kept[1]):
        y[1:] = x[1:] * x[0]
    alias = tiled.view()
    alias[0] += x[1]
    return np.vstack([table, tiled, sorted_, kept])


def a_list(x: Any) -> Any:
    out = fnp.zeros((2, 2))
    out[0] = [x[0], 1.0]
    out[1] = (x[1] * x[0], x[2])
    return out


PROGRAMS = [
    loop, rows, filled, views_first, written_plainly_meanwhile, number_of_axes_0, by_functions,
    of_all_kinds, a_list, arguments_out, joined,
]  # fmt: skip


@pytest.mark.parametrize("f", PROGRAMS)
def test_buffers_that_are_written_with_traced_values(f):
    differentiated_alike(f, X)
    hessian = ft.hessian(lambda x: np.sum(np.sin(f(x))))
    np.testing.assert_allclose(ft.jit(hessian)(X), hessian(X), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("seed", range(25))
def test_programs_of_buffers(seed):
    f = program(seed)

    def of_buffers(x):
        base = fnp.arange(12.0).reshape(3, 4) / 7
        base += 0.0
        if seed % 2:
            base[0] = x
        return f(base) * x[0]

    def as_numpy(x):
        base = np.arange(12.0).reshape(3, 4) / 7
        if seed % 2:
            base[0] = x
        return f(base) * x[0]

    x = np.array([0.3, -0.2, 0.9, 0.4])
    value, tangent = ft.jvp(of_buffers, (x,), (np.ones(4),))
    np.testing.assert_allclose(value, as_numpy(x), rtol=1e-12)
    result, pullback = ft.vjp(of_buffers, x)
    np.testing.assert_allclose(result, value, rtol=1e-12)
    weights = np.cos(np.arange(value.size))
    np.testing.assert_allclose(pullback(weights)[0].sum(), weights @ tangent, rtol=1e-9, atol=1e-9)


def test_outside_they_are_numpys_own():
    for made in (
        fnp.zeros(2), fnp.arange(3), fnp.array([1.0]), fnp.full(2, 1.0), fnp.zeros_like(X),
        fnp.asarray(X), fnp.eye(2), fnp.copy(X), fnp.linspace(0, 1, 3),
    ):  # fmt: skip
        assert type(made) is np.ndarray
    assert fnp.asarray(X) is X
    assert type(ft.grad(lambda x: x)(1.0)) is np.float64
    assert type(ft.vjp(lambda x: fnp.zeros(3), 1.0)[0]) is np.ndarray
    for trace in (ft.jit, ft.vmap, lambda f: lambda x: ft.jvp(f, (x,), (x,))[0]):
        assert type(trace(lambda x: fnp.zeros(3))(X)) is np.ndarray


def test_a_buffer_that_is_not_written_is_as_its_array():
    def f(x):
        a = fnp.arange(1.0, 4.0)
        seen = [
            float(a[1]), int(fnp.arange(3)[2]), bool(a[0] > 0), a.tolist(), str(a), repr(a),
            f"{a[0]:.1f}", len(a), list(range(fnp.arange(3)[2])), [1, 2, 3][fnp.arange(3)[1]],
            np.asarray(a), scipy.special.j0(a), scipy.linalg.expm(fnp.eye(2)), a.strides,
            np.fft.fft(a), a.searchsorted(2.0), np.histogram(a, 2)[0],
            pickle.loads(pickle.dumps(a)), 2.0 in a, a.nonzero()[0],
            X[fnp.array([0, 2])], X[fnp.array([True, False, True])],
            np.sum(a), a.mean(), a @ a, np.linalg.norm(a), a.max(), np.modf(a)[0], a.dtype, a.shape,
            [float(t) for t in a], np.array_equal(a, a), sum(a), max(a), a.item(0),
            np.clip(a, 0, 2), np.add.reduce(a), np.add.outer(a, a), np.concatenate([a, X]), X + a,
            a / X, divmod(a, 2.0)[1], a.T, a[::-1], -a, a == 2, np.where(a > 2)[0],
        ]  # fmt: skip
        if np.all(a > 0) and a[0] == 1.0:
            kept.append(seen)
        return x * a[0]

    kept: list[Any] = []
    ft.grad(f)(2.0)
    ft.jit(f)(2.0)
    f(2.0)
    assert len(kept) == 3
    for under_grad, under_jit, outside in zip(*kept, strict=True):
        for seen in (under_grad, under_jit):
            np.testing.assert_equal(
                np.asarray(seen) if isinstance(outside, np.ndarray) else seen, outside
            )


def test_what_a_recording_keeps_is_not_changed():
    def f(x, size):
        scratch = fnp.ones(size)
        view = scratch[1:]
        total = 0.0
        for i in range(3):
            scratch[0] = i
            total += np.sum(x * scratch) + np.sum(x * view[0])
            view += 1.0
        return total

    for size in (4, 40_000):  # small arrays are copied, large ones are kept
        for trace in (lambda f: f, ft.jit):
            gradient = trace(ft.grad(lambda x, size=size: f(x, size)))(2.0)
            np.testing.assert_allclose(gradient, f(1.0, size))


def test_memory_of_the_users():
    table = np.arange(3.0)

    def f(x):
        shared = fnp.asarray(table)
        shared[0] = 5.0  # as in NumPy
        return shared[1] * x

    ft.grad(f)(1.0)
    assert table[0] == 5.0

    def g(x):
        shared = fnp.asarray(table)
        shared[0] = x
        return shared

    with pytest.raises(errors.ArrayWriteError, match=r"functrace\.numpy\.array\(x\)"):
        ft.jvp(g, (1.0,), (1.0,))


def test_tables_that_are_indexed_by_traced_numbers():
    table = np.arange(12.0).reshape(4, 3)
    for index in (lambda i: i, lambda i: (i, 1), lambda i: (slice(None), i), lambda i: (i, i)):
        fast = ft.jit(lambda i, index=index: fnp.asarray(table)[index(i)])
        np.testing.assert_array_equal(fast(2), table[index(2)])
        numbers = np.array([2, 0])
        mapped = ft.vmap(lambda i, index=index: fnp.asarray(table)[index(i)])(numbers)
        np.testing.assert_array_equal(mapped, [table[index(2)], table[index(0)]])


# NumPy's own arrays refuse, and the advice works


WRITES = [
    "a[0] = x", "a[:2] = x", "a[...] = x", "a[a == 0] = x", "a[[0, 1]] = x", "a += x", "a -= x",
    "a *= x", "np.add(x, 1.0, out=a)", "np.copyto(a, x)", "np.put(a, [0], x)",
    "np.putmask(a, a == 0, x)", "np.add.at(a, 0, x)", "a[1:] += x",
    "np.add(a, x,\n        out=a)", "np.fill_diagonal(b, x)",
]  # fmt: skip


@pytest.mark.parametrize("trace", [ft.grad, ft.jit, ft.make_ir])
@pytest.mark.parametrize("write", WRITES)
def test_the_error_names_the_array_and_its_advice_works(trace, write, tmp_path):
    text = "def f(x):\n    a = np.zeros(3)\n    b = np.zeros((2, 2))\n"
    text += f"    {write}\n    return a.sum()\n"
    file = tmp_path / "model.py"

    def compiled(text):
        file.write_text(text)
        names: dict[str, Any] = {"np": np, "functrace": ft}
        exec(compile(text, str(file), "exec"), names)
        return names["f"]

    with pytest.raises(errors.ArrayWriteError) as caught:
        trace(compiled(text))(2.0)
    error = caught.value
    name = "b" if "b" in write else "a"
    assert f"`{name}`" in error.what
    assert "model.py:4 in f" in str(error)
    advice = re.search(r"Write `(.*)` in place of `(.*?)`", str(error))
    assert advice is not None
    new, old = advice.groups()
    assert old in text
    linecache.clearcache()
    trace(compiled(text.replace(old, new)))(2.0)


# Elements that a mask of unknown values chooses


def one_mask(x: Any) -> Any:
    y = x * 1.0
    positive = y > 0.0
    y[positive] = np.log(y[positive]) * 2 + x[positive]
    return y


def masks_computed_anew(x: Any) -> Any:
    y = x * 1.0
    y[y > 0.5] = np.sqrt(y[y > 0.5] - 0.5)
    y[y < 0] += x[0]
    y[y < -0.5] *= 2.0
    y[y > 0.1] = 1.0 / y[y > 0.1]
    return y


def rows_of_a_matrix(x: Any) -> Any:
    y = np.stack([x, x[::-1]]).T * 1.0
    wide = y[:, 0] > 0
    y[wide] = y[wide] * x[:2] + np.clip(y[wide], 0, 0.5)
    y[~wide] -= 1.0
    y[y > 0.3] **= 2
    return y


@pytest.mark.parametrize("f", [one_mask, masks_computed_anew, rows_of_a_matrix])
def test_what_a_mask_chooses_is_written_back(f):
    for x in (X, -np.abs(X), np.abs(X)):
        expected = f(x)
        slope = ft.grad(lambda x: np.sum(np.sin(f(x))))
        np.testing.assert_allclose(ft.jit(f)(x), expected, rtol=1e-13)
        np.testing.assert_allclose(ft.jit(slope)(x), slope(x), rtol=1e-12)
        batch = np.stack([x, x[::-1]])
        np.testing.assert_allclose(ft.vmap(f)(batch), [f(y) for y in batch], rtol=1e-13)
        np.testing.assert_allclose(ft.vmap(slope)(batch), [slope(y) for y in batch], rtol=1e-12)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.sort(x[x > 0]),
        lambda x: x[x > 0] + x,
        lambda x: x[x > 0] * x[x > 1],
        lambda x: len(x[x > 0]),
        lambda x: x[x > 0][0],
        lambda x: x.__setitem__(x > 1, x[x > 0]),
        lambda x: x.__setitem__(slice(1), x[x > 0]),
    ],
)
def test_what_a_mask_chooses_has_no_known_shape(f):
    for trace in (ft.jit, ft.make_ir):
        with pytest.raises(errors.UnknownValueError, match=r"np\.where\(mask, x, 0\)"):
            trace(f)(X)


def test_an_argument_out_is_cast_as_numpy_casts_it():
    for trace in (ft.jit, ft.grad):
        with pytest.raises(errors.OperandError, match="Cannot cast the result"):
            trace(lambda x: np.add(x, 1.0, out=fnp.zeros(3, int)))(2.0)


def test_memory_that_would_be_shared_unseen_is_not_written():
    def f(x):
        a = fnp.zeros(4)
        hidden = np.lib.stride_tricks.as_strided(a, (2,), (8,))
        hidden[0] = x
        return a

    with pytest.raises((ValueError, errors.ArrayWriteError)):
        ft.jvp(f, (1.0,), (1.0,))


def written_by_a_function_within(a: Any) -> Any:
    kept = fnp.zeros(3)
    part = kept[1:]

    def inner(s: Any) -> Any:
        kept[0] = s * a
        return s * s

    slope = ft.grad(inner)(a * 2)
    pushed = ft.jvp(inner, (a,), (1.0,))[1]
    part += 1.0
    kept[2] *= slope
    return kept * pushed


def test_what_a_function_within_wrote_is_there_when_it_has_ended():
    def expected(a):
        return np.array([a * a, 1.0, 4 * a]) * (2 * a)

    a, step = 1.5, 1e-6
    change = (expected(a + step) - expected(a - step)) / (2 * step)
    np.testing.assert_allclose(ft.jvp(written_by_a_function_within, (a,), (1.0,))[1], change)
    np.testing.assert_allclose(ft.jacrev(written_by_a_function_within)(a), change)
    fast = ft.jit(ft.jacfwd(written_by_a_function_within))
    np.testing.assert_allclose(fast(a), change)


# The argument `out` by position and by keyword, of functions, methods and ufuncs' methods

WRITING_OUT = {
    "sum": lambda x, o: np.sum(x[None], 0, None, o),
    "mean": lambda x, o: np.mean(x[None], 0, None, o),
    "max": lambda x, o: np.max(x[None], 0, o),
    "cumsum": lambda x, o: np.cumsum(x, 0, None, o),
    "clip": lambda x, o: np.clip(x, -0.5, 1.0, o),
    "dot": lambda x, o: np.dot(np.eye(3), x, o),
    "take": lambda x, o: fnp.take(x, [2, 1, 0], 0, o),
    "stack": lambda x, o: np.stack([x[0], x[1], x[2]], 0, o),
    "median": lambda x, o: np.median(x[None], 0, o),
    "std": lambda x, o: np.std(np.array([[0.0], [2.0]]) * x, 0, None, o),
    "multiply": lambda x, o: np.multiply(x, 2.0, o),
    "method sum": lambda x, o: x[None].sum(0, None, o),
    "method mean": lambda x, o: x[None].mean(0, out=o),
    "method dot": lambda x, o: (np.eye(3) * x).dot(x, out=o),
    "method trace": lambda x, o: (x[:, None, None] * np.ones((3, 2, 2))).trace(0, 1, 2, None, o),
    "reduce": lambda x, o: np.add.reduce(x[None], 0, None, o),
    "accumulate": lambda x, o: np.add.accumulate(x, out=o),
    "einsum": lambda x, o: np.einsum("i->i", x, out=o),
}


@pytest.mark.parametrize("name", WRITING_OUT)
def test_a_result_is_written_into_the_argument_out(name):
    def f(x):
        out = fnp.zeros(3)
        result = WRITING_OUT[name](x, out)
        result *= 2.0
        return np.sum(out * np.arange(1.0, 4.0)) + out

    np.testing.assert_allclose(ft.jit(f)(X), f(X))
    np.testing.assert_allclose(ft.vmap(f)(np.stack([X, 2 * X])), [f(X), f(2 * X)])
    np.testing.assert_allclose(ft.vjp(f, X)[0], f(X))
    ft.testing.check_grads(f, (X,), order=1)


UFUNCS_AT = {
    "maximum": 0.3, "minimum": 0.2, "multiply": 1.5, "divide": 2.0, "power": 2.0, "fmax": 0.3,
    "logaddexp": 0.5, "hypot": 0.5, "negative": None, "sin": None,
}  # fmt: skip


@pytest.mark.parametrize("index", [[0, 0, 2], (np.array([0, 1, 0]), [1, 0, 1]), slice(0, 1)])
@pytest.mark.parametrize("name", UFUNCS_AT)
def test_ufuncs_at_indices_that_repeat(name, index):
    ufunc, operand = getattr(np, name), UFUNCS_AT[name]

    def of_traced(x):
        y = x[:, None] * np.array([0.3, 0.4, 0.7]) + 2.0
        ufunc.at(y, index, *(() if operand is None else (operand,)))
        return y

    def into_a_buffer(x):
        y = fnp.full((3, 3), 0.5)
        ufunc.at(y, index, *(() if operand is None else (x * x,)))
        return y * x[0]

    for f in (of_traced, into_a_buffer):
        np.testing.assert_allclose(ft.jit(f)(X), f(X))
        ft.testing.check_grads(f, (X,), order=1)


def test_ufuncs_at_cast_to_integers_after_each_operation():
    def f(x):
        y = fnp.arange(3)
        np.add.at(y, [0, 0], x[:2])
        return y

    x = np.array([1.75, 2.5])
    np.testing.assert_array_equal(ft.jit(f)(x), f(x))
    np.testing.assert_array_equal(f(x), [3, 1, 2])


INNER = {
    "jit": lambda f, x: ft.jit(f)(x),
    "vmap": lambda f, x: ft.vmap(f)(x[None]),
    "checkpoint": lambda f, x: ft.checkpoint(f)(x),
}


@pytest.mark.parametrize("outer", [ft.jit, ft.grad])
@pytest.mark.parametrize("inner", INNER)
@pytest.mark.parametrize("is_view", [False, True])
def test_an_array_written_in_a_recorded_function_names_the_write(inner, outer, is_view):
    def f(x):
        y = fnp.zeros(3)
        used = y[1:] if is_view else y

        def writes(z):
            y[0] = z[1] * 2.0  # the write
            return z.sum()

        INNER[inner](writes, x)
        return used.sum()

    with pytest.raises(errors.LeakedTracerError, match="Return the new values") as caught:
        outer(f)(X)
    (line,) = re.findall(r"test_buffers.py:(\d+) in writes", str(caught.value))
    assert "# the write" in linecache.getline(__file__, int(line))


AS_ARRAYS = [np.asarray, np.asanyarray, np.ascontiguousarray, np.require]
BUFFERS = {"made": lambda x: fnp.zeros(3), "alike": lambda x: np.zeros_like(x)}


@pytest.mark.parametrize("convert", AS_ARRAYS)
@pytest.mark.parametrize("make", BUFFERS)
def test_an_ordinary_array_made_of_a_buffer_shares_its_memory(convert, make):
    def f(x):
        buffer = BUFFERS[make](x)
        array = convert(buffer)
        assert type(array) is np.ndarray
        array[0] = 5.0
        buffer[1] = 6.0
        buffer[1:][1:] += 7.0
        part = np.asarray(buffer[1:])
        part[0] += 1.0
        return buffer * x, array * x

    for found in (ft.jit(f)(X), ft.vjp(f, X)[0]):
        np.testing.assert_array_equal(found, f(X))


def test_a_copy_of_a_buffer_is_one():
    def f(x):
        buffer = fnp.zeros(3)
        for array in (np.array(buffer), np.asarray(buffer, np.float32)):
            array[0] = 5.0
        buffer[0] = x[0]
        return buffer

    np.testing.assert_array_equal(ft.jit(f)(X), f(X))


def test_an_ordinary_array_that_shares_a_buffers_memory_cannot_hold_a_traced_value():
    def f(x, is_used):
        buffer = fnp.zeros(3)
        array = np.asarray(buffer)[1:]
        total = array.sum()
        if not is_used:
            del array
        buffer[0] = x[0]
        return buffer * total

    for transform in (ft.jit, lambda f: lambda x: ft.vjp(f, x)[0]):
        np.testing.assert_array_equal(transform(lambda x: f(x, False))(X), f(X, False))
        with pytest.raises(errors.ArrayWriteError, match=r"np\.asarray has made"):
            transform(lambda x: f(x, True))(X)


def test_a_loop_that_writes_an_ordinary_array_made_of_a_buffer():
    def f(x):
        buffer = fnp.zeros(3)

        def step(c, r):
            array = np.asarray(buffer)
            array += 1
            return c + np.sum(buffer) * r, None

        return ft.scan(step, x[0], x)[0]

    assert ft.vjp(f, X)[0] == f(X)
    with pytest.raises(errors.ArrayWriteError, match=r"test_buffers\.py:\d+ in step"):
        ft.jit(f)(X)
