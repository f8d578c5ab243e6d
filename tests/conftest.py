"""Every Program that any test records goes through the checker; failures show all frames."""

from __future__ import annotations

import os

os.environ.setdefault("FUNCTRACE_FULL_TRACEBACKS", "1")

import pytest

from functrace.ir.checking import check
from functrace.tracing.program_recording import ProgramRecording

_unchecked = ProgramRecording.program


def _checked(self, outputs):
    return check(_unchecked(self, outputs))


ProgramRecording.program = _checked


def pytest_collection_modifyitems(items):
    """Slow tests do not count where pytest-cov measures what the tests reach."""
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker("no_cover")


@pytest.fixture
def unchecked(monkeypatch):
    """Programs are not checked, which takes too long of those that are nested very deeply."""
    monkeypatch.setattr(ProgramRecording, "program", _unchecked)
