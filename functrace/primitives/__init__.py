"""The first-order primitives, by family, each with all its rules."""
