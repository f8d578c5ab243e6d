"""Users' own primitives: what is written with them behaves as what is built in."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import scipy.linalg
import scipy.special

import functrace as ft
import functrace.jitting.jit
from functrace import errors
from functrace.extend import (
    PRIMITIVES,
    ArrayType,
    Elementwise,
    Linear,
    Primitive,
    bind,
    implements,
    wrap,
)
from functrace.testing import check_grads, check_primitive
from functrace.transforms.batch import vmap
from functrace.transforms.forward import jvp

THREE = np.array([0.5, 1.0, 2.0])

TWO_OVER_ROOT_PI = 2 / math.sqrt(math.pi)


def error_function(name: str | None = None) -> Any:
    return wrap(
        scipy.special.erf,
        vjp=lambda ct, out, x: ct * TWO_OVER_ROOT_PI * np.exp(-x * x),
        name=name,
    )


def inverse(**options: Any) -> Any:
    return wrap(np.linalg.inv, vjp=lambda ct, out, a: -out.T @ ct @ out.T, **options)


# wrap: calls and derivatives


def test_a_wrapped_function_is_itself_on_arrays():
    erf = error_function()
    assert erf(0.5) == scipy.special.erf(0.5)
    np.testing.assert_array_equal(erf(THREE), scipy.special.erf(THREE))
    np.testing.assert_array_equal(erf([0.5, 1.0]), scipy.special.erf([0.5, 1.0]))
    assert erf.__name__ == "erf"
    assert erf.__doc__ == scipy.special.erf.__doc__


def test_first_and_higher_derivatives_of_a_scipy_function():
    erf = error_function()
    slope = lambda x: TWO_OVER_ROOT_PI * np.exp(-x * x)
    assert ft.grad(erf)(0.3) == pytest.approx(slope(0.3))
    assert ft.grad(ft.grad(erf))(0.3) == pytest.approx(-0.6 * slope(0.3))
    assert ft.grad(ft.grad(ft.grad(erf)))(0.3) == pytest.approx((4 * 0.09 - 2) * slope(0.3))
    check_grads(lambda x: erf(np.sin(x)) * x, (THREE,), order=2)


def test_a_wrapped_function_has_every_rule_that_can_be_checked():
    report = check_primitive(error_function("erf_for_test_extend").primitive, THREE)
    assert report["vjp"] == report["second order"] == report["batch"] == "passed"


def test_a_matrix_function_with_a_vjp():
    expm = wrap(
        scipy.linalg.expm,
        # The adjoint of the Fréchet derivative at A is that at the transpose of A.
        vjp=lambda ct, out, a: scipy.linalg.expm_frechet(a.T, ct, compute_expm=False),
        infer=lambda a: a,
    )
    a = np.array([[0.1, 0.4, 0.0], [-0.3, 0.2, 0.1], [0.5, 0.0, -0.2]])
    check_grads(lambda a: np.sum(np.sin(expm(a))), (a,), order=1)


def test_second_derivatives_of_a_matrix_function():
    a = np.array([[2.0, 0.3], [-0.4, 1.5]])
    check_grads(inverse(infer=lambda a: a), (a,), order=2)


def test_several_inputs_of_which_one_is_integer():
    jv = wrap(
        scipy.special.jv,
        vjp=lambda ct, out, n, x: (
            None,
            ct * (scipy.special.jv(n - 1, x) - scipy.special.jv(n + 1, x)) / 2,
        ),
    )
    slope = ft.grad(jv, argnums=1)(2, 0.7)
    assert slope == pytest.approx(scipy.special.jvp(2, 0.7))
    assert ft.grad(lambda x: jv(0, x))(0.7) == pytest.approx(-scipy.special.jv(1, 0.7))


def test_none_is_the_zero_cotangent():
    step = wrap(np.heaviside, vjp=lambda ct, out, x, y: (None, None))
    gradient = ft.grad(lambda x: np.sum(step(x, 0.5) * x))(THREE)
    np.testing.assert_array_equal(gradient, np.ones(3))


def test_keyword_arguments_are_parameters():
    power = wrap(
        lambda x, *, exponent: x**exponent,
        vjp=lambda ct, out, x, *, exponent: ct * exponent * x ** (exponent - 1),
        name="power_for_test_extend",
    )
    assert ft.grad(lambda x: power(x, exponent=3))(2.0) == 12.0
    assert ft.grad(ft.grad(lambda x: power(x, exponent=3)))(2.0) == 12.0
    text = ft.make_ir(lambda x: power(x, exponent=3))(2.0)
    assert "power_for_test_extend(a, exponent=3)" in str(text)
    assert str(ft.parse(str(text))) == str(text)


def test_a_traced_parameter_is_refused():
    power = wrap(
        lambda x, *, exponent: x**exponent,
        vjp=lambda ct, out, x, *, exponent: ct * exponent * x ** (exponent - 1),
    )

    def f(x):
        return power(2.0, exponent=x)

    def g(x):
        return power(2.0, exponent=[1.0, x])

    for function in (f, g):
        with pytest.raises(errors.OperandError, match="keyword argument 'exponent'") as caught:
            ft.grad(function)(3.0)
        line = function.__code__.co_firstlineno + 1
        assert (caught.value.where or "").endswith(f":{line} in {function.__name__}")
    assert ft.grad(lambda x: power(x, exponent=ft.stop_gradient(x)))(3.0) == 27.0


def test_python_results_become_numpy_scalars():
    sine = wrap(math.sin, vjp=lambda ct, out, x: ct * np.cos(x))
    assert type(sine(0.5)) is np.float64
    value, gradient = ft.value_and_grad(sine)(0.5)
    assert (type(value), gradient) == (np.float64, np.cos(0.5))
    assert ft.make_ir(sine)(0.5).outputs[0].type == ArrayType((), np.dtype(float))
    diagonal = wrap(lambda x: [x[0, 0], x[1, 1]], vjp=lambda ct, out, x: np.diag(ct))
    np.testing.assert_array_equal(
        ft.jacrev(diagonal)(np.eye(2)), [np.diag([1, 0]), np.diag([0, 1])]
    )


def test_gradients_have_the_dtype_of_their_inputs():
    scale = wrap(
        lambda x, y: x * y,
        vjp=lambda ct, out, x, y: (np.float64(ct) * y, ct * np.complex128(x)),
    )
    x, y = np.float32(2.0), 3.0
    gx, gy = ft.grad(scale, argnums=(0, 1))(x, y)
    assert (gx.dtype, gy.dtype) == (np.float32, np.float64)


def test_vmap_of_a_wrapped_function_calls_it_for_each_example():
    calls = []

    def inv(a):
        calls.append(a.shape)
        return np.linalg.inv(a)

    wrapped = wrap(inv, vjp=lambda ct, out, a: -out.T @ ct @ out.T, infer=lambda a: a)
    matrices = np.eye(2) * np.arange(1.0, 4.0)[:, None, None]
    np.testing.assert_allclose(vmap(wrapped)(matrices), np.linalg.inv(matrices))
    assert calls == [(2, 2)] * 3
    np.testing.assert_allclose(
        vmap(wrapped, in_axes=2)(np.moveaxis(matrices, 0, 2)), np.linalg.inv(matrices)
    )
    assert vmap(wrapped)(np.zeros((0, 2, 2))).shape == (0, 2, 2)


# One derivative rule only


def test_a_jvp_alone():
    cube = wrap(
        lambda x, y: x**3 * y,
        jvp=lambda inputs, tangents, output: (
            tangents[0] * (3 * inputs[0] ** 2 * inputs[1]) + tangents[1] * inputs[0] ** 3
        ),
        name="cube_for_test_extend",
    )
    assert jvp(cube, (2.0, 5.0), (1.0, 0.0)) == (40.0, 60.0)
    assert jvp(lambda x: cube(x, 5.0), (2.0,), (1.0,)) == (40.0, 60.0)
    by_x, by_y = ft.grad(cube, argnums=(0, 1))(2.0, 5.0)
    assert (by_x, by_y) == (60.0, 8.0)


def test_a_vjp_alone():
    erf = error_function()
    _, tangent = jvp(erf, (0.3,), (1.0,))
    assert tangent == pytest.approx(TWO_OVER_ROOT_PI * math.exp(-0.09))


def test_neither_is_refused_at_once():
    with pytest.raises(errors.PrimitiveError, match="needs a derivative") as caught:
        wrap(np.sinc)
    assert "vjp=lambda ct, out, x: None" in str(caught.value)


class Bare(Primitive):
    def run(self, x: Any) -> Any:
        return x * 2.0

    def infer(self, x: ArrayType) -> ArrayType:
        return x


def test_a_missing_rule_names_the_primitive_and_the_line():
    bare = Bare("bare_for_test_extend")

    def f(x):
        y = x * 3.0
        return bind(bare, y)

    for call in (
        lambda: ft.grad(f)(1.0),
        lambda: ft.grad(ft.grad(f))(1.0),
        lambda: vmap(f)(THREE),
        lambda: jvp(f, (1.0,), (1.0,)),
    ):
        with pytest.raises(errors.MissingRuleError, match="'bare_for_test_extend'") as caught:
            call()
        where = caught.value.where or ""
        assert where.endswith(f"test_extend.py:{f.__code__.co_firstlineno + 2} in f")
    assert ft.make_ir(f)(1.0).equations[1].primitive is bare


# Wrong rules


@pytest.mark.parametrize(
    ("vjp", "says"),
    [
        (lambda ct, out, x, y: ct, "returned 1 cotangents for 2 inputs"),
        (lambda ct, out, x, y: (ct, ct, ct), "returned 3 cotangents for 2 inputs"),
        (lambda ct, out, x, y: (ct, ct), r"a cotangent of shape \(3,\) for input 1 of shape \(\)"),
        (lambda ct, out, x, y: (np.sum(ct), None), r"shape \(\) for input 0 of shape \(3,\)"),
    ],
)
def test_a_wrong_vjp(vjp, says):
    scale = wrap(lambda x, y: x * y, vjp=vjp, name="scale_for_test_extend")

    def f(x, y):
        return np.sum(scale(x, y))

    with pytest.raises(errors.RuleOutputError, match=says) as caught:
        ft.grad(f, argnums=(0, 1))(THREE, 2.0)
    assert "'scale_for_test_extend'" in str(caught.value)
    assert "one cotangent for each input" in str(caught.value)
    assert (caught.value.where or "").endswith(f":{f.__code__.co_firstlineno + 1} in f")


def test_a_gradient_of_another_shape_is_never_given():
    class Summed(Bare):
        def vjp(self, cotangent, inputs, output, needed):
            return (np.sum(cotangent),)

    summed = Summed("summed_for_test_extend")
    f = lambda x: np.sum(bind(summed, x))
    for g in (f, ft.grad(f)):
        with pytest.raises(
            errors.RuleOutputError, match=r"shape \(\) for .* shape \(3,\)"
        ) as caught:
            ft.grad(lambda x: np.sum(g(x)))(THREE)
        assert "check_primitive" in str(caught.value)
    with pytest.raises(errors.RuleOutputError):
        ft.vjp(f, THREE)[1](1.0)


def test_a_result_is_no_view_of_an_input():
    rest = wrap(lambda x: x[1:], vjp=lambda ct, out, x: np.concatenate([[0.0], ct]))

    def f(x):
        y = x * 1.0
        z = rest(y)
        z += 1.0
        return np.sum(y * y)

    expected = np.sum(THREE**2)
    assert f(THREE) == expected
    value, gradient = ft.value_and_grad(f)(THREE)
    assert value == expected
    np.testing.assert_array_equal(gradient, 2 * THREE)


def test_a_cotangent_that_nobody_asks_for_is_not_looked_at():
    scale = wrap(lambda x, y: x * y, vjp=lambda ct, out, x, y: (ct * y, "unused"))
    np.testing.assert_array_equal(ft.grad(lambda x: np.sum(scale(x, 2.0)))(THREE), [2, 2, 2])


def test_a_wrong_jvp():
    double = wrap(
        lambda x: x * 2.0,
        jvp=lambda inputs, tangents, output: np.sum(tangents[0]),
        name="double_for_test_extend",
    )
    with pytest.raises(errors.RuleOutputError, match=r"shape \(\) for the output of shape \(3,\)"):
        jvp(double, (THREE,), (THREE,))


# The output's type


def test_the_type_is_found_by_a_call_on_ones():
    seen = []

    def outer(x, y):
        seen.append((x, y))
        return np.multiply.outer(x, y)

    wrapped = wrap(outer, vjp=lambda ct, out, x, y: (ct @ y, x @ ct))
    program = ft.make_ir(wrapped)(THREE, np.zeros(2, np.float32))
    assert str(program.outputs[0].type) == "float64[3, 2]"
    x, y = seen[0]
    np.testing.assert_array_equal(x, np.ones(3))
    assert y.dtype == np.float32


def test_the_call_on_ones_gives_no_warnings():
    logit = wrap(
        lambda p: np.log(p / (1 - p)), vjp=lambda ct, out, p: ct / (p * (1 - p))
    )  # 1 is a pole
    assert str(ft.make_ir(logit)(0.5).outputs[0].type) == "float64"


def test_a_function_that_fails_on_ones_needs_infer():
    with pytest.raises(errors.MissingRuleError, match=r"has no infer rule.*LinAlgError") as caught:
        ft.make_ir(inverse())(np.eye(2))
    assert "infer=" in str(caught.value)
    program = ft.make_ir(inverse(infer=lambda a: a))(np.eye(2))
    assert str(program.outputs[0].type) == "float64[2, 2]"


def test_shapes_that_do_not_fit_are_reported_as_for_every_primitive():
    product = wrap(np.inner, vjp=lambda ct, out, x, y: (ct * y, ct * x), name="inner_for_tests")
    for transformed in (ft.grad, ft.make_ir):
        with pytest.raises(errors.ShapeMismatchError, match=r"float64\[3\], float64\[2\]"):
            transformed(lambda x: product(x, np.ones(2)))(THREE)


def test_a_functions_own_errors_stay_what_they_are():
    def strict(x):
        if np.any(x < 0):
            raise ValueError("negative radius")
        return np.sqrt(x)

    root = wrap(strict, vjp=lambda ct, out, x: ct / (2 * out))
    for call in (root, ft.grad(root), ft.grad(ft.grad(root))):
        with pytest.raises(ValueError, match="negative radius") as caught:
            call(-1.0)
        assert type(caught.value) is ValueError
        assert str(caught.value) == "negative radius"


@pytest.mark.parametrize("result", [(1.0, 2.0), {"a": 1.0}, "text", None])
def test_a_result_that_is_no_array(result):
    odd = wrap(lambda x: result, vjp=lambda ct, out, x: None)
    with pytest.raises(errors.PrimitiveError, match=f"returned a {type(result).__name__}"):
        ft.grad(odd)(1.0)


# Names


@pytest.mark.parametrize("name", ["my-op", "", "2x", "a b"])
def test_a_name_must_be_an_identifier(name):
    with pytest.raises(errors.PrimitiveError, match="identifier"):
        wrap(np.sinc, vjp=lambda ct, out, x: ct, name=name)


@pytest.mark.parametrize("name", ["sin", "add", "copy", "sum", "contract", "jit"])
def test_the_names_of_functrace_are_taken(name):
    before = PRIMITIVES[name]
    with pytest.raises(errors.PrimitiveError, match="belongs to a primitive of functrace"):
        wrap(np.sinc, vjp=lambda ct, out, x: ct, name=name)
    assert PRIMITIVES[name] is before


def test_a_name_may_be_defined_again_as_in_a_notebook():
    first = error_function("again_for_test_extend")
    second = error_function("again_for_test_extend")
    assert PRIMITIVES["again_for_test_extend"] is second.primitive
    assert ft.grad(first)(0.3) == ft.grad(second)(0.3)


def test_a_member_of_a_family_may_be_defined_again_too():
    for factor in (2.0, 3.0):
        scale = Elementwise(
            "scale_again_for_test_extend",
            np.exp,
            lambda t, out, x, factor=factor: t * factor,
            run=lambda x, factor=factor: x * factor,
        )
        assert ft.grad(lambda x: bind(scale, x))(1.0) == factor


def test_names_are_made_where_none_is_given():
    one, two = error_function(), error_function()
    assert one.primitive.name != two.primitive.name
    assert one.primitive.name.startswith("wrapped_erf_")
    anonymous = wrap(lambda x: x, vjp=lambda ct, out, x: ct)
    assert anonymous.primitive.name.startswith("wrapped_function_")


# Primitives written out


class Polar(Primitive):
    """Length and angle of points, with several outputs."""

    multiple_outputs = True

    def run(self, x: Any, y: Any) -> Any:
        return np.hypot(x, y), np.arctan2(y, x)

    def infer(self, x: ArrayType, y: ArrayType) -> Any:
        return x, x

    def jvp(self, inputs, tangents, output) -> Any:
        x, y = inputs
        dx, dy = (0.0 if t is None else t for t in tangents)
        r, _ = output
        return (x * dx + y * dy) / r, (x * dy - y * dx) / (r * r)

    def vjp(self, cotangent, inputs, output, needed) -> Any:
        x, y = inputs
        cr, ca = (0.0 if c is None else c for c in cotangent)
        r, _ = output
        return cr * x / r - ca * y / r**2, cr * y / r + ca * x / r**2

    def batch(self, size, inputs, axes) -> Any:
        moved = [
            np.broadcast_to(x, (size, *np.shape(x))) if a is None else np.moveaxis(x, a, 0)
            for x, a in zip(inputs, axes, strict=True)
        ]
        return bind(self, *moved), (0, 0)


polar = Polar("polar_for_test_extend")


def test_a_primitive_with_several_outputs():
    report = check_primitive(polar, THREE, np.array([0.3, -0.7, 1.1]))
    assert {"passed"} == {report[name] for name in ("infer", "vjp", "second order", "batch")}

    def f(x, y):
        r, a = bind(polar, x, y)
        return r * np.cos(a) + np.sin(a) * r  # x + y

    assert ft.grad(f, argnums=(0, 1))(0.3, 0.4) == pytest.approx((1.0, 1.0))
    assert ft.grad(ft.grad(f))(0.3, 0.4) == pytest.approx(0.0)
    np.testing.assert_allclose(vmap(f, in_axes=(0, None))(THREE, 1.0), THREE + 1)


def test_only_one_of_several_outputs_is_used():
    assert ft.grad(lambda x: bind(polar, x, 4.0)[0])(3.0) == pytest.approx(0.6)
    assert ft.grad(lambda x: bind(polar, 4.0, x)[1])(3.0) == pytest.approx(4 / 25)
    assert ft.grad(lambda x: bind(polar, 4.0, x) and x)(3.0) == 1.0


def test_several_outputs_print_and_parse():
    text = str(ft.make_ir(lambda x, y: bind(polar, x, y))(0.3, 0.4))
    assert text.splitlines()[1].startswith(
        "    c: weak_float64; d: weak_float64; (c, d) = polar_for_test_extend(a, b)  #"
    )
    assert str(ft.parse(text)) == text


softplus = Elementwise(
    "softplus_for_test_extend",
    np.exp,
    lambda t, out, x: t / (1 + np.exp(-x)),
    run=lambda x: np.logaddexp(x, 0),
)


class Reverse(Linear):
    """An array backwards."""

    makes_views = True

    def run(self, x: Any) -> Any:
        return x[::-1]

    def infer(self, x: ArrayType) -> ArrayType:
        return x

    def transpose(self, cotangent: Any, input: ArrayType) -> Any:
        return bind(self, cotangent)


reverse = Reverse("reverse_for_test_extend")


def test_the_families_are_open():
    assert set(check_primitive(softplus, THREE).values()) == {"passed"}
    report = check_primitive(reverse, THREE)
    assert report["jvp"] == report["vjp"] == report["second order"] == "passed"


def test_implements_gives_a_meaning_to_a_function():
    # A module that dispatches through NumPy's protocol, as NumPy's own functions do.
    from numpy.lib import recfunctions

    with pytest.raises(errors.UnsupportedFunctionError, match="drop_fields"):
        ft.grad(lambda x: np.sum(recfunctions.drop_fields(x, "a")))(THREE)

    @implements(recfunctions.drop_fields)
    def drop_fields(base: Any, drop_names: Any, usemask: bool = True, asrecarray: bool = False):
        return bind(reverse, base)

    gradient = ft.grad(lambda x: np.sum(recfunctions.drop_fields(x, "a") * [1, 2, 3]))(THREE)
    np.testing.assert_array_equal(gradient, [3, 2, 1])


def test_a_rule_written_in_numpy_is_differentiated_with_the_rest():
    # The vjp of the vjp, through a linear solve that has one rule.
    def solve_vjp(ct, x, a, b):
        u = solve(a.T, ct)
        return -np.multiply.outer(u, x), u

    solve = wrap(np.linalg.solve, vjp=solve_vjp, infer=lambda a, b: b)
    a = np.array([[3.0, 1.0], [0.5, 2.0]])
    check_grads(lambda a, b: np.sum(solve(a, b) ** 2), (a, np.array([1.0, -1.0])), order=2)


# Rules of a primitive of one's own


def primitive_with(name, **rules):
    class Double(Primitive):
        def run(self, x):
            return x * 2.0

        def infer(self, x):
            return x

    rules.setdefault("vjp", Primitive.vjp)
    kind = type("Rules", (Double,), rules)
    return kind(name)


WRONG = {
    "no tuple": ("vjp", lambda self, ct, inputs, out, needed: 2 * ct, "an array for 1 inputs"),
    "too many": ("vjp", lambda self, ct, inputs, out, needed: (ct, ct), "2 cotangents for 1 input"),
    "summed": ("vjp", lambda self, ct, inputs, out, needed: (np.sum(ct),), r"shape \(\) for input"),
    "a list": ("vjp", lambda self, ct, inputs, out, needed: ([2.0] * 3,), "a list for input 0"),
    "wider": ("vjp", lambda self, ct, inputs, out, needed: (np.ones((2, 3)),), r"shape \(2, 3\)"),
    "scalar": (
        "jvp",
        lambda self, inputs, tangents, out: np.sum(tangents[0]),
        r"shape \(\) for the",
    ),
    "text": ("jvp", lambda self, inputs, tangents, out: "no", "a str for the output"),
}


@pytest.mark.parametrize("case", WRONG)
@pytest.mark.parametrize("mode", ["grad", "jit", "jvp", "hessian"])
def test_wrong_rules_never_give_a_number(case, mode):
    name, rule, says = WRONG[case]
    primitive = primitive_with(f"wrong_{case.replace(' ', '_')}_{mode}", **{name: rule})

    def f(x):
        return np.sum(np.sin(bind(primitive, x)))

    def call():
        if mode == "jvp":
            return jvp(f, (THREE,), (THREE,))
        return {"grad": ft.grad(f), "jit": ft.jit(ft.grad(f)), "hessian": ft.hessian(f)}[mode](
            THREE
        )

    with pytest.raises(errors.RuleOutputError, match=says) as caught:
        call()
    line = rule.__code__.co_firstlineno
    assert primitive.name in str(caught.value)
    assert f"test_extend.py:{line} in" in str(caught.value)


def test_a_rule_in_another_dtype_is_converted():
    single = primitive_with(
        "single_for_test_extend",
        vjp=lambda self, ct, inputs, out, needed: ((2 * ct).astype(np.float32),),
    )
    gradient = ft.grad(lambda x: np.sum(bind(single, x)))(THREE)
    assert gradient.dtype == np.float64
    np.testing.assert_array_equal(gradient, [2.0, 2.0, 2.0])


# What functions mean on traced values


def test_a_ufunc_of_another_package():
    cube = np.frompyfunc(lambda x: x * x * x, 1, 1)
    implements(cube)(lambda x: x**3)
    assert ft.grad(cube)(2.0) == 12.0
    assert ft.jit(ft.grad(cube))(2.0) == 12.0
    _, tangent = jvp(cube, (2.0,), (1.0,))
    assert tangent == 12.0


def test_a_function_of_numpy():
    implements(np.polyder)(lambda p, m=1: p * 10.0)
    assert ft.grad(lambda x: np.polyder(x)[0])(THREE)[0] == 10.0


def test_one_of_numpys_ufuncs_is_replaced():
    assert ft.grad(np.cbrt)(8.0) == pytest.approx(1 / 12)
    implements(np.cbrt)(lambda x: x * 5.0)
    assert ft.grad(np.cbrt)(8.0) == 5.0


def test_what_would_never_be_asked_is_refused():
    with pytest.raises(errors.PrimitiveError, match="does not hand traced values over") as caught:
        implements(math.sin)
    assert "functrace.extend.wrap" in str(caught.value)


def test_what_infer_says_is_held_against_what_run_returns():
    class Wrong(Primitive):
        def run(self, x):
            return 2 * x

        def infer(self, x):
            return ArrayType((7,), x.dtype)

    class OfAnotherKind(Wrong):
        def infer(self, x):
            return x.shape

    wrong, of_another_kind = Wrong("wrongly_inferred"), OfAnotherKind("inferred_as_a_shape")
    with pytest.raises(
        errors.PrimitiveError, match=r"'wrongly_inferred' computed float64\[3\]"
    ) as raised:
        ft.jit(lambda x: np.sum(bind(wrong, x)))(np.ones(3))
    assert "infer rule says float64[7]" in str(raised.value)
    assert "test_extend.py" in str(raised.value)
    with pytest.raises(errors.PrimitiveError, match=r"returned \(3,\); expected the ArrayType"):
        ft.jit(lambda x: bind(of_another_kind, x))(np.ones(3))
