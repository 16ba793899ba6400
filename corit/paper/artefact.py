"""The paper's tables and figures by name: what each needs, and the functions that make it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

from corit.errors import DataError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from corit.bench.runner import FeatureRequest, Runner
    from corit.bench.testbed import Testbed
    from corit.paper.comparison_table import ComparisonTable

Kind = Literal["table", "figure"]


@dataclass(frozen=True)
class Content:
    """The content of an artefact: a table or figures, and the text below them.

    Attributes:
        table: the table, None for a figure.
        figures: the figures, from top to bottom.
        notes: sentences to print below the table or figure.
        numbers: the values behind a figure as rows of texts, the column names first.
        caption: caption fields that differ from those of the run.
    """

    table: ComparisonTable | None = None
    figures: tuple[Figure, ...] = ()
    notes: tuple[str, ...] = ()
    numbers: tuple[tuple[str, ...], ...] = ()
    caption: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Maker:
    """The two functions of an artefact.

    Attributes:
        needs: lists the features that the artefact reads.
        make: measures and draws the artefact.
    """

    needs: Callable[[Runner], list[FeatureRequest]]
    make: Callable[[Runner], Content]


@dataclass(frozen=True)
class Artefact:
    """A table or figure of the paper.

    Attributes:
        kind: "table" or "figure".
        number: its number, from 1.
        title: its title.
        maker: its `Maker`, as "file of this folder:name"; imported when it is first used.
        protocols: names of the protocols whose data it needs.
        recipes: number of features that it measures of each picture on CLIP, whose projection adds one baseline.
        minutes: time in the miniature, on two idle cores, alone and without stored features. A run of all artefacts
            shares most features.
        backbones: backbones on real data, where they are not the run's own.
    """

    kind: Kind
    number: int
    title: str
    maker: str
    protocols: tuple[str, ...]
    recipes: int
    minutes: float
    backbones: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name of its files, table01 to figure11."""
        return f"{self.kind}{self.number:02d}"

    @property
    def command(self) -> str:
        """Its name on the command line, table1 to figure11."""
        return f"{self.kind}{self.number}"

    @property
    def label(self) -> str:
        """Its name in a text, Table 1 to Figure 11."""
        return f"{self.kind.capitalize()} {self.number}"

    def needs(self, runner: Runner) -> list[FeatureRequest]:
        """List the features that it reads."""
        return self._load().needs(runner)

    def make(self, runner: Runner) -> Content:
        """Measure and draw it.

        Raises:
            CoritError: when a part of it fails, for example when a data set is missing.
        """
        return self._load().make(runner)

    def data(self, stage: Testbed) -> tuple[str, ...]:
        """The data sets that it reads, each once."""
        return tuple(dict.fromkeys(d for p in self.protocols for d in stage.protocol(p).data))

    def _load(self) -> Maker:
        file, _, name = self.maker.partition(":")
        maker: Maker = getattr(import_module(f"corit.paper.{file}"), name)
        return maker


FACES, FORGERIES, SUBSETS = ("cross-dataset",), ("faceforensics",), ("universal",)
LEFT_OUT = tuple(f"faceforensics-without-{k}" for k in ("DF", "F2F", "FS", "NT"))
TABLE_10 = ("clip-vit-l14", "clip-vit-b16", "vit-l16-imagenet")
ARTEFACTS = (
    Artefact("table", 1, "Frame AUC across data sets", "tables:FRAME_AUC", FACES, 5, 2),
    Artefact("table", 2, "Video AUC across data sets", "tables:VIDEO_AUC", ("cross-dataset-video",), 5, 2),
    Artefact("table", 3, "Frame AUC on DF40's manipulations", "tables:DF40", ("df40",), 5, 2),
    Artefact("table", 4, "Average precision on 19 subsets of whole pictures", "tables:SUBSET_AP", ("universal",), 5, 2),
    Artefact("table", 5, "Accuracy on 19 subsets of whole pictures", "tables:SUBSET_ACCURACY", SUBSETS, 5, 2),
    Artefact("table", 6, "Leave one manipulation out", "tables:LEAVE_ONE_OUT", LEFT_OUT, 5, 1),
    Artefact("table", 7, "COR by layer on NeuralTextures", "diagnosis:COR_BY_LAYER", FORGERIES, 2, 3),
    Artefact("table", 8, "Components", "tables:COMPONENTS", ("components",), 5, 3),
    Artefact("table", 9, "Regions and pooling", "tables:REGIONS_AND_POOLING", FACES, 9, 4),
    Artefact("table", 10, "Backbones", "tables:BACKBONES", FACES, 6, 3, TABLE_10),
    Artefact("table", 11, "Threshold of the refinement mask", "tables:MASK_THRESHOLD", FACES, 5, 3),
    Artefact("table", 12, "Fusion layer", "tables:FUSION_LAYER", FACES, 1, 2),
    Artefact("table", 13, "Fusion type", "fusion:FUSION_TYPE", FACES, 1, 2),
    Artefact("figure", 1, "Collapse under SAM and COR by layer", "diagnosis:COLLAPSE", FORGERIES, 2, 3),
    Artefact("figure", 2, "AUC against the radius", "diagnosis:AUC_BY_RADIUS", FORGERIES, 2, 3),
    Artefact("figure", 3, "GSNR while training, by forgery and by layer", "diagnosis:GSNR", FORGERIES, 2, 3),
    Artefact("figure", 4, "The architecture, in the code's own shapes", "architecture:ARCHITECTURE", (), 0, 0.1),
    Artefact("figure", 5, "AUC over a long training", "long_training:LONG_TRAINING", FACES, 2, 2),
    Artefact("figure", 6, "GSNR while training, UniFD and CoRIT", "diagnosis:GSNR_COMPARISON", FORGERIES, 2, 3),
    Artefact("figure", 7, "Loss landscapes, UniFD and CoRIT", "diagnosis:LANDSCAPES", FORGERIES, 2, 2),
    Artefact("figure", 8, "Robustness to damage", "robustness:ROBUSTNESS", FORGERIES, 2, 4),
    Artefact("figure", 9, "The refinement mask over all layers: foreground", "masks:FOREGROUND", FORGERIES, 0, 0.5),
    Artefact("figure", 10, "The refinement mask over all layers: boundary", "masks:BOUNDARY", FORGERIES, 0, 0.5),
    Artefact("figure", 11, "The refinement mask over all layers: background", "masks:BACKGROUND", FORGERIES, 0, 0.5),
)


def artefact(name: str) -> Artefact:
    """Return an artefact by its name.

    Args:
        name: table1 ... figure11, or table01 ... figure11.

    Raises:
        DataError: for another name.
    """
    for one in ARTEFACTS:
        if name in (one.command, one.name):
            return one
    raise DataError(f"the paper has no {name!r}; there are table1 to table13 and figure1 to figure11")
