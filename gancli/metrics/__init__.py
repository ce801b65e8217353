"""Scores: pure functions, one file each."""
