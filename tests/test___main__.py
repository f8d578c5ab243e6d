"""``python -m functrace`` says what reports need."""

from __future__ import annotations

import subprocess
import sys

import numpy as np

import functrace as ft


def test_what_it_prints():
    run = subprocess.run(
        [sys.executable, "-m", "functrace"], capture_output=True, text=True, check=True, timeout=120
    )
    assert f"functrace     {ft.__version__}" in run.stdout
    assert np.__version__ in run.stdout
    assert "machine code  " in run.stdout
    assert "def program(a: weak_float64):" in run.stdout
    assert not run.stderr


def test_notebooks_show_programs():
    shown = ft.make_ir(np.sin)(np.ones(3))._repr_html_()
    assert shown.startswith("<pre>def program(a: float64[3]):")
    assert "<span" in shown
