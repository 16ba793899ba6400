"""`corit data prepare`: videos -> aligned face crops with landmarks and masks."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cyclopts import Parameter

from corit.commands import exit_codes, options

if TYPE_CHECKING:
    from corit.data.care.prepare import PreparedVideo
    from corit.images.face_crop import Cropping


@Parameter(name="*")
@dataclass(frozen=True)
class CropOptions:
    """How faces are cut out of frames.

    Attributes:
        frames: which frames of the videos are used
        side: width and height of a crop in pixels
        scale: size of the crop relative to the face
        again: detect the face again in the crop, and drop the frame if there is none, as DeepfakeBench does
        least: drop faces that dlib scores below this; `corit detect` uses 0.2 for photographs
        longest: shrink frames whose longer side is longer than this before dlib detects faces, which is faster; 0 never
            shrinks
    """

    frames: options.Frames = field(default_factory=options.Frames)
    side: int = 256
    scale: float = 1.3
    again: bool = True
    least: float = 0.0
    longest: int = 0

    @property
    def cropping(self) -> Cropping:
        """The settings of the face crops. Raises DataError."""
        from corit.images.face_crop import Cropping

        return Cropping(
            self.frames.limit,
            self.frames.choice,
            self.side,
            self.scale,
            self.again,
            self.least,
            self.longest or None,
        )


def prepare(
    root: Path,
    *,
    out: Path,
    data: options.Names | None = None,
    crops: CropOptions = CropOptions(),
    workers: int = 2,
    format: options.OutputFormat = "table",
) -> int:
    """Cut the largest face out of the frames of every video: aligned crops with landmarks and masks, a row a video.

    Run the same command again to resume, and to try failed videos again. Exit code 3 if no video gave a frame.

    Args:
        root: folder of videos
        out: folder for frames/, landmarks/ and masks/ in the layout of the root; may be the same folder
        data: prepare only the videos of these data sets in the root, such as celeb-df-v2:splits=test
        workers: processes that cut out faces
    """
    from corit.data.care.prepare import prepare_videos
    from corit.progress import progress_bar
    from corit.report.text import escape_controls

    skipped: list[str] = []
    paths = _videos(root, data, skipped)
    cropping = crops.cropping
    with _terminate_as_interrupt(), progress_bar("videos") as progress:
        progress(0, len(paths))
        results = prepare_videos(
            paths, root, out, cropping, workers=workers, progress=progress, on_skipped=skipped.append
        )
        with closing(results):  # so that an interrupt ends the workers at once
            rows = _print_rows(results, format)
    for reason in dict.fromkeys(skipped):  # a file can be skipped while videos are listed, and again for its data set
        print(f"left out: {escape_controls(reason)}", file=sys.stderr)
    saved = sum(row["frames"] > 0 for row in rows)
    print(f"{saved} of {len(rows)} videos gave {sum(row['frames'] for row in rows)} frames in {out}", file=sys.stderr)
    return exit_codes.DONE if saved else exit_codes.NOTHING_FOUND


def _videos(root: Path, data: Sequence[str] | None, skipped: list[str]) -> list[str]:
    """The videos of the data sets, or of the folder; why others are skipped goes to `skipped`."""
    from corit.data.care.prepare import list_videos
    from corit.data.spec import parse_spec
    from corit.sources import SOURCES, open_source

    if not data:
        return list(list_videos(root, skipped.append))
    specs = [
        spec if "media" in parse_spec(spec, SOURCES)[1] else f"{spec}{',' if ':' in spec else ':'}media=videos"
        for spec in data
    ]
    return list(dict.fromkeys(s.path for s in open_source(*specs, root=str(root)).samples))


def _print_rows(results: Iterator[PreparedVideo], format: options.Format) -> list[dict[str, Any]]:
    """Print a row for each video, a table at the end and other formats at once, and return the rows."""
    from corit.report.data import format_rows
    from corit.report.text import print_text

    rows: list[dict[str, Any]] = []
    for result in results:
        rows.append(asdict(result))
        if format != "table":
            print_text(format_rows(rows[-1:], format, head=len(rows) == 1))
    if format == "table" and rows:
        print_text(format_rows(rows, format))
    return rows


@contextmanager
def _terminate_as_interrupt() -> Iterator[None]:
    """Let SIGTERM end the work as an interrupt does: what is finished is kept, and the workers end."""

    def stop(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set what signals do
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
