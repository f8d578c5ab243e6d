"""The Program and its parts: data that other floors read and write; nothing here runs."""
