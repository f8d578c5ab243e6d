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
    """The base of all warnings of functrace."""


class FrozenDrawWarning(FunctraceWarning):
    """Random numbers of NumPy were drawn while a function was recorded: they do not change."""


class ConvergenceWarning(FunctraceWarning):
    """A solver failed where its result is traced: it cannot say so in what it returns."""


class NotFiniteError(FunctraceError, FloatingPointError):
    """An operation made a nan or an infinite number, which `find_nan` looks for."""

    advice = (
        "Keep the operand away from there: np.where(ok, f(np.where(ok, x, 1.0)), 0.0) asks f for "
        "no derivative where it has none. Where numbers are too large, scale them before: subtract "
        "the largest from the operand of exp, say."
    )


# Pytrees


class TreeStructureError(FunctraceError, ValueError):
    """Two trees that must be alike differ, or a structure does not fit its leaves."""

    advice = "Give every tree the same containers, keys and lengths, in the same order."


class TreeRegistrationError(FunctraceError, TypeError):
    """A class cannot be registered as a container, or was registered before."""


class TreeKeyError(FunctraceError, TypeError):
    """The keys of a dict in a tree cannot be put in order."""

    advice = "Use keys of one kind that can be sorted, for instance only strings."


# Primitives and Programs


class PrimitiveError(FunctraceError, ValueError):
    """A primitive is defined in a way that cannot work."""


class MissingRuleError(FunctraceError, NotImplementedError):
    """A primitive has no rule for the transformation that met it."""

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
    """A function that must be linear is not, or cannot be traced, so it cannot be transposed."""

    advice = (
        "Write the rule with operations that are linear in the tangents (or in the cotangent) and "
        "that functrace can trace, or give the missing rule too."
    )


class ParseError(FunctraceError, ValueError):
    """A text is not a Program."""

    advice = "Give the text exactly as printing a Program writes it."


class ProgramCheckError(FunctraceError, ValueError):
    """A Program is not well formed."""

    advice = "Whatever made this Program is wrong: a transformation, or a primitive's infer rule."


class SaveError(FunctraceError, TypeError):
    """A Program or a tree holds something that cannot be written to a file."""

    advice = (
        "Record the Program without it: a file holds array operations and constants, no Python "
        "functions and no traced values."
    )


class LoadError(FunctraceError, ValueError):
    """A file is not a Program or a tree that functrace saved, or it is damaged."""

    advice = "Save the Program again, program.save(path), and copy the file as binary data."


# Operations on traced values


class ShapeMismatchError(FunctraceError, ValueError):
    """The shapes of an operation's inputs do not fit together."""

    advice = "Reshape, transpose or slice the inputs so that their shapes fit."


class MatrixShapeError(ShapeMismatchError, np.linalg.LinAlgError):
    """A function of matrices was given an array that is none, or matrices that do not fit."""

    advice = "Matrices are the last two axes of an array; those before them count matrices."


class OperandError(FunctraceError, TypeError):
    """An operation was given an input that it cannot take."""

    advice = "Give arrays or numbers of a dtype that this operation takes."


class IndexRangeError(FunctraceError, IndexError):
    """An index lies outside its axis, or there are more indices than axes."""

    advice = "Indices count from 0 to the length less one, or from -1 down to minus the length."


class AxisRangeError(FunctraceError, np.exceptions.AxisError):
    """An array does not have the axis that is named."""

    advice = "Axes count from 0 to the rank less one, or from -1 down to minus the rank."


class UnsupportedFunctionError(FunctraceError, TypeError):
    """A NumPy function that functrace cannot trace met a traced value."""

    advice = (
        "Write it with functions that can be traced, or give it a derivative with "
        "functrace.extend.wrap."
    )


class MissingPackageError(FunctraceError, ImportError):
    """A function computes with a package that is not installed."""


class UnknownValueError(FunctraceError, TypeError):
    """Python needs the value of an array of which only shape and dtype are known."""


class NestingError(FunctraceError, RecursionError):
    """Functions are recorded within functions without an end."""

    advice = (
        "A function that calls itself in a branch of cond does not end while it is recorded, as "
        "all branches are: write the recursion as while_loop or scan. A Python loop that wraps a "
        "function in another at each step makes one function of as many levels: write it as scan."
    )


class LostDerivativeError(FunctraceError, TypeError):
    """A traced value would become a plain number and silently lose its derivative."""

    advice = (
        "Stay with arrays: np.sin(x) or functrace.math.sin(x) in place of math.sin(x), "
        "x.astype(dtype) in place of float(x). Where no derivative is meant, say so: "
        "float(functrace.stop_gradient(x))."
    )


class ArrayConversionError(FunctraceError, TypeError):
    """np.array or np.asarray was given a traced value, or a list that holds one."""

    advice = (
        "In place of np.array([a, b]) write np.stack([a, b]) or functrace.numpy.array([a, b]); "
        "in place of np.asarray(a) write functrace.numpy.asarray(a), or just a; in place of "
        "np.float64(a) write a.astype(float)."
    )


class ArrayWriteError(FunctraceError, TypeError):
    """A traced value is written into an ordinary NumPy array, which cannot hold it."""

    advice = (
        "Collect the values in a list and join them with np.stack or np.concatenate, or make the "
        "array from a traced one: out = np.zeros_like(x) can be written."
    )


class ScalarWriteError(OperandError):
    """A scalar is written like an array: NumPy's own refuses that, or forgets what was written."""

    advice = (
        "Give its name another value, x = value; or make it an array first, "
        "x = functrace.numpy.array(x)."
    )


class KeptArrayError(FunctraceError, ValueError):
    """An array was changed while the derivative of an operation that has read it is computed."""

    advice = (
        "Make a new array in place of writing into one that was used: w = w + 1 for w += 1, "
        "buffer = np.full(n, i) for buffer[:] = i; or write into a copy, w = w.copy()."
    )


class ViewWriteError(FunctraceError, ValueError):
    """A traced array is used that was written through another one, or was not: nobody knows."""

    advice = (
        "Copy what is to be an array of its own, y = x.reshape(shape).copy(), or write through the "
        "array that was reshaped, x[index] = value."
    )


class LeakedTracerError(FunctraceError, RuntimeError):
    """A traced value is used after the transformation that made it has ended."""

    advice = (
        "Return the value from the transformed function (has_aux=True returns it beside the "
        "result) instead of storing it in a global, an attribute or a list outside."
    )


# Calls of transformations


class ArgumentError(FunctraceError, TypeError):
    """A transformation, or the function that it made, was called with arguments that do not fit."""


class NotCallableError(ArgumentError):
    """A transformation, or a loop or choice, was given something else than a function."""

    advice = (
        "Give the function itself, and call what comes back: functrace.grad(loss)(params), not "
        "functrace.grad(loss(params))."
    )


class NonScalarOutputError(FunctraceError, TypeError):
    """The gradient of a function whose output is not one number was asked for."""

    advice = (
        "Reduce the output to one number, for instance with np.sum or np.mean; for all "
        "derivatives of an array use functrace.jacrev, for one combination of them functrace.vjp."
    )


class OutputTypeError(FunctraceError, TypeError):
    """The gradient of a function whose output is not a real floating-point number was asked for."""


class NonFloatLeafError(FunctraceError, TypeError):
    """A differentiated argument holds something other than floating-point arrays."""

    advice = (
        "Convert it, x.astype(float), or pass it as another argument and leave it out of argnums; "
        "allow_int=True gives None as the gradient of integers."
    )


class AuxiliaryError(FunctraceError, TypeError):
    """A function under has_aux=True did not return a pair."""

    advice = "Under has_aux=True, return a pair: (output, auxiliary data)."


class CotangentError(FunctraceError, ValueError):
    """A cotangent does not fit the output of the function that is pulled back."""

    advice = "Give the pullback a tree like the function's output, with the same shapes and dtypes."


class TangentError(FunctraceError, ValueError):
    """A tangent does not fit the argument to which it belongs."""

    advice = (
        "Give one tangent for each argument, of its structure, shapes and dtypes; None stands for "
        "zero, and is the only tangent of integers."
    )


class BatchAxisError(FunctraceError, ValueError):
    """The axes over which a function is mapped do not fit its arguments or outputs."""

    advice = (
        "Name by in_axes one axis of the same length for each mapped argument, None for those "
        "that are shared, and by out_axes where the examples are counted in the output."
    )


class AxisNameError(FunctraceError, NameError):
    """An operation names an axis of examples that no vmap around it has."""

    advice = "Give the axis this name: functrace.vmap(f, axis_name=...), and call it inside f."


class BranchOutputError(FunctraceError, TypeError):
    """The functions among which cond or switch chooses return different kinds of values."""

    advice = (
        "Return from each branch the same structure, shapes and dtypes; x.astype(dtype) and "
        "np.zeros_like help."
    )


class CarryError(FunctraceError, TypeError):
    """The carry of a loop changes its structure, shape or dtype from one trip to the next."""

    advice = (
        "Begin with a carry of the structure, shapes and dtypes that the body returns, for "
        "instance 0.0 in place of 0, or convert in the body, x.astype(dtype)."
    )


class CustomRuleError(FunctraceError, TypeError):
    """A rule given to custom_jvp or custom_vjp returned a wrong structure, shape or dtype."""

    advice = (
        "Return from defjvp's rule (output, tangent like the output), from fwd (output, "
        "residuals), from bwd a tuple with one cotangent like each argument."
    )


class RuleOutputError(FunctraceError, ValueError):
    """A derivative rule returned something other than one cotangent for each input."""

    advice = "Return one cotangent for each input, of the input's shape; None stands for zero."


# Random numbers


class RandomKeyError(FunctraceError, TypeError):
    """What should be a key of random numbers, or a seed of one, is none."""

    advice = (
        "Make a key by functrace.random.key(seed), and more of it by functrace.random.split(key)."
    )


class KeyReuseError(FunctraceError, RuntimeError):
    """A key was used twice, while ``functrace.config.key_reuse`` is "error"."""

    advice = (
        "What is drawn from one key twice is not independent. Split it first, "
        "key, other = functrace.random.split(key), or where the same numbers are meant, draw from "
        "functrace.random.clone(key)."
    )
