"""Scores and labels in, numbers out."""
