"""Backends: what makes Programs ready to run, from a Program to a function of plain arrays.

One that is written elsewhere derives from `Backend`, and is made known by `register`.
"""

from functrace.backends.backend import Backend as Backend
from functrace.backends.backend import Executable as Executable
from functrace.backends.backend import register as register
