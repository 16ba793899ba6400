"""Speed and memory of corit: ratios and rates, each measured within one run; `python -m benchmarks` runs all."""
