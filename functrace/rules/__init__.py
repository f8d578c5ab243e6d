"""Functions with rules of the user's own, and with derivatives by a theorem.

Internal: users find what they need in `functrace` itself.
"""
