"""`corit diagnose`: do heads on stored features collapse under SAM, where, and why."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from corit.commands import exit_codes, options
from corit.errors import DataError

if TYPE_CHECKING:
    from corit.diagnose.plan import DiagnosisPlan


@Parameter(name="*")
@dataclass(frozen=True)
class Diagnosed:
    """What is diagnosed: layers, radii, heads and groups.

    Attributes:
        layers: such as 5,10-12,z, where z is the feature that the detector reads; by default five of them, and z
        rho: SAM's radii, such as 0,0.05,1; by default twenty from 0 to 20
        heads: linear, mlp, or both
        seeds: train this many heads for each radius
        by: group the fakes by manipulation or by data set; each group is compared with the reals
        groups: only these groups, such as DF,NT
        scaling: scaling of the features; radii of different scalings do not compare; none is the old name of raw
        steps: optimiser steps of every head; by default 600, in the demo 400
        batch: rows of a mini-batch
        estimator: of GSNR; by default clustered, by the source that a fake shares with its real, where sources are
            known, else corrected
    """

    layers: str = ""
    rho: Annotated[str, Parameter(allow_leading_hyphen=True)] = ""
    heads: str = "linear,mlp"
    seeds: int = 5
    by: Literal["manipulation", "dataset"] = "manipulation"
    groups: str = ""
    scaling: options.ScalingName = "raw"
    steps: int = 0
    batch: int = 20
    estimator: Literal["plain", "corrected", "clustered"] | None = None

    def plan(self, base: DiagnosisPlan) -> DiagnosisPlan:
        """Return a plan with these choices; empty texts and zero steps leave the base's."""
        from corit.diagnose import plan
        from corit.heads.rows import named_scaling

        choices: dict[str, Any] = {
            "layers": plan.parse_layers(self.layers),
            "rhos": plan.parse_radii(self.rho),
            "groups": plan.parse_names(self.groups),
            "steps": self.steps,
            "estimator": self.estimator,
        }
        choices = {name: value for name, value in choices.items() if value}
        choices |= {"heads": plan.parse_names(self.heads), "seeds": tuple(range(self.seeds))}
        return replace(base, by=self.by, scaling=named_scaling(self.scaling), batch=self.batch, **choices)


def diagnose(
    stores: Annotated[list[str] | None, Parameter(negative=())] = None,
    *,
    out: Path = Path("runs/diagnose"),
    demo: bool = False,
    world: options.DiagnosedWorld = options.DIAGNOSED_WORLD,
    diagnosed: Diagnosed = Diagnosed(),
) -> int:
    """Measure at which radius, in which layer and at which step heads on stored features collapse under SAM, and why.

    Args:
        stores: folders that `corit extract --levels` wrote, or .npz files with y, z, levels; two are shown side by side
        out: folder for report.html, cor.csv, trajectories.csv, summary.json and the sweeps; run the same command again
            to resume
        demo: draw the miniature's pictures and diagnose UniFD and CoRIT on them, without a store
    """
    from corit.diagnose.demo import PLAN, demo_features
    from corit.diagnose.diagnosis import diagnose_stores
    from corit.diagnose.plan import DiagnosisPlan
    from corit.diagnose.stores import read_stores
    from corit.progress import progress_bar
    from corit.report.diagnose import text, write

    plan = diagnosed.plan(PLAN if demo else DiagnosisPlan())
    if demo and stores:
        raise DataError(f"expected stores or --demo, got both: {', '.join(stores)}")
    if demo:
        features = demo_features(out, world.spec, workers=world.workers, bars=progress_bar)
    else:
        features = read_stores(stores or ())
    diagnosis = diagnose_stores(features, plan, out, bars=progress_bar)
    write(diagnosis, out)
    print(text(diagnosis))
    print(f"{out / 'report.html'}, {diagnosis.seconds:.0f} s")
    return exit_codes.DONE
