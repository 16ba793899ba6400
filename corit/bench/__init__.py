"""Protocol runs: features, heads and measurements, beside published numbers."""
