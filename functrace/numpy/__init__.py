"""NumPy's functions on tracers, and the namespace for where NumPy itself cannot see a tracer.

The modules here say what NumPy's functions mean on tracers, by topic; importing them fills the
tables of ``functrace/tracing.py``.

On tracers NumPy calls functrace, so what this namespace does is NumPy's own; products take
``precision=`` as well. Two kinds of functions stand here anew: those that make arrays of what they
are given, such as ``array``, and those that take an array or a list, such as ``mean``, ``sqrt`` and
``linalg.norm``: here the list may hold traced values.
"""

# r_ and c_ are final in NumPy's stubs.
# pyright: reportWildcardImportFromLibrary=false, reportGeneralTypeIssues=false
# ruff: noqa: F403

from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as _numpy  # noqa: ICN001  (np would be a name of this namespace)

from functrace.numpy import bits as bits
from functrace.numpy import calculus as calculus
from functrace.numpy import classes as classes
from functrace.numpy import contracting as contracting
from functrace.numpy import cumulative as cumulative
from functrace.numpy import elementwise as elementwise
from functrace.numpy import extending as extending
from functrace.numpy import fft as fft
from functrace.numpy import fourier as fourier
from functrace.numpy import histograms as histograms
from functrace.numpy import indexing as indexing
from functrace.numpy import inspecting as inspecting
from functrace.numpy import interpolating as interpolating
from functrace.numpy import joining as joining
from functrace.numpy import linalg as linalg
from functrace.numpy import linear_algebra as linear_algebra
from functrace.numpy import norms as norms
from functrace.numpy import polynomials as polynomials
from functrace.numpy import positions as positions
from functrace.numpy import quantiles as quantiles
from functrace.numpy import reducing as reducing
from functrace.numpy import reshaping as reshaping
from functrace.numpy import sets as sets
from functrace.numpy import signals as signals
from functrace.numpy import sorting as sorting
from functrace.numpy import statistics as statistics
from functrace.numpy import subscripts as subscripts
from functrace.numpy import taking as taking
from functrace.numpy.classes import ndarray as ndarray
from functrace.numpy.keywords import KEYWORDS as _KEYWORDS
from functrace.numpy.keywords import taking_keywords as _taking_keywords
from functrace.numpy.lists import ListNamespace as _ListNamespace
from functrace.numpy.lists import accepting_lists as _accepting_lists
from functrace.numpy.lists import taking_lists as _taking_lists
from functrace.numpy.lists import ufunc_accepting_lists as _ufunc_accepting_lists
from functrace.numpy.making import MAKING as _MAKING
from functrace.numpy.making import array as array
from functrace.numpy.making import asanyarray as asanyarray
from functrace.numpy.making import asarray as asarray
from functrace.numpy.making import ascontiguousarray as ascontiguousarray
from functrace.numpy.making import asfortranarray as asfortranarray
from functrace.numpy.making import c_ as c_
from functrace.numpy.making import full as full
from functrace.numpy.making import making as _making
from functrace.numpy.making import r_ as r_
from functrace.numpy.polynomials import poly1d as poly1d
from functrace.numpy.sized import SIZED as _SIZED
from functrace.numpy.sized import taking_size as _taking_size
from functrace.numpy.taking import ndenumerate as ndenumerate
from functrace.numpy.ufunc_calls import call_ufunc as call_ufunc
from functrace.numpy.updating import At as At
from functrace.numpy.vectorizing import CALLING_USERS as _CALLING_USERS
from functrace.numpy.vectorizing import calling_users as _calling_users
from functrace.numpy.vectorizing import frompyfunc as frompyfunc
from functrace.numpy.vectorizing import vectorize as vectorize
from functrace.tracing.entrances import entrance as _entrance

if TYPE_CHECKING:
    from numpy import *

__array_api_version__: str = getattr(_numpy, "__array_api_version__", "2022.12")
"""The version of the Array API standard that NumPy's functions follow."""

__all__ = list(_numpy.__all__)  # pyright: ignore[reportUnsupportedDunderAll]

# By now the tables say what NumPy's functions mean on tracers.
emath = _ListNamespace(_numpy.emath)
globals().update({name: _accepting_lists(getattr(_numpy, name)) for name in _taking_lists()})
globals().update({name: _making(globals().get(name, getattr(_numpy, name))) for name in _MAKING})
globals().update({name: _taking_size(globals()[name]) for name in _SIZED})
globals().update({name: _calling_users(globals()[name]) for name in _CALLING_USERS})


array, full = _entrance(array), _entrance(full)
asarray, asanyarray = _entrance(asarray), _entrance(asanyarray)
ascontiguousarray = _entrance(ascontiguousarray)
asfortranarray = _entrance(asfortranarray)


def _own(name: str) -> Any:
    """A function of NumPy's as it stands here so far, a ufunc so that it takes lists."""
    value = globals().get(name, getattr(_numpy, name))
    return _ufunc_accepting_lists(value) if isinstance(value, _numpy.ufunc) else value


globals().update({
    name: _taking_keywords(name, _own(name)) for name in _KEYWORDS if hasattr(_numpy, name)
})  # fmt: skip


def __getattr__(name: str) -> Any:
    # The rest is looked up when it is asked for: importing all of it would import what NumPy puts
    # off, its testing and f2py among it, which takes longer than importing functrace.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = import_module("functrace.numpy.polynomial") if name == "polynomial" else _own(name)
    if classes.is_scalar_class(value):
        value = classes.casting(value)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
