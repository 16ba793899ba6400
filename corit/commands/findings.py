"""`corit findings`: the paper's claims tested in the miniature."""

from __future__ import annotations

from pathlib import Path

from corit.commands import exit_codes, options


def findings(
    *,
    out: Path = Path("runs/findings"),
    quick: bool = False,
    photos: options.Photos = None,
    workers: int = 2,
    control: bool = False,
) -> int:
    """Test the paper's claims in the miniature: freeze the knobs on validation, measure, and say what is shown.

    Args:
        out: folder for claims.json, findings.png, the encoders, the features and every measurement; run the same
            command again to resume
        quick: a small plan that takes a minute; it shows that the command runs, and nothing about the claims
        workers: processes that measure; 0 uses this process
        control: measure the control in place of the claims: features of the miniature with the geometry of real CLIP's,
            which is put in by hand; needs the packaged encoder alone
    """
    if control:
        return _control(out, quick)
    from corit.progress import progress_bar
    from corit.report.findings import save
    from corit.studies.findings.claims_table import text_table
    from corit.studies.findings.plan import FindingsPlan, quick_plan
    from corit.studies.findings.run import read, run

    plan = quick_plan() if quick else FindingsPlan()
    with progress_bar("findings") as progress:
        verdicts = run(out, plan, photos=photos, workers=workers, progress=progress)
    print(text_table(verdicts))
    save(read(out, plan), out / "findings.png")
    print(f"{out / 'claims.json'}, {out / 'findings.png'}")
    return exit_codes.DONE


def _control(out: Path, quick: bool) -> int:
    """Measure the control into OUT/control, and put its record into OUT/findings.json."""
    from corit.progress import progress_bar
    from corit.studies.control.plan import ControlPlan, quick_plan
    from corit.studies.control.run import run
    from corit.studies.findings.claims_table import text_table
    from corit.studies.findings.worlds import write_world

    record = run(out / "control", quick_plan() if quick else ControlPlan(), bars=progress_bar)
    print(text_table(record))
    print(f"{out / 'control' / 'control.json'}, {write_world(out, 'control', record)}")
    return exit_codes.DONE
