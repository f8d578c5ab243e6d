"""Where Python meets recording."""
