"""SciPy where it is not installed: functions say so, by the name that the user wrote."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from unittest.mock import Mock

import pytest

from functrace.errors import FunctraceError, MissingPackageError
from functrace.tracing.optional import names_of_scipy, scipy_module


def test_a_module_of_scipys():
    assert scipy_module("special", "f").__name__ == "scipy.special"


@pytest.mark.parametrize("instead", ["", "np.linalg.eigh"])
def test_without_scipy_the_function_and_the_remedy_are_named(monkeypatch, instead):
    monkeypatch.setitem(sys.modules, "scipy.special", None)
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(MissingPackageError, match=r"functrace\.scipy\.special\.jv .*\n.*test_opt") as found:  # fmt: skip  # noqa: E501
        scipy_module("special", "functrace.scipy.special.jv", instead)
    assert isinstance(found.value, FunctraceError | ImportError)
    assert 'pip install "functrace[scipy]"' in str(found.value)
    assert str(found.value).endswith(f"Without it write {instead}." if instead else '[scipy]".')


@pytest.mark.parametrize("module", ["signal", "ndimage", "sparse", "optimize", "integrate"])
def test_names_that_are_not_written_out_are_scipys(module):
    ours = import_module(f"functrace.scipy.{module}")
    theirs = import_module(f"scipy.{module}")
    for name in theirs.__all__:
        assert hasattr(ours, name)
    with pytest.raises(AttributeError, match=rf"functrace\.scipy\.{module}' has no .*'nonsense'"):
        names_of_scipy(module)("nonsense")


def test_what_scipy_itself_lacks_is_said_as_it_is():
    error = ModuleNotFoundError("No module named 'lapack'", name="lapack")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("functrace.tracing.optional.import_module", Mock(side_effect=error))
        with pytest.raises(ModuleNotFoundError, match="lapack"):
            scipy_module("special", "f")


WITHOUT = """
import sys
sys.modules["scipy"] = None
import numpy as np
import functrace as ft
from functrace.scipy import special
print(ft.grad(lambda x: special.logsumexp(special.erf(x)))(np.ones(2)))
"""


def test_functrace_works_without_scipy():
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=True)  # fmt: skip  # noqa: E501
    assert done.stdout.startswith("[0.2075")
