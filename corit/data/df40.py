"""DF40: forty ways of faking a face, on FaceForensics++ and on Celeb-DF -> Sample rows."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from corit.data.celebdf import CelebDF, film
from corit.data.faceforensics import FaceForensics, pair_group, read_pairs
from corit.data.frames import ALL, Clip, Reading, complete, read_frame, rows
from corit.data.missing import missing
from corit.data.sample import Sample, Split
from corit.errors import DataError
from corit.images.media import Picture

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
DOMAINS = ("ff", "cdf")
UNIONS = tuple(f"{kind}All_{domain}" for domain in DOMAINS for kind in KNOWN)
NAMES = (*(f"{m}_{d}" for d in DOMAINS for m in METHODS), *UNIONS, *UNKNOWN)
PAIR = re.compile(r"(\d{3})(?:_(\d{3}))?")


@dataclass(frozen=True)
class DF40:
    """Sets of DF40 by name: uniface_cdf, the union of a kind FSAll_ff, or a method with its own reals such as heygen.

    faceforensics, celebdf: roots of the data sets whose reals stand against the fakes of a domain; without one, its
    fakes are listed alone. Reals are listed once, however many sets are. Fakes of ff lie where the official lists of
    `faceforensics` put their videos, in the test split without it; everything else is for testing. Raises DataError
    when a method's folder is absent or holds no frames.
    """

    root: str
    names: tuple[str, ...]
    faceforensics: str = ""
    celebdf: str = ""
    compression: str = "c23"
    reading: Reading = ALL

    def __post_init__(self) -> None:
        unknown = [n for n in self.names if n not in NAMES]
        if unknown or not self.names:
            known = f"{', '.join(METHODS)} with _ff or _cdf; {', '.join(UNIONS)}; {', '.join(UNKNOWN)}"
            raise DataError(f"no such set of DF40: {', '.join(unknown) or 'none was named'}; there are {known}")

    @cached_property
    def samples(self) -> tuple[Sample, ...]:
        """Reals of the domains, then the sets in the order of their names."""
        parts = list(dict.fromkeys(part for name in self.names for part in expand(name)))
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
        if domain:
            yield from self._rows(folder, domain, f"{method}_{domain}", method)
            return
        yield from self._rows(folder, "real", method, "")
        yield from self._rows(folder, "fake", method, method)

    def _folder(self, method: str) -> str:
        """A method's folder; releases differ in capitals."""
        there = os.listdir(self.root) if os.path.isdir(self.root) else []
        found = sorted(n for n in there if n.lower() == method.lower())
        if not found:
            raise missing("df40", self.root, f"expected a folder of {method}, but it is not there", [f"{method}/"])
        return found[0]

    def _rows(self, folder: str, part: str, name: str, manipulation: str) -> Iterator[Sample]:
        where = os.path.join(self.root, folder, part)
        for key, clip in complete("df40", self.root, where, self.reading).items():
            split, group = self._side(part, clip) if part in DOMAINS else ("test", f"{name} {part} {key}")
            if split in self.reading.splits:
                yield from rows(
                    clip,
                    self.reading,
                    video=f"DF40/{name}/{part}/{key}",
                    label=int(part != "real"),
                    split=split,
                    dataset=name,
                    manipulation=manipulation,
                    group=group,
                )

    def _side(self, domain: str, clip: Clip) -> tuple[Split, str]:
        """Split and group of a fake: those of the video that it was made from."""
        pair = PAIR.fullmatch(clip.name)
        if domain == "ff" and pair:
            known = self._videos.get(pair[1])
            return known or ("test", pair_group(pair[1], pair[2]) if pair[2] else f"video {pair[1]}")
        return "test", film(clip.name)

    @cached_property
    def _videos(self) -> dict[str, tuple[Split, str]]:
        """Video of FaceForensics++ -> its split and group, by the official lists."""
        pairs = read_pairs(self.faceforensics) if self.faceforensics else {}
        return {v: (split, pair_group(*pair)) for split, listed in pairs.items() for pair in listed for v in pair}

    def load(self, sample: Sample) -> Picture:
        """Decode one frame. Raises InputError's kinds."""
        return read_frame(sample, self.reading)


def expand(name: str) -> list[tuple[str, str]]:
    """The (method, domain) of a set's name; the domain is empty for a method with reals of its own."""
    if name in UNKNOWN:
        return [(name, "")]
    method, _, domain = name.rpartition("_")
    methods = KNOWN.get(method.removesuffix("All"), (method,)) if method.endswith("All") else (method,)
    return [(m, domain) for m in methods]
