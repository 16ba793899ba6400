"""Detectors: loaded, asked, and their results as rows."""
