"""The paper's claims tested in the miniature, with hyperparameters from validation and numbers from test identities.

`plan` fixes what is measured; `encoders` and `stores` make the features; `hyperparameters` chooses learning rates and
epochs; `sweeps`, `courses`, `gradient_proxy`, `regional_gsnr` and `gradient_opposition` measure, and keep records as
JSON; `measurements` reads them as arrays; `main_claims` and `further_claims` hold the rules; `run` does it all.
"""
