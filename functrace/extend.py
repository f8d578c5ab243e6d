"""For authors of primitives."""
