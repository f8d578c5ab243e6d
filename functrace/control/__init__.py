"""Operations that hold Programs: loops, choices, runs.

Internal: users find what they need in `functrace` itself.
"""
