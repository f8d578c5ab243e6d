"""Compiled functions: `jit` and its cache."""
