"""Pages to explore what becomes of a function.

Internal: users find what they need in `functrace` itself.
"""

from functrace.exploring.pages import Page as Page
from functrace.exploring.pages import explore as explore
