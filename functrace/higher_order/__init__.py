"""Primitives that hold Programs; their rules transform these Programs."""
