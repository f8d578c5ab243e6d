"""Execution of Programs: from a Program to a function of plain arrays.

Internal: users find what they need in `functrace` itself.
"""
