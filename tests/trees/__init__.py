"""Tiny copies of the public data sets' folder trees, drawn and named as their documentation says."""
