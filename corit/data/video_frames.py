"""A source's videos as rows of frames, decoded in one pass while the rows are read in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from corit.data.frames import WHOLE_VIDEO, is_video
from corit.data.sample import Sample, Source
from corit.data.stamp import CurrentVersion
from corit.errors import InputError, UnreadableError
from corit.images.frame_choice import Choice, choose
from corit.images.picture import Picture
from corit.images.video import VideoFile

FRAMES_PER_VIDEO = 32  # as in DeepfakeBench's preprocessing


class SequentialReader:
    """Decodes frames of one video after the other; ascending frames of a video take one pass.

    Another process gets an empty reader, which opens the video again.
    """

    def __init__(self) -> None:
        self._video: VideoFile | None = None
        self._next, self._stamp = 0, ""

    def __reduce__(self) -> tuple[Any, ...]:
        return SequentialReader, ()

    def __call__(self, path: str, index: int) -> Picture:
        """Decode one frame of a video.

        Args:
            path: the video.
            index: the frame's index.

        Raises:
            InputError: its kinds; UnreadableError for a frame that cannot be decoded.
        """
        now = CurrentVersion([path]).stamp
        if self._video is None or self._stamp != now or index < self._next:  # also where another file took its place
            self._video = None  # closed before another one is opened
            self._stamp, self._video = now, VideoFile(path)
        self._next = index + 1
        frame = self._video.frame(index)
        if frame is None:
            raise UnreadableError(
                f"frame {index} of {self._video.name} cannot be decoded: the video is cut off or damaged there"
            )
        return Picture(frame.pixels, note=frame.note)


@dataclass(frozen=True)
class VideoFrames:
    """Another source whose videos (rows with the frame WHOLE_VIDEO) are replaced by their selected frames.

    A frame's id is the video's with `#` and the frame's index. Listing reads each video once without decoding it. A
    video that cannot be opened keeps its one row, whose error says why. With `frames` None, a video that is cut off has
    a row for each frame that exists, and one more row for the rest.

    Attributes:
        source: the other source.
        frames: the most frames of each video; None for all.
        choice: which frames, by index; see `corit.images.frame_choice`.

    Raises:
        DataError: an unknown choice, or less than one frame.
    """

    source: Source
    frames: int | None = FRAMES_PER_VIDEO
    choice: Choice = "even"
    _reader: SequentialReader = field(default_factory=SequentialReader, compare=False, repr=False)

    def __post_init__(self) -> None:
        choose(1, self.frames, self.choice)

    @cached_property
    def samples(self) -> Sequence[Sample]:
        """The rows in the source's order, with a video's frames in the place of the video."""
        return tuple(row for s in self.source.samples for row in self._rows(s))

    def _rows(self, sample: Sample) -> Iterator[Sample]:
        count, decodable = _counts(sample.path) if is_whole_video(sample) else (0, 0)
        if not count:
            yield sample
            return
        video = sample.video or sample.id
        indices = range(min(count, decodable + 1)) if self.frames is None else choose(count, self.frames, self.choice)
        for i in indices:
            yield replace(sample, id=f"{sample.id}#{i:06d}", video=video, frame=i)

    def load(self, sample: Sample) -> Picture:
        """Return the picture of one row. Raises InputError's kinds."""
        if not is_video(sample.path):
            return self.source.load(sample)
        return self._reader(sample.path, max(0, sample.frame))


def is_whole_video(sample: Sample) -> bool:
    """Return whether a row is a whole video."""
    return sample.frame == WHOLE_VIDEO and is_video(sample.path)


def _counts(path: str) -> tuple[int, int]:
    """The frames that a video should have, and those up to the last that exists; 0 where it cannot be opened."""
    try:
        video = VideoFile(path)
        return video.survey(), video.held
    except InputError:
        return 0, 0
