"""`corit diagnose`: do heads on stored features collapse under SAM, where, and why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from corit.errors import DataError

if TYPE_CHECKING:
    from corit.diagnose.plan import Plan


def diagnose(
    stores: Annotated[list[str] | None, Parameter(negative=())] = None,
    *,
    out: Path = Path("runs/diagnose"),
    demo: bool = False,
    layers: str = "",
    rho: Annotated[str, Parameter(allow_leading_hyphen=True)] = "",
    heads: str = "linear,mlp",
    seeds: int = 5,
    by: Literal["manipulation", "dataset"] = "manipulation",
    groups: str = "",
    scaling: Literal["none", "standard", "whiten"] = "standard",
    steps: int = 0,
    batch: int = 20,
    people: int = 90,
    pictures: int = 4,
    workers: int = 2,
) -> int:
    """Measure at which radius, in which layer and at which step heads on stored features collapse under SAM, and why.

    Args:
        stores: folders that `corit extract --levels` wrote, or .npz files with y, z, levels; two are shown side by side
        out: folder for report.html, cor.csv, trajectories.csv, summary.json and the sweeps; run again to go on
        demo: draw the miniature's pictures and diagnose UniFD and CoRIT on them, without a store
        layers: such as 5,10-12,z, where z is the feature that the detector reads; by default five of them, and z
        rho: SAM's radii, such as 0,0.05,1; by default twenty from 0 to 20
        heads: linear, mlp, or both
        seeds: heads for each radius
        by: what the fakes are grouped by, each group against the reals
        groups: only these, such as DF,NT
        scaling: of the features; radii of different scalings do not compare
        steps: optimiser steps of every head; by default 600, in the demo 400
        batch: rows of a mini-batch
        people: training identities of the demo; validation has a third and test two thirds as many
        pictures: of each identity of the demo
        workers: processes that draw and prepare the demo's pictures
    """
    from corit.diagnose.diagnosis import diagnose as run
    from corit.progress import progress_bar
    from corit.report.diagnose import text, write

    asked = _asked(layers=layers, rho=rho, heads=heads, groups=groups, seeds=seeds, steps=steps)
    plan = _plan(demo, {**asked, "by": by, "scaling": scaling, "batch": batch})
    if demo and stores:
        raise DataError(f"expected stores or --demo, got both: {', '.join(stores)}")
    if demo:
        from corit.diagnose.demo import measured
        from corit.world.miniature import world_of

        rows = measured(out, world_of(people, pictures), workers=workers, bars=progress_bar)
    else:
        from corit.diagnose.read import read

        rows = read(stores or ())
    found = run(rows, plan, out, bars=progress_bar)
    write(found, out)
    print(text(found))
    print(f"{out / 'report.html'}, {found.seconds:.0f} s")
    return 0


def _asked(*, layers: str, rho: str, heads: str, groups: str, seeds: int, steps: int) -> dict[str, object]:
    """The fields of a plan that were given; texts that are empty and zero steps were not."""
    from corit.diagnose import plan

    given = {"layers": plan.layers(layers), "rhos": plan.numbers(rho), "groups": plan.names(groups), "steps": steps}
    return {k: v for k, v in given.items() if v} | {"heads": plan.names(heads), "seeds": tuple(range(seeds))}


def _plan(demo: bool, asked: dict[str, object]) -> Plan:
    from dataclasses import replace

    from corit.diagnose.demo import PLAN
    from corit.diagnose.plan import Plan

    return replace(PLAN if demo else Plan(), **asked)  # type: ignore[arg-type]
