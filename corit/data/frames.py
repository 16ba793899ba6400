"""Videos on disk and their frames: found, selected by index, and read with the landmarks and masks beside them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from typing import Literal, get_args

import numpy as np

from corit.data.landmarks import read_points
from corit.data.origin import Origin
from corit.data.sample import Sample, Split
from corit.data.walk import Folder, leads_nowhere, walk
from corit.errors import DataError, InputError, UnreadableError, UnsupportedError
from corit.images.face_shape import require_face
from corit.images.file_kind import kind_of
from corit.images.frame_choice import Choice, choose
from corit.images.picture import SUFFIXES, Picture, read_picture

VIDEO_SUFFIXES = frozenset(
    (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv")
    + (".flv", ".f4v", ".3gp", ".3g2", ".ts", ".mts", ".m2ts", ".vob", ".asf", ".ogv")
)
Media = Literal["auto", "frames", "videos"]
Grouping = Literal["path", "dfb"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")
WHOLE_VIDEO = -1  # Sample.frame of a row for a whole video file, before frames are selected
SIDE_FOLDERS = frozenset(("landmarks", "masks"))  # they hold PNG files too, but are no videos
# Folders that hold videos, as folders of frames or as files; they are no part of a video's name.
VIDEO_HOLDERS = ("frames", "images", "videos")


@dataclass(frozen=True)
class Reading:
    """What to read of a data set of videos, and how.

    Attributes:
        frames: the most frames of each video; None for all.
        choice: "even" spreads them over the video, as DeepfakeBench's preprocessing does; "first" takes the first ones,
            as DeepfakeBench's reader does, although a comment in its code says "evenly".
        media: frames that are already extracted, video files, or "auto": frames where there are any.
        splits: the splits to list.
        masks: put a manipulation mask that lies beside a frame into `Picture.mask`. Only fakes have one: a model that
            uses it as a foreground learns the label from it.
        partial: go on without the videos and frames that are missing.
        on_missing: called with each path that is missing; also go on without whole folders.
    """

    frames: int | None = None
    choice: Choice = "even"
    media: Media = "auto"
    splits: tuple[Split, ...] = SPLITS
    masks: bool = False
    partial: bool = False
    on_missing: Callable[[str], None] | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.frames is not None and self.frames < 1:
            raise DataError(f"expected at least one frame of each video, or None for all, got {self.frames}")
        for name, value, known in (("choice", self.choice, Choice), ("media", self.media, Media)):
            if value not in get_args(known):
                raise DataError(f"expected {name} to be one of {', '.join(get_args(known))}, got {value!r}")
        unknown = sorted(set(self.splits) - set(SPLITS))
        if unknown or not self.splits:
            raise DataError(f"expected some of {', '.join(SPLITS)} as splits, got {self.splits!r}")


READ_ALL = Reading()


def natural_key(name: str) -> tuple[int, str, str]:
    """Return a sorting key that puts 9.jpeg before 10.png and keeps the order of zero-padded names."""
    stem, suffix = os.path.splitext(name)
    return len(stem), stem, suffix


def is_video(path: str) -> bool:
    """Return whether a file is a video: by its suffix, or by its first bytes where the suffix is of neither kind."""
    suffix = PurePath(path).suffix.lower()
    return suffix in VIDEO_SUFFIXES or (suffix not in SUFFIXES and kind_of(path) == "video")


@dataclass(frozen=True)
class VideoEntry:
    """One video on disk: a folder of frames or a video file.

    Attributes:
        name: the folder's or file's name, without the suffix of a video.
        path: the folder or file.
        frames: the names of the frames in order; none in an empty folder and of a video file.
        video: whether it is a video file.
    """

    name: str
    path: str
    frames: tuple[str, ...] = ()
    video: bool = False

    @property
    def empty(self) -> bool:
        """Whether it is a folder without any frame."""
        return not self.video and not self.frames


def find_videos(folder: str | os.PathLike[str], media: Media = "auto") -> dict[str, VideoEntry]:
    """Find the videos below a folder.

    Frames lie in frames/ or images/, video files in videos/, or either in the folder itself; the first of these that
    holds any counts. Further down these folders are no part of a name: actor/frames/000 is the video actor/000. A
    folder may have the name of a video (000.mp4/000.png). A picture that lies in the folder itself, in no folder of a
    video, is a video of one frame. A link that leads nowhere is a video without frames.

    Args:
        folder: the folder; it may be absent.
        media: frames that are already extracted, video files, or "auto": frames where there are any.

    Returns:
        Videos by their path inside the folder without a suffix, in order; none when there is no such folder.

    Raises:
        DataError: a folder cannot be opened.
    """
    folder = os.fspath(folder)
    inner = {"frames": ("frames", "images"), "videos": ("videos",), "auto": VIDEO_HOLDERS}[media]
    bases = [p for p in (os.path.join(folder, n) for n in inner) if os.path.isdir(p)]
    if not bases and not os.path.isdir(folder):
        return {}
    first: dict[str, VideoEntry] = {}
    for base in bases or [folder]:
        videos = _videos_in(base, media)
        if not all(c.empty for c in videos.values()):
            return videos
        first = first or videos
    return first


def _videos_in(base: str, media: Media) -> dict[str, VideoEntry]:
    walked = walk(base, links="named", enters=lambda folder, entry: entry.name not in SIDE_FOLDERS)
    listed = [
        c for folder in walked for c in _in_folder(folder) if media == "auto" or c[1].video == (media == "videos")
    ]
    # Of a video that is there as frames and as a file, the last one stays: the frames, if there are any.
    return dict(sorted(listed, key=lambda c: (c[0], not c[1].empty, not c[1].video)))


def _in_folder(folder: Folder) -> Iterator[tuple[str, VideoEntry]]:
    """The videos that lie in one folder, and the folder itself where it holds frames, by their keys."""
    key = _key(folder.inside)
    parts = [(e, *os.path.splitext(e.name)) for e in folder.files]
    pictures = [e.name for e, _, suffix in parts if suffix.lower() in SUFFIXES]
    videos = [(stem, e.path) for e, stem, suffix in parts if suffix.lower() in VIDEO_SUFFIXES]
    broken = [e for e, _, suffix in parts if suffix.lower() not in SUFFIXES | VIDEO_SUFFIXES and leads_nowhere(e)]
    inner = [e for e in folder.folders if e.name not in SIDE_FOLDERS]
    yield from ((_join(key, stem), VideoEntry(stem, path, video=True)) for stem, path in videos)
    yield from ((_join(key, e.name), VideoEntry(e.name, e.path)) for e in broken)  # it may have been a folder of frames
    if key and (pictures or not (inner or videos)):
        yield key, VideoEntry(key.rpartition("/")[2], folder.path, tuple(sorted(pictures, key=natural_key)))
    elif pictures:
        yield from ((os.path.splitext(p)[0], VideoEntry(os.path.splitext(p)[0], folder.path, (p,))) for p in pictures)


def _key(inside: str) -> str:
    """The key of a folder's videos: its path without the suffixes of videos and without folders that hold videos."""
    key = ""
    for part in filter(None, inside.split("/")):
        stem, suffix = os.path.splitext(part)
        name = stem if suffix.lower() in VIDEO_SUFFIXES else part
        key = key if key and name in VIDEO_HOLDERS else _join(key, name)
    return key


def _join(key: str, name: str) -> str:
    return f"{key}/{name}" if key else name


def require_videos(
    origin: Origin,
    root: str,
    where: str | os.PathLike[str],
    reading: Reading,
    wanted: Iterable[str] | None = None,
    listed: str = "",
) -> dict[str, VideoEntry]:
    """Find the videos of a folder, and require those that a list names.

    Args:
        origin: of the data set, for the error.
        root: the data set's root, for the error.
        where: the folder.
        reading: what to read of the videos.
        wanted: the names of the videos; None for all.
        listed: what the list of the names is called, for the error.

    Returns:
        The videos that have frames, by name, in the order of `wanted`.

    Raises:
        DataError: there are no videos, or, unless the reading is partial, some are absent or have no frames.
    """
    videos = find_videos(where, reading.media)
    names = list(videos) if wanted is None else list(wanted)
    complete = {n: videos[n] for n in names if n in videos and not videos[n].empty}
    absent = [n for n in names if n not in complete]
    inside = os.path.relpath(where, root).replace(os.sep, "/")
    if reading.on_missing:
        for name in absent if names else ("",):
            reading.on_missing(f"{inside}/{name}")
        return complete
    if complete and (reading.partial or not absent):
        return complete
    if not names:
        what = "frames, images or videos" if reading.media == "auto" else reading.media
        raise origin.missing(root, f"expected {what} in {inside}/, found none")
    source = f" named in {listed}" if listed else ""
    problem = f"expected {len(names)} videos{source} in {inside}/, but {len(absent)} have no file or frame there"
    advice = "" if not complete else "; extract them, or ask for a partial reading to go on without them"
    raise origin.missing(root, problem + advice, absent)


def frame_samples(
    entry: VideoEntry,
    reading: Reading,
    *,
    video: str,
    label: int,
    split: Split,
    dataset: str,
    manipulation: str = "",
    group: str = "",
) -> Iterator[Sample]:
    """Yield the selected frames of a video as samples, or one sample with the frame WHOLE_VIDEO for a video file.

    Args:
        entry: the video on disk.
        reading: which frames to take.
        video: the video's name, unique in its source; a frame's id is this name and the frame's file name.
        label: 0 real, 1 fake.
        split: of the samples, as are the arguments that follow.
        dataset: the data set's name.
        manipulation: the manipulation type.
        group: what must stay in one split.
    """
    if entry.video:
        yield Sample(video, entry.path, label, split, manipulation, dataset, group, video, WHOLE_VIDEO)
        return
    for i in choose(len(entry.frames), reading.frames, reading.choice):
        name = entry.frames[i]
        where = f"{entry.path}/{name}"
        number = frame_number(name, i)
        extra = "mask as foreground" if reading.masks else ""
        yield Sample(f"{video}/{name}", where, label, split, manipulation, dataset, group, video, number, extra)


def frame_number(name: str, position: int) -> int:
    """Return the number that a frame's file name is, or else its position."""
    stem = name.rpartition(".")[0]
    return int(stem) if stem.isdecimal() else position


def video_key(sample: Sample, grouping: Grouping = "path") -> str:
    """Return the name of the video over whose frames a frame's score is averaged.

    Args:
        sample: the frame. A sample of no video is a video of its own.
        grouping: "path" for the sample's video; "dfb" for the name of the frame's folder alone. DeepfakeBench merges
            videos whose folders share a name: in FaceForensics++ the same pair under all manipulations. Published video
            AUCs on that set are of these merged videos.

    Raises:
        DataError: an unknown grouping.
    """
    if grouping not in get_args(Grouping):
        raise DataError(f"expected frames grouped by {' or '.join(get_args(Grouping))}, got {grouping!r}")
    if not sample.video:
        return sample.id
    return sample.video.rpartition("/")[2] if grouping == "dfb" else sample.video


def path_beside(path: str, kind: str, suffix: str) -> str | None:
    """Return where the landmarks or the mask of a frame lie, or None for a path without a folder frames/.

    Args:
        path: the frame.
        kind: the folder next to the innermost frames/: "landmarks" or "masks".
        suffix: of the file.
    """
    parts = list(PurePath(path).parts)
    at = max((i for i, p in enumerate(parts[:-1]) if p == "frames"), default=None)
    if at is None:
        return None
    return str(PurePath(*parts[:at], kind, *parts[at + 1 :]).with_suffix(suffix))


def read_frame(sample: Sample, reading: Reading) -> Picture:
    """Read a frame, with the landmarks beside it where the data set is preprocessed: then it is an aligned face crop.

    Args:
        sample: the frame's row.
        reading: whether to read a mask too.

    Raises:
        UnsupportedError: the row is a video file.
        UnreadableError: the frame is missing or damaged, or lies in a set with landmarks and has none, or landmarks
            that outline no face: nobody knows where the face is.
    """
    require_picture(sample)
    picture = read_picture(sample.path)
    landmarks = path_beside(sample.path, "landmarks", ".npy")
    if landmarks is None or not os.path.isdir(path_up_to(landmarks, "landmarks")):
        return picture
    try:
        points = read_points(landmarks)
    except DataError as err:
        raise UnreadableError(f"expected landmarks of {sample.path}: {err}; prepare the video again") from err
    require_face(points, picture.pixels.shape[:2], landmarks, advice="prepare the video again")
    picture = replace(picture, landmarks=points, aligned=True)
    return replace(picture, mask=_mask(sample, picture)) if reading.masks else picture


def require_picture(sample: Sample) -> None:
    """Raise UnsupportedError for a row that is a whole video; `corit.data.video_frames` makes frames of it."""
    if is_video(sample.path):
        raise UnsupportedError(
            f"expected a picture or an extracted frame, but {sample.path} is a video; extract its faces with "
            "`corit data prepare`"
        )


def path_up_to(path: str, kind: str) -> str:
    """Return a path up to and with its innermost folder called `kind`."""
    parts = PurePath(path).parts
    at = max(i for i, p in enumerate(parts[:-1]) if p == kind)
    return str(PurePath(*parts[: at + 1]))


def _mask(sample: Sample, picture: Picture) -> np.ndarray | None:
    """The manipulation mask (H, W) bool of a fake, or None where there is none: a grey PNG, set above 1 of 255."""
    path = path_beside(sample.path, "masks", ".png")
    if path is None or not Path(path).is_file():
        return None
    try:
        mask = read_picture(path).pixels[..., 0] > 1
    except InputError as err:
        raise UnreadableError(f"expected a mask of {sample.path} at {path}, but {err}") from err
    if mask.shape != picture.pixels.shape[:2]:
        raise UnreadableError(f"expected a mask of {picture.pixels.shape[:2]} at {path}, got {mask.shape}")
    return mask
