"""The NumPy namespace, for the few places where NumPy itself cannot see a tracer.

Every function of NumPy that can dispatch is NumPy's own object: on ordinary arrays it costs
nothing extra, and on tracers NumPy calls functrace. Only functions that make arrays of what they
are given, such as ``array``, stand here anew.
"""

# pyright: reportWildcardImportFromLibrary=false
# ruff: noqa: F403

from numpy import *
from numpy import linalg as linalg

from functrace.numpy.making import array as array
from functrace.numpy.making import asanyarray as asanyarray
from functrace.numpy.making import asarray as asarray
from functrace.numpy.making import ascontiguousarray as ascontiguousarray
from functrace.numpy.making import full as full
from functrace.numpy.ufunc_calls import call_ufunc as call_ufunc
