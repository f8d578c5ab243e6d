"""Compiled functions: `jit` and its cache.

Internal: users find what they need in `functrace` itself.
"""
