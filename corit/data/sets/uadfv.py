"""UADFV."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from corit.data.dataset import DataSet, PublishedSize
from corit.data.frames import READ_ALL, Reading, frame_samples, read_frame, require_videos
from corit.data.origin import Origin
from corit.data.sample import Sample
from corit.images.picture import Picture

ORIGIN = Origin("UADFV", "real/ and fake/ with 49 videos each", "https://github.com/yuezunli/WIFS2018_In_Ictu_Oculi")


@dataclass(frozen=True)
class UADFV:
    """UADFV: 49 videos and a face swap of each, all of them for testing, since there is no official split.

    A sample's group is the video, which the swap shares (0000 and 0000_fake).

    Attributes:
        root: the data set's folder.
        reading: what to read of the videos.

    Raises:
        DataError: when rows are listed: real/ or fake/ holds no videos.
    """

    root: str
    reading: Reading = READ_ALL

    @cached_property
    def samples(self) -> tuple[Sample, ...]:
        """Reals, then fakes; none when the reading leaves out the test split."""
        return (*self._rows("real"), *self._rows("fake")) if "test" in self.reading.splits else ()

    def _rows(self, folder: str) -> Iterator[Sample]:
        label = int(folder == "fake")
        for name, entry in require_videos(ORIGIN, self.root, os.path.join(self.root, folder), self.reading).items():
            yield from frame_samples(
                entry,
                self.reading,
                video=f"UADFV/{folder}/{name}",
                label=label,
                split="test",
                dataset="UADFV",
                manipulation="UADFV" if label else "",
                group=source_video(name),
            )

    def load(self, sample: Sample) -> Picture:
        """Read one frame. Raises InputError's kinds."""
        return read_frame(sample, self.reading)


def source_video(video: str) -> str:
    """Return the group of a video: its own name, or that of the video behind a swap."""
    return video.removesuffix("_fake")


DATASET = DataSet(
    "uadfv",
    UADFV,
    ORIGIN,
    video=True,
    marks=("fake/*_fake", "fake/*_fake.mp4", "fake/*/*_fake", "fake/*/*_fake.mp4"),
    sizes={("UADFV", "test"): PublishedSize(each=49)},
)
