"""DF40: forty manipulation types on FaceForensics++ and on Celeb-DF."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from corit.data.dataset import ROOT, DataSet
from corit.data.frames import READ_ALL, Reading, VideoEntry, frame_samples, read_frame, require_videos
from corit.data.origin import Origin
from corit.data.sample import Sample, Split
from corit.data.sets.celebdf import CelebDF, source_video
from corit.data.sets.faceforensics import FaceForensics, pair_group, read_pairs
from corit.data.walk import list_names
from corit.errors import DataError
from corit.images.picture import Picture

ORIGIN = Origin(
    "DF40",
    "<method>/{ff,cdf}/frames/<video>/, and <method>/{real,fake}/ for the nine methods with reals of their own",
    "https://github.com/YZY-stack/DF40 (the fakes; their reals come from FaceForensics++ and Celeb-DF-v2)",
)
# Methods whose fakes were made from FaceForensics++ (domain ff) and Celeb-DF (cdf) and come without reals, by kind.
KNOWN = {
    "FS": ("fsgan", "faceswap", "simswap", "inswap", "blendface", "uniface", "mobileswap", "e4s", "facedancer"),
    "FR": (
        *("fomm", "facevid2vid", "wav2lip", "MRAA", "one_shot_free", "pirender"),
        *("tpsm", "lia", "danet", "sadtalker", "mcnet", "hyperreenact"),
    ),
    "EFS": ("VQGAN", "StyleGAN2", "StyleGAN3", "StyleGANXL", "sd2.1", "ddim", "rddm", "pixart", "DiT", "SiT"),
}
METHODS = tuple(m for methods in KNOWN.values() for m in methods)
# Methods with reals of their own.
UNKNOWN = (
    *("deepfacelab", "heygen", "whichisreal", "MidJourney", "stargan", "starganv2"),
    *("styleclip", "e4e", "CollabDiff"),
)
ALIASES = {"whichisreal": "whichfaceisreal"}  # the benchmark's name -> the release's folder
DOMAINS = ("ff", "cdf")
UNIONS = tuple(f"{kind}All_{domain}" for domain in DOMAINS for kind in KNOWN)
NAMES = (*(f"{m}_{d}" for d in DOMAINS for m in METHODS), *UNIONS, *UNKNOWN)
PAIR = re.compile(r"(\d{3})(?:_(\d{3}))?")


@dataclass(frozen=True)
class DF40:
    """Sets of DF40 by name: uniface_cdf, the union of a kind FSAll_ff, or a method with its own reals such as heygen.

    Reals are listed once, however many sets are named. Fakes of ff are in the split where the official lists of
    FaceForensics++ put their videos, and in the test split without `faceforensics`; everything else is for testing.

    Attributes:
        root: the data set's folder.
        names: of the sets.
        faceforensics: root of FaceForensics++, for the reals of the domain ff; empty to list its fakes alone.
        celebdf: root of Celeb-DF-v2, for the reals of the domain cdf; empty to list its fakes alone.
        compression: of FaceForensics++.
        reading: what to read of the videos.

    Raises:
        DataError: an unknown name; when rows are listed, a method's folder is absent or holds no frames, or no official
            list names the video of a fake of ff.
    """

    root: str
    names: tuple[str, ...]
    faceforensics: str = ""
    celebdf: str = ""
    compression: str = "c23"
    reading: Reading = READ_ALL

    def __post_init__(self) -> None:
        unknown = [n for n in self.names if n not in NAMES]
        if unknown or not self.names:
            known = f"{', '.join(METHODS)} with _ff or _cdf; {', '.join(UNIONS)}; {', '.join(UNKNOWN)}"
            raise DataError(f"no such set of DF40: {', '.join(unknown) or 'none was named'}; there are {known}")

    @property
    def types(self) -> tuple[str, ...]:
        """The manipulation types that are asked for."""
        return tuple(dict.fromkeys(method for name in self.names for method, _ in expand_name(name)))

    @cached_property
    def samples(self) -> tuple[Sample, ...]:
        """Reals of the domains, then the sets in the order of their names."""
        parts = list(dict.fromkeys(part for name in self.names for part in expand_name(name)))
        domains = {domain for _, domain in parts}
        reals = [s for domain in DOMAINS if domain in domains for s in self._reals(domain)]
        fakes = [s for method, domain in parts for s in self._method(method, domain)]
        return (*reals, *fakes)

    def _reals(self, domain: str) -> Iterator[Sample]:
        """The reals of a domain; of Celeb-DF the test videos only, since all of its fakes are for testing."""
        if domain == "ff" and self.faceforensics:
            yield from FaceForensics(self.faceforensics, (), self.compression, self.reading).samples
        if domain == "cdf" and self.celebdf and "test" in self.reading.splits:
            tests = CelebDF(self.celebdf, 2, replace(self.reading, splits=("test",))).samples
            yield from (s for s in tests if not s.label)

    def _method(self, method: str, domain: str) -> Iterator[Sample]:
        folder = self._folder(method)
        if not folder:
            return
        if domain:
            yield from self._rows(folder, domain, f"{method}_{domain}", method)
            return
        yield from self._rows(folder, "real", method, "")
        yield from self._rows(folder, "fake", method, method)

    def _folder(self, method: str) -> str:
        """A method's folder, empty where it is reported as missing; releases differ in capitals."""
        names = {method.lower(), ALIASES.get(method, method).lower()}
        folders = [n for n in list_names(self.root) if n.lower() in names]
        if not folders and self.reading.on_missing:
            self.reading.on_missing(f"{method}/")
            return ""
        if not folders:
            raise ORIGIN.missing(self.root, f"expected a folder of {method}, but it is not there", [f"{method}/"])
        return folders[0]

    def _rows(self, folder: str, part: str, name: str, manipulation: str) -> Iterator[Sample]:
        where = _part(os.path.join(self.root, folder), part)
        videos = require_videos(ORIGIN, self.root, where, self.reading)
        if part == "ff" and self.faceforensics:
            videos = self._official(videos, f"{folder}/{part}")
        for key, entry in videos.items():
            split, group = self._side(part, entry) if part in DOMAINS else ("test", f"{name} {part} {key}")
            if split in self.reading.splits:
                yield from frame_samples(
                    entry,
                    self.reading,
                    video=f"DF40/{name}/{part}/{key}",
                    label=int(part != "real"),
                    split=split,
                    dataset=name,
                    manipulation=manipulation,
                    group=group,
                )

    def _official(self, videos: dict[str, VideoEntry], where: str) -> dict[str, VideoEntry]:
        """The fakes whose videos the official lists name: the split of the others is unknown."""
        unlisted = [f"{where}/{key}" for key, entry in videos.items() if not self._known(entry.name)]
        for name in unlisted if self.reading.on_missing else ():
            self.reading.on_missing(f"{name} (in no official list)")  # type: ignore[misc]
        if unlisted and not (self.reading.partial or self.reading.on_missing):
            problem = (
                f"expected names of videos of FaceForensics++'s lists such as 000_003, but {len(unlisted)} have none; "
                "take them out, or ask for a partial reading to go on without them"
            )
            raise ORIGIN.missing(self.root, problem, unlisted)
        return {key: entry for key, entry in videos.items() if self._known(entry.name)}

    def _known(self, name: str) -> tuple[Split, str] | None:
        """Split and group of the FaceForensics++ video behind a fake, or None."""
        pair = PAIR.fullmatch(name)
        return self._videos.get(pair[1]) if pair else None

    def _side(self, domain: str, entry: VideoEntry) -> tuple[Split, str]:
        """Split and group of a fake: those of the video behind it."""
        pair = PAIR.fullmatch(entry.name)
        if domain == "ff" and pair:
            return self._known(entry.name) or ("test", pair_group(pair[1], pair[2]) if pair[2] else f"video {pair[1]}")
        return "test", source_video(entry.name)

    @cached_property
    def _videos(self) -> dict[str, tuple[Split, str]]:
        """Video of FaceForensics++ -> its split and group, by the official lists."""
        pairs = read_pairs(self.faceforensics) if self.faceforensics else {}
        return {v: (split, pair_group(*pair)) for split, listed in pairs.items() for pair in listed for v in pair}

    def load(self, sample: Sample) -> Picture:
        """Read one frame. Raises InputError's kinds."""
        return read_frame(sample, self.reading)


def _part(folder: str, part: str) -> str:
    """Where the real, fake, ff or cdf of a method lies, as its packages differ.

    In the method's folder; or in the one folder there that has it (heygen/heygen_new/real); twice below each other
    (stargan/fake/fake); and of the training package, which has ff only, as frames/ in the method's folder.
    """
    where = os.path.join(folder, part)
    if not os.path.isdir(where):
        deeper = [p for n in list_names(folder) if os.path.isdir(p := os.path.join(folder, n, part))]
        if len(deeper) == 1:
            where = deeper[0]
        elif part == "ff" and os.path.isdir(os.path.join(folder, "frames")):
            return folder
    return os.path.join(where, part) if list_names(where) == [part] else where


def expand_name(name: str) -> list[tuple[str, str]]:
    """Return each (method, domain) of a set's name; the domain is empty for a method with reals of its own."""
    if name in UNKNOWN:
        return [(name, "")]
    method, _, domain = name.rpartition("_")
    methods = KNOWN.get(method.removesuffix("All"), (method,)) if method.endswith("All") else (method,)
    return [(m, domain) for m in methods]


DATASET = DataSet(
    "df40",
    DF40,
    ORIGIN,
    {**ROOT, "names": "words", "faceforensics": "text", "celebdf": "text", "compression": "text"},
    required=("root", "names"),
    video=True,
    marks=("*/ff/frames", "*/cdf/frames", "*/ff/*/*.png", "*/cdf/*/*.png"),
)
