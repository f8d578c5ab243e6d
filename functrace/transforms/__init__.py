"""The transformations, one a file, each a loop over recorded operations.

Internal: users find what they need in `functrace` itself.
"""
