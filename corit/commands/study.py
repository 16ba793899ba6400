"""`corit study`: whole studies, of the method on real pictures and of the collapse of linear heads."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter

from corit.commands import exit_codes, options

if TYPE_CHECKING:
    from corit.studies.parts.plan import PartsPlan
    from corit.studies.real.plan import RealPlan

app = App(name="study", help="Whole studies, each with its record: of the method on real pictures, of the collapse.")

FOLDERS = ("--data", "--out", "--store")
Part = Literal["layers", "components", "transfer", "variants", "control"]
Family = Literal["components", "regions", "tau", "thresholds", "perturb"]
PartsPart = Literal["pictures", "injection"]
Quick = Annotated[
    bool,
    Parameter(help="a few pictures, for a look at the command in minutes; its numbers say nothing about the method"),
]
Blended = Annotated[int | None, Parameter(help="self-blended fakes of the reals of dfdc-crops")]
Seeds = Annotated[int | None, Parameter(help="train the SAM head with this many seeds")]
Draws = Annotated[int | None, Parameter(help="bootstrap draws of each interval")]


@Parameter(name="*")
@dataclass(frozen=True)
class Size:
    """How much of the data is used; what is not given is the plan's.

    Attributes:
        pairs: pairs of dfdc-crops
        generated: pictures of each class of stylegan-faces; here and below, 0 leaves a folder out
        composites: pictures of each class of composited-faces
        photographs: pictures of photographs
        variant_pairs: pairs that the ablations with forward passes of their own are measured on
    """

    quick: Quick = False
    pairs: int | None = None
    generated: int | None = None
    composites: int | None = None
    photographs: int | None = None
    blended: Blended = None
    variant_pairs: int | None = None
    seeds: Seeds = None
    draws: Draws = None

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


@Parameter(name="*")
@dataclass(frozen=True)
class PartsSize:
    """How much of the data is used; what is not given is the plan's.

    Attributes:
        pairs: pairs of dfdc-crops, whose train and validation parts train the heads
        measured: test pairs on which proxy, masks and tokens are measured
        checked: of these, pairs whose masks are also measured on another threshold's own course
        scenes: photographs whose masks are counted; 0 for none
        compared: train and validation pairs on which pooling, mask and injection are compared
    """

    quick: Quick = False
    pairs: int | None = None
    blended: Blended = None
    measured: int | None = None
    checked: int | None = None
    scenes: int | None = None
    compared: int | None = None
    seeds: Seeds = None
    draws: Draws = None

    def plan(self, backbone: str, weights: str) -> PartsPlan:
        """Return the plan of this size."""
        from dataclasses import replace

        from corit.studies.parts.plan import PartsPlan, quick_plan

        plan = quick_plan() if self.quick else PartsPlan()
        numbers = {
            "pairs": self.pairs,
            "blends": self.blended,
            "measured": self.measured,
            "checked": self.checked,
            "scenes": self.scenes,
            "compared": self.compared,
            "seeds": None if self.seeds is None else tuple(range(self.seeds)),
            "draws": self.draws,
        }
        changes = {k: v for k, v in numbers.items() if v is not None}
        return replace(plan, backbone=backbone, weights=weights, **changes)  # type: ignore[arg-type]


PARTS_SIZE = PartsSize()


@app.command(name="parts")
def parts_(
    *,
    data: Path,
    out: Path,
    parts: Annotated[list[PartsPart] | None, Parameter(consume_multiple=True)] = None,
    size: PartsSize = PARTS_SIZE,
    backbone: str = "clip-vit-b16",
    weights: options.Weights = "auto",
    compute: options.Compute = options.COMPUTE,
) -> int:
    """Measure CoRIT's parts on real pictures: gradient proxy, masks by layer, pooling and injection.

    Heads are trained on train and validation pairs; proxy, masks and tokens are of test pairs. Run the same command
    again to resume; parts that are asked for later join those that are measured.

    Args:
        data: folder that holds dfdc-crops, and photographs where scenes are counted
        out: folder for the page parts.md with its figure parts.png, the record parts.json, features and measurements
        parts: pictures (proxy, masks and tokens) and injection; by default both
        backbone: the frozen ViT of the study
    """
    from corit.files import write_text
    from corit.progress import progress_bar
    from corit.report.parts import page_text, save_figure, summary_text
    from corit.studies.parts.plan import PARTS
    from corit.studies.parts.run import run
    from corit.studies.real.run import Compute

    record = run(
        data,
        out,
        size.plan(backbone, weights),
        parts=parts or PARTS,
        compute=Compute(compute.device, compute.batch, compute.workers),
        command=_command(sys.argv[1:]),
        bars=progress_bar,
    )
    write_text(out / "parts.md", page_text(record))
    if record["masks"]:
        save_figure(record, out / "parts.png")
    print(summary_text(record))
    print(f"{out / 'parts.json'}, {out / 'parts.md'}")
    return exit_codes.DONE


@app.command
def mechanism(
    *,
    out: Path,
    store: Path | None = None,
    name: str = "features",
    layers: Annotated[list[int] | None, Parameter(consume_multiple=True)] = None,
    quick: bool = False,
) -> int:
    """Measure why a linear head collapses on raw features, and what removes it, on synthetic and on stored features.

    Run the same command again to resume. Nothing is chosen on test rows.

    Args:
        out: folder for the record mechanism.json, its figure mechanism.png and every measurement
        store: features that keep their levels, as corit extract --levels writes; by default synthetic ones alone
        name: what the record calls the store: data, counts, backbone and recipe
        layers: whose class tokens are measured; by default 9 and 12
        quick: one head of each and few radii, for a look at the command; its numbers say nothing
    """
    from dataclasses import replace

    from corit.features.store import FeatureStore
    from corit.progress import progress_bar
    from corit.report.mechanism import save
    from corit.studies.mechanism.run import MechanismPlan, quick_plan, remedies_table, run

    plan = quick_plan() if quick else MechanismPlan()
    plan = replace(plan, layers=tuple(layers)) if layers else plan
    opened = None if store is None else FeatureStore.open(store)
    command = _command(sys.argv[1:])
    with progress_bar("measurements") as progress:
        record = run(out, plan, store=opened, name=name, command=command, progress=progress)
    save(record, out / "mechanism.png")
    print(remedies_table(record, list(record["worlds"])))
    print(f"{out / 'mechanism.json'}, {out / 'mechanism.png'}")
    return exit_codes.DONE


def _command(words: list[str]) -> str:
    """The words of this call for the record, with DIR in place of the folders, which are only this machine's."""
    kept = [word for i, word in enumerate(words) if i == 0 or words[i - 1] not in FOLDERS]
    at = [i for i, word in enumerate(kept) if word in FOLDERS]
    for i in reversed(at):
        kept.insert(i + 1, "DIR")
    return shlex.join(["corit", *kept])
