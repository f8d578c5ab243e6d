"""The first-order primitives, by family, each with all its rules."""

from functrace.primitives import contracting as contracting
from functrace.primitives import elementwise as elementwise
from functrace.primitives import reducing as reducing
