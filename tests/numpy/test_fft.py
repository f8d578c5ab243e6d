"""The module `functrace.numpy.fft`: NumPy's names, by both spellings."""

from __future__ import annotations

import numpy as np

import functrace as ft
from tests.numpy.modules import check_import, check_names


def test_its_names_are_those_of_numpy():
    check_names(ft.numpy.fft, np.fft)


def test_it_is_imported_as_a_module():
    check_import("fft", "rfft2")
