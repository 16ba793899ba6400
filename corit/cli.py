"""The command line: parse, call one function, print. Results go to standard output, all else to standard error."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter

from corit import __version__, failures
from corit.commands.device import Device
from corit.errors import CoritError

if TYPE_CHECKING:
    from corit.data.landmarks import Landmarks
    from corit.features.store import FeatureStore

WRONG_USAGE, NOTHING_SCORED, MACHINE_FAILED, INTERRUPTED = 2, 3, 4, 130

app = App(
    name="corit",
    version=__version__,
    help="Tell manipulated and AI-made pictures from real ones (CoRIT).",
    suppress_keyboard_interrupt=False,  # else the parser exits before `main` can say how to go on
)

Domain = Literal["face", "scene"]
# What detectors that are trained here say of the pictures that they know.
DOMAINS = {"face": "faces in the pictures given to corit train", "scene": "whole pictures given to corit train"}
Format = Literal["table", "jsonl", "csv"]
Choice = Literal["even", "first"]
Per = Literal["frame", "track", "video"]


def main(argv: list[str] | None = None) -> None:
    """Run a command and exit.

    0 done, also where the reader of the output has gone, as with `| head`; 2 wrong usage or input that cannot be used;
    3 nothing scored; 4 the machine failed: a full disk, no memory, a killed worker; 130 interrupted.
    """
    code = _done(argv)
    failures.write_or_drop()
    sys.exit(code)


def _done(argv: list[str] | None) -> int:
    """Run a command, and say in one line what ended it early; the exit code."""
    try:
        code = app(argv, exit_on_error=False, print_error=True, result_action="return_value")
        if sys.stdout is not None:
            sys.stdout.flush()  # here, so that what cannot be written ends as it would while the command runs
    except KeyboardInterrupt:
        return _ended("interrupted; with --out the same command goes on where it was", INTERRUPTED)
    except (Exception, SystemExit) as err:
        return _failed(err)
    return code if isinstance(code, int) else 0


def _failed(err: Exception | SystemExit) -> int:
    if _reader_gone(err):
        return 0  # there is nobody to tell
    if said := failures.words(err):
        own = isinstance(err, CoritError)  # which says what was being done as well
        return _ended(str(err) if own else f"{said}, and run the same command again", MACHINE_FAILED)
    if isinstance(err, CoritError):
        return _ended(str(err), WRONG_USAGE)
    if isinstance(err, PermissionError):
        said = f"expected to be allowed to use {err.filename}, but {err.strerror}; change its rights"
        return _ended(said, WRONG_USAGE)
    if type(err).__module__.startswith("cyclopts"):
        return WRONG_USAGE  # which has said why
    raise err


def _reader_gone(err: BaseException) -> bool:
    """Whether a pipe that we write to was closed; the library that draws tables then asks for the exit itself."""
    asked = isinstance(err, SystemExit) and isinstance(err.__context__, BrokenPipeError)
    return asked or (isinstance(err, BrokenPipeError) and failures.reader_gone())


def _ended(text: str, code: int) -> int:
    _say(text)
    return code


def _say(text: str) -> None:
    with suppress(OSError):  # of a standard error that cannot be written
        print(f"corit: {text}", file=sys.stderr)


@app.command
def demo(
    *, out: Path = Path("demo-report"), seeds: int = 5, people: int = 120, pictures: int = 5, workers: int = 2
) -> int:
    """Train UniFD and CoRIT in the offline miniature world and write a report, a table and a detector.

    Args:
        out: folder for report.html, results.json and detector/
        seeds: head seeds
        people: training identities; validation has a third and test two thirds as many
        pictures: pictures of each identity
        workers: processes that draw and prepare pictures
    """
    from corit.progress import progress_bar
    from corit.report.demo import write_report
    from corit.studies.demo import compare, write_results
    from corit.world.miniature import world_of

    found = compare(out, spec=world_of(people, pictures), seeds=range(seeds), workers=workers, bars=progress_bar)
    found.outcome.detector.save(out / "detector")
    write_results(found, out / "results.json")
    write_report(found, out / "report.html")
    from corit.report.text import comparison

    print(comparison(found))
    print(f"report {out / 'report.html'}, detector {out / 'detector'}, {found.seconds:.0f} s")
    return 0


@app.command
def train(
    *,
    real: Annotated[list[str], Parameter(consume_multiple=True)],
    out: Path,
    fake: Annotated[list[str] | None, Parameter(consume_multiple=True)] = None,
    domain: Domain | None = None,
    backbone: str = "clip-vit-l14",
    weights: str = "",
    features: Path | None = None,
    recipe: Path | None = None,
    model: str | None = None,
    seeds: int = 5,
    rho: float = 0.05,
    learning_rate: float | None = None,
    epochs: int = 20,
    head: Literal["linear", "mlp"] = "linear",
    fpr: float = 0.05,
    blends: int = 1,
    frames: int = 32,
    choice: Choice = "even",
    by_folder: bool = False,
    aligned: bool = False,
    landmarks: Path | None = None,
    batch: int = 8,
    workers: int = 2,
    device: Device = "cpu",
) -> int:
    """Train a detector on folders of pictures and videos; without --fake, self-blends of the real ones are the fakes.

    Args:
        real: folders of real pictures and videos
        out: folder of the detector to write
        fake: folders of fake pictures and videos
        domain: face finds and aligns faces, scene takes whole pictures; by default the recipe's, else face
        backbone: a name that `corit backbones` lists, or timm:NAME
        weights: hub, packaged, random:SEED or a file; by default the backbone's own
        features: folder that keeps the measured features; by default OUT.features
        recipe: a TOML file of every choice of views and model; --domain and --model beside it change it
        model: corit, or a baseline: regions, unifd, pooled, unifd-768-trained; by default the recipe's, else corit
        seeds: heads that are trained; the best on the validation part is kept
        rho: SAM's radius
        learning_rate: of the head; by default 0.5 for linear and 0.001 for mlp
        epochs: of the head
        head: linear or mlp
        fpr: false-positive rate on validation reals at which the threshold is set
        blends: self-blended fakes of each real picture
        frames: of each video at most so many are taken; 0 for all
        choice: even spreads the frames over the video, first takes the first ones
        by_folder: pictures in one sub-folder never fall on two sides of the split
        aligned: the pictures are face crops already; landmarks of those without any are predicted
        landmarks: JSON or .npz file of landmarks by picture
        batch: pictures a forward pass
        workers: processes that decode and prepare
        device: cpu or cuda
    """
    from dataclasses import replace

    from corit.backbones.names import default_weights, load_backbone
    from corit.data.folders import FolderSource
    from corit.data.video_frames import VideoFrames
    from corit.heads.defaults import default_head
    from corit.model.encode import Encoder
    from corit.progress import progress_bar
    from corit.report.data import say_passed_over
    from corit.report.text import outcome
    from corit.train.heads import measure_features, recipe_for, split_source, train_detector

    trained = default_head(head)
    if learning_rate is not None:
        trained = replace(trained, learning_rate=learning_rate)
    folders = FolderSource(tuple(real), tuple(fake or ()), by_folder, aligned, _landmarks(landmarks))
    source = split_source(VideoFrames(folders, frames or None, choice))
    say_passed_over(folders)
    frozen = load_backbone(backbone, weights)
    made = recipe_for(frozen, domain or "", model or "", recipe)
    with progress_bar("features") as progress:
        store = measure_features(
            source,
            Encoder(frozen, made, device=device),
            features or out.with_name(out.name + ".features"),
            forge=0 if fake else blends,
            batch=batch,
            workers=workers,
            progress=progress,
        )
    _say_notes(store)
    with progress_bar("heads") as progress:
        found = train_detector(
            store,
            frozen,
            replace(trained, rho=rho, epochs=epochs),
            weights=weights or default_weights(backbone),
            seeds=range(seeds),
            fpr=fpr,
            note="" if fake else "trained on self-blended fakes of the real pictures only",
            domain=DOMAINS[made.views.domain],
            progress=progress,
        )
    found.detector.save(out)
    print(outcome(found))
    print(f"detector {out}")
    return 0


@app.command
def extract(
    *,
    out: Path,
    real: Annotated[list[str], Parameter(consume_multiple=True)],
    fake: Annotated[list[str] | None, Parameter(consume_multiple=True)] = None,
    domain: Domain | None = None,
    backbone: str = "clip-vit-l14",
    weights: str = "",
    recipe: Path | None = None,
    model: str | None = None,
    levels: bool = False,
    blends: int = 0,
    frames: int = 32,
    choice: Choice = "even",
    by_folder: bool = False,
    aligned: bool = False,
    landmarks: Path | None = None,
    batch: int = 8,
    workers: int = 2,
    device: Device = "cpu",
) -> int:
    """Measure folders of pictures and videos once, into a feature store from which many heads can be trained.

    Args:
        out: folder of the store; run again to go on after an interrupt
        real: folders of real pictures and videos
        fake: folders of fake pictures and videos
        domain: face finds and aligns faces, scene takes whole pictures; by default the recipe's, else face
        backbone: a name that `corit backbones` lists, or timm:NAME
        weights: hub, packaged, random:SEED or a file
        recipe: a TOML file of every choice of views and model; --domain and --model beside it change it
        model: corit, or a baseline: regions, unifd, pooled, unifd-768-trained; by default the recipe's, else corit
        levels: keep every layer's class and region tokens too
        blends: self-blended fakes of each real picture
        frames: of each video at most so many are taken; 0 for all
        choice: even spreads the frames over the video, first takes the first ones
        by_folder: pictures in one sub-folder never fall on two sides of the split
        aligned: the pictures are face crops already; landmarks of those without any are predicted
        landmarks: JSON or .npz file of landmarks by picture
        batch: pictures a forward pass
        workers: processes that decode and prepare
        device: cpu or cuda
    """
    from corit.backbones.names import load_backbone
    from corit.data.folders import FolderSource
    from corit.data.video_frames import VideoFrames
    from corit.model.encode import Encoder
    from corit.progress import progress_bar
    from corit.report.data import say_passed_over
    from corit.train.heads import measure_features, recipe_for, split_source

    folders = FolderSource(tuple(real), tuple(fake or ()), by_folder, aligned, _landmarks(landmarks))
    source = split_source(VideoFrames(folders, frames or None, choice))
    say_passed_over(folders)
    frozen = load_backbone(backbone, weights)
    made = recipe_for(frozen, domain or "", model or "", recipe)
    with progress_bar("features") as progress:
        store = measure_features(
            source,
            Encoder(frozen, made, device=device),
            out,
            forge=blends,
            batch=batch,
            workers=workers,
            keep_levels=levels,
            progress=progress,
        )
    _say_notes(store)
    print(f"{len(store)} rows x {store.width}: " + ", ".join(f"{n} {s}" for s, n in store.counts().items()))
    return 0


@app.command
def detect(
    paths: Annotated[list[str], Parameter(negative=())],
    *,
    detector: Path,
    format: Format = "table",
    html: Path | None = None,
    out: Path | None = None,
    frames: int = 32,
    choice: Choice = "even",
    per: Per = "track",
    twins: int = 1,
    weights: str | None = None,
    aligned: bool = False,
    landmarks: Path | None = None,
    batch: int = 8,
    workers: int = 0,
    device: Device = "cpu",
) -> int:
    """Score pictures, videos and folders of both: a row for each face or picture, rows for each video and its faces.

    Args:
        paths: files and folders; pictures are scored first, then videos
        detector: folder that `corit train` or `corit demo` wrote
        format: table, jsonl or csv
        html: also write a page with regions, heat maps and the timeline of each video; of many, the most suspicious
        out: write the rows to this file; an interrupted run goes on where it was
        frames: of each video at most so many are scored; 0 for all
        choice: even spreads the frames over the video, first takes the first ones
        per: rows of a video: video is one for all, track adds one for each face, frame adds each face of each frame
        twins: self-blended twins to score pictures with; more than one gives a spread
        weights: where the backbone's weights are now, if they moved
        aligned: the pictures are face crops already; landmarks of those without any are predicted
        landmarks: JSON or .npz file of landmarks by picture
        batch: pictures, or faces of a video, a forward pass
        workers: processes that decode and prepare pictures
        device: cpu or cuda
    """
    from corit.commands.scan import Job, run
    from corit.detect.detector import Detector

    known = _landmarks(landmarks)
    job = Job(tuple(paths), format, html, out, twins, aligned, known, batch, workers, frames, choice, per)
    loaded = Detector.load(detector, weights=weights, device=device)
    if loaded.outside():
        _say(f"what is scored here is {loaded.outside()}; every verdict is unsure")
    scored = run(loaded, job)
    return 0 if scored else NOTHING_SCORED


@app.command
def replicate(
    *,
    out: Path = Path("runs/replication"),
    worlds: int = 3,
    steps: int = 0,
    seeds: int = 5,
    people: int = 120,
    pictures: int = 5,
    faces: int = 30_000,
    photos: Path | None = None,
    workers: int = 2,
) -> int:
    """Repeat the demo's comparison in several worlds: medians and ranges over data seeds, and encoder seeds if asked.

    Args:
        out: folder for replication.json and each world's results
        worlds: how many, with seeds 0, 1, 2, ...
        steps: pretrain an encoder for each world in so many steps; 0 keeps the packaged one
        seeds: head seeds
        people: training identities
        pictures: pictures of each identity
        faces: how many faces each encoder is pretrained on
        photos: folder in Tiny ImageNet's layout, for pretraining
        workers: processes that draw and prepare pictures
    """
    from corit.progress import progress_bar
    from corit.studies.replicate import replicate as run
    from corit.world.miniature import world_of

    found = run(
        out,
        spec=world_of(people, pictures),
        worlds=range(worlds),
        seeds=range(seeds),
        steps=steps,
        faces=faces,
        photos=photos,
        workers=workers,
        bars=progress_bar,
    )
    for table in ("in_domain", "leave_one_out"):
        for kind, gain in found["gain"][table].items():
            print(
                f"{table:14} {kind:4} CoRIT less UniFD {gain['median']:+.3f}, {gain['low']:+.3f} to {gain['high']:+.3f}"
            )
    print(out / "replication.json")
    return 0


@app.command
def backbones() -> int:
    """List the backbones by name, with where their weights come from."""
    from corit.backbones.names import BACKBONES, default_weights

    for name in BACKBONES:
        print(f"{name:20} {default_weights(name)}")
    print("timm:NAME            hub    (any timm ViT with a class token and absolute positions)")
    return 0


@app.command
def pretrain(
    *,
    out: Path,
    seed: int = 0,
    target: Literal["semantic", "pixels"] = "semantic",
    steps: int = 6000,
    batch: int = 128,
    faces: int = 30_000,
    photos: Path | None = None,
    device: Device = "cpu",
) -> int:
    """Train the miniature's tiny ViT on the world's real faces, and on photographs if given.

    Args:
        out: safetensors file to write
        seed: of the faces, the weights and the batches
        target: semantic learns what is shown, pixels fills in masked patches
        steps: optimiser steps
        batch: pictures a step
        faces: how many faces are drawn
        photos: folder in Tiny ImageNet's layout
        device: cpu or cuda
    """
    from corit.progress import progress_bar
    from corit.world.pretrain import pretrain as run

    with progress_bar("pretraining") as progress:
        card = run(
            out,
            seed=seed,
            target=target,
            steps=steps,
            batch=batch,
            faces=faces,
            photos=photos,
            device=device,
            progress=progress,
        )
    print(card)
    return 0


app.command("corit.commands.data:app", name="data", help="List, check, prepare and export data sets.")
app.command(
    "corit.commands.evaluate:evaluate",
    name="evaluate",
    help="Measure detectors on labelled pictures, by slice, with a page.",
)
app.command(
    "corit.commands.robustness:robustness",
    name="robustness",
    help="Measure detectors on perturbed pictures, level by level.",
)
app.command("corit.commands.protocol:app", name="protocol", help="List the protocols, and measure detectors under one.")
app.command("corit.commands.paper:paper", name="paper", help="Make the paper's tables and figures, one or all.")
app.command(
    "corit.commands.diagnose:diagnose",
    name="diagnose",
    help="Say where heads on stored features collapse under SAM, and why, with a page.",
)
app.command(
    "corit.commands.findings:findings", name="findings", help="Test the paper's claims in the miniature, with controls."
)


def _say_notes(store: FeatureStore) -> None:
    from corit.report.text import notes

    for note in notes(store):
        _say(note)


def _landmarks(path: Path | None) -> Landmarks | None:
    from corit.data.landmarks import read_landmarks

    return None if path is None else read_landmarks(path)
