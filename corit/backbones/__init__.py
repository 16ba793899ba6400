"""Frozen ViTs: stepped block by block, by name, and where their weights come from."""
