"""Extract once, train many heads."""
