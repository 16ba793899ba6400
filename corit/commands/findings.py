"""`corit findings`: the paper's claims tested in the miniature."""

from __future__ import annotations

from pathlib import Path


def findings(
    *, out: Path = Path("runs/findings"), quick: bool = False, photos: Path | None = None, workers: int = 2
) -> int:
    """Test the paper's claims in the miniature: freeze the knobs on validation, measure, and say what was shown.

    Args:
        out: folder for claims.json, findings.png, the encoders, the features and every measurement; run again to go on
        quick: a tiny plan that takes a minute and shows nothing but that it runs
        photos: folder in Tiny ImageNet's layout, to pretrain the encoders that OUT/encoders lacks
        workers: processes that measure, 0 for none
    """
    from corit.progress import progress_bar
    from corit.report.findings import save
    from corit.studies.findings.plan import Plan, tiny
    from corit.studies.findings.run import read, run
    from corit.studies.findings.table import table

    plan = tiny() if quick else Plan()
    with progress_bar("findings") as progress:
        found = run(out, plan, photos=photos, workers=workers, progress=progress)
    print(table(found))
    save(read(out, plan), out / "findings.png")
    print(f"{out / 'claims.json'}, {out / 'findings.png'}")
    return 0
