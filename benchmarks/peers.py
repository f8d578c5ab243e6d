"""The libraries that the workloads are run with, behind one set of names.

A workload is written once, over a `Peer`: what is the same in every library is called by its
NumPy name on `peer.np`; what each calls differently is a method here. Nothing is imported before a
peer is made, so that whoever runs the workloads with functrace alone needs nothing else.

JAX is given its arrays on its device, in float64 where the workload says so, and is waited for.
PyTorch is eager: `torch.autograd.grad` on tensors that were made once. autograd and PyTorch have no
operation for loops, so theirs are Python loops.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import inspect
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import numpy as np
from typing_extensions import override

import functrace as ft
from functrace import tree
from functrace.scipy import special

Function = Callable[..., Any]


class Peer:
    """A library that differentiates. Methods that return None are those that it does not have.

    Attributes:
        name: What the tables call it.
        np: Its namespace of NumPy's functions.
        writes_in_place: Whether functions may write into arrays, as in NumPy.
        lax: Its namespace of the functions of ``jax.lax``, if it has one.
    """

    name: str
    np: Any
    writes_in_place: bool = False
    lax: Any = None

    def limit_threads(self, threads: int) -> None:
        """Use so many threads. NumPy's are BLAS's, and the harness limits those."""

    def arrays(self, inputs: Any) -> Any:
        """A workload's inputs as this library's own arrays."""
        return inputs

    def call(self, f: Function, inputs: Any) -> Callable[[], Any]:
        """The function of these inputs, as a call that ends when the result is there."""
        return functools.partial(f, *inputs)

    def clear_caches(self) -> None:
        """Forget what was compiled."""

    def jit(self, f: Function) -> Function | None:
        """The function, compiled."""
        return None

    def gradient(self, f: Function) -> Function:
        """The gradient by the first argument."""
        raise NotImplementedError

    def value(self, f: Function) -> Function | None:
        """The function itself, where the derivatives are within it."""
        return f

    def value_and_gradient(self, f: Function) -> Function | None:
        """The function's value, and the gradient by the first argument."""
        return None

    def jacobian(self, f: Function) -> Function | None:
        """The matrix of derivatives by the first argument, one direction after the other."""
        return None

    def mapped_jacobian(self, f: Function) -> Function | None:
        """Of rows: the Jacobian by the first argument for each row, from the results back."""
        return None

    def hessian(self, f: Function) -> Function | None:
        """The matrix of second derivatives by the first argument."""
        raise NotImplementedError

    def hessian_vector_product(self, f: Function) -> Function | None:
        """Of `(x, vector, *rest)`, where `f` takes `(x, *rest)`."""
        raise NotImplementedError

    def gradient_and_product(self, f: Function) -> Function | None:
        """The gradient too, with the same arguments."""
        raise NotImplementedError

    def mapped_gradient(self, f: Function) -> Function | None:
        """Of `(rows, shared)`: the gradient of `f(row, shared)` for each row."""
        raise NotImplementedError

    def vmap(self, f: Function, in_axes: tuple[int | None, ...]) -> Function:
        """The function, for all rows at once."""
        raise NotImplementedError

    def plain(self, program: Function) -> Function:
        """A program that is written for NumPy, writes into arrays included."""
        return program

    def scan(self, step: Function, init: Any, xs: Any, length: int) -> Any:
        """The last carry of `step(carry, row)`, which returns the next carry."""
        carry = init
        for number in range(length):
            carry = step(carry, None if xs is None else xs[number])
        return carry

    def logsumexp(self, x: Any, axis: int) -> Any:
        """The logarithm of a sum of exponentials."""
        raise NotImplementedError

    def smallest(self, x: Any, axis: int) -> Any:
        """The minimum along an axis."""
        return self.np.min(x, axis=axis)

    def solve_lower(self, factor: Any, y: Any) -> Any:
        """The solution of a lower triangular system, for one right-hand side."""
        return self.lax.linalg.triangular_solve(factor, y[:, None], left_side=True, lower=True)[
            :, 0
        ]

    def features(self, images: Any, filters: Any, bias: Any) -> Any:
        """What filters see, rectified, its maximum over squares of two by two pixels.

        Images are of shape (count, height, width, channels), and filters of shape
        (height, width, channels, their number). None where the library has no convolution.
        """
        return None


class Functrace(Peer):
    """What is measured.

    Args:
        backend: What `jit` compiles with; None for what it takes by itself.
    """

    name = "functrace"
    np = np
    writes_in_place = True
    lax = ft.lax

    def __init__(self, backend: str | None = None) -> None:
        self.backend = backend
        if backend is not None:
            self.name = f"functrace {backend}"

    @override
    def clear_caches(self) -> None:
        """What was compiled is kept with its function; functools keeps what is shared.

        What machine code calls of all functions stays: it is made once for the process.
        """
        for name, module in list(sys.modules.items()):
            if name.startswith("functrace") and not name.startswith("functrace.backends.native"):
                for value in list(vars(module).values()):
                    if callable(getattr(value, "cache_clear", None)):
                        value.cache_clear()

    @override
    def limit_threads(self, threads: int) -> None:
        ft.config.threads = threads

    @override
    def jit(self, f: Function) -> Function | None:
        return ft.jit(f, backend=self.backend)

    @override
    def gradient(self, f: Function) -> Function:
        return ft.grad(f)

    @override
    def value_and_gradient(self, f: Function) -> Function | None:
        return ft.value_and_grad(f)

    @override
    def jacobian(self, f: Function) -> Function | None:
        return ft.jacfwd(f)

    @override
    def mapped_jacobian(self, f: Function) -> Function | None:
        return ft.vmap(ft.jacrev(f))

    @override
    def vmap(self, f: Function, in_axes: tuple[int | None, ...]) -> Function:
        return ft.vmap(f, in_axes=in_axes)

    @override
    def hessian(self, f: Function) -> Function | None:
        return ft.hessian(f)

    @override
    def hessian_vector_product(self, f: Function) -> Function | None:
        gradient = ft.grad(f)
        return lambda x, v, *rest: ft.jvp(lambda x: gradient(x, *rest), (x,), (v,))[1]

    @override
    def gradient_and_product(self, f: Function) -> Function | None:
        gradient = ft.grad(f)
        return lambda x, v, *rest: ft.jvp(lambda x: gradient(x, *rest), (x,), (v,))

    @override
    def mapped_gradient(self, f: Function) -> Function | None:
        return ft.vmap(ft.grad(f), in_axes=(0, None))

    @override
    def scan(self, step: Function, init: Any, xs: Any, length: int) -> Any:
        return ft.scan(lambda carry, row: (step(carry, row), None), init, xs, length)[0]

    @override
    def logsumexp(self, x: Any, axis: int) -> Any:
        return special.logsumexp(x, axis=axis)

    @override
    def features(self, images: Any, filters: Any, bias: Any) -> Any:
        return features(self.lax, np, images, filters, bias)


class Jax(Peer):
    """JAX on the CPU, with float64 allowed."""

    name = "JAX"

    def __init__(self) -> None:
        import jax  # noqa: PLC0415  (only who compares needs it)

        jax.config.update("jax_enable_x64", True)
        jax.config.update("jax_platforms", "cpu")
        self.jax, self.np, self.lax = jax, jax.numpy, jax.lax

    @override
    def limit_threads(self, threads: int) -> None:
        if threads != 1:
            raise ValueError("XLA takes one thread or as many as it likes.")
        # Read when the first array is made.
        flags = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {flags}"

    @override
    def arrays(self, inputs: Any) -> Any:
        return self.jax.block_until_ready(tree.map(self.np.asarray, inputs))

    @override
    def call(self, f: Function, inputs: Any) -> Callable[[], Any]:
        wait_for_all = self.jax.block_until_ready

        def call() -> Any:
            result = f(*inputs)
            # An array's own method waits without looking for arrays in trees.
            return wait_for_all(result) if isinstance(result, tuple) else result.block_until_ready()

        return call

    @override
    def clear_caches(self) -> None:
        self.jax.clear_caches()

    @override
    def jit(self, f: Function) -> Function | None:
        return self.jax.jit(f)

    @override
    def gradient(self, f: Function) -> Function:
        return self.jax.grad(f)

    @override
    def value_and_gradient(self, f: Function) -> Function | None:
        return self.jax.value_and_grad(f)

    @override
    def jacobian(self, f: Function) -> Function | None:
        return self.jax.jacfwd(f)

    @override
    def mapped_jacobian(self, f: Function) -> Function | None:
        return self.jax.vmap(self.jax.jacrev(f))

    @override
    def vmap(self, f: Function, in_axes: tuple[int | None, ...]) -> Function:
        return self.jax.vmap(f, in_axes=in_axes)

    @override
    def plain(self, program: Function) -> Function:
        return functional_writes(program.__module__, self.np)[program.__name__]

    @override
    def hessian(self, f: Function) -> Function | None:
        return self.jax.hessian(f)

    @override
    def hessian_vector_product(self, f: Function) -> Function | None:
        gradient = self.jax.grad(f)
        return lambda x, v, *rest: self.jax.jvp(lambda x: gradient(x, *rest), (x,), (v,))[1]

    @override
    def gradient_and_product(self, f: Function) -> Function | None:
        gradient = self.jax.grad(f)
        return lambda x, v, *rest: self.jax.jvp(lambda x: gradient(x, *rest), (x,), (v,))

    @override
    def mapped_gradient(self, f: Function) -> Function | None:
        return self.jax.vmap(self.jax.grad(f), in_axes=(0, None))

    @override
    def scan(self, step: Function, init: Any, xs: Any, length: int) -> Any:
        return self.jax.lax.scan(lambda carry, row: (step(carry, row), None), init, xs, length)[0]

    @override
    def logsumexp(self, x: Any, axis: int) -> Any:
        return self.jax.nn.logsumexp(x, axis=axis)

    @override
    def features(self, images: Any, filters: Any, bias: Any) -> Any:
        return features(self.lax, self.np, images, filters, bias)


@functools.cache
def functional_writes(module: str, namespace: Any) -> dict[str, Any]:
    """What a module of NumPy programs defines, with another `np`, for arrays that are not written.

    ``a[i] = x`` becomes ``a = a.at[i].set(x)``, and so do ``+=`` and its like: what one would write
    for JAX, as long as no other name is a view of the array.
    """
    source = inspect.getsource(sys.modules[module])
    code = ast.fix_missing_locations(FunctionalWrites().visit(ast.parse(source)))
    defined: dict[str, Any] = {"__name__": module}
    exec(compile(code, f"<{module} without writes>", "exec"), defined)  # noqa: S102  (our own)
    defined["np"] = namespace
    return defined


class FunctionalWrites(ast.NodeTransformer):
    """Makes every write into an array a new array, in syntax trees."""

    METHODS: ClassVar = {ast.Add: "add", ast.Mult: "multiply", ast.Div: "divide"}

    @override
    def visit_Assign(self, node: ast.Assign) -> Any:
        """``a[i] = x``."""
        target, *others = node.targets
        if others or not isinstance(target, ast.Subscript):
            return node
        return self.written(target, "set", node.value)

    @override
    def visit_AugAssign(self, node: ast.AugAssign) -> Any:
        """``a[i] += x``."""
        if not isinstance(node.target, ast.Subscript):
            return node
        if isinstance(node.op, ast.Sub):
            return self.written(node.target, "add", ast.UnaryOp(ast.USub(), node.value))
        return self.written(node.target, self.METHODS[type(node.op)], node.value)

    def written(self, target: ast.Subscript, method: str, value: ast.expr) -> ast.Assign:
        """The array's name, given to what the method of its ``at`` returns."""
        at = ast.Attribute(target.value, "at", ast.Load())
        place = ast.Subscript(at, target.slice, ast.Load())
        called = ast.Call(ast.Attribute(place, method, ast.Load()), [value], [])
        name = ast.Name(ast.unparse(target.value), ast.Store())
        return ast.Assign([name], called)


def features(lax: Any, np: Any, images: Any, filters: Any, bias: Any) -> Any:
    """`Peer.features`, of libraries with the functions of ``jax.lax``."""
    convolved = lax.conv_general_dilated(
        images, filters, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    rectified = np.maximum(convolved + bias, 0)
    return lax.reduce_window(rectified, -np.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")


class Torch(Peer):
    """PyTorch as it comes: eager, with its own number of threads."""

    name = "torch"

    def __init__(self) -> None:
        import torch  # noqa: PLC0415  (only who compares needs it)

        self.torch = self.np = torch

    @override
    def limit_threads(self, threads: int) -> None:
        self.torch.set_num_threads(threads)

    @override
    def arrays(self, inputs: Any) -> Any:
        converted = tree.map(lambda x: self.torch.from_numpy(np.array(x)), inputs)
        tree.map(lambda x: x.requires_grad_(), converted[0])
        return converted

    @override
    def gradient(self, f: Function) -> Function:
        gradient = self.torch.autograd.grad

        def of_first(params: Any, *rest: Any) -> Any:
            if isinstance(params, tuple):
                return gradient(f(params, *rest), params)
            return gradient(f(params, *rest), (params,))[0]

        return of_first

    @override
    def hessian(self, f: Function) -> Function | None:
        return lambda x: self.torch.autograd.functional.hessian(f, x)

    @override
    def hessian_vector_product(self, f: Function) -> Function | None:
        both = self.gradient_and_product(f)
        return lambda *args: both(*args)[1]

    @override
    def gradient_and_product(self, f: Function) -> Function:
        grad = self.torch.autograd.grad

        def twice(x: Any, v: Any, *rest: Any) -> Any:
            (gradient,) = grad(f(x, *rest), (x,), create_graph=True)
            (product,) = grad(gradient, (x,), v)
            return gradient.detach(), product

        return twice

    @override
    def mapped_gradient(self, f: Function) -> Function | None:
        mapped = self.torch.func.vmap(self.torch.func.grad(f), in_dims=(0, None))
        return lambda rows, shared: mapped(rows.detach(), shared)

    @override
    def logsumexp(self, x: Any, axis: int) -> Any:
        return self.torch.logsumexp(x, axis)

    @override
    def smallest(self, x: Any, axis: int) -> Any:
        return self.torch.amin(x, axis)

    @override
    def features(self, images: Any, filters: Any, bias: Any) -> Any:
        # Channels come first in shapes; in memory they stay last, as PyTorch has it, too.
        f = self.torch.nn.functional
        convolved = f.conv2d(images.permute(0, 3, 1, 2), filters.permute(3, 2, 0, 1), bias, 1, 1)
        return f.max_pool2d(f.relu(convolved), 2).permute(0, 2, 3, 1)


class Autograd(Peer):
    """HIPS autograd."""

    name = "autograd"

    def __init__(self) -> None:
        import autograd  # noqa: PLC0415  (only who compares needs it)
        import autograd.differential_operators  # noqa: PLC0415
        import autograd.numpy  # noqa: PLC0415
        import autograd.scipy.special  # noqa: PLC0415

        self.autograd, self.np = autograd, autograd.numpy

    @override
    def gradient(self, f: Function) -> Function:
        return self.autograd.grad(f)

    @override
    def hessian(self, f: Function) -> Function | None:
        return self.autograd.hessian(f)

    @override
    def hessian_vector_product(self, f: Function) -> Function | None:
        gradient = self.autograd.grad(f)
        return self.autograd.grad(lambda x, v, *rest: self.np.sum(gradient(x, *rest) * v))

    @override
    def gradient_and_product(self, f: Function) -> Function | None:
        with_pullback = self.autograd.differential_operators.make_vjp(self.autograd.grad(f))

        def twice(x: Any, v: Any, *rest: Any) -> Any:
            pull_back, gradient = with_pullback(x, *rest)
            return gradient, pull_back(v)

        return twice

    @override
    def mapped_gradient(self, f: Function) -> Function | None:
        return None

    @override
    def logsumexp(self, x: Any, axis: int) -> Any:
        return self.autograd.scipy.special.logsumexp(x, axis=axis)


def installed(threads: int | None = None) -> Iterator[Peer]:
    """A peer for each library that is there, functrace first.

    Args:
        threads: How many threads each may use; None for as many as it takes by itself.
    """
    for kind in (Functrace, Jax, Torch, Autograd):
        with contextlib.suppress(ImportError):
            peer = kind()
            if threads is not None:
                peer.limit_threads(threads)
            yield peer
