"""What corit costs: ratios and rates, each measured within one run; `python -m benchmarks` runs them all."""
