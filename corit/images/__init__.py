"""Pixels: decoding, faces, perturbations; no models of ours."""
