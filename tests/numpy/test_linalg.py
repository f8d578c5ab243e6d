"""The module `functrace.numpy.linalg`: NumPy's names, by both spellings."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import functrace as ft


def test_its_names_are_those_of_numpy():
    assert dir(ft.numpy.linalg) == sorted(np.linalg.__all__)
    for name in np.linalg.__all__:
        assert getattr(ft.numpy.linalg, name) is getattr(ft.numpy.linalg, name)
    with pytest.raises(AttributeError, match=r"'functrace.numpy.linalg' has no attribute 'sine'"):
        _ = ft.numpy.linalg.sine


def test_it_is_imported_as_a_module():
    code = "import functrace.numpy.linalg as m; from functrace.numpy.linalg import NAME as f; "
    code += "from functrace.numpy.linalg import *; import functrace as ft; "
    code += "assert f is NAME is m.NAME is ft.numpy.linalg.NAME; ft.jit(f)([[4.0, 1.0], [1.0, 2]])"
    name = "inv"
    subprocess.run([sys.executable, "-c", code.replace("NAME", name)], check=True)
