"""What users set for the whole process, and what the environment sets when it begins."""

from __future__ import annotations

import os


class Settings:
    """The settings, as they are now.

    Attributes:
        cache: Whether machine code is kept on disk; ``FUNCTRACE_CACHE=0`` begins without.
    """

    def __init__(self) -> None:
        self.cache = os.environ.get("FUNCTRACE_CACHE", "1") != "0"


settings = Settings()
"""The settings of this process."""
