"""Every table and figure of the paper, one file each, from the package's public functions; its numbers as data."""
