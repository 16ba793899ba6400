"""How often the packaged detectors say unsure, by kind of picture, and how often a mild re-encoding makes it so.

`python -m benchmarks.unsure ROOT` measures pictures of the test parts of the collections below ROOT, which no packaged
detector was trained or calibrated on, pictures that libraries ship, and drawn ones. It writes docs/unsure.json and the
tables of docs/explanation/unsure.md, and holds numbers only. With --count 24 --few 6 it takes some minutes of a core.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.kinds import KINDS, drawn_face
from corit.data.collections import COMPOSITES, DFDC, PHOTOGRAPHS, STYLEGAN, Collection, CollectionSource
from corit.detect.detector import Detector, ready_together
from corit.detect.named import load_detector
from corit.detect.pictures import score_picture
from corit.detect.row import OUTSIDE, Row
from corit.detect.stability import WORDS
from corit.files import write_text
from corit.images.picture import Picture
from corit.progress import Progress, no_progress, progress_bar
from corit.seeding import seed
from corit.serialise import json_text, markdown_table
from corit.studies.photographs import photographs
from corit.views.forge import SELF_BLEND, forge, scene_of

DOCS = Path(__file__).parent.parent / "docs"
RECORD, PAGE = DOCS / "unsure.json", DOCS / "explanation" / "unsure.md"
BEGIN, END = "<!-- measured by benchmarks/unsure.py -->", "<!-- end of what was measured -->"
FACES, SCENES = "faces-b16", "scenes-b16"
Count = dict[str, int | float | str]


@dataclass(frozen=True)
class Kind:
    """Pictures of one kind for one detector.

    Attributes:
        detector: its name.
        name: of the kind.
        pictures: loads each.
        held_out: "real" or "fake" for pictures like those of the training, which are re-encoded too; else "".
    """

    detector: str
    name: str
    pictures: Sequence[Callable[[], Picture]]
    held_out: str = ""


def held_out(root: str, collection: Collection, label: int, count: int) -> list[Callable[[], Picture]]:
    """Return loaders of the first pictures of a collection's test part by a hash.

    Args:
        root: the folder that holds the collection's folder.
        collection: the collection.
        label: 0 for real, 1 for fake.
        count: of the pictures.
    """
    source = CollectionSource(collection, root)
    rows = [s for s in source.samples if s.split == "test" and s.label == label]
    chosen = sorted(rows, key=lambda s: seed("unsure", s.id))[:count]
    return [lambda s=s: source.load(s) for s in chosen]  # type: ignore[misc]


def kinds_of(root: str, count: int, few: int) -> list[Kind]:
    """List the kinds.

    Args:
        root: the folder that holds the collections.
        count: held-out reals, and fakes, of both detectors together.
        few: pictures of every other kind.
    """
    third = count // 6
    shares = ((DFDC, 3 * count // 6 - third // 2), (STYLEGAN, third), (COMPOSITES, third // 2))
    words = {DFDC: "DFDC", STYLEGAN: "FFHQ, StyleGAN", COMPOSITES: "photographs, composites"}
    held = [
        Kind(FACES, f"{words[c]}: {('reals', 'fakes')[y]}", held_out(root, c, y, n), ("real", "fake")[y])
        for c, n in shares
        for y in (0, 1)
    ]
    scenes = held_out(root, PHOTOGRAPHS, 0, count - sum(n for _, n in shares))
    held += [
        Kind(SCENES, "ImageNet photographs", scenes, "real"),
        Kind(SCENES, "self-blends of the same", [lambda p=p: _blend(p()) for p in scenes], "fake"),  # type: ignore[misc]
    ]
    drawn = [lambda i=i: _aligned(drawn_face(i)) for i in range(few)]  # type: ignore[misc]
    shipped = [lambda p=p: Picture(p) for _, p in photographs()]  # type: ignore[misc]
    others = [Kind(FACES, "drawn faces", drawn), Kind(SCENES, "photographs that libraries ship", shipped)]
    others += [
        Kind(SCENES, name, [lambda i=i, make=make: make(i) for i in range(few)])  # type: ignore[misc]
        for name, make in KINDS.items()
    ]
    return [*held, *others, Kind(SCENES, "FFHQ faces, whole pictures", held_out(root, STYLEGAN, 0, few))]


def _blend(picture: Picture) -> Picture:
    scene = scene_of("photograph", picture.pixels)
    return Picture(forge(SELF_BLEND, scene, scene))


def _aligned(picture: Picture) -> Picture:
    return Picture(picture.pixels, picture.landmarks, aligned=True)


def measure(kinds: Iterable[Kind], detectors: dict[str, Detector], progress: Progress = no_progress) -> list[Count]:
    """Score the pictures of each kind, and count the verdicts.

    Args:
        kinds: the kinds.
        detectors: by name.
        progress: counts pictures.

    Returns:
        For each kind the number of pictures, of those with a score, and of each outcome; see `outcome`.
    """
    kinds, done = list(kinds), 0
    table = []
    for kind in kinds:
        counts: Counter[str] = Counter()
        for load in kind.pictures:
            report = score_picture(detectors[kind.detector], load(), stable=bool(kind.held_out))
            counts[outcome(max(report.rows, key=lambda r: -1.0 if r.score is None else r.score))] += 1
            progress(done := done + 1, sum(len(k.pictures) for k in kinds))
        table.append(_counted(kind, counts))
    return table


def outcome(row: Row) -> str:
    """Return what became of a picture: real, fake, outside, between, flipped, or not scored."""
    if row.score is None:
        return "not scored"
    if row.verdict != "unsure":
        return str(row.verdict)
    return "outside" if OUTSIDE in row.reason else "flipped" if WORDS in row.reason else "between"


def _counted(kind: Kind, counts: Counter[str]) -> Count:
    names = ("real", "fake", "outside", "between", "flipped", "not scored")
    return {
        "detector": kind.detector,
        "kind": kind.name,
        "held_out": kind.held_out,
        "pictures": len(kind.pictures),
        **{n: counts[n] for n in names},
    }


def tables(record: dict[str, object]) -> str:
    """Return the tables of a record as Markdown, with what they count."""
    rows: list[Count] = record["kinds"]  # type: ignore[assignment]
    head = ("detector", "pictures", "number", "unsure", "outside", "between", "flips", "fake", "real")
    body = [
        (r["detector"], r["kind"], r["pictures"], _share(r, "outside", "between", "flipped"), _share(r, "outside"))
        + (_share(r, "between"), _share(r, "flipped") if r["held_out"] else "", _share(r, "fake"), _share(r, "real"))
        for r in rows
    ]
    flips = [_flips(rows, label) for label in ("real", "fake")]
    lost = sum(int(r["not scored"]) for r in rows)
    digests = ", ".join(f"{name} {digest[:12]}" for name, digest in record["detectors"].items())  # type: ignore[attr-defined]
    text = [markdown_table(head, [[str(v) for v in line] for line in body]).rstrip("\n"), ""]
    text += [f"`--stable` turns the verdict of {flips[0]} and of {flips[1]} to `unsure`.", ""]
    text += (
        [f"{lost} pictures have no score, mostly since no face was found; shares are of the others.", ""]
        if lost
        else []
    )
    return "\n".join([*text, f"Detectors: {digests}."])


def _share(row: Count, *names: str) -> str:
    scored = int(row["pictures"]) - int(row["not scored"])
    return f"{sum(int(row[n]) for n in names) / scored:.0%}" if scored else ""


def _flips(rows: Sequence[Count], label: str) -> str:
    held = [r for r in rows if r["held_out"] == label]
    scored = sum(int(r["pictures"]) - int(r["not scored"]) for r in held)
    return f"{sum(int(r['flipped']) for r in held)} of {scored} held-out {label}s"


def replaced(page: str, text: str) -> str:
    """Return a page with another text between its marks."""
    start, end = page.index(BEGIN) + len(BEGIN), page.index(END)
    return f"{page[:start]}\n\n{text}\n\n{page[end:]}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line, measure, and write the record and the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.unsure", description=__doc__)
    parser.add_argument("root", help="folder that holds dfdc-crops, stylegan-faces, composited-faces and photographs")
    parser.add_argument("--count", type=int, default=60, help="held-out reals, and as many fakes")
    parser.add_argument("--few", type=int, default=8, help="pictures of every other kind")
    options = parser.parse_args(arguments)
    detectors = {name: load_detector(name) for name in (FACES, SCENES)}
    ready_together(list(detectors.values()))
    with progress_bar("pictures") as progress:
        kinds = measure(kinds_of(options.root, options.count, options.few), detectors, progress)
    record = {"detectors": {n: d.identity for n, d in detectors.items()}, "kinds": kinds}
    write_text(RECORD, json_text(record))
    write_text(PAGE, replaced(PAGE.read_text(encoding="utf-8"), tables(json.loads(RECORD.read_text()))))


if __name__ == "__main__":
    main()
