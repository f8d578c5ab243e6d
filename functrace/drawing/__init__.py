"""Pictures of computation graphs.

Internal: users find what they need in `functrace` itself.
"""

from functrace.drawing.pictures import Drawing as Drawing
from functrace.drawing.pictures import draw as draw
