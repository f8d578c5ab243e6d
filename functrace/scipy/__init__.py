"""Functions of SciPy, on traced values too."""
