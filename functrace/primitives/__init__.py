"""The first-order primitives, by family, each with all its rules.

Internal: users find what they need in `functrace` itself.
"""

from functrace.primitives import contracting as contracting
from functrace.primitives import cosines as cosines
from functrace.primitives import cumulating as cumulating
from functrace.primitives import elementwise as elementwise
from functrace.primitives import filtering as filtering
from functrace.primitives import fourier as fourier
from functrace.primitives import indexing as indexing
from functrace.primitives import ordering as ordering
from functrace.primitives import parts as parts
from functrace.primitives import reducing as reducing
from functrace.primitives import requiring as requiring
from functrace.primitives import shaping as shaping
from functrace.primitives import signals as signals
from functrace.primitives import special as special
from functrace.primitives import viewing as viewing
from functrace.primitives import windowing as windowing
