"""CoRIT against UniFD on real CLIP and real forgeries, with knobs from validation and numbers from held-out groups.

`plan` fixes what is measured; `stores` extracts the features; `bank` reads them as arrays; `probes` trains heads;
`intervals` compares their scores; `layers`, `components`, `transfer` and `variants` measure; `verdicts` holds the
rules; `run` does it all.
"""
