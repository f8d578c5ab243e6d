"""The transformations, one a file, each a loop over recorded operations."""
