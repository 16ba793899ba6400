"""CoRIT's parts on real pictures: what the gradient proxy, the mask, pooling and injection do on a real backbone.

`plan` fixes sizes and rules; `pictures` passes over test pictures; `kept` counts what the mask keeps; `signal` measures
GSNR with intervals; `injection` compares stores; `summary` averages; `verdicts` answers; `run` does it all.
"""
