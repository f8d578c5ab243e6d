"""The module `functrace.numpy.fft`: NumPy's names, by both spellings."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import functrace as ft


def test_its_names_are_those_of_numpy():
    assert dir(ft.numpy.fft) == sorted(np.fft.__all__)
    for name in np.fft.__all__:
        assert getattr(ft.numpy.fft, name) is getattr(ft.numpy.fft, name)
    with pytest.raises(AttributeError, match=r"'functrace.numpy.fft' has no attribute 'sine'"):
        _ = ft.numpy.fft.sine


def test_it_is_imported_as_a_module():
    code = "import functrace.numpy.fft as m; from functrace.numpy.fft import NAME as f; "
    code += "from functrace.numpy.fft import *; import functrace as ft; "
    code += "assert f is NAME is m.NAME is ft.numpy.fft.NAME; ft.jit(f)([[4.0, 1.0], [1.0, 2]])"
    name = "rfft2"
    subprocess.run([sys.executable, "-c", code.replace("NAME", name)], check=True)
