"""Every Program that any test records goes through the checker; failures show all frames.

What a test says that functions mean is forgotten after it.
"""

from __future__ import annotations

import atexit
import gc
import math
import os
import shutil
import sys
import tempfile
from zlib import crc32

if sys.dont_write_bytecode and sys.pycache_prefix is None:
    # Many processes import what the tests do. Each would compile it again, for a second and more.
    sys.pycache_prefix = os.environ["PYTHONPYCACHEPREFIX"] = tempfile.mkdtemp()
    sys.dont_write_bytecode = False
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    atexit.register(shutil.rmtree, sys.pycache_prefix, ignore_errors=True)

os.environ.setdefault("FUNCTRACE_FULL_TRACEBACKS", "1")
os.environ.setdefault("FUNCTRACE_CACHE", "0")  # what a user has on disk is not for tests

import pytest
from hypothesis import settings

import functrace
from functrace.ir.checking import check
from functrace.ir.primitive import all_primitives
from functrace.jitting import tiers
from functrace.tracing import tables
from functrace.tracing.program_recording import ProgramRecording

all_primitives()  # what enters itself late would be forgotten with the test that needed it first

_unchecked = ProgramRecording.program


def _checked(self, outputs):
    return check(_unchecked(self, outputs))


ProgramRecording.program = _checked


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """Of some tests much is slow: most rows of those that are thinned, most of what is drawn.

    What is slow as a whole does not count where pytest-cov measures what the tests reach.

    Tests of what only one backend does are left out where another one is chosen for all.
    """
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker("no_cover")
        elif item.get_closest_marker("thinned") and crc32(item.nodeid.encode()) % 3:
            item.add_marker("slow")
    if config.getoption("markexpr") == "not slow":
        for test in {id(item.obj): item.obj for item in items if hasattr(item, "obj")}.values():
            if getattr(test, "is_hypothesis_test", False):
                _draw_few(test)
    if config.getoption("--backend") != "numpy":
        about_numpy = [item for item in items if item.get_closest_marker("numpy_backend")]
        items[:] = [item for item in items if item not in about_numpy]
        config.hook.pytest_deselected(items=about_numpy)


def _draw_few(test):
    """Draw a quarter of a test's examples; to give it its settings twice would be refused."""
    chosen = test._hypothesis_internal_use_settings
    few = max(min(chosen.max_examples, 5), chosen.max_examples // 4)
    test._hypothesis_internal_use_settings = settings(chosen, max_examples=few)


def pytest_collection_finish():
    """What was collected stays: Python's collector of garbage need not look at it again.

    Nor need it look at what tests make as often as it does by itself.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000)


all_primitives()  # those that enter the tables when they are first met must not leave with a test
_TABLES = (tables.UFUNCS, tables.NAMED_UFUNCS, tables.FUNCTIONS)
_TABLES += (tables.WITHOUT_OUT,)


@pytest.fixture(autouse=True)
def _own_tables():
    """The tables are as they were when the test began."""
    before = [table.copy() for table in _TABLES]
    yield
    for table, entries in zip(_TABLES, before, strict=True):
        if table != entries:
            table.clear()
            table.update(entries)


@pytest.fixture
def unchecked(monkeypatch):
    """Programs are not checked, which takes too long of those that are nested very deeply."""
    monkeypatch.setattr(ProgramRecording, "program", _unchecked)


def pytest_addoption(parser):
    parser.addoption("--backend", default="numpy", help="what compiles jitted functions")


def pytest_configure(config):
    """Choose the backend for all tests.

    By ``auto`` functions are machine code from their second call on, and stay that.
    """
    functrace.config.backend = name = config.getoption("--backend")
    if name == "auto":
        tiers.cost_of = lambda program: 0.0
        tiers.LEAST_SAVED = 0.0
        tiers.SLOWER = math.inf
