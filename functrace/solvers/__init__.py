"""Solutions that a solver finds on values, differentiated by what they solve.

Internal: users find these functions in ``functrace.scipy``.
"""
