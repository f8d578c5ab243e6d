"""What modules are checked for that stand for modules of NumPy's."""

from __future__ import annotations

import subprocess
import sys
from types import ModuleType

import pytest


def check_names(module: ModuleType, original: ModuleType) -> None:
    """Check that a module has NumPy's names, each the same object again, and no other."""
    assert dir(module) == sorted(original.__all__)
    for name in original.__all__:
        assert getattr(module, name) is getattr(module, name)
    with pytest.raises(AttributeError, match=f"'{module.__name__}' has no attribute 'sine'"):
        _ = module.sine


def check_import(module: str, name: str) -> None:
    """Check each way to import a function of a module, which takes lists, in a new process."""
    code = "import functrace.numpy.MODULE as m; from functrace.numpy.MODULE import NAME as f; "
    code += "from functrace.numpy.MODULE import *; import functrace as ft; "
    code += "assert f is NAME is m.NAME is ft.numpy.MODULE.NAME; "
    code += "ft.jit(f)([[4.0, 1.0], [1.0, 2]])"
    code = code.replace("MODULE", module).replace("NAME", name)
    subprocess.run([sys.executable, "-c", code], check=True)
