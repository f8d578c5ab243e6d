"""Execution of Programs: from a Program to a function of plain arrays."""
