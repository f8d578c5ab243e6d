"""The NumPy namespace, for the few places where NumPy itself cannot see a tracer.

Every function of NumPy that can dispatch is NumPy's own object: on ordinary arrays it costs
nothing extra, and on tracers NumPy calls functrace. Only functions that make arrays of what they
are given, such as ``array``, stand here anew.
"""

from numpy import *  # noqa: F403

from functrace.numpy import ufunc_calls as _ufunc_calls  # noqa: F401
