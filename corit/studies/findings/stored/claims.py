"""Every claim on stored features, with the rule that decides it; the rules stood before the numbers."""

from __future__ import annotations

from corit.heads.head import HeadKind
from corit.heads.rows import Scaling
from corit.studies.findings.claims import Claim
from corit.studies.findings.stored import further
from corit.studies.findings.stored.collapsing import cause, collapse, curves, floors_beside
from corit.studies.findings.stored.comparing import across, corit_raises, gains
from corit.studies.findings.stored.depth import bifurcation, cor_with_gsnr
from corit.studies.findings.stored.measured import Measured

__all__ = ["claims", "curves"]

HEAD_KINDS: tuple[HeadKind, ...] = ("mlp", "linear")
SCALINGS: tuple[Scaling, ...] = ("raw", "centre")
CASES = [(h, s) for h in HEAD_KINDS for s in SCALINGS]


def claims(data: Measured) -> list[Claim]:
    """Return every claim."""
    return [
        *(collapse(data, h, s) for h, s in CASES),
        cause(data),
        floors_beside(data),
        *(bifurcation(data, q) for q in ("AUC", "AUC from the middle", "COR", "COR in norms", "GSNR", "centred GSNR")),
        *(cor_with_gsnr(data, h) for h in HEAD_KINDS),
        *(corit_raises(data, s) for s in SCALINGS),
        *further.claims(data),
        *(gains(data, h, s) for h, s in CASES),
        *(across(data, s) for s in SCALINGS),
    ]
