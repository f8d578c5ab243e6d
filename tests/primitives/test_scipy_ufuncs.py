"""The family of SciPy's functions: dtypes, classes, refusals, and calls by both names."""

from __future__ import annotations

import subprocess
import sys
import warnings

import numpy as np
import pytest
import scipy.special

import functrace as ft
from functrace.errors import MissingPackageError, MissingRuleError, UnsupportedFunctionError
from functrace.primitives.scipy_ufuncs import ScipyUfunc, f
from functrace.scipy import special
from functrace.testing import check_grads

UFUNCS = sorted(name for name in f if isinstance(getattr(scipy.special, name, None), np.ufunc))


def arguments(ufunc, dtype):
    return [np.full(2, 0.25 if np.dtype(dtype).kind in "fc" else 1).astype(dtype)] * ufunc.nin


def of_first_loop(ufunc):
    codes = ufunc.types[0].partition("->")[0]
    return [np.full(2, 1 if code == "l" else 0.25, "l" if code == "l" else "d") for code in codes]


def outcome(function, *args):
    """The dtypes and the classes of what a function returns, or the kind of error."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            found = function(*args)
        except TypeError:
            return TypeError
    return [(x.dtype, type(x), x.shape) for x in (found if isinstance(found, tuple) else (found,))]


@pytest.mark.thinned
@pytest.mark.parametrize("dtype", ["?", "b", "u1", "i8", "e", "f", "d", "g", "F", "D"])
def test_dtypes_classes_and_refusals_are_those_of_scipy(dtype):
    for name in UFUNCS:
        theirs, ours = getattr(scipy.special, name), getattr(special, name)
        args = arguments(theirs, dtype)
        expected = outcome(theirs, *args)
        assert outcome(ours, *args) == expected, name
        assert outcome(ft.jit(theirs), *args) == expected, name
        scalars = [x[0] for x in args]
        assert outcome(ft.jit(ours), *scalars) == outcome(theirs, *scalars), name


@pytest.mark.thinned
@pytest.mark.parametrize("name", UFUNCS)
def test_recorded_and_compiled_values_are_those_of_scipy(name):
    theirs = getattr(scipy.special, name)
    args = of_first_loop(theirs)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        expected = theirs(*args)
        for found in (theirs(*args), ft.jit(theirs)(*args), ft.vmap(theirs)(*args)):
            for x, y in zip(ft.tree.leaves(found), ft.tree.leaves(expected), strict=True):
                np.testing.assert_allclose(x, y, rtol=1e-13)


def test_lists_and_numbers():
    assert special.gammainc(1, 2.0) == scipy.special.gammainc(1, 2.0)
    found = ft.grad(lambda t: np.sum(special.gammainc([t, 2.0], [1.0, t])))(0.5)
    assert found == pytest.approx(ft.grad(special.gammainc)(0.5, 1.0) + ft.grad(special.gammainc, 1)(2.0, 0.5))  # fmt: skip  # noqa: E501


def test_orders_in_small_integers_do_not_wrap():
    x = np.linspace(0.3, 2, 4)
    for dtype in (np.uint8, np.int8, np.bool_):
        n = np.zeros(4, dtype)
        found = ft.jvp(lambda x: scipy.special.jv(n, x), (x,), (np.ones(4),))[1]
        np.testing.assert_allclose(found, -scipy.special.j1(x), rtol=1e-14)


def test_a_derivative_that_does_not_exist_is_refused_by_name_and_line():
    for refused in (scipy.special.jv, special.jv):
        with pytest.raises(MissingRuleError, match=r"scipy\.special\.jv .* argument v: it is the order") as error:  # fmt: skip  # noqa: E501
            ft.grad(lambda v: refused(v, 2.0))(1.5)
        assert "test_scipy_ufuncs.py" in str(error.value)
        assert "stop_gradient" in str(error.value)
        assert ft.grad(lambda v: refused(ft.stop_gradient(v), v))(1.5) == pytest.approx(
            scipy.special.jvp(1.5, 1.5)
        )
    with pytest.raises(MissingRuleError, match="not holomorphic"):
        ft.jvp(lambda z: special.ive(1, z), (1 + 1j,), (1 + 0j,))
    with pytest.raises(MissingRuleError, match=r"scipy\.special\.zeta has no"):
        ft.jvp(special.zeta, (2.5 + 1j,), (1.0 + 0j,))


def test_other_functions_say_their_public_names():
    for call in (
        lambda t: scipy.special.mathieu_a(1, t),
        lambda t: special.mathieu_a(1, t),
        lambda t: scipy.special.nctdtr(3.0, 1.0, t),
    ):
        with pytest.raises(UnsupportedFunctionError, match=r"^scipy\.special\.(mathieu_a|nctdtr) "):
            ft.grad(call)(2.5)
    with pytest.raises(UnsupportedFunctionError, match=r"^scipy\.special\.ellip_harm "):
        ft.grad(lambda t: scipy.special.ellip_harm(5, 8, 1, 1, t))(2.5)
    with pytest.raises(UnsupportedFunctionError, match=r"sph_harm_y .*\n.*\n.*functrace\.scipy\.special\.sph_harm_y"):  # fmt: skip  # noqa: E501
        ft.grad(lambda t: scipy.special.sph_harm_y(2, 1, t, 0.3).real)(2.5)
    assert special.mathieu_a(1, 2.0) == scipy.special.mathieu_a(1, 2.0)


def test_ufuncs_keywords():
    x = np.array([0.5, 1.5])
    found = ft.jit(lambda x: scipy.special.gamma(x, dtype=np.float32))(x)
    assert found.dtype == np.float32
    check_grads(lambda x: special.gammainc.__wrapped__(x, 1.0), (x,), order=1)


def test_without_scipy_the_function_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.special", None)
    with pytest.raises(MissingPackageError, match=r"functrace\.scipy\.special\.jv"):
        ScipyUfunc("jv")(1.0, 2.0)
    assert "gammaln" in dir(special)


def test_what_this_version_of_scipy_lacks_is_said():
    with pytest.raises(UnsupportedFunctionError, match=r"no scipy\.special\.no_such"):
        ScipyUfunc("no_such")(1.0)


def test_rules_say_nothing_of_infinities():
    x = np.array([0.0, np.inf, -np.inf, np.nan])
    for name in ("sici", "kelvin", "gammaln", "gamma", "erfcx", "log_ndtr", "i0e", "ellipk"):
        f = getattr(special, name)
        ft.jvp(f, (x,), (np.ones(4),))
        value, pullback = ft.vjp(f, x)
        pullback(ft.tree.map(np.ones_like, value))


def test_generated_source_writes_into_memory_that_is_there():
    fast = ft.jit(lambda x: np.exp(scipy.special.gamma(np.sin(x))))
    source = fast.source(np.ones(3))
    assert "gamma_(b, b)" in source


LATE = """
import sys
import functrace as ft
import numpy as np
assert "functrace.primitives.scipy_rules" not in sys.modules
{use}
"""


@pytest.mark.thinned
@pytest.mark.parametrize("use", [
    "import scipy.special; assert ft.grad(lambda x: scipy.special.gammainc(1.5, x))(0.5) > 0",
    "assert ft.lax.igamma(1.5, 0.5) > 0",
    "ft.parse('def program(a: float64):\\n    b: float64 = j0(a)\\n    return b\\n')",
    "from functrace.scipy.special import gammainc; assert gammainc(1.5, 0.5) > 0",
])  # fmt: skip
def test_the_family_is_imported_when_it_is_needed(use):
    subprocess.run([sys.executable, "-c", LATE.format(use=use)], check=True)


def test_programs_with_special_functions_are_saved(tmp_path):
    program = ft.make_ir(lambda x: special.gammainc(x, 2.0) + special.jv(1, x))(0.5)
    gradient = ft.make_ir(ft.grad(lambda x: special.gammainc(x, 2.0)))(0.5)
    for each in (program, gradient):
        each.save(tmp_path / "program")
        again = ft.Program.load(tmp_path / "program")
        np.testing.assert_array_equal(ft.evaluate(again, 0.5), ft.evaluate(each, 0.5))
        assert str(ft.parse(str(each))) == str(each)
