"""The NumPy namespace, for the few places where NumPy itself cannot see a tracer.

On tracers NumPy calls functrace, so most of this namespace is NumPy's own; ufuncs are the very
same objects. Two kinds of functions stand here anew: those that make arrays of what they are
given, such as ``array``, and those that take an array or a list, such as ``mean``: here the list
may hold traced values.
"""

# r_ and c_ are final in NumPy's stubs.
# pyright: reportWildcardImportFromLibrary=false, reportGeneralTypeIssues=false
# ruff: noqa: F403

from numpy import *
from numpy import linalg as linalg

from functrace.numpy import making as _making
from functrace.numpy.making import array as array
from functrace.numpy.making import asanyarray as asanyarray
from functrace.numpy.making import asarray as asarray
from functrace.numpy.making import ascontiguousarray as ascontiguousarray
from functrace.numpy.making import c_ as c_
from functrace.numpy.making import full as full
from functrace.numpy.making import r_ as r_
from functrace.numpy.ufunc_calls import call_ufunc as call_ufunc

globals().update(_making.TAKING_LISTS)
