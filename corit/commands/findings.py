"""`corit findings`: the paper's claims tested in the miniature, or on stored features of real pictures."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from corit.commands import exit_codes, options

if TYPE_CHECKING:
    from corit.studies.findings.stored.plan import StoredPlan


def findings(
    *,
    out: Path = Path("runs/findings"),
    store: options.Names | None = None,
    pairs: Path | None = None,
    splits: int | None = None,
    layers: Annotated[list[int] | None, Parameter(consume_multiple=True)] = None,
    perceptrons: options.Names | None = None,
    quick: bool = False,
    photos: options.Photos = None,
    workers: int = 2,
    control: bool = False,
) -> int:
    """Test the paper's claims: freeze every knob, measure, and say by rules that stood before what is shown.

    Without stores the world is the miniature, whose encoders are trained first. With stores it is the pictures that
    they hold the features of. Each run adds its world to OUT/findings.json, and the same command resumes it.

    Args:
        out: folder for findings.json, the figures and every measurement; of the miniature also claims.json, the
            encoders and the features
        store: folders with features that `corit extract --levels` wrote; the recipe in each says which model they are
            of, and stores of the same pictures are compared. One without injection is needed for UniFD
        pairs: a CSV file with the columns fake and correlation_112, the correlation of a fake with its real picture:
            it divides a paired set into close and loose forgeries
        splits: with stores, test so many of the five folds; more of them can be added later in the same folder
        layers: with stores, the layers of a ViT of 12 to sweep the main settings at; other ViTs at the same depths
        perceptrons: with stores, the models whose perceptrons are measured, unifd or unifd and corit; those of CoRIT
            cost most of the time, and can be added later in the same folder
        quick: a small plan that takes a minute; it shows that the command runs, and nothing about the claims
        workers: processes that measure; 0 uses this process
        control: measure the control in place of the claims: features of the miniature with the geometry of real CLIP's,
            which is put in by hand; needs the packaged encoder alone. With stores it measures their raw geometry too;
            each lies in a folder that is named by its pictures, such as dfdc/tokens
    """
    from corit.errors import DataError
    from corit.studies.findings.stored.plan import plan_of

    if control:
        return _control(out, store or [], quick)
    if store:
        plan = plan_of(quick=quick, splits=splits, layers=layers, perceptrons=perceptrons)
        return _stored(out, store, pairs, plan, workers)
    if any(v is not None for v in (pairs, splits, layers, perceptrons)):
        raise DataError(
            "expected --store with --pairs, --splits, --layers or --perceptrons, but there is none; name the stores"
        )
    return _miniature(out, photos, quick=quick, workers=workers)


def _miniature(out: Path, photos: Path | None, *, quick: bool, workers: int) -> int:
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
    print(f"{out / 'claims.json'}, {out / 'findings.json'}, {out / 'findings.png'}")
    return exit_codes.DONE


def _stored(out: Path, store: list[str], pairs: Path | None, plan: StoredPlan, workers: int) -> int:
    """Measure on stores, and put the real world's record into OUT/findings.json."""
    from corit.progress import progress_bar
    from corit.report.stored_findings import save
    from corit.studies.findings.claims_table import text_table
    from corit.studies.findings.stored.run import Stores, run

    words = " ".join(["corit", *("/".join(Path(w).parts[-2:]) if Path(w).is_absolute() else w for w in sys.argv[1:])])
    with progress_bar("findings") as progress:
        record = run(out, Stores(tuple(store), pairs), plan, workers=workers, command=words, progress=progress)
    print(text_table(record))
    save(record, out / "findings-real.png")
    print(f"{out / 'findings.json'}, {out / 'findings-real.png'}")
    return exit_codes.DONE


def _control(out: Path, store: list[str], quick: bool) -> int:
    """Measure the control into OUT/control, and put its record into OUT/findings.json."""
    from corit.errors import DataError
    from corit.progress import progress_bar
    from corit.studies.control.plan import ControlPlan, quick_plan
    from corit.studies.control.run import run
    from corit.studies.findings.claims_table import text_table
    from corit.studies.findings.worlds import write_world

    stores = {Path(s).resolve().parent.name: s for s in store}
    if len(stores) < len(store):
        raise DataError(
            f"expected stores in folders that are named by their pictures, such as dfdc/tokens, got two of one name "
            f"among {', '.join(store)}; name one of each"
        )
    record = run(out / "control", quick_plan() if quick else ControlPlan(), stores=stores, bars=progress_bar)
    print(text_table(record))
    print(f"{out / 'control' / 'control.json'}, {write_world(out, 'control', record)}")
    return exit_codes.DONE
