"""Protocols as data: the rows to train on, to select by and to test on, and how frames become a number."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Literal, get_args

from corit.data.frames import Grouping, Reading
from corit.data.sample import Split
from corit.data.sets.faceforensics import FOUR
from corit.data.sets.forensynths import SUBSETS, Sampling
from corit.errors import DataError
from corit.images.frame_choice import Choice
from corit.metrics.measures import METRICS

Level = Literal["frame", "video"]
Changes = tuple[tuple[str, object], ...]
# Data sets that hold the same videos on the same sides: FaceForensics++'s reals, by its lists, and in DF40 also the
# test reals of Celeb-DF-v2; and on other sides: Celeb-DF-v2 extends the first version.
SAME_SPLITS = frozenset(
    frozenset(pair)
    for pair in (
        *(("faceforensics", "faceshifter"), ("faceforensics", "df40")),
        *(("faceshifter", "df40"), ("celeb-df-v2", "df40")),
    )
)
OTHER_SPLITS = frozenset(frozenset(("celeb-df-v1", other)) for other in ("celeb-df-v2", "df40"))


@dataclass(frozen=True)
class Selection:
    """Some rows of one data set: a test set, or a part of the training or validation rows.

    Attributes:
        data: the data set's name in `corit.sources`, or "miniature".
        split: the split of its rows, "" for all.
        manipulations: the manipulation types of its fakes, empty for all; reals stay.
        datasets: values of the rows' `dataset` column, empty for all.
        name: its title in tables, "" for the data set's name.

    Raises:
        DataError: for an unknown split.
    """

    data: str
    split: Split = "test"
    manipulations: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    name: str = ""

    def __post_init__(self) -> None:
        if self.split not in get_args(Split):
            raise DataError(f"expected a split of {self.title} of train, val and test, or none, got {self.split!r}")

    @property
    def title(self) -> str:
        """The title in tables."""
        return self.name or self.data

    def meets(self, other: Selection) -> bool:
        """Tell whether another selection may have rows of this one; reals are shared whatever the manipulations."""
        sides = self.split == other.split or not (self.split and other.split)
        if self.data != other.data:
            pair = frozenset((self.data, other.data))
            return pair in OTHER_SPLITS or (pair in SAME_SPLITS and sides)
        apart = bool(self.datasets and other.datasets) and not set(self.datasets) & set(other.datasets)
        return sides and not apart


@dataclass(frozen=True)
class Protocol:
    """One way of measuring detectors; only numbers of one protocol can be compared.

    Attributes:
        name: its name.
        train: rows to train a head on.
        select: rows to choose epoch and threshold by.
        test: test sets; nothing is ever chosen on them.
        level: "frame" for scores of frames, "video" for their means over videos.
        grouping: how frames are grouped into videos.
        frames: largest number of frames of each video, None for all.
        choice: which frames.
        transform: recipe fields and their values, which every detector needs.
        metrics: names of metrics, see `corit.metrics.measures.METRICS`.
        sampling: UniversalFakeDetect's cut of a test subset, or none.
        paper_tables: the paper's tables that use it.

    Raises:
        DataError: when a field has an unknown value, or rows to train on or to select by may be test rows.
    """

    name: str
    train: tuple[Selection, ...]
    select: tuple[Selection, ...]
    test: tuple[Selection, ...]
    level: Level = "frame"
    grouping: Grouping = "path"
    frames: int | None = 32
    choice: Choice = "even"
    transform: Changes = (("views.domain", "face"),)
    metrics: tuple[str, ...] = ("auc",)
    sampling: Sampling = "unifd-full"
    paper_tables: str = ""

    def __post_init__(self) -> None:
        if not (self.name and self.train and self.select and self.test):
            raise DataError(f"expected a name and rows to train, select and test on, got protocol {self.name!r}")
        titles = [s.title for s in self.test]
        if len(set(titles)) < len(titles):
            raise DataError(f"protocol {self.name}: expected each test set named once, got {', '.join(titles)}")
        self._require_known_values()
        _ = self.reading  # checks frames and choice
        self._require_disjoint_selections()

    def _require_known_values(self) -> None:
        unknown = sorted(set(self.metrics) - set(METRICS))
        if unknown or not self.metrics:
            raise DataError(f"protocol {self.name}: no metric {unknown}; there are {', '.join(METRICS)}")
        for name, value, known in (
            ("level", self.level, Level),
            ("grouping", self.grouping, Grouping),
            ("sampling", self.sampling, Sampling),
        ):
            if value not in get_args(known):
                raise DataError(f"protocol {self.name}: expected {name} of {get_args(known)}, got {value!r}")

    def _require_disjoint_selections(self) -> None:
        for role in ("train", "select"):
            for a, b in product(getattr(self, role), self.test):
                if a.meets(b):
                    raise DataError(
                        f"protocol {self.name}: the rows that it {role}s on and test set {b.title} may share rows "
                        f"({a.data}, split {a.split or 'any'}); name another split, since test rows must not decide "
                        "anything"
                    )

    @property
    def reading(self) -> Reading:
        """The frames that a data set must list for this protocol, in all splits."""
        return Reading(self.frames, self.choice)

    @property
    def data(self) -> tuple[str, ...]:
        """The names of the data sets that it needs, each once."""
        return tuple(dict.fromkeys(s.data for s in (*self.train, *self.select, *self.test)))

    def replace(self, **changes: object) -> Protocol:
        """Return a copy with fields changed, checked again."""
        return replace(self, **changes)  # type: ignore[arg-type]

    def with_test_sets(self, selections: Mapping[str, Selection]) -> Protocol:
        """Return a copy with other test sets, by title: stand-ins for data sets that are not available."""
        return replace(self, test=tuple(selections.get(s.title, s) for s in self.test))


def _ff(split: Split, manipulations: tuple[str, ...] = FOUR) -> tuple[Selection, ...]:
    return (Selection("faceforensics", split, manipulations, name="FF++"),)


CDFV1 = Selection("celeb-df-v1", name="CDFv1")
CDFV2 = Selection("celeb-df-v2", name="CDFv2")
DFDCP = Selection("dfdcp", name="DFDCP")
DFDC = Selection("dfdc", name="DFDC")
DFD = Selection("deepfakedetection", name="DFD")
FIVE = (CDFV1, CDFV2, DFDCP, DFDC, DFD)
DF40 = tuple(Selection("df40", manipulations=(m,), name=m) for m in ("uniface", "e4s", "facedancer", "fsgan", "inswap"))
FACES = Protocol("faces", _ff("train"), _ff("val"), FIVE)
MINIATURE_KINDS = FOUR  # the world's forgeries mimic FaceForensics++'s and carry their names

UNIVERSAL = Protocol(
    "universal",
    (Selection("unifd", "train", name="ProGAN"),),
    (Selection("unifd", "val", name="ProGAN"),),
    tuple(Selection("unifd", datasets=(f"UniFD/{s}",), name=s) for s in SUBSETS),
    frames=None,
    transform=(("views.domain", "scene"), ("views.scene_fit", "crop")),
    metrics=("ap", "acc"),
    paper_tables="IV, V",
)


def leave_one_out(base: Protocol, kinds: tuple[str, ...]) -> Iterator[Protocol]:
    """Yield for each manipulation type a protocol that trains and selects without it and tests on it.

    Args:
        base: the protocol with all types; its test sets have their titles.
        kinds: the manipulation types.
    """
    for kind in kinds:
        others = tuple(k for k in kinds if k != kind)
        yield base.replace(
            name=f"{base.name}-without-{kind}",
            train=tuple(replace(s, manipulations=others) for s in base.train),
            select=tuple(replace(s, manipulations=others) for s in base.select),
            test=tuple(replace(s, manipulations=(kind,), name=kind) for s in base.test if s.title == kind),
        )


def _inside(data: str, name: str, tables: str) -> Protocol:
    """Trained on FOUR together, tested on each, in one data set."""
    return Protocol(
        name,
        (Selection(data, "train", FOUR),),
        (Selection(data, "val", FOUR),),
        tuple(Selection(data, "test", (k,), name=k) for k in FOUR),
        paper_tables=tables,
    )


FACEFORENSICS = _inside("faceforensics", "faceforensics", "")
COMBINED = "faceforensics-combined"  # as DeepfakeBench tests FaceForensics++: all four manipulations in one set
MINIATURE = _inside("miniature", "miniature", "")

PROTOCOLS: dict[str, Protocol] = {
    p.name: p
    for p in (
        FACES.replace(name="cross-dataset", paper_tables="I, IX, X, XI, XII, XIII"),
        FACES.replace(name="cross-dataset-video", test=(CDFV2, DFDC, DFDCP), level="video", paper_tables="II"),
        FACES.replace(name="df40", test=DF40, paper_tables="III"),
        FACES.replace(name="components", test=(CDFV2, DFDC, DF40[2], DF40[3]), paper_tables="VIII"),
        UNIVERSAL,
        UNIVERSAL.replace(name="universal-max1000", sampling="unifd-max1000"),
        FACEFORENSICS,
        FACEFORENSICS.replace(name=COMBINED, test=(Selection("faceforensics", "test", FOUR, name="FF++"),)),
        *(p.replace(paper_tables="VI") for p in leave_one_out(FACEFORENSICS, FOUR)),
        MINIATURE,
        *leave_one_out(MINIATURE, MINIATURE_KINDS),
    )
}


def protocol(name: str) -> Protocol:
    """Return a protocol by name.

    Raises:
        DataError: for an unknown name.
    """
    if name not in PROTOCOLS:
        raise DataError(f"no protocol {name!r}; there are {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name]
