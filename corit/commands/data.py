"""`corit data`: which data sets there are, what is wrong with one, videos to face crops, lists for other programs."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter

from corit.report.text import put

if TYPE_CHECKING:
    from corit.data.sample import Source
    from corit.images.picture import Picture

app = App(name="data", help="List, check, prepare and export data sets.")

Format = Literal["table", "jsonl", "csv"]
Choice = Literal["even", "first"]
FOUND_NOTHING = 3


@app.command(name="list")
def listed(*, root: Path | None = None, format: Format = "table") -> int:
    """List the data sets by name: what each needs on the disk and who gives it, and whether it is below a folder.

    Exit code 3 if a root is given and nothing is found there.

    Args:
        root: folder to look into, and two folders below it
        format: table, jsonl or csv
    """
    from corit.data.discovery import describe_data_sets
    from corit.report.data import lines
    from corit.sources import SOURCES

    rows = describe_data_sets(SOURCES, root)
    put(lines(rows, format))
    return 0 if root is None or any(r["found"] for r in rows) else FOUND_NOTHING


@app.command
def check(
    data: Annotated[list[str], Parameter(negative=())],
    *,
    root: str = "",
    against: Annotated[list[str] | None, Parameter(consume_multiple=True)] = None,
    contents: bool = True,
    faces: bool = False,
    workers: int = 2,
    format: Format = "table",
) -> int:
    """Check a data set: counts, missing and unreadable files, duplicates, leaks between splits, surprising labels.

    Exit code 3 if something ought to be mended.

    Args:
        data: data sets, each NAME, NAME:PLACE or NAME:PLACE,option=value; several are checked as one
        root: the place of those that name none
        against: data sets to be tested on, of which the first ones should hold nothing
        contents: decode every picture; --no-contents looks at names only
        faces: also look for faces as a detector of the domain face does, and report pictures without one
        workers: threads that decode
        format: table, jsonl or csv
    """
    from corit.data.care.audit import audit_source
    from corit.progress import no_bar, progress_bar
    from corit.report.data import findings

    missing: list[str] = []
    source = _listed(data, root, missing)
    other = _listed(against, root, missing) if against else None
    with (progress_bar if contents else no_bar)("pictures") as progress:
        progress(0, len(source.samples) + (len(other.samples) if other else 0))
        found = audit_source(
            source,
            other,
            missing=missing,
            contents=contents,
            workers=workers,
            progress=progress,
            look=_looking(faces),
        )
    put(findings(found, format))
    return 0 if all(f.harmless for f in found) else FOUND_NOTHING


def _looking(faces: bool) -> Callable[[Picture], object]:
    """What a detector asks of a decoded picture: enough pixels and, in the domain face, a face."""
    from corit.recipe import Recipe
    from corit.views.prepare import Preparer, require_size

    return Preparer.of(Recipe(), side=224, grid=(14, 14), twins=0).crops if faces else require_size


def _listed(specs: list[str], root: str, missing: list[str]) -> Source:
    """Data sets without what they lack, which goes to `missing`."""
    from corit.sources import open_source

    source = open_source(*specs, root=root, on_missing=missing.append)
    return source if source.samples else open_source(*specs, root=root)  # which says what it looked for


@app.command
def prepare(
    root: Path,
    *,
    out: Path,
    data: Annotated[list[str] | None, Parameter(consume_multiple=True)] = None,
    frames: int = 32,
    choice: Choice = "even",
    side: int = 256,
    scale: float = 1.3,
    again: bool = True,
    least: float = 0.0,
    longest: int = 0,
    workers: int = 2,
    format: Format = "table",
) -> int:
    """Cut the largest face out of the frames of every video: aligned crops with landmarks and masks, a row a video.

    Run again it goes on, and tries again what failed. Exit code 3 if no video gave a frame.

    Args:
        root: folder of videos
        out: folder for frames/, landmarks/ and masks/ in the layout of the root; may be the same
        data: data sets in the root whose videos alone are prepared, such as celeb-df-v2:splits=test
        frames: at most so many of each video; 0 for all
        choice: even spreads them over the video, first takes the first ones
        side: of a crop in pixels
        scale: how much more than the face is shown
        again: look for the face once more in the crop, and drop the frame if there is none, as DeepfakeBench does
        least: drop faces of which dlib is less sure; a photograph is looked at with 0.2
        longest: shrink frames with a longer side before dlib looks at them, which is faster; 0 for never
        workers: processes
        format: table, jsonl or csv
    """
    from dataclasses import asdict

    from corit.data.care.prepare import Cropping, list_videos
    from corit.data.care.prepare import prepare_videos as run
    from corit.data.spec import parse_spec
    from corit.progress import progress_bar
    from corit.report.data import lines
    from corit.report.text import visible
    from corit.sources import SOURCES, open_source

    skipped: list[str] = []
    if data:
        options = {d: parse_spec(d, SOURCES)[1] for d in data}
        told = [d if "media" in options[d] else f"{d}{',' if ':' in d else ':'}media=videos" for d in data]
        paths = list(dict.fromkeys(s.path for s in open_source(*told, root=str(root)).samples))
    else:
        paths = list(list_videos(root, skipped.append))
    cropping = Cropping(frames or None, choice, side, scale, again, least, longest or None)
    made = []
    with _terminated_as_interrupted(), progress_bar("videos") as progress:
        progress(0, len(paths))
        found = run(paths, root, out, cropping, workers=workers, progress=progress, on_skipped=skipped.append)
        with closing(found):  # at an interrupt at once, not when its memory is wanted
            for row in found:
                made.append(asdict(row))
                if format != "table":
                    put(lines(made[-1:], format, head=len(made) == 1))
    if format == "table" and made:
        put(lines(made, format))
    for said in dict.fromkeys(skipped):  # videos and lists are looked for one after the other
        print(f"left out: {visible(said)}", file=sys.stderr)
    saved = sum(r["frames"] > 0 for r in made)
    print(f"{saved} of {len(made)} videos gave {sum(r['frames'] for r in made)} frames in {out}", file=sys.stderr)
    return 0 if saved else FOUND_NOTHING


@app.command
def export(
    data: Annotated[list[str], Parameter(negative=())],
    *,
    out: Path,
    root: str = "",
    below: Path | None = None,
    compression: str = "",
    prefix: str = "./",
) -> int:
    """Write a data set's frames as a JSON file of DeepfakeBench.

    Args:
        data: data sets, each NAME, NAME:PLACE or NAME:PLACE,option=value
        out: the file, called as the benchmark calls the data set, such as Celeb-DF-v2.json
        root: the place of data sets that name none
        below: folder that the file's paths start from; by default the one in which all frames lie, above frames/
        compression: c23, c40 or raw, where the benchmark's readers expect one; by default by the file's name
        prefix: what the file's paths start with: the way to that folder from the one in which the benchmark runs
    """
    import os

    from corit.data.care.export import above_frames, unnumbered_paths
    from corit.data.care.export import export_json as write
    from corit.errors import examples
    from corit.sources import open_source

    samples = open_source(*data, root=root).samples
    base = below or above_frames(os.path.commonpath({os.path.dirname(os.path.abspath(s.path)) for s in samples}))
    write(samples, out, base, compression, prefix)
    put(f"{out}: {len(samples)} frames below {base}")
    if strange := unnumbered_paths(samples):
        put(f"{len(strange)} are not called by a number, and DeepfakeBench cannot sort them: {examples(strange, 2)}")
    return 0


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """SIGTERM ends the work as an interrupt does: what is finished is kept, and the workers end."""

    def stop(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may say what signals do
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
