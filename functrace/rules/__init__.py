"""Functions with rules of the user's own, and with derivatives by a theorem."""
