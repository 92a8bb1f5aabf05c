"""What safety costs: each measured against a baseline in the same run. `python -m benchmarks` writes one page of it."""
