"""The miniature as the control of real CLIP: the same forgeries on features whose geometry is put in by hand.

`facts` measures the geometry of raw features, the miniature's and those of real stores; `plan` fixes the cases and
their knobs; `change` is the exact, invertible change of features; `measures` sweeps a case; `claims` holds the rules;
`run` does it all.
"""
