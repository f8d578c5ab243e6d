"""Every exception of functrace, each with the advice it gives.

An error is written for the person who made the mistake. Its message has up to three parts: what
happened (with the primitive, the shapes and the argument's path), where it happened (the line of
their own file), and what to write instead. The last part belongs to the class, so that the same
mistake always gets the same advice; the first two come from the place that found it.

Each class also derives from the built-in exception that NumPy or Python would raise for the same
mistake, so that existing ``except ValueError`` clauses keep their meaning.
"""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np


class FunctraceError(Exception):
    """The base of all errors of functrace.

    Args:
        what: What happened, in one or two sentences.
        where: The user's line, as ``file.py:12 in name``, or None where there is none to name.
        advice: Replaces the advice of the class where a better one is known.

    Example:
        >>> import functrace as ft
        >>> import numpy as np
        >>> try:
        ...     ft.grad(np.sin)(np.ones(3))
        ... except ft.errors.FunctraceError as error:
        ...     print(error.what)
        The gradient of sin was asked for, but its output has shape (3,).
    """

    advice: ClassVar[str] = ""

    def __init__(self, what: str, where: object = None, advice: str | None = None) -> None:
        self.what = what
        self.where = None if where is None else str(where)
        self._advice = self.advice if advice is None else advice
        super().__init__(self._message())

    def _message(self) -> str:
        message = self.what
        if self.where is not None:
            message += f"\n  at {self.where}"
        if self._advice:
            message += f"\n  {self._advice}"
        return message

    def at(self, where: object) -> Self:
        """The same error, which names the user's line if it did not name one before.

        What raises an error does not always know where the user's code is; who called it may.

        Args:
            where: The user's line, or None where that is not known either.
        """
        if self.where is None and where is not None:
            self.where = str(where)
            super().__init__(self._message())
        return self

    def advising(self, advice: str) -> Self:
        """The same error, with advice of one who knows more of what the user does."""
        self._advice = advice
        super().__init__(self._message())
        return self


class FunctraceWarning(UserWarning):
    """The base of all warnings of functrace.

    Example:
        >>> import warnings
        >>> import functrace as ft
        >>> import numpy as np
        >>> draw = np.random.default_rng(0).random
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("ignore", ft.errors.FunctraceWarning)
        ...     value = ft.jit(lambda x: x + draw())(1.0)
        >>> round(value, 3)
        1.637
    """


class FrozenDrawWarning(FunctraceWarning):
    """Random numbers of NumPy were drawn while a function was recorded: they do not change.

    Example:
        >>> import warnings
        >>> import functrace as ft
        >>> import numpy as np
        >>> draw = np.random.default_rng(0).random
        >>> with warnings.catch_warnings(record=True) as caught:
        ...     warnings.simplefilter("always", ft.errors.FrozenDrawWarning)
        ...     value = ft.jit(lambda x: x + draw())(1.0)
        >>> print(caught[0].message)
        Numbers were drawn from a Generator of numpy.random while a function was recorded: its
            numbers are constants of what was recorded, the same at each call, ...
    """


class ConvergenceWarning(FunctraceWarning):
    """A solver failed where its result is traced: it cannot say so in what it returns.

    Example:
        >>> import warnings
        >>> import functrace as ft
        >>> import numpy as np
        >>> from functrace.scipy.optimize import root
        >>> with warnings.catch_warnings(record=True) as caught:
        ...     warnings.simplefilter("always", ft.errors.ConvergenceWarning)
        ...     value = ft.jit(lambda x: root(lambda x: x**2 + 1.0, x).x)(np.ones(1))
        >>> print(caught[0].message)
        root did not converge: ...
    """


class NotFiniteError(FunctraceError, FloatingPointError):
    """An operation made a nan or an infinite number, which `find_nan` looks for.

    Example:
        >>> import functrace as ft
        >>> import numpy as np
        >>> with ft.find_nan():
        ...     ft.grad(np.sqrt)(0.0)
        Traceback (most recent call last):
        functrace.errors.NotFiniteError: The derivative of sqrt, on the way back, made an infinite
            number out of finite numbers: 1, 0, 0.
        ...
    """

    advice = (
        "Keep the operand away from there: np.where(ok, f(np.where(ok, x, 1.0)), 0.0) asks f for "
        "no derivative where it has none. Where numbers are too large, scale them before: subtract "
        "the largest from the operand of exp, say."
    )


# Pytrees


class TreeStructureError(FunctraceError, ValueError):
    """Two trees that must be alike differ, or a structure does not fit its leaves.

    Example:
        >>> import functrace as ft
        >>> ft.tree.map(max, {"a": 1.0, "b": 2.0}, {"a": 3.0})
        Traceback (most recent call last):
        functrace.errors.TreeStructureError: Tree 2 of map does not have the structure of the first
            one. At the root, the dict lacks the key 'b'.
        ...
    """

    advice = "Give every tree the same containers, keys and lengths, in the same order."


class TreeRegistrationError(FunctraceError, TypeError):
    """A class cannot be registered as a container, or was registered before.

    Example:
        >>> import functrace as ft
        >>> ft.tree.register(list, lambda x: (x, None), lambda _, x: list(x))
        Traceback (most recent call last):
        functrace.errors.TreeRegistrationError: The class list is registered as a container already.
        ...
    """


class TreeKeyError(FunctraceError, TypeError):
    """The keys of a dict in a tree cannot be put in order.

    Example:
        >>> import functrace as ft
        >>> ft.tree.leaves({1: 1.0, "a": 2.0})
        Traceback (most recent call last):
        functrace.errors.TreeKeyError: The leaves of a dict are taken in the order of its sorted
            keys, but its keys cannot be sorted: 1, 'a'.
        ...
    """

    advice = "Use keys of one kind that can be sorted, for instance only strings."


# Primitives and Programs


class PrimitiveError(FunctraceError, ValueError):
    """A primitive is defined in a way that cannot work.

    Example:
        >>> import functrace as ft
        >>> ft.extend.Primitive("my-op")
        Traceback (most recent call last):
        functrace.errors.PrimitiveError: A primitive's name must be an identifier; 'my-op' is not.
    """


class MissingRuleError(FunctraceError, NotImplementedError):
    """A primitive has no rule for the transformation that met it.

    Example:
        >>> import functrace as ft
        >>> unknown = ft.extend.Primitive("unknown_of_errors")
        >>> ft.make_ir(lambda x: ft.extend.bind(unknown, x))(1.0)
        Traceback (most recent call last):
        functrace.errors.MissingRuleError: The primitive 'unknown_of_errors' has no infer rule.
        ...
    """

    advice = (
        "Give the primitive this rule (docs/add_a_primitive.md), or keep the operation out of the "
        "transformation with functrace.stop_gradient."
    )

    primitive: str | None = None
    rule: str | None = None

    @classmethod
    def of(cls, primitive: str, rule: str, where: object = None) -> MissingRuleError:
        """The error for one missing rule of one primitive, which it also names as attributes."""
        error = cls(f"The primitive {primitive!r} has no {rule} rule.", where)
        error.primitive, error.rule = primitive, rule
        return error

    def is_of(self, primitive: str, rule: str) -> bool:
        """Whether it is this rule of this primitive that is missing, not one that a rule needs."""
        return (self.primitive, self.rule) == (primitive, rule)


class NonlinearRuleError(FunctraceError, ValueError):
    """A function that must be linear is not, or cannot be traced, so it cannot be transposed.

    Example:
        >>> import functrace as ft
        >>> ft.linear_transpose(lambda x: x * x, 1.0)(1.0)
        Traceback (most recent call last):
        functrace.errors.NonlinearRuleError: A function that must be linear applies multiply to its
            input in a way that is not linear.
        ...
    """

    advice = (
        "Write the rule with operations that are linear in the tangents (or in the cotangent) and "
        "that functrace can trace, or give the missing rule too."
    )


class ParseError(FunctraceError, ValueError):
    """A text is not a Program.

    Example:
        >>> import functrace as ft
        >>> ft.parse("program(a) -> b")
        Traceback (most recent call last):
        functrace.errors.ParseError: This text is not a Program: invalid syntax...
    """

    advice = "Give the text exactly as printing a Program writes it."


class ProgramCheckError(FunctraceError, ValueError):
    """A Program is not well formed.

    Example:
        >>> import functrace as ft
        >>> from functrace.extend import Program
        >>> program = ft.make_ir(lambda x: x * x + 1.0)(2.0)
        >>> ft.check(Program(program.inputs, program.equations[1:], program.outputs))
        Traceback (most recent call last):
        functrace.errors.ProgramCheckError: A variable is read before it is written.
        ...
    """

    advice = "Whatever made this Program is wrong: a transformation, or a primitive's infer rule."


class SaveError(FunctraceError, TypeError):
    """A Program or a tree holds something that cannot be written to a file.

    Example:
        >>> import io
        >>> import functrace as ft
        >>> ft.tree.save(io.BytesIO(), {"activation": print})
        Traceback (most recent call last):
        functrace.errors.SaveError: The leaf at ['activation'] is of type
            builtin_function_or_method, which cannot be written to a file.
        ...
    """

    advice = (
        "Record the Program without it: a file holds array operations and constants, no Python "
        "functions and no traced values."
    )


class LoadError(FunctraceError, ValueError):
    """A file is not a Program or a tree that functrace saved, or it is damaged.

    Example:
        >>> import io
        >>> import functrace as ft
        >>> ft.Program.load(io.BytesIO(b"something else"))
        Traceback (most recent call last):
        functrace.errors.LoadError: The file is no saved Program, or it is damaged: File is not a
            zip file
        ...
    """

    advice = "Save the Program again, program.save(path), and copy the file as binary data."


# Operations on traced values


class ShapeMismatchError(FunctraceError, ValueError):
    """The shapes of an operation's inputs do not fit together.

    Example:
        >>> import functrace as ft
        >>> import numpy as np
        >>> ft.jit(np.add)(np.ones(3), np.ones(2))
        Traceback (most recent call last):
        functrace.errors.ShapeMismatchError: add does not take inputs of float64[3], float64[2]:
            operands could not be broadcast together with shapes (3,) (2,).
        ...
    """

    advice = "Reshape, transpose or slice the inputs so that their shapes fit."


class MatrixShapeError(ShapeMismatchError, np.linalg.LinAlgError):
    """A function of matrices was given an array that is none, or matrices that do not fit.

    Example:
        >>> import functrace as ft
        >>> import numpy as np
        >>> ft.jit(np.linalg.inv)(np.ones(3))
        Traceback (most recent call last):
        functrace.errors.MatrixShapeError: inverse does not take inputs of float64[3]: 1-dimensional
            array given...
    """

    advice = "Matrices are the last two axes of an array; those before them count matrices."


class OperandError(FunctraceError, TypeError):
    """An operation was given an input that it cannot take.

    Example:
        >>> import functrace as ft
        >>> ft.jit(lambda x: x << 1)(1.5)
        Traceback (most recent call last):
        functrace.errors.OperandError: `<<` does not take inputs of weak_float64, weak_int64: ufunc
            'left_shift' not supported...
    """

    advice = "Give arrays or numbers of a dtype that this operation takes."


class IndexRangeError(FunctraceError, IndexError):
    """An index lies outside its axis, or there are more indices than axes.

    Example:
        >>> import functrace as ft
        >>> import numpy as np
        >>> ft.jit(lambda x: x[3])(np.ones(3))
        Traceback (most recent call last):
        functrace.errors.IndexRangeError: `[]` does not take inputs of float64[3]: index 3 is out of
            bounds for axis 0 with size 3.
        ...
    """

    advice = "Indices count from 0 to the length less one, or from -1 down to minus the length."


class AxisRangeError(FunctraceError, np.exceptions.AxisError):
    """An array does not have the axis that is named.

    Example:
        >>> import functrace as ft
        >>> import numpy as np
        >>> ft.jit(lambda x: np.sum(x, axis=1))(np.ones(3))
        Traceback (most recent call last):
        functrace.errors.AxisRangeError: axis 1 is out of bounds for an array of dimension 1.
        ...
    """

    advice = "Axes count from 0 to the rank less one, or from -1 down to minus the rank."


class UnsupportedFunctionError(FunctraceError, TypeError):
    """A NumPy function that functrace cannot trace met a traced value.

    Example:
        >>> import functrace as ft
        >>> import numpy as np
        >>> ft.jit(lambda x: np.busday_count(x, x))(1.0)
        Traceback (most recent call last):
        functrace.errors.UnsupportedFunctionError: numpy.busday_count was called on a traced value,
            and functrace has no rule for it.
        ...
    """

    advice = (
        "Write it with functions that can be traced, or give it a derivative with "
        "functrace.extend.wrap."
    )


class MissingPackageError(FunctraceError, ImportError):
    """A function computes with a package that is not installed.

    Example:
        >>> import sys
        >>> from unittest.mock import patch
        >>> from functrace.scipy.special import gammainc
        >>> with patch.dict(sys.modules, {"scipy.special": None}):  # as where there is none
        ...     gammainc(1.0, 2.0)
        Traceback (most recent call last):
        functrace.errors.MissingPackageError: functrace.scipy.special.gammainc computes with SciPy,
            which is not installed.
        ...
    """


class UnknownValueError(FunctraceError, TypeError):
    """Python needs the value of an array of which only shape and dtype are known.

    Example:
        >>> import functrace as ft
        >>> ft.jit(lambda x: x if x > 0 else -x)(1.0)
        Traceback (most recent call last):
        functrace.errors.UnknownValueError: bool() needs the value of a traced weak_bool that
            depends on `x`, of which only shape and dtype are known...
    """


class NestingError(FunctraceError, RecursionError):
    """Functions are recorded within functions without an end.

    Example:
        >>> import functrace as ft
        >>> def endless(x):
        ...     return ft.jit(endless)(x)
        >>> endless(1.0)
        Traceback (most recent call last):
        functrace.errors.NestingError: A function is recorded within 500 others, each within the
            next.
        ...
    """

    advice = (
        "A function that calls itself in a branch of cond does not end while it is recorded, as "
        "all branches are: write the recursion as while_loop or scan. A Python loop that wraps a "
        "function in another at each step makes one function of as many levels: write it as scan."
    )


class LostDerivativeError(FunctraceError, TypeError):
    """A traced value would become a plain number and silently lose its derivative.

    Example:
        >>> import functrace as ft
        >>> ft.grad(lambda x: float(x) ** 2)(3.0)
        Traceback (most recent call last):
        functrace.errors.LostDerivativeError: float() would turn a traced weak_float64 into a plain
            number, and its derivative would be lost.
        ...
    """

    advice = (
        "Stay with arrays: np.sin(x) or functrace.math.sin(x) in place of math.sin(x), "
        "x.astype(dtype) in place of float(x). Where no derivative is meant, say so: "
        "float(functrace.stop_gradient(x))."
    )


class ArrayConversionError(FunctraceError, TypeError):
    """np.array or np.asarray was given a traced value, or a list that holds one.

    Example:
        >>> import functrace as ft
        >>> import numpy as np
        >>> ft.grad(lambda x: np.sum(np.array([x, 2 * x])))(3.0)
        Traceback (most recent call last):
        functrace.errors.ArrayConversionError: numpy.array was given a traced weak_float64 where
            NumPy does not look for one, such as in a list.
        ...
    """

    advice = (
        "In place of np.array([a, b]) write np.stack([a, b]) or functrace.numpy.array([a, b]); "
        "in place of np.asarray(a) write functrace.numpy.asarray(a), or just a; in place of "
        "np.float64(a) write a.astype(float)."
    )


class ArrayWriteError(FunctraceError, TypeError):
    """A traced value is written into an ordinary NumPy array, which cannot hold it.

    Example:
        >>> import functrace as ft
        >>> import numpy as np
        >>> def f(x):
        ...     rows = np.zeros((2, 3))
        ...     rows[0] = x
        ...     return rows
        >>> ft.jit(f)(np.ones(3))
        Traceback (most recent call last):
        functrace.errors.ArrayWriteError: A traced float64[3] is written into...
    """

    advice = (
        "Collect the values in a list and join them with np.stack or np.concatenate, or make the "
        "array from a traced one: out = np.zeros_like(x) can be written."
    )


class ScalarWriteError(OperandError):
    """A scalar is written like an array: NumPy's own refuses that, or forgets what was written.

    Example:
        >>> import functrace as ft
        >>> import numpy as np
        >>> def f(x):
        ...     total = np.sum(x)
        ...     total[...] = 2.0
        ...     return total
        >>> ft.jit(f)(np.ones(3))
        Traceback (most recent call last):
        functrace.errors.ScalarWriteError: A traced scalar of type float64 is written like an array.
        ...
    """

    advice = (
        "Give its name another value, x = value; or make it an array first, "
        "x = functrace.numpy.array(x)."
    )


class KeptArrayError(FunctraceError, ValueError):
    """An array was changed while the derivative of an operation that has read it is computed.

    Example:
        >>> import functrace as ft
        >>> import numpy as np
        >>> array = np.ones(200_000)
        >>> view = array[:]
        >>> def f(x):
        ...     total = np.sum(x * array)
        ...     view[:] = 2.0
        ...     return total
        >>> ft.grad(f)(1.0)
        Traceback (most recent call last):
        functrace.errors.KeptArrayError: An array of shape (200000,) was changed through a view of
            it, before the derivative was complete that needs the elements from before...
    """

    advice = (
        "Make a new array in place of writing into one that was used: w = w + 1 for w += 1, "
        "buffer = np.full(n, i) for buffer[:] = i; or write into a copy, w = w.copy()."
    )


class ViewWriteError(FunctraceError, ValueError):
    """A traced array is used that was written through another one, or was not: nobody knows.

    Example:
        >>> import functrace as ft
        >>> import numpy as np
        >>> def f(x):
        ...     y = x[:, None] * x
        ...     product = y * y.T
        ...     flat = np.reshape(product, 4)
        ...     flat[0] = 2.0
        ...     return np.sum(product)
        >>> ft.make_ir(f)(np.ones(2))
        Traceback (most recent call last):
        functrace.errors.ViewWriteError: A traced array of shape (2, 2) is used after another one
            was changed in place...
    """

    advice = (
        "Copy what is to be an array of its own, y = x.reshape(shape).copy(), or write through the "
        "array that was reshaped, x[index] = value."
    )


class LeakedTracerError(FunctraceError, RuntimeError):
    """A traced value is used after the transformation that made it has ended.

    Example:
        >>> import functrace as ft
        >>> kept = []
        >>> def f(x):
        ...     kept.append(x)
        ...     return x**2
        >>> ft.grad(f)(3.0)
        np.float64(6.0)
        >>> kept[0] + 1.0
        Traceback (most recent call last):
        functrace.errors.LeakedTracerError: A traced value of type weak_float64 is used after the
            transformation that made it has ended...
    """

    advice = (
        "Return the value from the transformed function (has_aux=True returns it beside the "
        "result) instead of storing it in a global, an attribute or a list outside."
    )


# Calls of transformations


class ArgumentError(FunctraceError, TypeError):
    """A transformation, or the function that it made, was called with arguments that do not fit.

    Example:
        >>> import functrace as ft
        >>> import numpy as np
        >>> ft.grad(np.sin, argnums=1.0)
        Traceback (most recent call last):
        functrace.errors.ArgumentError: argnums must hold integers, not 1.0.
        ...
    """


class NotCallableError(ArgumentError):
    """A transformation, or a loop or choice, was given something else than a function.

    Example:
        >>> import functrace as ft
        >>> import numpy as np
        >>> ft.grad(np.sin(1.0))
        Traceback (most recent call last):
        functrace.errors.NotCallableError: grad takes a function, and was given a value of type
            float64, which is not callable.
        ...
    """

    advice = (
        "Give the function itself, and call what comes back: functrace.grad(loss)(params), not "
        "functrace.grad(loss(params))."
    )


class NonScalarOutputError(FunctraceError, TypeError):
    """The gradient of a function whose output is not one number was asked for.

    Example:
        >>> import functrace as ft
        >>> import numpy as np
        >>> ft.grad(np.sin)(np.ones(3))
        Traceback (most recent call last):
        functrace.errors.NonScalarOutputError: The gradient of sin was asked for, but its output has
            shape (3,).
        ...
    """

    advice = (
        "Reduce the output to one number, for instance with np.sum or np.mean; for all "
        "derivatives of an array use functrace.jacrev, for one combination of them functrace.vjp."
    )


class OutputTypeError(FunctraceError, TypeError):
    """The gradient of a function whose output is not a real floating-point number was asked for.

    Example:
        >>> import functrace as ft
        >>> ft.grad(lambda x: 1j * x)(1.0)
        Traceback (most recent call last):
        functrace.errors.OutputTypeError: The output of <lambda> has the type weak_complex128; a
            gradient needs a real output.
        ...
    """


class NonFloatLeafError(FunctraceError, TypeError):
    """A differentiated argument holds something other than floating-point arrays.

    Example:
        >>> import functrace as ft
        >>> import numpy as np
        >>> ft.grad(np.square)(3)
        Traceback (most recent call last):
        functrace.errors.NonFloatLeafError: The argument x is differentiated, but has the type
            weak_int64.
        ...
    """

    advice = (
        "Convert it, x.astype(float), or pass it as another argument and leave it out of argnums; "
        "allow_int=True gives None as the gradient of integers."
    )


class AuxiliaryError(FunctraceError, TypeError):
    """A function under has_aux=True did not return a pair.

    Example:
        >>> import functrace as ft
        >>> import numpy as np
        >>> ft.grad(np.sin, has_aux=True)(1.0)
        Traceback (most recent call last):
        functrace.errors.AuxiliaryError: Under has_aux=True the function returned a Tracer, not a
            pair.
        ...
    """

    advice = "Under has_aux=True, return a pair: (output, auxiliary data)."


class CotangentError(FunctraceError, ValueError):
    """A cotangent does not fit the output of the function that is pulled back.

    Example:
        >>> import functrace as ft
        >>> import numpy as np
        >>> _, pullback = ft.vjp(np.sin, np.ones(3))
        >>> pullback(np.ones(2))
        Traceback (most recent call last):
        functrace.errors.CotangentError: The pullback got a cotangent of type float64[2] for the
            output of type float64[3].
        ...
    """

    advice = "Give the pullback a tree like the function's output, with the same shapes and dtypes."


class TangentError(FunctraceError, ValueError):
    """A tangent does not fit the argument to which it belongs.

    Example:
        >>> import functrace as ft
        >>> import numpy as np
        >>> ft.jvp(np.sin, (np.ones(3),), (np.ones(2),))
        Traceback (most recent call last):
        functrace.errors.TangentError: The tangent of the argument x has the type float64[2], the
            argument itself float64[3].
        ...
    """

    advice = (
        "Give one tangent for each argument, of its structure, shapes and dtypes; None stands for "
        "zero, and is the only tangent of integers."
    )


class BatchAxisError(FunctraceError, ValueError):
    """The axes over which a function is mapped do not fit its arguments or outputs.

    Example:
        >>> import functrace as ft
        >>> import numpy as np
        >>> ft.vmap(np.add)(np.ones(3), np.ones(2))
        Traceback (most recent call last):
        functrace.errors.BatchAxisError: The mapped axes have different lengths: x1 has 3 along axis
            0, x2 has 2 along axis 0.
        ...
    """

    advice = (
        "Name by in_axes one axis of the same length for each mapped argument, None for those "
        "that are shared, and by out_axes where the examples are counted in the output."
    )


class AxisNameError(FunctraceError, NameError):
    """An operation names an axis of examples that no vmap around it has.

    Example:
        >>> import functrace as ft
        >>> import numpy as np
        >>> ft.vmap(lambda x: ft.lax.psum(x, "j"), axis_name="i")(np.ones(3))
        Traceback (most recent call last):
        functrace.errors.AxisNameError: No vmap that runs here has an axis named 'j'; the names in
            scope: 'i'.
        ...
    """

    advice = "Give the axis this name: functrace.vmap(f, axis_name=...), and call it inside f."


class BranchOutputError(FunctraceError, TypeError):
    """The functions among which cond or switch chooses return different kinds of values.

    Example:
        >>> import functrace as ft
        >>> import numpy as np
        >>> ft.jit(lambda x: ft.cond(x[0] > 0, np.sin, np.sum, x))(np.ones(3))
        Traceback (most recent call last):
        functrace.errors.BranchOutputError: The outputs of cond differ in type: branch 0 float64,
            branch 1 float64[3].
        ...
    """

    advice = (
        "Return from each branch the same structure, shapes and dtypes; x.astype(dtype) and "
        "np.zeros_like help."
    )


class CarryError(FunctraceError, TypeError):
    """The carry of a loop changes its structure, shape or dtype from one trip to the next.

    Example:
        >>> import functrace as ft
        >>> import numpy as np
        >>> ft.jit(lambda x: ft.fori_loop(0, 3, lambda i, x: np.sum(x), x))(np.ones(3))
        Traceback (most recent call last):
        functrace.errors.CarryError: The carry of fori_loop has the type float64[3] before a trip
            and float64 after it.
        ...
    """

    advice = (
        "Begin with a carry of the structure, shapes and dtypes that the body returns, for "
        "instance 0.0 in place of 0, or convert in the body, x.astype(dtype)."
    )


class CustomRuleError(FunctraceError, TypeError):
    """A rule given to custom_jvp or custom_vjp returned a wrong structure, shape or dtype.

    Example:
        >>> import functrace as ft
        >>> import numpy as np
        >>> @ft.custom_jvp
        ... def double(x):
        ...     return 2 * x
        >>> rule = lambda primals, tangents: (double(*primals), np.sum(tangents[0]))
        >>> _ = double.defjvp(rule)
        >>> ft.jvp(double, (np.ones(3),), (np.ones(3),))
        Traceback (most recent call last):
        functrace.errors.CustomRuleError: The jvp rule of double returned float64 for the output;
            expected float64[3].
        ...
    """

    advice = (
        "Return from defjvp's rule (output, tangent like the output), from fwd (output, "
        "residuals), from bwd a tuple with one cotangent like each argument."
    )


class RuleOutputError(FunctraceError, ValueError):
    """A derivative rule returned something other than one cotangent for each input.

    Example:
        >>> import functrace as ft
        >>> double = ft.extend.wrap(lambda x: 2 * x, vjp=lambda ct, out, x: (ct, ct), name="double")
        >>> ft.grad(double)(1.0)
        Traceback (most recent call last):
        functrace.errors.RuleOutputError: The vjp rule of 'double' returned 2 cotangents for 1
            inputs.
        ...
    """

    advice = "Return one cotangent for each input, of the input's shape; None stands for zero."


# Random numbers


class RandomKeyError(FunctraceError, TypeError):
    """What should be a key of random numbers, or a seed of one, is none.

    Example:
        >>> import functrace as ft
        >>> import numpy as np
        >>> ft.random.normal(np.zeros(2))
        Traceback (most recent call last):
        functrace.errors.RandomKeyError: An array of shape (2,) and dtype float64 is no key.
        ...
    """

    advice = (
        "Make a key by functrace.random.key(seed), and more of it by functrace.random.split(key)."
    )


class KeyReuseError(FunctraceError, RuntimeError):
    """A key was used twice, while ``functrace.config.key_reuse`` is "error".

    Example:
        >>> import functrace as ft
        >>> key = ft.random.key(0)
        >>> with ft.config.using(key_reuse="error"):
        ...     ft.random.normal(key) + ft.random.uniform(key)
        Traceback (most recent call last):
        functrace.errors.KeyReuseError: A key is used that was used before, at...
    """

    advice = (
        "What is drawn from one key twice is not independent. Split it first, "
        "key, other = functrace.random.split(key), or where the same numbers are meant, draw from "
        "functrace.random.clone(key)."
    )
