"""The Program and its parts: data that other floors read and write; nothing here runs.

Internal: users find what they need in `functrace` itself.
"""

from functrace.ir import saving as saving  # which makes itself Program.save and Program.load
