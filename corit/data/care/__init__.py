"""Check, audit, prepare and export data sets."""
