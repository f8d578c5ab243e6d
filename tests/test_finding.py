"""`find_nan` and `checked`: planted faults are found with their lines, and nothing else changes."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import functrace as ft
from functrace.backends.compiling import evaluating
from functrace.errors import NotFiniteError
from functrace.extend import PRIMITIVES


def root(x):
    return np.sum(np.sqrt(x))  # here the derivative is infinite


def logarithm(x):
    y = x * 2
    return np.sum(np.log(y - 2))  # here is a nan


def overflow(x):
    return np.sum(np.exp(x * 1000.0))  # here it overflows


def in_a_loop(x):
    def body(carry, row):
        carry = np.sqrt(carry - row)  # here is a nan in a loop
        return carry, None

    return ft.scan(body, np.sum(x), np.array([0.0, 0.5, 3.0]))[0]


def in_a_branch(x):
    total = np.sum(x)
    return ft.cond(total > 0, lambda t: t / (t - t), lambda t: t, total)  # here in a branch


def arcs(x):
    return np.sum(np.arcsin(x))  # here the way back fails


PLANTED = {
    "root": (root, [1.0, 0.0], "here the derivative is infinite", {"backward", "tangent"}),
    "logarithm": (logarithm, [2.0, 0.5], "here is a nan", {"forward"}),
    "overflow": (overflow, [0.0, 1.0], "here it overflows", {"forward"}),
    "in_a_loop": (in_a_loop, [1.0, 1.0], "here is a nan in a loop", {"forward"}),
    "in_a_branch": (in_a_branch, [1.0, 1.0], "here in a branch", {"forward"}),
    "arcs": (arcs, [0.5, 1.0], "here the way back fails", {"backward", "tangent"}),
}
MODES = {
    "grad": ft.grad,
    "jit of grad": lambda f: ft.jit(ft.grad(f)),
    "grad of jit": lambda f: ft.grad(ft.jit(f)),
    "vmap of grad": lambda f: lambda x: ft.vmap(ft.grad(f))(x[np.newaxis]),
    "jvp": lambda f: lambda x: ft.jvp(f, (x,), (np.ones_like(x),)),
    "second derivative": lambda f: ft.grad(lambda x: np.sum(ft.grad(f)(x))),
    "jit": ft.jit,
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", PLANTED)
def test_planted_faults_are_found(name, mode):
    f, x, comment, directions = PLANTED[name]
    if mode == "jit" and "backward" in directions:
        return  # there is nothing to find in the value
    x = np.array(x)
    transformed = MODES[mode](f)
    finding, result = ft.checked(transformed)(x)
    assert comment in finding.line, finding
    assert finding.direction in (directions if mode != "jit" else {"forward"}) | {"backward"}
    assert "test_finding.py:" in finding.place
    with np.errstate(all="ignore"):
        for found, expected in zip(
            ft.tree.leaves(result), ft.tree.leaves(transformed(x)), strict=True
        ):
            np.testing.assert_allclose(found, expected)
    with pytest.raises(NotFiniteError, match=r"test_finding\.py"), ft.find_nan():
        transformed(x)


def power(x):
    return np.sum(x**0.5)  # here a power


def trips(x):
    def trip(state):
        return state[0] + 1, np.sqrt(state[1])  # here in a while loop

    return ft.while_loop(lambda s: s[0] < 1, trip, (0, np.sum(x) - 1.0))[1]


def nested(x):
    inner = ft.jit(lambda x: np.sqrt(x))  # here in a call
    return ft.jit(lambda x: np.sum(inner(x)))(x)


def chosen(x):
    return ft.cond(x[0] > 0, lambda x: np.sum(np.sqrt(x)), np.sum, x)  # here where it is chosen


BACKWARD = {
    "root": (root, "sqrt", "here the derivative is infinite"),
    "power": (power, "power", "here a power"),
    "trips": (trips, "sqrt", "here in a while loop"),
    "nested": (nested, "sqrt", "here in a call"),
    "chosen": (chosen, "sqrt", "here where it is chosen"),
}


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode not in ("jit", "jvp")])
@pytest.mark.parametrize("name", BACKWARD)
def test_derivatives_are_told_as_such(name, mode):
    f, operation, comment = BACKWARD[name]
    finding, _ = ft.checked(MODES[mode](f))(np.array([1.0, 0.0]))
    assert (finding.operation, finding.found) == (operation, "infinite")
    assert comment in finding.line
    assert finding.direction == "backward"


FORWARD = {
    "jvp": MODES["jvp"],
    "jit of jvp": lambda f: ft.jit(MODES["jvp"](f)),
    "jvp of jit": lambda f: MODES["jvp"](ft.jit(f)),
    "linearize": lambda f: lambda x: ft.linearize(f, x)[1](np.ones_like(x)),
    "jit of linearize": lambda f: ft.jit(FORWARD["linearize"](f)),
    "jacfwd": ft.jacfwd,
    "jit of jacfwd": lambda f: ft.jit(ft.jacfwd(f)),
}


@pytest.mark.parametrize("mode", FORWARD)
@pytest.mark.parametrize("name", BACKWARD)
def test_forward_mode_is_told_as_such(name, mode):
    f, operation, comment = BACKWARD[name]
    finding, _ = ft.checked(FORWARD[mode](f))(np.array([1.0, 0.0]))
    assert (finding.operation, finding.direction) == (operation, "tangent")
    assert comment in finding.line
    assert str(finding).startswith(f"The derivative of {operation}, in forward mode, made a")


def test_single_numbers_in_forward_mode():
    finding, _ = ft.checked(lambda x: ft.linearize(lambda x: x**0.5, x)[1](1.0))(0.0)
    assert (finding.operation, finding.direction) == ("power", "tangent")


def test_the_users_own_silence_is_no_rule():
    def f(x):
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.sum(np.log(x))

    for mode in MODES.values():
        finding, _ = ft.checked(mode(f))(np.array([1.0, 0.0]))
        assert (finding.operation, finding.direction) == ("log", "forward")


@ft.custom_jvp
def pushed(x):
    return np.sqrt(x)


@pushed.defjvp
def pushed_rule(primals, tangents):
    return pushed(primals[0]), tangents[0] / (2 * np.sqrt(primals[0]))  # the rule of pushed


@ft.custom_vjp
def pulled(x):
    return np.sqrt(x)


def pulled_rule(x, cotangent):
    return (cotangent / (2 * np.sqrt(x)),)  # the rule of pulled


pulled.defvjp(lambda x: (np.sqrt(x), x), pulled_rule)


@pytest.mark.parametrize("mode", [mode for mode in {**MODES, **FORWARD} if mode != "jit"])
@pytest.mark.parametrize("f", [pushed, pulled], ids=["jvp", "vjp"])
def test_rules_of_the_users(f, mode):
    def loss(x):
        return np.sum(f(x))  # calls it

    finding, result = ft.checked({**MODES, **FORWARD}[mode](loss))(np.array([1.0, 0.0]))
    assert any(not np.isfinite(x).all() for x in ft.tree.leaves(result))
    assert finding.found == "infinite" or "jacfwd" in mode
    assert finding.direction == ("tangent" if mode in FORWARD else "backward")
    if finding.within:  # the line is one of the rule, and the forward line is told besides
        assert (finding.operation, finding.within) == ("divide", f.__name__)
        assert "# the rule of" in finding.line
        line = loss.__code__.co_firstlineno + 1
        assert f"{f.__name__} was applied at {__file__}:{line} in loss." in str(finding)
    else:
        assert finding.operation == f.__name__
        assert "# calls it" in finding.line


def test_operands_of_which_the_type_alone_is_kept_are_not_told():
    finding, _ = ft.checked(ft.grad(lambda x: np.sum(pushed(x))))(np.zeros(2))
    assert finding.operands == "float64[2] from 1 to 1, float64[2] from 0 to 0"


def test_functions_of_the_users():
    @ft.custom_vjp
    def logarithm(x):
        return np.log(x)

    logarithm.defvjp(lambda x: (np.log(x), x), lambda x, ct: (ct,))
    finding, _ = ft.checked(ft.grad(lambda x: np.sum(logarithm(x))))(np.zeros(2))
    assert (finding.operation, finding.direction) == ("logarithm", "forward")

    def hosted(x):
        return np.log(x)

    def f(x):
        return x * ft.pure_callback(hosted, ft.ShapeDtypeStruct((), float), ft.stop_gradient(x))

    for transform in (ft.grad, ft.jit):
        finding, _ = ft.checked(transform(f))(0.0)
        assert (finding.operation, finding.direction) == ("hosted", "forward")


def test_limits_of_equal_values():
    f = lambda x: np.sum(np.linalg.svd(x * np.eye(3))[0])
    for transform in (ft.grad, lambda f: ft.jit(ft.grad(f))):
        finding, gradient = ft.checked(transform(f))(np.ones((3, 3)))
        assert not np.isfinite(gradient).all()
        assert finding.found == "nan"
        assert (finding.operation, finding.direction) == ("svd", "backward")


LOOPS = {
    "scan": lambda: ft.scan(lambda c, x: (np.log(c - x), c), 1.0, np.ones(3)),
    "map": lambda: ft.lax.map(lambda x: np.log(x), np.array([1.0, 0.0])),
    "fori_loop": lambda: ft.fori_loop(0, 3, lambda i, x: np.log(x - 1), 2.0),
    "while_loop": lambda: ft.while_loop(lambda x: x >= 0, lambda x: np.log(x - 1), 2.0),
    "cond": lambda: ft.cond(True, lambda x: np.log(x), lambda x: x, 0.0),
    "switch": lambda: ft.switch(1, [lambda x: x, lambda x: np.log(x)], 0.0),
    "associative_scan": lambda: ft.associative_scan(lambda x, y: np.log(x * y), np.zeros(4)),
}


@pytest.mark.parametrize("name", LOOPS)
def test_loops_are_looked_into_outside_of_transformations(name):
    with np.errstate(all="ignore"):
        finding, result = ft.checked(LOOPS[name])()
        for found, expected in zip(
            ft.tree.leaves(result), ft.tree.leaves(LOOPS[name]()), strict=True
        ):
            np.testing.assert_allclose(found, expected)
    assert (finding.operation, finding.direction) == ("log", "forward")
    assert f'"{name}": ' in finding.line


def test_loops_that_cannot_be_recorded_are_as_before():
    def f(x):
        return ft.fori_loop(0, 3, lambda i, x: x + 1 if float(x) > 1 else np.log(x), 2.0)

    assert ft.checked(f)(2.0) == (None, 5.0)
    choice = lambda x: ft.cond(True, lambda x: x + 1 if float(x) > 1 else np.log(x), np.sin, x)
    assert ft.checked(choice)(2.0) == (None, 3.0)


def test_contexts_that_are_left_in_another_order():
    def within():
        with ft.find_nan():
            yield

    with np.errstate():
        first, second = within(), within()
        next(first)
        next(second)
        first.close()
        with pytest.raises(NotFiniteError):
            ft.grad(root)(np.array([0.0]))
        second.close()
        assert not evaluating.get()
        assert np.isinf(ft.grad(root)(np.array([0.0]))).all()
        with pytest.raises(NotFiniteError), ft.find_nan():
            ft.grad(root)(np.array([0.0]))
        finding, _ = ft.checked(lambda x: x)(0.0)
        assert finding is None


def test_special_functions():
    special = pytest.importorskip("scipy.special")
    for f in (special.gammaln, lambda x: special.xlogy(1.0, x), special.digamma):
        finding, _ = ft.checked(ft.jit(lambda x, f=f: np.sum(f(x))))(np.array([0.0, 1.0]))
        assert finding.direction == "forward"


def test_machine_code_is_looked_into():
    pytest.importorskip("llvmlite")
    fast = ft.jit(ft.grad(root), backend="native")
    fast(np.array([1.0, 2.0]))
    finding, _ = ft.checked(fast)(np.array([1.0, 0.0]))
    assert (finding.operation, finding.direction) == ("sqrt", "backward")


def test_the_message_says_what_and_where():
    with pytest.raises(NotFiniteError) as caught, ft.find_nan():
        ft.grad(root)(np.array([1.0, 0.0]))
    message = str(caught.value)
    assert message.startswith("The derivative of sqrt, on the way back, made an infinite number")
    assert "float64[2] from 0 to 1" in message
    assert message.count("test_finding.py") == 1
    assert "np.where" in message


def test_nothing_is_found_where_all_is_finite():
    def f(x):
        safe = np.where(x > 0, x, 1.0)
        return np.sum(np.where(x > 0, np.log(safe), 0.0))

    x = np.array([0.0, 2.0])
    finding, gradient = ft.checked(ft.grad(f))(x)
    assert finding is None
    np.testing.assert_array_equal(gradient, [0, 0.5])
    with ft.find_nan():
        np.testing.assert_array_equal(ft.jit(ft.grad(f))(x), [0, 0.5])


def test_what_comes_in_is_not_found():
    finding, value = ft.checked(ft.grad(np.sin))(np.nan)
    assert finding is None
    assert np.isnan(value)


def test_infinite_numbers_can_be_left_alone():
    assert ft.checked(ft.vmap(np.log), infinite=False)(np.zeros(2))[0] is None
    finding, _ = ft.checked(ft.vmap(np.log), infinite=False)(-np.ones(2))
    assert finding.found == "nan"
    assert finding.operation == "log"


def state():
    return {name: dict(primitive.__dict__) for name, primitive in PRIMITIVES.items()}


def kept(names):
    return {
        name: {k: v for k, v in d.items() if k in ("run", "vjp", "jvp")}
        for name, d in names.items()
    }


def test_everything_is_as_before_afterwards():
    before = kept(state())
    with pytest.raises(NotFiniteError), ft.find_nan():
        ft.grad(root)(0.0)
    with ft.find_nan(), ft.find_nan(infinite=False):
        ft.grad(np.sin)(0.0)
    assert kept(state()) == before
    with np.errstate(all="ignore"):
        assert ft.grad(root)(0.0) == np.inf


def test_a_primitive_of_two_names_is_as_before_afterwards():
    primitive = PRIMITIVES["another_name_of_sin"] = PRIMITIVES["sin"]
    try:
        before = kept({"sin": primitive.__dict__})
        with ft.find_nan():
            ft.grad(np.sin)(0.0)
        assert kept({"sin": primitive.__dict__}) == before
    finally:
        del PRIMITIVES["another_name_of_sin"]


def test_other_threads_are_not_stopped():
    found = []

    def run():
        with np.errstate(all="ignore"):
            found.append(ft.grad(root)(0.0))

    with ft.find_nan():
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    assert found == [np.inf]


def test_names_and_signatures_are_kept():
    assert ft.checked(root).__name__ == "root"
    with pytest.raises(TypeError, match="checked"):
        ft.checked(3)
