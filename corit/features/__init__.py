"""Feature stores: extract once, train many heads."""
