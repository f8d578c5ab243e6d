"""The primitives of linear algebra, each with all its rules.

Internal: users find what they need in `functrace` itself.
"""

from functrace.matrices import banded as banded
from functrace.matrices import determinants as determinants
from functrace.matrices import eigen as eigen
from functrace.matrices import equations as equations
from functrace.matrices import factoring as factoring
from functrace.matrices import functions as functions
from functrace.matrices import least_squares as least_squares
from functrace.matrices import pivoting as pivoting
from functrace.matrices import roots as roots
from functrace.matrices import schurs as schurs
from functrace.matrices import sparse as sparse
from functrace.matrices import spectral as spectral
from functrace.matrices import stacks as stacks
from functrace.matrices import systems as systems
from functrace.matrices import toeplitz as toeplitz
from functrace.matrices import tridiagonal as tridiagonal
