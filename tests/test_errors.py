"""Every error: what it says happened, where, and what to write instead."""

from __future__ import annotations

import inspect
import io
import math
import pickle
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import scipy.spatial.distance
import scipy.special

import functrace as ft
from functrace import errors
from functrace.control.choices import cond
from functrace.control.collectives import psum, psum_primitive
from functrace.ir.checking import check
from functrace.ir.program import Equation, Program, Source, Variable
from functrace.ir.types import ArrayType
from functrace.primitives.scipy_ufuncs import ScipyUfunc
from functrace.tracing.tracer import bind
from functrace.transforms.batch import vmap
from functrace.transforms.forward import jvp
from functrace.transforms.transpose import record_linear, transpose_program

THIS_FILE = __file__
HERE = "the deepest line of this file in the traceback"
THREE = np.array([1.0, 2.0, 3.0])


# Helpers


def place_in_this_file(error: BaseException) -> str:
    """The deepest line of this file in an error's traceback, as functrace writes places."""
    found = None
    traceback = error.__traceback__
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if code.co_filename == THIS_FILE:
            found = f"{THIS_FILE}:{traceback.tb_lineno} in {code.co_name}"
        traceback = traceback.tb_next
    assert found is not None
    return found


def raised(f: Callable[[], Any], kind: type[errors.FunctraceError]) -> errors.FunctraceError:
    with pytest.raises(kind) as caught:
        f()
    assert type(caught.value) is kind
    return caught.value


def in_grad(f: Callable[[Any], Any], x: Any = THREE) -> Callable[[], Any]:
    """Runs a function of a traced value whose value is known."""
    return lambda: ft.grad(f)(x)


def in_ir(f: Callable[[Any], Any], x: Any = THREE) -> Callable[[], Any]:
    """Runs a function of a traced value whose value is unknown."""
    return lambda: ft.make_ir(f)(x)


def line_of(f: Callable[..., Any], text: str) -> int:
    """The number of the one line of a function that holds a text."""
    lines, first = inspect.getsourcelines(f)
    (number,) = (n for n, line in enumerate(lines) if text in line)
    return first + number


# One case for each class, or more


@dataclass
class Case:
    kind: type[errors.FunctraceError]
    run: Callable[[], Any]
    base: type[Exception]
    what: str
    advice: str
    where: str | None


CASES: list[Any] = []


def case(
    kind: type[errors.FunctraceError],
    base: type[Exception],
    what: str,
    advice: str | None = None,
    where: str | None = None,
) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
    """Enter a function that raises an error, with what is expected of the error.

    `what` is a pattern for the whole first part; `advice` a part of the advice, None for that of
    the class; `where` is None where the message names no line but that of the call.
    """

    def enter(run: Callable[[], Any]) -> Callable[[], Any]:
        expected = kind.advice if advice is None else advice
        CASES.append(pytest.param(Case(kind, run, base, what, expected, where), id=run.__name__))
        return run

    return enter


# Pytrees


@case(errors.TreeStructureError, ValueError, r"(?s).*\['b'\].*")
def trees_that_differ():
    ft.tree.map(lambda x, y: x + y, {"a": 1.0, "b": (1.0, 2.0)}, {"a": 1.0, "b": (1.0,)})


@case(errors.TreeRegistrationError, TypeError, r".*list.*")
def registering_a_list():
    ft.tree.register(list, lambda x: (x, None), lambda _, x: list(x))


@case(errors.TreeKeyError, TypeError, r"The leaves of a dict .* cannot be sorted: 1, 'a'\.")
def keys_without_an_order():
    ft.tree.leaves({1: 1.0, "a": 2.0})


# Primitives and Programs


@case(
    errors.PrimitiveError, ValueError, r"A primitive's name must be an identifier; 'my-op' is not\."
)
def a_name_that_is_no_identifier():
    ft.extend.Primitive("my-op")


@case(errors.PrimitiveError, ValueError, r"The name 'sin' belongs to a primitive of functrace\.")
def a_name_that_is_taken():
    ft.extend.Primitive("sin")


class Bare(ft.extend.Primitive):
    """A primitive that can only be computed."""

    def run(self, x: Any) -> Any:
        return x * 2.0


bare = Bare("bare_for_test_errors")


@case(
    errors.MissingRuleError,
    NotImplementedError,
    r"The primitive 'bare_for_test_errors' has no vjp rule\.",
    where="applied here",
)
def a_primitive_without_a_vjp():
    ft.grad(lambda x: ft.extend.bind(bare, x))(1.0)  # applied here


@case(
    errors.MissingRuleError,
    NotImplementedError,
    r"The primitive 'bare_for_test_errors' has no infer rule\.",
    where="typed here",
)
def a_primitive_without_infer():
    ft.make_ir(lambda x: ft.extend.bind(bare, x))(1.0)  # typed here


@case(errors.ParseError, ValueError, r"Line 2: there is no primitive 'sine'\.")
def a_text_with_an_unknown_primitive():
    ft.parse("def program(a: float64):\n    b: float64 = sine(a)\n    return b")


@case(errors.ParseError, ValueError, r"This text is not a Program: .*")
def a_text_that_is_not_python():
    ft.parse("program(a) -> b")


@case(
    errors.ProgramCheckError,
    ValueError,
    r"The outputs have types float64\[2\], but the primitive infers float64\[3\]\.",
    where="equation 0, sin (None)",
)
def a_program_with_a_wrong_type():
    a, b = (Variable(ArrayType((n,), np.dtype(float))) for n in (3, 2))
    check(Program([a], [Equation(ft.extend.PRIMITIVES["sin"], [a], {}, [b])], [b]))


@case(
    errors.SaveError,
    TypeError,
    r"debug_callback has as its parameter 'callback' an object \(HostFunction.*\), which cannot .*",
    where="printed here",
)
def saving_a_call_of_python():
    def f(x: Any) -> Any:
        ft.debug.print("{}", x)  # printed here
        return x

    ft.make_ir(f)(1.0).save(io.BytesIO())


@case(errors.LoadError, ValueError, r"The file is no saved Program, or it is damaged: .*zip file")
def loading_something_else():
    Program.load(io.BytesIO(b"something else"))


# Numbers that are none, and keys


@case(
    errors.NotFiniteError,
    FloatingPointError,
    r"The derivative of sqrt, on the way back, made an infinite number out of finite numbers: .*",
    where="the root of zero",
)
def a_root_at_zero():
    with ft.find_nan():
        in_grad(lambda x: np.sum(np.sqrt(x * 0)))()  # the root of zero


@case(
    errors.RandomKeyError,
    TypeError,
    r"An array of shape \(2,\) and dtype float64 is no key\.",
    where=HERE,
)
def drawing_without_a_key():
    ft.random.normal(np.zeros(2))


@case(
    errors.KeyReuseError,
    RuntimeError,
    r"A key is used that was used before, at .*",
    where=HERE,
)
def drawing_twice():
    key = ft.random.key(0)
    with ft.config.using(key_reuse="error"):
        ft.random.normal(key)
        ft.random.uniform(key)


# Operations on traced values


@case(
    errors.ShapeMismatchError,
    ValueError,
    r"`\+` does not take inputs of float64\[3\], float64\[2\]: operands could not be broadcast "
    r"together with shapes \(3,\) \(2,\)\.",
    where=HERE,
)
def shapes_under_grad():
    in_grad(lambda x: np.sum(x + np.ones(2)))()


@case(
    errors.ShapeMismatchError,
    ValueError,
    r"`\*` does not take inputs of float64\[3\], float64\[2\]: .*",
    where=HERE,
)
def shapes_under_make_ir():
    in_ir(lambda x: x * np.ones(2))()


@case(
    errors.MatrixShapeError,
    np.linalg.LinAlgError,
    r"np.linalg.inv does not take inputs of float64\[3\]: 1-dimensional array given\. .*",
    where=HERE,
)
def a_vector_for_a_matrix():
    in_grad(lambda x: np.linalg.inv(x))()


@case(
    errors.OperandError,
    TypeError,
    r"`<<` does not take inputs of float64\[3\], weak_int64: .*",
    where=HERE,
)
def shifting_floats():
    in_grad(lambda x: x << 1)()


@case(
    errors.OperandError,
    TypeError,
    r"An operand of type ndarray and dtype object is no array of numbers\.",
    where=HERE,
)
def an_array_of_objects():
    in_grad(lambda x: np.sum(x * np.array([1.0, None, 2.0], object)))()


@case(
    errors.OperandError,
    TypeError,
    r"An operand of type ndarray and dtype <U1 is no array of numbers\.",
    where=HERE,
)
def an_array_of_strings():
    in_grad(lambda x: np.add(np.array(["a", "b", "c"]), x))()


@case(
    errors.OperandError,
    TypeError,
    r"A MaskedArray met a traced value; it is not an ordinary array\.",
    "x.filled(0)",
    where=HERE,
)
def a_masked_array_on_the_right():
    in_grad(lambda x: np.sum(x * np.ma.array(THREE, mask=[0, 1, 0])))()


@case(
    errors.OperandError,
    TypeError,
    r"A MaskedArray met a traced value; it is not an ordinary array\.",
    "x.filled(0)",
    where=HERE,
)
def a_masked_array_on_the_left():
    masked = np.ma.array(THREE, mask=[0, 1, 0])
    in_grad(lambda x: np.sum(masked * x))()


@case(
    errors.OperandError,
    TypeError,
    r"A matrix met a traced value; it is not an ordinary array\.",
    "np.asarray(x)",
    where=HERE,
)
def a_matrix():
    matrix = np.ones((3, 3)).view(np.matrix)
    in_grad(lambda x: np.sum(matrix * x))()


@case(
    errors.OperandError,
    TypeError,
    r"numpy\.sqrt was called with where= but without out=: .*",
    "np.where(condition, new, old)",
    where=HERE,
)
def where_without_out():
    in_grad(lambda x: np.sqrt(x, where=x > 1))()


@case(
    errors.OperandError,
    TypeError,
    r"Cannot cast a traced float64\[3\] to int64 by the rule 'safe'\.",
    where=HERE,
)
def a_cast_that_is_not_safe():
    in_grad(lambda x: x.astype(np.int64, casting="safe"))()


@case(
    errors.OperandError,
    TypeError,
    r"f returned a str, which is no array and no number\.",
    "Return arrays, numbers, and containers of them.",
)
def a_string_returned_under_make_ir():
    def f(x):
        return {"value": x, "name": "first"}

    in_ir(f)()


@case(
    errors.UnsupportedFunctionError,
    TypeError,
    r"scipy\.spatial\.distance\.directed_hausdorff makes an ordinary array of a traced .*: .*",
    where=HERE,
)
def a_function_of_scipy():
    in_grad(lambda x: scipy.spatial.distance.directed_hausdorff(x, x)[0], np.eye(2))()


@case(
    errors.MissingPackageError,
    ImportError,
    r"functrace\.scipy\.special\.gammainc computes with SciPy, which is not installed\.",
    advice='Install it: pip install "functrace[scipy]".',
    where=HERE,
)
def a_function_of_a_package_that_is_missing():
    with patch.dict(sys.modules, {"scipy.special": None}):
        ScipyUfunc("gammainc")(1.0, 2.0)


@case(
    errors.UnsupportedFunctionError,
    TypeError,
    r"numpy's vectorize\.\S* makes an ordinary array of a traced float64\[3\], .*",
    advice="Write functrace.numpy.vectorize",
    where=HERE,
)
def a_vectorized_function():
    double = np.vectorize(lambda x: 2 * x)
    in_grad(lambda x: np.sum(double(x)))()


@case(
    errors.ArrayConversionError,
    TypeError,
    r"The method dot of an ordinary NumPy array was given a traced float64\[3\]\.",
    advice="write np.ones((2, 3)) @ x, or",
    where=HERE,
)
def a_method_of_a_plain_array():
    in_grad(lambda x: np.sum(np.ones((2, 3)).dot(x)))()


@case(errors.UnsupportedFunctionError, TypeError, r"numpy\.busday_count .*", where=HERE)
def a_function_without_an_implementation():
    in_grad(lambda x: np.busday_count(x, x))()


def halved(x):
    return x / 2


@case(
    errors.UnsupportedFunctionError,
    TypeError,
    r"halved .* no rule for it\.",
    "Write functrace.numpy.frompyfunc or functrace.numpy.vectorize in place of NumPy's.",
    where=HERE,
)
def a_ufunc_without_an_implementation():
    in_grad(np.frompyfunc(halved, 1, 1))()


@case(
    errors.AxisRangeError,
    np.exceptions.AxisError,
    r".*",
    where=HERE,
)
def an_axis_that_is_not_there():
    in_grad(lambda x: np.sum(x, axis=3))()


@case(
    errors.UnknownValueError,
    TypeError,
    r"bool\(\) needs the value of a traced bool that depends on `x`, of which only shape and dtype "
    r"are known, in `.*if np.sum\(x\) > 0 else -x\)\(\)`\. It was made at .*test_errors.py:\d+ "
    r"in <lambda>\.",
    where=HERE,
)
def a_choice_under_make_ir():
    in_ir(lambda x: x if np.sum(x) > 0 else -x)()


@case(errors.UnknownValueError, TypeError, r"float\(\) needs the value .*", where=HERE)
def float_under_make_ir():
    in_ir(lambda x: float(np.sum(x)))()


@case(errors.UnknownValueError, TypeError, r"int\(\) needs the value .*", where=HERE)
def int_under_make_ir():
    in_ir(lambda x: range(int(np.sum(x))))()


@case(errors.UnknownValueError, TypeError, r"An index needs the value .*", where=HERE)
def an_index_under_make_ir():
    in_ir(lambda n: list(range(n)), 3)()


@case(
    errors.LostDerivativeError,
    TypeError,
    r"float\(\) would turn a traced float64 into a plain number, and its derivative would .*",
    where=HERE,
)
def the_sine_of_the_math_module():
    in_grad(lambda x: math.sin(np.sum(x)))()


@case(errors.LostDerivativeError, TypeError, r"item\(\) would turn .*", where=HERE)
def item_of_a_float():
    in_grad(lambda x: np.sum(x).item())()


@case(
    errors.LostDerivativeError,
    TypeError,
    r"Pickling would turn a traced float64\[3\] into plain data, .*",
    "Pickle what the transformation returns",
    where=HERE,
)
def pickling():
    in_grad(pickle.dumps)()


@case(
    errors.ArrayConversionError,
    TypeError,
    r"numpy\.array was given a traced float64 where NumPy does not look for one, .*",
    "Write `functrace.numpy.array([np.sum(x), np.sum(x)])`, which takes traced values everywhere, "
    "in lists too.",
    where=HERE,
)
def an_array_of_traced_values():
    in_grad(lambda x: np.array([np.sum(x), np.sum(x)]))()


@case(errors.ArrayConversionError, TypeError, r".*traced float64\[3\], or a list.*", where=HERE)
def asarray_under_make_ir():
    in_ir(np.asarray)()


@case(
    errors.ArrayConversionError,
    TypeError,
    r"An ordinary NumPy array is indexed by a traced int64\[2\]\.",
    r"In place of THREE[i] write functrace.numpy.asarray(THREE)[i]",
    where=HERE,
)
def a_table_under_jit():
    ft.jit(lambda i: THREE[i])(np.array([0, 2]))


@case(
    errors.UnsupportedFunctionError,
    TypeError,
    r"numpy's take makes an ordinary array of a traced int64, and NumPy does not hand .*",
    "Write functrace.numpy.take, which takes traced values everywhere.",
    where=HERE,
)
def np_take_from_a_table():
    ft.vmap(lambda i: np.take(THREE, i))(np.array([0, 2]))


@case(
    errors.ArrayWriteError,
    TypeError,
    r"A traced float64\[3\] is written into `rows`, an ordinary NumPy array, .*",
    "Write `rows = functrace.numpy.zeros((2, 3))` in place of `rows = np.zeros((2, 3))`",
    where=HERE,
)
def writing_a_row():
    def f(x):
        rows = np.zeros((2, 3))
        rows[0] = x
        return np.sum(rows)

    in_grad(f)()


@case(
    errors.ArrayWriteError,
    TypeError,
    r"A traced float64\[2\] is written into `array`, an ordinary NumPy array, .*",
    "Write `array = functrace.numpy.zeros(3)` in place of `array = np.zeros(3)`",
    where=HERE,
)
def writing_a_slice_in_a_helper():
    def write(array, x):
        array[1:] = x

    def f(x):
        array = np.zeros(3)
        write(array, x)
        return np.sum(array)

    in_grad(f, np.ones(2))()


@case(
    errors.ArrayWriteError,
    TypeError,
    r"A traced result is written into an ordinary NumPy array, which cannot hold it\.",
    "functrace.numpy.zeros, empty, full",
    where=HERE,
)
def out_of_a_ufunc():
    in_grad(lambda x: np.sin(x, out=np.empty(3)))()


@case(
    errors.ArrayWriteError,
    TypeError,
    r"A traced result is written into an ordinary NumPy array, which cannot hold it\.",
    "functrace.numpy.zeros, empty, full",
    where=HERE,
)
def out_of_a_sum():
    in_grad(lambda x: x.sum(out=np.empty(())))()


@case(
    errors.ArrayWriteError,
    TypeError,
    r"A traced result is written into `total`, an ordinary NumPy array, which cannot hold it\.",
    "Write `total = functrace.numpy.zeros(3)` in place of `total = np.zeros(3)`",
    where=HERE,
)
def adding_in_place_to_an_array():
    def f(x):
        total = np.zeros(3)
        total += x
        return np.sum(total)

    in_grad(f)()


@case(
    errors.IndexRangeError,
    IndexError,
    r"`\[\]` does not take inputs of float64\[3\]: index 3 is out of bounds for axis 0 .*",
    where=HERE,
)
def an_index_out_of_range():
    in_grad(lambda x: x[3])()


@case(
    errors.IndexRangeError,
    IndexError,
    r"`\[\]` does not take inputs of float64\[3\]: index -4 is out of bounds for axis 0 .*",
    where=HERE,
)
def an_index_out_of_range_under_make_ir():
    in_ir(lambda x: x[-4])()


@case(
    errors.IndexRangeError,
    IndexError,
    r".* too many indices for array: array is 1-dimensional, but 2 were indexed\.",
    where=HERE,
)
def too_many_indices():
    in_grad(lambda x: x[0, 0])()


@case(
    errors.IndexRangeError,
    IndexError,
    r"An index has the dtype float64; .*",
    "index.astype(int)",
    where=HERE,
)
def an_index_that_is_no_integer():
    in_grad(lambda x: x[1.0])()


@case(
    errors.NestingError,
    RecursionError,
    r"A function is recorded within 500 others, each within the next\.",
    "write the recursion as while_loop",
    where="one more",
)
def a_function_that_calls_itself_in_a_branch():
    def endless(x):
        return ft.cond(x > 0, endless, lambda x: x, x)  # one more

    ft.jit(endless)(1.0)


@case(
    errors.KeptArrayError,
    ValueError,
    r"An array of shape \(200000,\) was changed through a view of it, before the derivative .*",
    "w.copy()",
    where="used here",
)
def changing_a_large_array_through_a_view_that_was_there_before():
    array = np.ones(200_000)
    view = array[:]

    def f(x):
        total = np.sum(x * array)  # used here
        view[:] = 2.0
        return total

    ft.grad(f)(np.float64(1.0))


@case(
    errors.ScalarWriteError,
    TypeError,
    r"A traced scalar of type float64 is written like an array\.",
    "functrace.numpy.array(x)",
    where="the write",
)
def writing_into_a_scalar():
    def f(x):
        total = np.sum(x)
        total.fill(2.0)  # the write
        return total

    in_ir(f)()


@case(
    errors.ViewWriteError,
    ValueError,
    r"A traced array of shape \(3, 3\) is used after another one was changed in place, of which "
    r"NumPy's reshape makes a view or a copy, as the elements lie in memory\. That was changed",
    where="the write",
)
def using_an_array_of_which_a_view_was_written_perhaps():
    def f(x):
        y = x[:, None] * x
        product = y * y.T  # in the order of one or the other
        flat = np.reshape(product, 9)
        flat[0] = 2.0  # the write
        return np.sum(product)

    in_ir(f)()


@case(
    errors.LeakedTracerError,
    RuntimeError,
    r"A traced value of type float64 is used after the transformation that made it has ended\. "
    r"It was made",
    where="made here",
)
def a_leaked_value():
    kept = []

    def f(x):
        kept.append(np.sum(x))  # made here
        return kept[0]

    ft.grad(f)(THREE)
    kept[0] * 2.0


# Calls of transformations


@case(
    errors.ArgumentError,
    TypeError,
    r"argnums=1 asks for .* f did not get: it was called with 1 positional arguments and .*",
    "the first argument has number 0",
)
def an_argument_that_is_not_there():
    def f(x, y=1.0):
        return x * y

    ft.grad(f, argnums=1)(1.0)


@case(
    errors.ArgumentError,
    TypeError,
    r"argnums must hold integers, not 1\.0\.",
    "argnums=0 or argnums=(0, 1)",
    where=HERE,
)
def argnums_that_are_no_integers():
    ft.grad(lambda x, y: x * y, argnums=(1.0,))


@case(
    errors.NotCallableError,
    TypeError,
    r"grad takes a function, and was given a value of type float64, which is not callable\.",
    "functrace.grad(f)(x), not functrace.grad(f(x))",
    where=HERE,
)
def the_gradient_of_a_number():
    ft.grad(np.sum(THREE))


@case(errors.ArgumentError, TypeError, r"argnums=\(0, -2\) names an argument twice\.")
def an_argument_named_twice():
    ft.grad(lambda x, y: x * y, argnums=(0, -2))(1.0, 2.0)


@case(errors.ArgumentError, TypeError, r"The Program has 1 inputs, but 2 were given\.")
def a_program_with_too_many_inputs():
    ft.evaluate(ft.make_ir(np.sin)(1.0), 1.0, 2.0)


@case(
    errors.NonScalarOutputError,
    TypeError,
    r"The gradient of sin was asked for, but its output has shape \(3,\)\.",
)
def the_gradient_of_an_array():
    ft.grad(np.sin)(THREE)


@case(
    errors.NonScalarOutputError,
    TypeError,
    r"The gradient of f was asked for, but its output is a dict, not one number\.",
)
def the_gradient_of_a_dict():
    def f(x):
        return {"loss": x}

    ft.grad(f)(1.0)


@case(
    errors.OutputTypeError,
    TypeError,
    r"The output of f has the type complex128; a gradient needs a real output\.",
    "np.abs(z)",
)
def the_gradient_of_a_complex_output():
    def f(x):
        return x * np.complex128(1j)

    ft.grad(f)(1.0)


@case(
    errors.NonFloatLeafError,
    TypeError,
    r"The argument params\['layers'\]\[1\] is differentiated, but has the type int64\[2\]\.",
)
def integers_among_the_parameters():
    def loss(params):
        return np.sum(params["layers"][0])

    ft.grad(loss)({"layers": [np.ones(2), np.array([1, 2])]})


@case(
    errors.NonFloatLeafError,
    TypeError,
    r"The argument data is differentiated, but is a MaskedArray, which is not an ordinary array\.",
    "x.filled(0)",
)
def a_masked_argument():
    def mean(data):
        return data.mean()

    ft.grad(mean)(np.ma.array(THREE, mask=[0, 1, 0]))


@case(
    errors.NonFloatLeafError,
    TypeError,
    r"The argument params\['name'\] is differentiated, but is a str, .*",
    "register",
)
def a_string_among_the_parameters():
    def loss(params):
        return params["w"]

    ft.grad(loss)({"w": 1.0, "name": "first"})


@case(
    errors.AuxiliaryError,
    TypeError,
    r"Under has_aux=True the function returned a float64, not a pair\.",
)
def no_auxiliary_data():
    ft.grad(lambda x: np.float64(1.0), has_aux=True)(1.0)


@case(
    errors.CotangentError,
    ValueError,
    r"The pullback got a cotangent of type float64\[2\] for the output of type float64\[3\]\.",
    where=HERE,
)
def a_cotangent_of_another_shape():
    _, pullback = ft.vjp(np.sin, THREE)
    pullback(np.ones(2))


@case(
    errors.CotangentError,
    ValueError,
    r"The pullback got a cotangent whose structure is not the output's\. .*",
    where=HERE,
)
def a_cotangent_of_another_structure():
    _, pullback = ft.vjp(lambda x: {"a": x}, THREE)
    pullback([THREE])


@case(
    errors.TangentError,
    ValueError,
    r"The tangent of the argument p\['a'\] has the type float64\[2\], the argument itself "
    r"float64\[3\]\.",
    where=HERE,
)
def a_tangent_of_another_shape():
    jvp(lambda p: np.sum(p["a"]), ({"a": THREE},), ({"a": np.ones(2)},))


@case(
    errors.TangentError,
    ValueError,
    r"The tangents do not have the structure of the primals\. .*",
    where=HERE,
)
def a_tangent_of_another_structure():
    jvp(lambda p: np.sum(p["a"]), ({"a": THREE},), ([THREE],))


@case(
    errors.BatchAxisError,
    ValueError,
    r"The mapped axes have different lengths: .*3.*2.*",
)
def mapped_axes_of_different_lengths():
    vmap(lambda x, y: x * y)(THREE, np.ones(2))


@case(
    errors.BatchAxisError,
    ValueError,
    r"The argument x is mapped over axis 1, but has shape \(3,\)\.",
)
def a_mapped_axis_that_is_not_there():
    def f(x):
        return x

    vmap(f, in_axes=1)(THREE)


@case(
    errors.AxisNameError,
    NameError,
    r"No vmap that runs here has an axis named 'j'; the names in scope: 'i'\.",
    where=HERE,
)
def a_name_that_no_vmap_gave():
    vmap(lambda x: psum(x, "j"), axis_name="i")(THREE)


@case(
    errors.AxisNameError,
    NameError,
    r"psum over the axis 'i' was run outside of the vmap that has it\.",
    where=HERE,
)
def a_collective_without_its_vmap():
    bind(psum_primitive, 1.0, 0, axis_name="i", axis_size=2)


@case(
    errors.NonlinearRuleError,
    ValueError,
    r"A function that must be linear applies multiply to its input in a way that is not linear\.",
    where="the square",
)
def a_rule_that_is_not_linear():
    rule = record_linear(lambda t: [t * t], [ArrayType((), np.dtype(float))])  # the square
    transpose_program(rule, [np.float64(1.0)])


@case(
    errors.BranchOutputError,
    TypeError,
    r"The outputs of cond differ in type: branch 0 float64, branch 1 float64\[3\]\.",
    where=HERE,
)
def branches_of_different_shapes():
    ft.make_ir(lambda x: cond(x[0] > 0, lambda x: x, np.sum, x))(THREE)


@case(
    errors.CustomRuleError,
    TypeError,
    r"The jvp rule of doubled returned float64 for the output; expected float64\[3\]\.",
    advice="Return (output, tangent like the output) from it.",
    where="pushed here",
)
def a_custom_rule_that_returns_a_wrong_shape():
    @ft.custom_jvp
    def doubled(x):
        return x * 2

    doubled.defjvp(lambda primals, tangents: (doubled(*primals), np.sum(tangents[0])))
    ft.jvp(doubled, (THREE,), (THREE,))  # pushed here


@case(
    errors.CarryError,
    TypeError,
    r"The carry of scan has the type float64\[3\] before a trip and float64 after it\.",
    where=HERE,
)
def a_carry_that_changes_its_shape():
    ft.make_ir(lambda x: ft.scan(lambda carry, row: (np.sum(carry), row), x, x))(THREE)


class TwoForOne(ft.extend.Primitive):
    """A primitive whose rule is wrong."""

    def run(self, x: Any) -> Any:
        return x * 2.0

    def vjp(self, cotangent, inputs, output, needed) -> Any:
        return cotangent, cotangent


two_for_one = TwoForOne("two_for_one_for_test_errors")


@case(
    errors.RuleOutputError,
    ValueError,
    r"The vjp rule of 'two_for_one_for_test_errors' returned 2 cotangents for 1 inputs\.",
    where="applied here",
)
def a_rule_that_returns_too_many():
    ft.grad(lambda x: ft.extend.bind(two_for_one, x))(1.0)  # applied here


# What holds of every case


@pytest.mark.parametrize("expected", CASES)
def test_error(expected):
    error = raised(expected.run, expected.kind)
    assert isinstance(error, expected.base)
    assert re.fullmatch(expected.what, error.what), error.what
    assert expected.advice in str(error)
    if expected.where is None:
        assert error.where is None or error.where.startswith(f"{THIS_FILE}:")
    elif expected.where is HERE:
        assert error.where == place_in_this_file(error)
    elif f"# {expected.where}" in inspect.getsource(expected.run):
        line = line_of(expected.run, f"# {expected.where}")
        assert re.match(rf"{re.escape(THIS_FILE)}:{line} in \w*", error.where or "")
    else:
        assert error.where == expected.where
    message = str(error).split("\n")
    assert message[0] == error.what.split("\n")[0]
    assert (f"  at {error.where}" in message) == (error.where is not None)


def classes() -> list[type[errors.FunctraceError]]:
    members = vars(errors).values()
    found = [
        kind
        for kind in members
        if inspect.isclass(kind) and issubclass(kind, errors.FunctraceError)
    ]
    return [kind for kind in found if kind is not errors.FunctraceError]


@pytest.mark.parametrize("kind", classes(), ids=lambda kind: kind.__name__)
def test_every_class_has_a_case_and_a_builtin_base(kind):
    assert any(param.values[0].kind is kind for param in CASES)
    assert any(
        base.__module__ == "builtins" for base in kind.__mro__[1:-3] if base is not Exception
    )
    assert inspect.getdoc(kind)


def test_the_three_parts_of_a_message():
    assert str(errors.FunctraceError("What.")) == "What."
    error = errors.OperandError("What.", "file.py:3 in f", "Advice.")
    assert str(error) == "What.\n  at file.py:3 in f\n  Advice."
    assert (error.what, error.where) == ("What.", "file.py:3 in f")
    assert str(errors.OperandError("What.")).endswith(f"\n  {errors.OperandError.advice}")
    assert str(errors.OperandError("What.", advice="")) == "What."


# Lines


def lines() -> list[Any]:
    # fmt: off
    def over_several_lines(x):
        return np.sum(
            x * 2.0
            + np.ones(2)  # its expression begins a line above
        )

    def in_a_call_over_several_lines(x):
        return np.sum(
            np.add(
                x,
                np.ones(2),
            )
        )

    def in_a_comprehension(x):
        return sum([
            np.sum(x + np.ones(length))
            for length in (3, 1, 2)
        ])

    def in_a_generator(x):
        return sum(
            np.sum(x + np.ones(n))
            for n in (3, 1, 2)
        )

    in_a_lambda = lambda x: (
        np.sum(
            x / np.ones(2))
    )

    def after_a_loop(x):
        for _ in range(3):
            x = np.sin(x)
        return (np.cos(x)
                @ np.ones(4))
    # fmt: on

    def helper(x):
        y = x * 2.0
        return y - np.ones(2)

    def in_a_helper(x):
        return np.sum(helper(x))

    def called_by_numpy(x):
        return np.apply_along_axis(lambda row: x + row, 0, np.ones(2))

    def in_place(x):
        y = x + 0.0
        y += np.ones(2)
        return np.sum(y)

    class Model:
        def __call__(self, x):
            return self.scaled(x)

        def scaled(self, x):
            return x * np.ones(2)

    return [
        over_several_lines, in_a_call_over_several_lines, in_a_helper, in_a_comprehension,
        in_a_generator, in_a_lambda, called_by_numpy, after_a_loop, in_place, Model().__call__,
    ]  # fmt: skip


@pytest.mark.parametrize("under", [in_grad, in_ir])
@pytest.mark.parametrize("f", lines(), ids=lambda f: f.__name__)
def test_the_line_is_that_of_the_traceback(f, under):
    error = raised(under(f), errors.ShapeMismatchError)
    assert error.where == place_in_this_file(error)


def test_the_recorded_line_is_that_of_the_operation():
    # fmt: off
    def f(x):
        y = np.sin(x)
        return (
            y
            * 2.0
        )
    # fmt: on

    _, first = inspect.getsourcelines(f)
    program = ft.make_ir(f)(1.0)
    sources = [equation.source for equation in program.equations]
    assert [source.line - first for source in sources if source] == [1, 3]
    assert {source.file for source in sources if source} == {THIS_FILE}
    assert f"test_errors.py:{first + 3}" in str(program)


def test_a_source_without_an_instruction_is_its_function():
    code = place_in_this_file.__code__
    assert Source(code, -1).line == code.co_firstlineno
    assert Source(code, 10**6).line == code.co_firstlineno


def test_a_folder_whose_name_begins_as_ours_is_the_users():
    file = Path(ft.__file__).parent.with_name("functrace_models") / "model.py"
    numpys = Path(np.__file__).parent.with_name("numpy_ml") / "layers.py"
    for path in (file, numpys):
        names: dict[str, Any] = {"np": np}
        exec(compile("def f(x):\n    return x + np.ones(2)", str(path), "exec"), names)
        error = raised(in_grad(names["f"]), errors.ShapeMismatchError)
        assert error.where == f"{path}:2 in f"


# What values, not types, are to blame for


@pytest.mark.parametrize("infer", [None, lambda a: a])
def test_an_error_about_values_stays_what_numpy_raises(infer):
    inverse = ft.extend.wrap(
        np.linalg.inv,
        vjp=lambda ct, out, a: -out.T @ ct @ out.T,
        infer=infer,  # without it the function is called on ones, where it fails
        name="inverse_for_test_errors",
    )
    for f in (lambda a: np.sum(inverse(a)), ft.grad(lambda a: np.sum(inverse(a)))):
        with pytest.raises(np.linalg.LinAlgError, match="Singular") as caught:
            f(np.zeros((2, 2)))
        assert "in inverse_for_test_errors of float64[2, 2]" in caught.value.__notes__[0]
        assert THIS_FILE in caught.value.__notes__[0]


MISTAKES: list[Any] = [
    (lambda x: np.squeeze(x, 0), "np.squeeze", errors.ShapeMismatchError),
    (lambda x: np.stack([x, np.ones(4)]), "np.stack", errors.ShapeMismatchError),
    (lambda x: np.stack([x, x], axis=3), "np.stack", errors.AxisRangeError),
    (lambda x: np.einsum("ij", x), "np.einsum('ij')", errors.ShapeMismatchError),
    (lambda x: np.split(x, 2), "np.split", errors.ShapeMismatchError),
    (lambda x: np.pad(x, ((1, 1), (2, 2))), "np.pad", errors.ShapeMismatchError),
    (lambda x: x.transpose(0, 1), "the method transpose", errors.AxisRangeError),
    (lambda x: x.swapaxes(0, 1), "the method swapaxes", errors.AxisRangeError),
    (lambda x: np.moveaxis(x, 0, 2), "np.moveaxis", errors.AxisRangeError),
    (lambda x: np.take(x, 7), "np.take", errors.IndexRangeError),
    (lambda x: x.sum(dim=0), "the method sum", errors.OperandError),
    (lambda x: np.concatenate(x, x), "np.concatenate", errors.OperandError),
    (lambda x: np.stack(x, x), "np.stack", errors.OperandError),
]


@pytest.mark.parametrize("under", [in_grad, in_ir])
@pytest.mark.parametrize(("f", "name", "kind"), MISTAKES)
def test_what_numpy_says_of_a_call_is_said_of_what_was_written(f, name, kind, under):
    with pytest.raises(kind) as caught:
        under(f)()
    assert type(caught.value) is kind
    assert caught.value.what.startswith(name)
    assert caught.value.where == place_in_this_file(caught.value)


def test_a_call_with_a_wrong_keyword_shows_the_right_ones():
    message = str(raised(in_grad(lambda x: x.sum(dim=0)), errors.OperandError))
    assert "sum got an unexpected keyword argument 'dim'" in message
    assert "axis=None" in message
    assert "sum_of" not in message


@pytest.mark.parametrize("under", [in_grad, in_ir])
def test_an_error_that_is_not_of_shapes_is_left_as_it_is(under):
    def f(x):
        return np.percentile(x, 101)  # the call

    with pytest.raises(ValueError, match="must be in the range") as caught:
        under(f)()
    assert not isinstance(caught.value, errors.FunctraceError)
    assert f"{THIS_FILE}:{line_of(f, '# the call')} in f" in caught.value.__notes__[0]


@pytest.mark.parametrize("under", [in_grad, in_ir])
def test_a_users_own_error_within_a_call_is_left_as_it_is(under):
    def row(x):
        raise ValueError("a shape that the user dislikes")

    with pytest.raises(ValueError, match="dislikes") as caught:
        under(lambda x: np.apply_along_axis(row, 0, x))()
    assert type(caught.value) is ValueError


def test_a_power_that_numpy_refuses():
    with pytest.raises(ValueError, match="negative integer powers") as caught:
        ft.make_ir(lambda x: x * (np.arange(3) ** -1))(THREE)
    assert not isinstance(caught.value, errors.FunctraceError)


def test_an_error_inside_a_rule_names_the_operation_and_its_line():
    def wrong(ct, out, x):
        raise ZeroDivisionError("no such slope")

    slope = ft.extend.wrap(np.sinc, vjp=wrong, name="slope_for_test_errors")

    def f(x):
        return slope(x) * 2.0

    with pytest.raises(ZeroDivisionError) as caught:
        ft.grad(f)(1.0)
    line = line_of(f, "slope(x)")
    assert caught.value.__notes__ == [
        f"in the vjp rule of 'slope_for_test_errors'\n  at {THIS_FILE}:{line} in f"
    ]


@pytest.mark.parametrize("result", [np.ones(1), np.float64(1.0), 1.0, None, {}, (), (1.0, 2.0)])
def test_a_rule_must_return_a_tuple_or_list_of_the_right_length(result):
    class Odd(ft.extend.Primitive):
        def run(self, x):
            return x * 2.0

        def vjp(self, cotangent, inputs, output, needed):
            return result

    odd = Odd("odd_for_test_errors")
    error = raised(lambda: ft.grad(lambda x: ft.extend.bind(odd, x))(1.0), errors.RuleOutputError)
    assert "for 1 inputs" in error.what


# Python asks for a value


def test_what_a_known_value_may_be_asked():
    def f(x):
        assert bool(x > 1)
        assert int(x) == 2
        assert round(x) == 3
        assert math.floor(x) == 2
        assert math.ceil(x) == 3
        assert math.trunc(x) == 2
        assert f"{x:.2f}" == "2.60"
        return x * x if x else x

    assert ft.grad(f)(2.6) == pytest.approx(5.2)
    assert ft.grad(ft.grad(f))(2.6) == pytest.approx(2.0)


@pytest.mark.parametrize(
    "ask", [float, complex, math.sin, math.floor, math.ceil, math.trunc, int, round, bool]
)
def test_an_unknown_value_may_not_be_asked(ask):
    error = raised(in_ir(ask, 2.6), errors.UnknownValueError)
    assert error.where == place_in_this_file(error)


@pytest.mark.parametrize("ask", [float, complex, math.sin, "%f".__mod__])
def test_a_float_would_lose_its_derivative(ask):
    def f(x):
        error = raised(lambda: ask(x), errors.LostDerivativeError)
        assert error.where == place_in_this_file(error)
        return x

    assert ft.grad(f)(1.5) == 1.0


def test_a_differentiated_number_is_no_index():
    f = lambda x: [1.0, 2.0, 3.0][x]
    error = raised(in_grad(f, 2.0), errors.LostDerivativeError)
    assert error.where == place_in_this_file(error)


def test_a_number_without_a_derivative_is_one():
    def f(x):
        n = ft.stop_gradient(x)
        return x * float(n) * [1.0, 2.0, 3.0][int(x)] * (np.sin(x) > 0).item()

    assert ft.grad(f)(2.0) == 6.0


def test_several_elements_have_no_truth_value_as_in_numpy():
    with pytest.raises(ValueError, match="ambiguous"):
        ft.grad(lambda x: np.sum(x) if x > 1 else 0.0)(THREE)


# Writing into ordinary arrays


def test_writing_one_element_says_what_to_write():
    def f(x):
        a = np.zeros(3)
        a[0] = x  # the write
        return np.sum(a)

    with pytest.raises(errors.ArrayWriteError, match="`a`, an ordinary NumPy array") as caught:
        ft.grad(f)(2.0)  # NumPy puts an error of its own on top of this one
    cause = caught.value
    assert cause.where == f"{THIS_FILE}:{line_of(f, '# the write')} in f"


def test_writing_one_element_under_make_ir():
    def f(x):
        a = np.zeros(3)
        a[0] = x
        return a

    with pytest.raises(errors.ArrayWriteError, match="`a`, an ordinary NumPy array"):
        ft.make_ir(f)(2.0)


@pytest.mark.parametrize(
    "operator", ["+=", "-=", "*=", "/=", "//=", "%=", "**="]
)  # fmt: skip
def test_every_operator_in_place_on_an_ordinary_array(operator):
    names: dict[str, Any] = {"np": np}
    exec(f"def f(x):\n    a = np.ones(3)\n    a {operator} x\n    return np.sum(a)", names)
    error = raised(in_grad(names["f"]), errors.ArrayWriteError)
    assert "A traced result is written into" in error.what
    assert error.where == "<string>:3 in f"


# Leaks


def test_every_use_of_a_leaked_value_says_where_it_was_made():
    kept = []

    def f(x):
        kept.append(x * 2.0)  # made here
        return np.sum(x)

    ft.grad(f)(THREE)
    ft.make_ir(f)(THREE)
    uses: list[Callable[[Any], Any]] = [
        lambda x: x + 1.0,
        lambda x: 1.0 - x,
        np.sin,
        np.sum,
        lambda x: x.copy(),
        lambda x: ft.grad(lambda y: np.sum(x * y))(THREE),
        lambda x: ft.grad(lambda y: np.sum(y) + x)(THREE),
        lambda x: ft.make_ir(lambda y: y * x)(THREE),
        np.asarray,
    ]
    for leaked in kept:
        for use in uses:
            error = raised(lambda: use(leaked), errors.LeakedTracerError)
            assert error.where == f"{THIS_FILE}:{line_of(f, '# made here')} in f"


# Errors of the user's own functions


class RefusalError(ValueError):
    """An error of the user's."""


class ReadingError(IndexError):
    """Another, of another kind."""


USERS_ERRORS = [RefusalError, ReadingError, TypeError]


def says_no(kind: type[Exception]) -> Callable[..., Any]:
    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise kind("the user says no", 3)

    return refuse


def a_custom_vjp(refuse, half):
    halves = {
        "fun": lambda x: np.sin(x),
        "fwd": lambda x: (np.sin(x), x),
        "bwd": lambda x, ct: (ct,),
        half: refuse,
    }
    f = ft.custom_vjp(halves["fun"])
    f.defvjp(halves["fwd"], halves["bwd"])
    return f


def a_custom_jvp(refuse, half):
    f = ft.custom_jvp(refuse if half == "fun" else lambda x: np.sin(x))
    f.defjvp(refuse if half == "rule" else lambda x, t: (np.sin(*x), np.cos(*x) * t[0]))
    return f


class Refusing(ft.extend.Primitive):
    """A primitive of which one rule raises."""

    def __init__(self, rule: str, refuse: Callable[..., Any]) -> None:
        super().__init__("refusing_for_test_errors")
        setattr(self, rule, refuse)

    def run(self, x: Any) -> Any:
        return np.sin(x)

    def infer(self, x: Any) -> Any:
        return x

    def jvp(self, inputs: Any, tangents: Any, output: Any) -> Any:
        return np.cos(inputs[0]) * tangents[0]

    def batch(self, size: int, inputs: Any, axes: Any) -> Any:
        return np.sin(inputs[0]), axes[0]


class Unreadable:
    """A class whose conversion to an array raises."""

    def __init__(self, refuse: Callable[..., Any]) -> None:
        self.refuse = refuse

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return self.refuse()


USERS_FUNCTIONS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {}


def users(*transformations: Callable[..., Any]) -> Callable[..., Any]:
    def enter(make: Callable[..., Any]) -> Callable[..., Any]:
        for transformation in transformations:
            name = getattr(transformation, "__name__", "made")
            USERS_FUNCTIONS[f"{make.__name__}-{name}"] = (transformation, make)
        return make

    return enter


def pushed(f):
    return lambda x: ft.jvp(f, (x,), (x,))


def pulled(f):
    return lambda x: ft.vjp(f, x)[1](x)


def grad(f):
    return ft.grad(lambda x: np.sum(f(x)))


def jitted_grad(f):
    return ft.jit(grad(f))


EVERY = (grad, pushed, pulled, ft.vmap, ft.jit, ft.make_ir, jitted_grad, ft.jacrev)


@users(*EVERY)
def plain(refuse):
    return lambda x: np.sin(x) * refuse(x)


@users(grad, pushed, pulled, jitted_grad, ft.jacrev)
def the_forward_half(refuse):
    return a_custom_vjp(refuse, "fwd")


@users(ft.jit, ft.vmap, ft.make_ir)
def the_function_of_custom_vjp(refuse):
    return a_custom_vjp(refuse, "fun")


@users(grad, pulled, jitted_grad, ft.jacrev)
def the_backward_half(refuse):
    return a_custom_vjp(refuse, "bwd")


@users(ft.jit, ft.vmap, ft.make_ir)
def the_function_of_custom_jvp(refuse):
    return a_custom_jvp(refuse, "fun")


@users(pushed, grad, jitted_grad, ft.jacfwd)
def a_jvp_rule(refuse):
    return a_custom_jvp(refuse, "rule")


@users(grad, pushed, ft.jit, ft.vmap)
def a_callback(refuse):
    custom = ft.custom_jvp(lambda x: ft.pure_callback(refuse, x, x, vmap_method="sequential"))
    custom.defjvp(lambda x, t: (custom(*x), t[0]))
    return custom


@users(grad, pushed, ft.jit)
def a_debug_callback(refuse):
    def f(x):
        ft.debug.callback(refuse, x)
        return np.sin(x)

    return f


@users(*(transformation for transformation in EVERY if transformation is not ft.vmap))
def the_body_of_a_loop(refuse):
    return lambda x: ft.scan(lambda c, row: (c + refuse(row), row), 0.0, x)[1]


@users(*EVERY)
def the_body_of_a_while_loop(refuse):
    return lambda x: ft.while_loop(lambda c: np.sum(c) < 9.0, refuse, x)


@users(*EVERY)
def a_branch(refuse):
    return lambda x: ft.cond(np.sum(x) > 0.0, refuse, np.sin, x)


@users(*EVERY)
def a_checkpoint(refuse):
    return ft.checkpoint(refuse)


@users(grad, pushed, ft.jit)
def the_function_of_a_root(refuse):
    return lambda x: ft.custom_root(refuse, x, lambda f, y: f(y), lambda g, y: y)


@users(ft.jit, ft.make_ir, ft.vmap)
def the_types_of_a_primitive(refuse):
    return partial(ft.extend.bind, Refusing("infer", refuse))


@users(grad, pushed, ft.jit)
def the_run_of_a_primitive(refuse):
    return partial(ft.extend.bind, Refusing("run", refuse))


@users(grad, pushed, jitted_grad)
def the_jvp_of_a_primitive(refuse):
    return partial(ft.extend.bind, Refusing("jvp", refuse))


@users(ft.vmap)
def the_batch_rule_of_a_primitive(refuse):
    return partial(ft.extend.bind, Refusing("batch", refuse))


@users(grad, ft.make_ir)
def a_wrapped_function(refuse):
    return ft.extend.wrap(refuse, vjp=lambda ct, out, x: ct)


@users(ft.jit, ft.vmap, grad, ft.make_ir)
def an_operand(refuse):
    return lambda x: x + Unreadable(refuse)


@users(ft.jit)
def an_output(refuse):
    return lambda x: (x, Unreadable(refuse))


@users(ft.jit, ft.vmap, ft.make_ir)
def an_argument(refuse):
    return lambda f: lambda x: f(Unreadable(refuse))


@pytest.mark.parametrize("kind", USERS_ERRORS)
@pytest.mark.parametrize("name", USERS_FUNCTIONS)
def test_an_error_of_the_users_own_function_goes_on_as_it_is(name, kind):
    transformation, make = USERS_FUNCTIONS[name]
    refuse = says_no(kind)
    f = make(refuse)
    run = f(transformation(np.sin)) if make is an_argument else transformation(f)
    with pytest.raises(kind) as caught:
        run(THREE)
    assert type(caught.value) is kind
    assert caught.value.args == ("the user says no", 3)
    assert place_in_this_file(caught.value).endswith("in refuse")


def test_an_error_of_a_users_container_goes_on_as_it_is():
    class Box:
        """A container whose children are made one by one."""

    def children(box: Box) -> Any:
        yield 1.0
        says_no(RefusalError)()

    ft.tree.register(Box, lambda box: (children(box), None), lambda _, xs: Box())
    for run in (ft.jit(lambda b: 1.0), ft.grad(lambda b: 1.0), ft.tree.leaves, ft.vmap(np.sin)):
        with pytest.raises(RefusalError):
            run(Box())


def test_an_error_that_is_placed_keeps_its_class_its_advice_and_what_it_knows():
    error = errors.MissingRuleError("What.", None, "Advice.")
    error.rule = "vjp"
    assert error.at(None) is error
    assert error.where is None
    assert error.at("file.py:3 in f") is error
    assert str(error) == "What.\n  at file.py:3 in f\n  Advice."
    assert str(error.at("other.py:4 in g")) == "What.\n  at file.py:3 in f\n  Advice."
    assert error.rule == "vjp"
    assert str(errors.AxisRangeError("What.").at("file.py:3 in f")).startswith("What.\n  at file")


class Advising(errors.RuleOutputError):
    """An error of a user's rule, with advice of its own."""

    advice = "Advice of this class."


@pytest.mark.parametrize("rule", ["jvp", "batch", "vjp"])
def test_an_error_of_a_rule_is_placed_and_else_left_as_it_is(rule):
    class Scaled(ft.extend.Primitive):
        run = infer = lambda self, x: x

    def refuse(self: Any, *args: Any, **params: Any) -> Any:
        raise Advising("What.", advice="Advice of this error.")

    setattr(Scaled, rule, refuse)
    scaled = Scaled("scaled_for_test_errors")
    transformation = {"jvp": pushed, "batch": ft.vmap, "vjp": grad}[rule]
    f = transformation(lambda x: ft.extend.bind(scaled, x))  # applied here
    with pytest.raises(Advising) as caught:
        f(THREE)
    assert str(caught.value).endswith("\n  Advice of this error.")
    line = line_of(test_an_error_of_a_rule_is_placed_and_else_left_as_it_is, " # applied" + " here")
    assert str(caught.value.where).startswith(f"{THIS_FILE}:{line} in")


def test_an_error_of_an_operation_that_runs_later_names_the_line_where_it_was_recorded():
    def f(a):
        return np.linalg.inv(a)  # recorded here

    program = ft.make_ir(f)(np.eye(2))
    for run in (ft.vmap(f), lambda a: ft.evaluate(program, a[0]), ft.jit(f)):
        with pytest.raises(np.linalg.LinAlgError) as caught:
            run(np.zeros((1, 2, 2)))
        notes = "\n".join(caught.value.__notes__)
        assert f"{THIS_FILE}:{line_of(f, 'recorded here')} in f" in notes


# What is given to transformations


TAKES_A_FUNCTION: dict[str, Callable[[Any], Any]] = {
    **{
        name: getattr(ft, name)
        for name in (
            "grad", "value_and_grad", "jit", "vmap", "make_ir", "jacrev", "jacfwd", "jacobian",
            "hessian", "hvp", "checkpoint", "custom_jvp", "custom_vjp", "custom_gradient",
            "extend.wrap",
        )
        if hasattr(ft, name)
    },
    "vjp": lambda f: ft.vjp(f, 1.0),
    "jvp": lambda f: ft.jvp(f, (1.0,), (1.0,)),
    "linearize": lambda f: ft.linearize(f, 1.0),
    "linear_transpose": lambda f: ft.linear_transpose(f, 1.0),
    "eval_shape": lambda f: ft.eval_shape(f, 1.0),
    "closure_convert": lambda f: ft.closure_convert(f, 1.0),
    "scan": lambda f: ft.scan(f, 0.0, THREE),
    "map": lambda f: ft.map(f, THREE),
    "fori_loop": lambda f: ft.fori_loop(0, 2, f, 0.0),
    "body of while_loop": lambda f: ft.while_loop(lambda x: x < 1, f, 0.0),
    "condition of while_loop": lambda f: ft.while_loop(f, lambda x: x, 0.0),
    "associative_scan": lambda f: ft.associative_scan(f, THREE),
    "cond": lambda f: ft.cond(True, np.sin, f, 0.0),
    "the other branch of cond": lambda f: ft.cond(True, f, np.sin, 0.0),
    "switch": lambda f: ft.switch(0, [np.sin, f], 0.0),
    "fixed_point": lambda f: ft.fixed_point(f, 0.0),
    "custom_root": lambda f: ft.custom_root(f, 0.0, np.sin, np.sin),
    "custom_linear_solve": lambda f: ft.custom_linear_solve(f, THREE, np.sin),
    "pure_callback": lambda f: ft.pure_callback(f, THREE, THREE),
    "debug.callback": lambda f: ft.debug.callback(f, THREE),
    "defjvp": lambda f: ft.custom_jvp(np.sin).defjvp(f),
    "fwd of defvjp": lambda f: ft.custom_vjp(np.sin).defvjp(f, np.sin),
    "bwd of defvjp": lambda f: ft.custom_vjp(np.sin).defvjp(np.sin, f),
}  # fmt: skip


@pytest.mark.parametrize("given", [3, 2.5, np.float64(1.0), THREE, "f", {"w": 1.0}])
@pytest.mark.parametrize("name", TAKES_A_FUNCTION)
def test_what_is_no_function_is_refused_at_once(name, given):
    error = raised(lambda: TAKES_A_FUNCTION[name](given), errors.NotCallableError)
    assert "which is not callable" in error.what
    assert error.where is not None
    assert f"{THIS_FILE}:" in error.where


def test_what_is_no_function_but_traced():
    def outer(x):
        return ft.grad(np.sin(x))(x)  # given here

    error = raised(lambda: ft.jit(outer)(1.0), errors.NotCallableError)
    assert "a value of type float64" in error.what
    assert f":{line_of(outer, 'given here')} in outer" in str(error)


def of_two(w, x, *, n=2):
    return w * x * n


@pytest.mark.parametrize(
    ("make", "what", "cure"),
    [
        (lambda: ft.jit(of_two, static_argnames="m"), "'m', which is no parameter", "w, x, n"),
        (lambda: ft.jit(of_two, static_argnames=("n", "W")), "static_argnames names 'W'", "w, x"),
        (lambda: ft.jit(of_two, donate_argnames="y"), "donate_argnames names 'y'", "w, x, n"),
        (lambda: ft.checkpoint(of_two, static_argnames="m"), "names 'm'", "w, x, n"),
        (lambda: ft.jit(of_two, static_argnums=2), "static_argnums names argument 2", "number 0"),
        (lambda: ft.jit(of_two, static_argnums=-3), "names argument -3", "w, x, n"),
        (lambda: ft.jit(of_two, donate_argnums=7), "donate_argnums names argument 7", "w, x, n"),
        (lambda: ft.jit(of_two, static_argnums="n"), "must hold positions", "names"),
        (lambda: ft.jit(of_two, static_argnames=0), "must hold names", "nums"),
        (lambda: ft.jit(of_two, static_argnums=1.0), "not 1.0", "nums"),
        (lambda: ft.jit(of_two, static_argnums=True), "not True", "nums"),
        (lambda: ft.jit(of_two, static_argnums=(1, 1)), "an argument twice", "once"),
        (lambda: ft.jit(of_two, static_argnames=("n", "n")), "an argument twice", "once"),
        (lambda: ft.grad(of_two, argnums=(0, 0)), "an argument twice", "once"),
        (lambda: ft.grad(of_two, argnums="w"), "not 'w'", "argnums=0"),
        (lambda: ft.grad(of_two, argnums=None), "not None", "argnums=0"),
        (lambda: ft.grad(of_two, argnums=True), "not True", "argnums=0"),
        (lambda: ft.value_and_grad(of_two, 1.5), "not 1.5", "argnums=0"),
        (lambda: ft.jacrev(of_two, ("w",)), "not 'w'", "argnums=0"),
        (lambda: ft.jacfwd(of_two, (0, 0)), "an argument twice", "once"),
        (lambda: ft.hessian(of_two, "w"), "not 'w'", "argnums=0"),
        (lambda: ft.jvp(np.sin, THREE, THREE), "the primals as a tuple", "jvp(f, (x,), (v,))"),
        (lambda: ft.jvp(np.sin, (THREE,), THREE), "the tangents as a tuple", "(v,)"),
        (lambda: ft.jvp(np.sin, 1.0, 1.0), "weak_float64", "(x,)"),
        (lambda: ft.jvp(np.sin, {"x": 1.0}, {"x": 1.0}), "given a dict", "(x,)"),
    ],
)
def test_an_option_that_cannot_be_is_refused_where_it_is_given(make, what, cure):
    error = raised(make, errors.ArgumentError)
    assert what in error.what
    assert cure in str(error).splitlines()[-1]
    assert f"{THIS_FILE}:" in (error.where or "")


def test_options_that_may_be():
    assert ft.jit(lambda x, **options: x, static_argnames="n")(1.0, n="any") == 1.0
    assert ft.jit(lambda *xs: xs[0], static_argnums=1)(1.0, "any") == 1.0
    assert ft.grad(of_two, argnums=np.int64(1))(2.0, 3.0) == 4.0
    assert ft.grad(of_two, argnums=[0, 1])(2.0, 3.0) == (6.0, 4.0)
    assert ft.grad(of_two, argnums=np.array([0, 1]))(2.0, 3.0) == (6.0, 4.0)
    assert ft.jvp(of_two, [2.0, 3.0], [1.0, 0.0])[1] == 6.0


def custom_of(f):
    custom = ft.custom_jvp(lambda p, x=1.0: f(p, x))
    custom.defjvp(lambda primals, tangents: (custom(*primals), 0.0))
    return custom


def by_jvp(f):
    return lambda *args: ft.jvp(f, args, args)


def by_vjp(f):
    return lambda *args: ft.vjp(f, *args)


def with_dict(p, x=1.0, *rest, scale=1.0):
    return p["w"] * x * scale


@pytest.mark.parametrize(
    "transformation",
    [ft.jit, ft.checkpoint, ft.make_ir, custom_of, ft.grad, ft.jacrev, ft.vmap, by_jvp, by_vjp],
)
def test_arguments_go_by_the_names_that_the_function_gives_them(transformation):
    for args, kwargs, name in [
        (({"w": "text"},), {}, "p['w']"),
        (({"w": 1.0}, "text"), {}, "x"),
        (({"w": 1.0}, 1.0, ["text"]), {}, "rest[0][0]"),
        (({"w": 1.0},), {"scale": ("text",)}, "scale[0]"),
    ]:
        in_reach = {ft.grad: 1, ft.jacrev: 1, by_jvp: 3, by_vjp: 3, custom_of: 2}
        if (kwargs or len(args) > in_reach.get(transformation, 3)) and transformation in in_reach:
            continue
        with pytest.raises((errors.FunctraceError, TypeError)) as caught:
            transformation(with_dict)(*args, **kwargs)
        assert name in str(caught.value).splitlines()[0], str(caught.value)


# A file with a primitive of the user's


class Thirded(ft.extend.Primitive):
    """A primitive of the user's in a saved Program."""

    def run(self, x: Any) -> Any:
        return x / 3.0

    def infer(self, x: Any) -> Any:
        return x


def saved_with_a_primitive() -> tuple[io.BytesIO, int]:
    thirded = Thirded("thirded_for_test_errors")
    file = io.BytesIO()
    f = lambda x: ft.extend.bind(thirded, np.sin(x))
    ft.make_ir(f)(THREE).save(file)
    file.seek(0)
    return file, f.__code__.co_firstlineno


def test_a_file_with_an_unknown_primitive_says_which_where_and_what_to_give():
    file, line = saved_with_a_primitive()
    error = raised(lambda: ft.Program.load(file), errors.LoadError)
    assert "line 3: the Program uses a primitive 'thirded_for_test_errors'" in error.what
    assert f"test_errors.py:{line} in <lambda>" in str(error.where)
    assert "primitives=[thirded_for_test_errors]" in str(error)


@pytest.mark.parametrize("kind", [ValueError, ZeroDivisionError, KeyError])
def test_a_file_whose_primitive_refuses_its_inputs_says_which_rule(kind, monkeypatch):
    file, line = saved_with_a_primitive()
    thirded = ft.extend.PRIMITIVES["thirded_for_test_errors"]
    monkeypatch.setattr(Thirded, "infer", says_no(kind))
    error = raised(lambda: ft.Program.load(file, primitives=[thirded]), errors.LoadError)
    assert "the infer rule of the primitive 'thirded_for_test_errors' raised" in error.what
    assert f"{kind.__name__}: " in error.what
    assert f"test_errors.py:{line} in <lambda>" in str(error.where)
    assert isinstance(error.__cause__, kind)


# What is given in place of something else


@dataclass
class Unregistered:
    weights: np.ndarray


GIVEN: list[Any] = [
    (lambda: ft.debug.print(THREE), "is a ndarray, not a text", 'debug.print("x = {}", x)'),
    (lambda: ft.checkpoint(np.sin, policy="x"), "policy='x'", "nothing_saveable"),  # type: ignore[arg-type]
    (lambda: ft.tree.is_tree_node([]), "given a list", "is_tree_node(type(x))"),  # type: ignore[arg-type]
    (lambda: ft.evaluate(ft.make_ir(np.sin)(THREE), [1.0, "a"]), "given a list", "tree.leaves"),
    (lambda: ft.pure_callback(np.sin, "x", 1.0), "holds a str", "ShapeDtypeStruct"),
    (lambda: ft.jit(np.sin)(Unregistered(THREE)), "Unregistered", "tree.register_dataclass"),  # type: ignore[arg-type]
    (lambda: ft.jit(ft.make_ir(np.sin)(THREE)), "given a Program", "functrace.evaluate"),
    (lambda: ft.make_ir(ft.make_ir(np.sin)(THREE)), "given a Program", "functrace.evaluate"),
]


@pytest.mark.parametrize(("run", "what", "cure"), GIVEN)
def test_what_is_given_in_place_of_something_else_is_named(run, what, cure):
    with pytest.raises(errors.ArgumentError) as caught:
        run()
    assert what in caught.value.what
    assert cure in str(caught.value)


def test_a_number_may_say_what_a_callback_returns():
    def f(x):
        return ft.pure_callback(np.sin, 1.0, x)

    assert f(0.5) == ft.jit(f)(0.5) == np.sin(0.5)


def test_an_error_of_a_custom_rule_speaks_of_the_parameter_and_of_that_rule():
    @ft.custom_vjp
    def scaled(factor, values):
        return factor * values

    scaled.defvjp(lambda factor, values: (factor * values, None), lambda _, ct: (1.0, ct[:1]))
    error = raised(
        lambda: ft.grad(lambda f, v: np.sum(scaled(f, v)), argnums=1)(2.0, THREE),
        errors.CustomRuleError,
    )
    assert "float64[1] for the argument values" in error.what
    assert "defjvp" not in str(error)

    @ft.custom_batching.custom_vmap
    def doubled(x):
        return 2 * x

    doubled.def_vmap(lambda size, batched, x: 2 * x)
    error = raised(lambda: ft.vmap(doubled)(THREE), errors.CustomRuleError)
    assert "out_batched" in str(error)
    assert "defjvp" not in str(error)


def test_an_error_in_a_custom_rule_names_the_users_function():
    @ft.custom_vjp
    def doubled(x):
        return 2 * x

    def failing(residuals, cotangent):
        raise RuntimeError("mine")

    doubled.defvjp(lambda x: (2 * x, None), failing)
    with pytest.raises(RuntimeError, match="mine") as caught:
        ft.grad(doubled)(1.0)
    notes = "".join(caught.value.__notes__)
    assert "in the vjp rule of doubled" in notes
    assert "custom_call" not in notes
