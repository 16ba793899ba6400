"""The miniature world in which everything runs offline."""
