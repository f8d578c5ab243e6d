"""JAX-style function transformations for ordinary NumPy code.

>>> import numpy as np
>>> import functrace as ft
>>> ft.grad(lambda x: np.sum(np.sin(x) ** 2))(np.array([0.0, np.pi / 4]))
array([0., 1.])
"""

from functrace import debug as debug
from functrace import extend as extend
from functrace import flatten_util as flatten_util
from functrace import lax as lax
from functrace import numpy as numpy
from functrace import tree as tree
from functrace import tree_util as tree_util
from functrace.higher_order.branching import cond as cond
from functrace.higher_order.branching import switch as switch
from functrace.higher_order.callbacks import ShapeDtypeStruct as ShapeDtypeStruct
from functrace.higher_order.callbacks import pure_callback as pure_callback
from functrace.higher_order.checkpoint import checkpoint as checkpoint
from functrace.higher_order.checkpoint import checkpoint_name as checkpoint_name
from functrace.higher_order.checkpoint import checkpoint_policies as checkpoint_policies
from functrace.higher_order.closures import closure_convert as closure_convert
from functrace.higher_order.closures import custom_gradient as custom_gradient
from functrace.higher_order.custom import custom_jvp as custom_jvp
from functrace.higher_order.custom import custom_vjp as custom_vjp
from functrace.higher_order.explaining import explain_cache_misses as explain_cache_misses
from functrace.higher_order.implicit import custom_linear_solve as custom_linear_solve
from functrace.higher_order.implicit import custom_root as custom_root
from functrace.higher_order.implicit import fixed_point as fixed_point
from functrace.higher_order.jit import jit as jit
from functrace.higher_order.loops import associative_scan as associative_scan
from functrace.higher_order.loops import fori_loop as fori_loop
from functrace.higher_order.loops import scan as scan
from functrace.higher_order.loops import while_loop as while_loop
from functrace.higher_order.recordings import clear_caches as clear_caches
from functrace.higher_order.recordings import disable_jit as disable_jit
from functrace.higher_order.shapes import eval_shape as eval_shape
from functrace.ir.checking import check as check
from functrace.ir.parsing import parse as parse
from functrace.ir.program import Program as Program
from functrace.ir.program import to_text as to_text
from functrace.lax import map as map
from functrace.porting import Array as Array
from functrace.porting import block_until_ready as block_until_ready
from functrace.porting import device_get as device_get
from functrace.porting import device_put as device_put
from functrace.primitives.linear import stop_gradient as stop_gradient
from functrace.transforms.batch import vmap as vmap
from functrace.transforms.evaluate import evaluate as evaluate
from functrace.transforms.evaluate import make_ir as make_ir
from functrace.transforms.forward import jvp as jvp
from functrace.transforms.jacobian import hessian as hessian
from functrace.transforms.jacobian import hvp as hvp
from functrace.transforms.jacobian import jacfwd as jacfwd
from functrace.transforms.jacobian import jacobian as jacobian
from functrace.transforms.jacobian import jacrev as jacrev
from functrace.transforms.linearizing import linear_transpose as linear_transpose
from functrace.transforms.linearizing import linearize as linearize
from functrace.transforms.reverse import grad as grad
from functrace.transforms.reverse import value_and_grad as value_and_grad
from functrace.transforms.reverse import vjp as vjp

remat = checkpoint

__version__ = "0.1.0"
