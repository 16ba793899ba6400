"""The paper's claims tested in the miniature: knobs frozen on validation, everything else measured on test identities.

`plan` says what is measured, `encoders` and `stores` make the features, `knobs` freezes, `atlas`, `courses`, `proxy`,
`regional` and `convexity` measure units that are kept as JSON, `rules` decides, `run` does it all.
"""
