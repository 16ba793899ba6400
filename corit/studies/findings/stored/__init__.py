"""The claims on stored features of real pictures: forgeries, splits by group, measurements, rules."""
