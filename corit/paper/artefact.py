"""The paper's tables and figures by name: what each needs, and the file that makes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

from corit.errors import DataError

if TYPE_CHECKING:
    from corit.bench.lab import Lab, Need
    from corit.bench.stage import Stage
    from corit.paper.grid import Made

Kind = Literal["table", "figure"]


@dataclass(frozen=True)
class Artefact:
    """A table or figure: its number and title, the protocols whose data it needs, and how long it takes.

    recipes: how many features it measures of each picture on CLIP, whose projection adds one to the baselines.
    minutes: in the miniature, on two idle cores, from nothing and alone; in a run of all of them most features are
    shared. backbones: on real data, where they are not the run's own.
    """

    kind: Kind
    number: int
    title: str
    protocols: tuple[str, ...]
    recipes: int
    minutes: float
    backbones: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """table01 to figure11: the name of its files."""
        return f"{self.kind}{self.number:02d}"

    @property
    def command(self) -> str:
        """table1 to figure11: what the command line calls it."""
        return f"{self.kind}{self.number}"

    @property
    def label(self) -> str:
        """Table 1 to Figure 11: what the paper calls it, in our numbers."""
        return f"{self.kind.capitalize()} {self.number}"

    def needs(self, lab: Lab) -> list[Need]:
        """The features that it reads."""
        found: list[Need] = self._function("needs")(lab)
        return found

    def make(self, lab: Lab) -> Made:
        """Make it. Raises whatever its parts raise."""
        made: Made = self._function("make")(lab)
        return made

    def data(self, stage: Stage) -> tuple[str, ...]:
        """The data sets that it reads, each once."""
        return tuple(dict.fromkeys(d for p in self.protocols for d in stage.protocol(p).data))

    def _function(self, name: str) -> Callable[..., Any]:
        made: Callable[..., Any] = getattr(import_module(f"corit.paper.{FILES.get(self.name, self.name)}"), name)
        return made


# Files that are not named after their artefact.
FILES = {
    "table10": "tables",
    "table13": "fusion",
    "figure04": "architecture",
    "figure05": "long_training",
    "figure08": "robustness",
}


FACES, LEFT_OUT = "cross-dataset", tuple(f"faceforensics-without-{k}" for k in ("DF", "F2F", "FS", "NT"))
ARTEFACTS = (
    Artefact("table", 1, "Frame AUC across data sets", (FACES,), 5, 2),
    Artefact("table", 2, "Video AUC across data sets", ("cross-dataset-video",), 5, 2),
    Artefact("table", 3, "Frame AUC on DF40's manipulations", ("df40",), 5, 2),
    Artefact("table", 4, "Average precision on 19 subsets of whole pictures", ("universal",), 5, 2),
    Artefact("table", 5, "Accuracy on 19 subsets of whole pictures", ("universal",), 5, 2),
    Artefact("table", 6, "Leave one manipulation out", LEFT_OUT, 5, 1),
    Artefact("table", 7, "COR by layer on NeuralTextures", ("faceforensics",), 2, 3),
    Artefact("table", 8, "Components", ("components",), 5, 3),
    Artefact("table", 9, "Regions and pooling", (FACES,), 9, 4),
    Artefact("table", 10, "Backbones", (FACES,), 6, 3, ("clip-vit-l14", "clip-vit-b16", "vit-l16-imagenet")),
    Artefact("table", 11, "Threshold of the refinement mask", (FACES,), 5, 3),
    Artefact("table", 12, "Fusion layer", (FACES,), 1, 2),
    Artefact("table", 13, "Fusion type", (FACES,), 1, 2),
    Artefact("figure", 1, "Collapse under SAM and COR by layer", ("faceforensics",), 2, 3),
    Artefact("figure", 2, "AUC against the radius", ("faceforensics",), 2, 3),
    Artefact("figure", 3, "GSNR while training, by forgery and by layer", ("faceforensics",), 2, 3),
    Artefact("figure", 4, "The architecture, in the code's own shapes", (), 0, 0.1),
    Artefact("figure", 5, "AUC over a long training", (FACES,), 2, 2),
    Artefact("figure", 6, "GSNR while training, UniFD and CoRIT", ("faceforensics",), 2, 3),
    Artefact("figure", 7, "Loss landscapes, UniFD and CoRIT", ("faceforensics",), 2, 2),
    Artefact("figure", 8, "Robustness to damage", ("faceforensics",), 2, 4),
    Artefact("figure", 9, "The refinement mask over all layers: foreground", ("faceforensics",), 0, 0.5),
    Artefact("figure", 10, "The refinement mask over all layers: boundary", ("faceforensics",), 0, 0.5),
    Artefact("figure", 11, "The refinement mask over all layers: background", ("faceforensics",), 0, 0.5),
)


def artefact(command: str) -> Artefact:
    """An artefact by table1 ... figure11, or table01 ... figure11. Raises DataError for another name."""
    for found in ARTEFACTS:
        if command in (found.command, found.name):
            return found
    raise DataError(f"the paper has no {command!r}; there are table1 to table13 and figure1 to figure11")
