"""Section III as instruments: tensors in, numbers out. Nothing is imported here; import the files by name."""
