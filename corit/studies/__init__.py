"""Whole experiments in the miniature world."""
