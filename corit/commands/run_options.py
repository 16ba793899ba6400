"""Options of `corit paper` and `corit protocol run` -> the runner of the miniature or of the real data sets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from cyclopts import Parameter

from corit.commands import options
from corit.errors import DataError

if TYPE_CHECKING:
    from corit.bench.runner import Runner
    from corit.bench.testbed import Testbed


@Parameter(name="*")
@dataclass(frozen=True)
class RunOptions:
    """The data sets, the backbone and the size of the measurements.

    Attributes:
        world: miniature, the default: everything offline, with stand-ins for the data sets
        root: folder of the real data sets, each in the place that `corit paper list` says
        partial: with --root, use what is there of each data set; values of a part are marked
        people: training and test identities of the miniature
        max: with --root, use at most this many rows of each data set, split, label and manipulation; 0 uses all
        backbone: a name that `corit backbones` lists; by default the miniature's, or clip-vit-l14 with --root
        seeds: train this many heads for every value
        batch: pictures in one forward pass; by default 32 for the miniature's backbone, 8 for others
    """

    world: Literal["miniature"] | None = None
    root: Path | None = None
    partial: bool = False
    people: int = 40
    pictures: options.PicturesPerIdentity = 3
    max: int = 0
    backbone: str = ""
    weights: options.Weights = ""
    seeds: int = 5
    draws: options.Draws = 200
    unifd_head: options.PublishedHead = None
    batch: int = 0
    workers: options.Workers = 1
    device: options.Device = "cpu"

    @property
    def backbone_name(self) -> str:
        """The backbone: by default the miniature's own in the miniature, and the paper's on real data."""
        return self.backbone or ("miniature" if self.root is None else "clip-vit-l14")

    def testbed(self) -> Testbed:
        """Return the data sets: the miniature's stand-ins, or those of the root.

        Raises:
            DataError: a world and a root are given together, or --max or --partial without a root.
        """
        from corit.bench.testbed import Size, miniature_testbed, real_testbed

        if self.world is not None and self.root is not None:
            raise DataError("expected --world miniature or --root DIR, got both")
        if self.root is None and self.max:
            raise DataError(
                f"expected --max with --root alone, got --max {self.max}; --people makes the miniature smaller"
            )
        if self.root is None and self.partial:
            raise DataError("expected --partial with --root alone: the miniature's worlds are whole")
        if self.root is not None:
            return real_testbed(str(self.root), max_rows=self.max, partial=self.partial)
        return miniature_testbed(Size.of(self.people, self.pictures))

    def runner(self, out: Path, **changes: Any) -> Runner:
        """Return the runner that keeps its features and measurements in a folder.

        Args:
            out: the folder.
            changes: further settings, see `corit.bench.runner.RunSettings`.

        Raises:
            DataError: the folder is a file, or as `testbed` and `RunSettings`.
        """
        from corit.bench.runner import Runner, RunSettings
        from corit.progress import progress_bar

        if out.exists() and not out.is_dir():
            raise DataError(f"expected a folder to write into, but {out} is a file; choose another --out")
        testbed = self.testbed()
        settings = RunSettings(
            backbone=self.backbone_name,
            weights=self.weights,
            seeds=tuple(range(self.seeds)),
            draws=self.draws,
            unifd_head=self.unifd_head,
            batch=self.batch or (32 if self.backbone_name == "miniature" else 8),
            workers=self.workers,
            device=self.device,
            **changes,
        )
        return Runner(testbed, out, settings, bars=progress_bar)


RUN_OPTIONS = RunOptions()
