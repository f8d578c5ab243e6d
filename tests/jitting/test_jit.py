"""jit: what it records, when, and what it refuses."""

from __future__ import annotations

import contextlib
import gc
import inspect
import linecache
import weakref
from functools import partial

import numpy as np
import pytest

import functrace as ft
from functrace import errors


def counting(f):
    calls = []

    def counted(*args, **kwargs):
        calls.append(1)
        return f(*args, **kwargs)

    return ft.jit(counted), calls


def test_a_function_is_recorded_once_for_each_kind_of_arguments():
    f, calls = counting(lambda x: np.sin(x) * 2)
    assert f(0.5) == np.sin(0.5) * 2
    assert f(0.7) == np.sin(0.7) * 2
    assert len(calls) == 1
    f(np.float64(0.5))  # no Python scalar
    f(np.ones(3))
    f(np.ones(3))
    f(np.ones(3, np.float32))
    assert len(calls) == 4


def test_trees_and_keywords():
    f, calls = counting(lambda p, *, scale: {"y": p["w"] * scale, "none": None})
    for _ in range(2):
        assert f({"w": 2.0}, scale=3.0) == {"y": 6.0, "none": None}
    assert len(calls) == 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.complex128])
def test_dtypes_are_those_of_the_function(dtype):
    for f in (lambda x: x * 2, lambda x: x + 1.5, np.sqrt, lambda x: x > 0):
        if dtype is np.complex128 and f(dtype(1)).dtype == bool:
            continue
        x = np.ones(2, dtype)
        assert ft.jit(f)(x).dtype == f(x).dtype


def test_python_scalars_stay_weak():
    x = np.ones(2, np.float32)
    assert ft.jit(lambda x, a: x * a)(x, 2.0).dtype == np.float32
    assert ft.jit(lambda a: (a * 2) * x)(2.0).dtype == np.float32


def test_static_arguments():
    f = ft.jit(lambda x, n, kind="sum": getattr(np, kind)(x) * n, static_argnums=1,
               static_argnames="kind")  # fmt: skip
    assert f(np.ones(3), 2) == 6.0
    assert f(np.ones(3), 3, kind="prod") == 3.0
    assert f(np.ones(3), n=4) == 12.0
    assert f(np.ones(3), 2, "max") == 2.0
    g = ft.jit(lambda n, x: x if n else -x, static_argnums=(0,))
    assert ft.grad(g, argnums=1)(False, 2.0) == -1.0
    with pytest.raises(errors.ArgumentError, match=r"n of .* is .* cannot be hashed"):
        f(np.ones(3), n=[2])
    with pytest.raises(errors.ArgumentError, match="static_argnums names argument 5"):
        ft.jit(lambda x: x, static_argnums=5)


def test_what_is_no_array_is_named():
    with pytest.raises(errors.ArgumentError, match=r"str as the argument x\['a'\]") as caught:
        ft.jit(lambda x: 1.0)({"a": "text"})
    assert "static_argnums" in str(caught.value)
    with pytest.raises(errors.OperandError, match="returned a object"):
        ft.jit(lambda x: object())(1.0)


def test_control_flow_on_values_names_the_line_and_the_rewrite():
    def f(x):
        while x < 3:  # this line
            x = x * 2
        return x

    with pytest.raises(errors.UnknownValueError) as caught:
        ft.jit(f)(1.0)
    message = str(caught.value)
    assert f"test_jit.py:{f.__code__.co_firstlineno + 1} in f" in message
    assert "np.where" in message


@pytest.mark.parametrize(
    "transform",
    [
        ft.jit,
        lambda f: ft.jit(ft.grad(f)),
        lambda f: ft.grad(ft.jit(f)),
        lambda f: ft.jit(ft.hessian(f)),
        lambda f: ft.jit(lambda x: ft.jvp(f, (x,), (x,))),
        lambda f: ft.jit(lambda x: ft.linearize(f, x)[1](x)),
        lambda f: lambda x: ft.vmap(ft.grad(f))(np.stack([x])),
        lambda f: ft.jit(lambda x: ft.scan(lambda c, _: (f(c), None), x, length=2)[0]),
    ],
)
def test_the_variable_is_named_under_every_transformation(transform):
    def f(x):
        y = x * 2.0
        return y if y > 1.0 else x

    def of_parts(x):
        parts = {"rate": x, "rest": [1.0]}
        in_itself = []
        in_itself.append(in_itself)
        while parts["rate"] < 10.0:
            x = x * 2.0
        return x

    with pytest.raises(errors.UnknownValueError, match="depends on `y`"):
        transform(f)(np.float64(3.0))
    with pytest.raises(errors.UnknownValueError, match=r"depends on `(x|parts\['rate'\])`"):
        transform(of_parts)(np.float64(3.0))
    parts = r"depends on `p\['a'\]\[1\]`"
    with pytest.raises(errors.UnknownValueError, match=parts):
        ft.jit(lambda p: p["a"][0] if p["a"][1] > 0 else 0.0)({"a": (1.0, 2.0)})


def test_captured_values_are_not_kept_for_the_next_call():
    def outer(a):
        return inner(2.0, a)

    def inner(x, a):
        return ft.jit(lambda x: x * a)(x)

    assert ft.grad(outer)(3.0) == 2.0
    assert ft.grad(outer)(4.0) == 2.0
    shared = {}
    f = ft.jit(lambda x: x * shared["a"])

    def with_shared(a):
        shared["a"] = a
        return f(2.0) * a

    assert ft.grad(with_shared)(3.0) == 12.0
    assert ft.grad(with_shared)(5.0) == 20.0


def test_integer_outputs_and_unused_inputs():
    f = ft.jit(lambda x, n: (n + 1, x * 2, np.argmax(x)))
    n, _, k = f(np.ones(2), 3)
    assert (n, k) == (4, 0)
    value = ft.grad(lambda x: f(x, 3)[1][f(x, 3)[2]] * f(x, 3)[0])(np.array([1.0, 5.0]))
    np.testing.assert_array_equal(value, [0.0, 8.0])


def test_an_error_leaves_nothing_behind():
    f = ft.jit(lambda x: x * undefined if x.shape else x)  # noqa: F821
    with pytest.raises(NameError):
        f(np.ones(2))
    assert f(2.0) == 2.0


def test_a_recording_holds_for_the_lengths_of_named_axes_that_it_was_made_under():
    f = ft.jit(lambda x: x * ft.lax.axis_size("i"))
    for size in (2, 5):
        np.testing.assert_array_equal(ft.vmap(f, axis_name="i")(np.ones(size)), np.full(size, size))


def test_as_a_decorator():
    @ft.jit
    def plain(x):
        """Double."""
        return x * 2

    @ft.jit(static_argnames="n")
    def named(x, n):
        return x**n

    @partial(ft.jit, static_argnums=(1,))
    def positional(x, n):
        return x**n

    assert plain.__doc__ == "Double."
    assert plain.__wrapped__(3.0) == plain(3.0) == 6.0
    assert named(3.0, 2) == named(3.0, n=2) == positional(3.0, 2) == 9.0
    assert str(inspect.signature(named)) == "(x, n)"


class Model:
    def __init__(self, scale):
        self.scale = scale

    @partial(ft.jit, static_argnums=0)
    def static(self, x):
        return x * self.scale

    @ft.jit
    def traced(self, x):
        return x * self.scale


ft.tree.register(Model, lambda m: ((m.scale,), None), lambda aux, scale: Model(*scale))


def test_methods():
    model, other = Model(2.0), Model(3.0)
    for _ in range(3):
        assert (model.static(5.0), other.static(5.0)) == (10.0, 15.0)
        assert (model.traced(5.0), other.traced(5.0)) == (10.0, 15.0)
    assert Model.static.cache_info().currsize == 2  # self is a key, by its identity
    assert Model.traced.cache_info().currsize == 1
    assert ft.grad(lambda m: m.traced(5.0))(model).scale == 5.0

    class Unregistered:
        @ft.jit
        def method(self, x):
            return x

    with pytest.raises(errors.ArgumentError, match="Unregistered as the argument self"):
        Unregistered().method(1.0)


def test_static_arguments_of_any_number():
    f = ft.jit(lambda *args: args[0] * len(args[-1]), static_argnums=-1)
    assert f(2.0, "four") == 8.0
    assert f(2.0, 3.0, "four") == 8.0
    assert f.cache_info().currsize == 2
    with_default = ft.jit(lambda x, n=3: x * n, static_argnums=(1,))
    assert with_default(2.0) == 6.0
    g = ft.jit(lambda x, n: x * len(n), static_argnums=1)
    for _ in range(2):
        assert g(2.0, (1, 2)) == 4.0
        with pytest.raises(errors.ArgumentError, match=r"n of .* is .* cannot be hashed"):
            g(2.0, [1, 2])


def test_dtypes_of_other_byte_orders_and_dtypes_without_numbers():
    f = ft.jit(lambda x: x + 1)
    for dtype in (">f8", "<f8", ">i4", "f8"):
        for _ in range(2):
            result = f(np.zeros(2, dtype))
            np.testing.assert_array_equal(result, np.ones(2))
            assert result.dtype == (np.zeros(2, dtype) + 1).dtype
    for dtype in (object, "U3", [("a", float)], "M8[s]"):
        with pytest.raises(errors.ArgumentError, match="as the argument x"):
            f(np.zeros(2, dtype))


def test_the_order_of_keys_does_not_count():
    f, calls = counting(lambda p: p["a"] - p["b"])
    assert f({"a": 3.0, "b": 1.0}) == f({"b": 1.0, "a": 3.0}) == 2.0
    assert len(calls) == 1


def test_results_are_the_callers_own():
    f = ft.jit(lambda x: {"x": x, "again": x})
    x = np.ones(3)
    for _ in range(3):
        result = f(x)
        result["x"] += 1
        np.testing.assert_array_equal(x, np.ones(3))


# Life and death


@pytest.fixture
def no_collector():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def _loop(f):
    return lambda x: ft.scan(lambda c, _: (c * 0.5 + f(x), c), 0.0, None, length=40)[0]


def _while(f):
    return lambda x: ft.while_loop(lambda c: c < 3.0, lambda c: c + 1.0 + 0.0 * f(x), f(x))


def _choice(f):
    return lambda x: ft.cond(np.sum(x) > 0, f, lambda x: np.sum(x), x)


def _raising(f):
    def raising(x):
        f(x)
        raise ValueError("no")

    def called(x):
        with pytest.raises(ValueError, match="no"):
            fast(x)

    fast = ft.jit(raising)
    return called


@pytest.mark.thinned
@pytest.mark.parametrize(
    "make",
    {
        "jit": ft.jit,
        "grad of jit": lambda f: ft.grad(ft.jit(f)),
        "jit of grad": lambda f: ft.jit(ft.grad(f)),
        "vmap of jit": lambda f: ft.vmap(ft.jit(f), axis_size=2, in_axes=None),
        "jit of vmap of jit": lambda f: ft.jit(ft.vmap(ft.jit(f), in_axes=None, axis_size=2)),
        "hessian": lambda f: ft.jit(ft.hessian(ft.jit(f))),
        "jvp": lambda f: ft.jit(lambda x: ft.jvp(ft.jit(f), (x,), (x,))),
        "loop": lambda f: ft.jit(ft.value_and_grad(_loop(f))),
        "gradient of a jitted loop": lambda f: ft.grad(ft.jit(_loop(f))),
        "while": lambda f: ft.jit(_while(f)),
        "choice": lambda f: ft.jit(ft.grad(_choice(f))),
        "checkpoint": lambda f: ft.jit(ft.grad(ft.checkpoint(f))),
        "linearize": lambda f: lambda x: ft.linearize(ft.jit(f), x)[1](x),
        "vjp": lambda f: lambda x: ft.vjp(ft.jit(f), x)[1](1.0),
        "callback": lambda f: ft.jit(
            lambda x: ft.pure_callback(f, ft.ShapeDtypeStruct((), np.float64), x)
        ),
        "sequential map": lambda f: lambda x: ft.jit(ft.vmap(ft.sequential_vmap(f)))(x[None]),
        "partial": lambda f: ft.jit(partial(lambda f, x: f(x), f)),
        "raising": _raising,
    }.items(),
    ids=lambda pair: pair[0],
)
def test_a_function_goes_with_its_last_reference(make, no_collector):
    captured = np.ones(3)

    def function(x, captured=captured):
        return np.sum(np.sin(x) * captured)

    fast = make[1](function)
    for _ in range(3):
        fast(np.arange(3.0))
    watched = [weakref.ref(x) for x in (function, captured, fast)]
    del function, captured, fast
    assert [x() is None for x in watched] == [True, True, True]


@pytest.mark.numpy_backend
def test_what_was_compiled_goes_with_the_function(no_collector):
    in_another_file = eval(compile("lambda x: np.cos(x)", "another.py", "eval"), {"np": np})
    fast = ft.jit(lambda x: np.sin(in_another_file(x)) + 1)  # else the lines would be the user's
    fast(1.0)
    fast.source(1.0)
    compiled = fast.lower(1.0).compile()
    watched = [weakref.ref(compiled._entry.run), weakref.ref(compiled._entry)]
    text = compiled.source
    assert any("".join(lines[2]) == text for lines in linecache.cache.values() if len(lines) == 4)
    del fast, compiled
    assert [x() is None for x in watched] == [True, True]
    assert all("".join(lines[2]) != text for lines in linecache.cache.values() if len(lines) == 4)


def test_an_object_goes_whose_jitted_method_was_called(no_collector):
    class Model:
        def __init__(self):
            self.weights = np.ones(3)

        @ft.jit(static_argnums=0)
        def step(self, x):
            return self.weights + x

    model = Model()
    step = model.step
    step(np.ones(3))
    watched = weakref.ref(model), weakref.ref(model.weights)
    Model.step.clear_cache()  # until then it is a static argument, which the recording holds
    del model, step
    assert [x() is None for x in watched] == [True, True]


KINKED = {
    "maximum": np.maximum,
    "where": lambda x, y: np.where(x > y, x, y),
    "clip": lambda x, y: np.clip(x, y, 3.0),
    "extreme": lambda x, y: np.max(np.stack([x, y])),
    "power": lambda x, y: np.minimum(x, y) ** 2,
    "norm": lambda x, y: np.linalg.norm(np.stack([x, y])),
    "jitted": ft.jit(np.maximum),
}

DERIVATIVES = {
    "grad": ft.grad,
    "second": lambda f: ft.grad(ft.grad(f)),
    "both": lambda f: ft.grad(f, argnums=(0, 1)),
    "value and grad": ft.value_and_grad,
    "jvp": lambda f: lambda x, y: ft.jvp(f, (x, y), (x, y)),
    "within": lambda f: lambda x, y: ft.grad(lambda x: ft.grad(f)(x, y) * x)(x),
}


@pytest.mark.thinned
@pytest.mark.parametrize("derivative", DERIVATIVES)
@pytest.mark.parametrize("function", KINKED)
@pytest.mark.parametrize("kind", [float, np.float64, np.float32, np.array])
def test_derivatives_by_numbers_are_of_one_class(function, derivative, kind):
    f = DERIVATIVES[derivative](KINKED[function])
    arguments = kind(0.3), kind(0.2)
    expected, found = (ft.tree.leaves(g(*arguments)) for g in (f, ft.jit(f)))
    for x, y in zip(expected, found, strict=True):
        assert type(x) is type(y)
        np.testing.assert_allclose(y, x, rtol=1e-6)


@pytest.mark.thinned
@pytest.mark.parametrize(
    "f",
    [
        lambda x: 1 if x > 0 else 2,
        lambda x: np.zeros(x),
        lambda x: float(x),
        lambda x: np.ones(3)[x],
        lambda x: np.stack([x, np.ones(4)]),
        lambda x: [x] ** 2,
        lambda x: 1 / 0,
    ],
)
@pytest.mark.parametrize("inside", [lambda f: f, ft.grad, ft.checkpoint])
def test_a_function_that_failed_goes_with_its_last_reference(f, inside, no_collector):
    fast = ft.jit(inside(f))
    with contextlib.suppress(TypeError, ValueError, ZeroDivisionError):
        fast(1.0)
    watched = weakref.ref(fast)
    del fast
    assert watched() is None


def test_notebooks_show_what_was_recorded():
    fast = ft.jit(ft.grad(lambda x: np.sum(x**2)))
    assert "not called yet" in fast._repr_html_()
    fast(np.ones(2))
    fast(np.ones(3))
    shown = fast._repr_html_()
    assert "<p>jit of &lt;lambda&gt;</p>" in shown
    assert "float64[3]; before, it had float64[2]" in shown
    assert fast.source(np.ones(3))._repr_html_().startswith("<pre>def ")
    assert fast.explain(np.ones(3))._repr_html_().startswith("<pre>")
