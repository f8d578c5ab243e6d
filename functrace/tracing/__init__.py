"""Where Python meets recording.

Internal: users find what they need in `functrace` itself.
"""
