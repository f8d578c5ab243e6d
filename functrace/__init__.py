"""JAX-style function transformations for ordinary NumPy code.

>>> import numpy as np
>>> import functrace as ft
>>> ft.grad(lambda x: np.sum(np.sin(x) ** 2))(np.array([0.0, np.pi / 4]))
array([0., 1.])

Users import this package, and those of its modules that ``__all__`` names. All other modules are
internal: what is in them may change with any version.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from functrace import (
    backends,
    custom_batching,
    debug,
    errors,
    extend,
    flatten_util,
    lax,
    numpy,
    tree,
    tree_util,
)
from functrace.config import config
from functrace.control.checkpoint import checkpoint, checkpoint_name, checkpoint_policies
from functrace.control.choices import cond, switch
from functrace.control.loops import fori_loop, scan, while_loop
from functrace.control.mapping import associative_scan
from functrace.ir.checking import check
from functrace.ir.parsing import parse
from functrace.ir.program import Program, to_text
from functrace.jitting.explaining import explain_cache_misses
from functrace.jitting.jit import jit
from functrace.jitting.profiling import profile
from functrace.jitting.recordings import clear_caches, disable_jit
from functrace.lax import map
from functrace.porting import Array, block_until_ready, device_get, device_put
from functrace.primitives.linear import stop_gradient
from functrace.rules.callbacks import pure_callback
from functrace.rules.closures import closure_convert, custom_gradient
from functrace.rules.custom import custom_jvp, custom_vjp
from functrace.rules.custom_batching import custom_vmap, sequential_vmap
from functrace.rules.implicit import custom_linear_solve, custom_root, fixed_point
from functrace.tracebacks import full_tracebacks
from functrace.tracing.places import named_scope
from functrace.transforms.batch import vmap
from functrace.transforms.evaluate import evaluate, make_ir
from functrace.transforms.forward import jvp
from functrace.transforms.jacobian import hessian, hvp, jacfwd, jacobian, jacrev
from functrace.transforms.linearizing import linear_transpose, linearize
from functrace.transforms.reverse import grad, value_and_grad, vjp
from functrace.transforms.shapes import ShapeDtypeStruct, eval_shape
from functrace.transforms.transformed import named_call

if TYPE_CHECKING:
    from functrace import experimental, math, nn, ops, optim, random, scipy, testing
    from functrace.drawing import draw
    from functrace.explaining import explain
    from functrace.exploring import explore
    from functrace.finding import checked, find_nan
    from functrace.remembering import tape_memory
    from functrace.reporting import gradient_report

__all__ = [
    "Array",
    "Program",
    "ShapeDtypeStruct",
    "associative_scan",
    "backends",
    "block_until_ready",
    "check",
    "checked",
    "checkpoint",
    "checkpoint_name",
    "checkpoint_policies",
    "clear_caches",
    "closure_convert",
    "cond",
    "config",
    "custom_batching",
    "custom_gradient",
    "custom_jvp",
    "custom_linear_solve",
    "custom_root",
    "custom_vjp",
    "custom_vmap",
    "debug",
    "device_get",
    "device_put",
    "disable_jit",
    "draw",
    "errors",
    "eval_shape",
    "evaluate",
    "experimental",
    "explain",
    "explain_cache_misses",
    "explore",
    "extend",
    "find_nan",
    "fixed_point",
    "flatten_util",
    "fori_loop",
    "full_tracebacks",
    "grad",
    "gradient_report",
    "hessian",
    "hvp",
    "jacfwd",
    "jacobian",
    "jacrev",
    "jit",
    "jvp",
    "lax",
    "linear_transpose",
    "linearize",
    "make_ir",
    "map",
    "math",
    "named_call",
    "named_scope",
    "nn",
    "numpy",
    "ops",
    "optim",
    "parse",
    "profile",
    "pure_callback",
    "random",
    "remat",
    "scan",
    "scipy",
    "sequential_vmap",
    "stop_gradient",
    "switch",
    "tape_memory",
    "testing",
    "to_text",
    "tree",
    "tree_util",
    "value_and_grad",
    "vjp",
    "vmap",
    "while_loop",
]

remat = checkpoint

__version__ = "0.1.0"


_FROM_ROOMS = {
    "checked": "finding",
    "draw": "drawing",
    "explore": "exploring",
    "explain": "explaining",
    "find_nan": "finding",
    "gradient_report": "reporting",
    "tape_memory": "remembering",
}
"""Functions that few programs need, and the modules that have them."""


def __getattr__(name: str) -> Any:
    """What few programs need, imported when it is asked for."""
    if name in ("experimental", "math", "nn", "ops", "optim", "random", "scipy", "testing"):
        return import_module(f"functrace.{name}")
    if name in _FROM_ROOMS:
        return getattr(import_module(f"functrace.{_FROM_ROOMS[name]}"), name)
    raise AttributeError(f"module 'functrace' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
