"""`corit diagnose`: stored features -> sweeps, bounds, landscapes and verdicts. Import the files by name."""
