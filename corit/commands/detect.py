"""`corit detect`: scores of pictures and videos."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from corit.commands import exit_codes, options
from corit.commands.messages import say

Per = Literal["frame", "track", "video"]
DomainChoice = Literal["auto", "face", "scene"]


@Parameter(name="*")
@dataclass(frozen=True)
class Output:
    """Where the scores go, and in which rows.

    Attributes:
        html: also write a page with regions, heat maps and the timeline of each video; of many, the most suspicious
        out: write the rows to this file; run the same command again to resume
        per: rows of a video: video is one for all, track adds one for each face, frame adds each face of each frame
    """

    format: options.OutputFormat = "table"
    html: Path | None = None
    out: Path | None = None
    per: Per = "track"
    video_score: options.VideoScore = "track"


def detect(
    paths: Annotated[list[str], Parameter(negative=())],
    *,
    detector: str | None = None,
    domain: DomainChoice = "auto",
    weights: str | None = None,
    twins: int = 1,
    stable: bool | None = None,
    output: Output = Output(),
    frames: options.Frames = options.FRAMES,
    crops: options.Crops = options.CROPS,
    compute: options.ScoringCompute = options.SCORING_COMPUTE,
) -> int:
    """Score pictures, videos and folders of both: a row for each face or picture, rows for each video and its faces.

    Exit code 3 if nothing could be scored.

    Args:
        paths: files and folders; pictures are scored first, then videos
        detector: folder that `corit train` or `corit demo` wrote, or a name that `corit detectors list` prints; by
            default --domain decides
        domain: without --detector, face scores faces, scene whole pictures, and auto faces and, where none is found,
            the whole picture
        weights: new place of the backbone's weights, if they moved
        twins: self-blended twins to score each picture with; more than one gives a spread
        stable: score each picture again as JPEG 90, resized to 0.9 and with 2 % cut off (three more forward passes),
            and call it unsure where its verdict turns from real to fake or from fake to real; by default only where
            one picture is given
    """
    from corit.commands.scan import ScanOptions, run
    from corit.detect.choice import choose_detector
    from corit.detect.video_score import VideoScore

    scan = ScanOptions(
        paths=tuple(paths),
        format=output.format,
        html=output.html,
        out=output.out,
        twins=twins,
        aligned=crops.aligned,
        landmarks=crops.read_landmarks(),
        batch=compute.batch,
        workers=compute.workers,
        frames=frames.limit,
        choice=frames.choice,
        per=output.per,
        video_score=VideoScore(output.video_score),
        stable=len(paths) == 1 and not os.path.isdir(paths[0]) if stable is None else stable,
    )
    chosen = choose_detector(
        detector,
        domain,
        weights=weights,
        device=compute.device,
        crops=crops.aligned,
        landmarks=crops.landmarks is not None,
    )
    if chosen.note:
        say(chosen.note)
    loaded = chosen.detector
    if loaded.outside():
        say(f"these files are {loaded.outside()}; every verdict is unsure")
    return exit_codes.DONE if run(loaded, scan) else exit_codes.NOTHING_SCORED
