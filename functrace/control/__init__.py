"""Operations that hold Programs: loops, choices, runs."""
