"""`corit study`: a whole study of the method on real pictures, with its page."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter

from corit.commands import exit_codes, options

if TYPE_CHECKING:
    from corit.studies.real.plan import RealPlan

app = App(name="study", help="Study the method on real pictures, and write the page of results.")

Part = Literal["layers", "components", "transfer", "variants", "control"]
Family = Literal["components", "regions", "tau", "thresholds", "perturb"]


@Parameter(name="*")
@dataclass(frozen=True)
class Size:
    """How much of the data is used; what is not given is the plan's.

    Attributes:
        quick: a few pictures, for a look at the command in minutes; its numbers say nothing about the method
        pairs: pairs of dfdc-crops
        generated: pictures of each class of stylegan-faces; here and below, 0 leaves a folder out
        composites: pictures of each class of composited-faces
        photographs: pictures of photographs
        blended: self-blended fakes of the reals of dfdc-crops
        variant_pairs: pairs that the ablations with forward passes of their own are measured on
        seeds: train the SAM head with this many seeds
        draws: bootstrap draws of each interval
    """

    quick: bool = False
    pairs: int | None = None
    generated: int | None = None
    composites: int | None = None
    photographs: int | None = None
    blended: int | None = None
    variant_pairs: int | None = None
    seeds: int | None = None
    draws: int | None = None

    def plan(self, backbone: str, weights: str) -> RealPlan:
        """Return the plan of this size."""
        from dataclasses import replace

        from corit.studies.real.plan import RealPlan, quick_plan

        plan = quick_plan() if self.quick else RealPlan()
        numbers = {
            "pairs": self.pairs,
            "generated": self.generated,
            "composites": self.composites,
            "photographs": self.photographs,
            "blends": self.blended,
            "variant_pairs": self.variant_pairs,
            "seeds": None if self.seeds is None else tuple(range(self.seeds)),
            "draws": self.draws,
        }
        changes = {k: v for k, v in numbers.items() if v is not None}
        return replace(plan, backbone=backbone, weights=weights, **changes)  # type: ignore[arg-type]


SIZE = Size()


@app.command
def real(
    *,
    data: Path,
    out: Path,
    parts: Annotated[list[Part] | None, Parameter(consume_multiple=True)] = None,
    ablations: Annotated[list[Family] | None, Parameter(consume_multiple=True)] = None,
    size: Size = SIZE,
    backbone: str = "clip-vit-b16",
    weights: options.Weights = "auto",
    compute: options.Compute = options.COMPUTE,
) -> int:
    """Measure CoRIT against UniFD on real forgeries: by layer, part by part, and from set to set.

    Layers and penalties are chosen on train and validation rows, and the numbers are of held-out pairs and sets. Run
    the same command again to resume; parts that are asked for later join those that are measured.

    Args:
        data: folder that holds dfdc-crops, stylegan-faces, composited-faces and photographs, or some of them
        out: folder for the page real.md, its record real.json, the features and every measurement
        parts: layers, components, transfer, variants and control; by default all
        ablations: what variants measures: components, regions, tau, thresholds and perturb; by default all
        backbone: the frozen ViT of the study; the packaged miniature is the control
    """
    from corit.files import write_text
    from corit.progress import progress_bar
    from corit.report.real import page_text, summary_text
    from corit.studies.real.plan import FAMILIES, PARTS
    from corit.studies.real.run import Compute, run

    record = run(
        data,
        out,
        size.plan(backbone, weights),
        parts=parts or PARTS,
        families=ablations or FAMILIES,
        compute=Compute(compute.device, compute.batch, compute.workers),
        command=_command(sys.argv[1:]),
        bars=progress_bar,
    )
    write_text(out / "real.md", page_text(record))
    print(summary_text(record))
    print(f"{out / 'real.json'}, {out / 'real.md'}")
    return exit_codes.DONE


def _command(words: list[str]) -> str:
    """The words of this call for the record, with DIR in place of the folders, which are only this machine's."""
    kept = [word for i, word in enumerate(words) if i == 0 or words[i - 1] not in ("--data", "--out")]
    at = [i for i, word in enumerate(kept) if word in ("--data", "--out")]
    for i in reversed(at):
        kept.insert(i + 1, "DIR")
    return " ".join(["corit", *kept])
