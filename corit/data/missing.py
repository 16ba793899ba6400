"""What to say when a data set is not where it should be: what was looked for, what is there, where to get it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from corit.errors import DataError

ARCHIVE = re.compile(r"\.(zip|7z|tar|t?gz|rar|z?\d\d+)$", re.IGNORECASE)  # also the parts of a large one: .z01, .001
SHOWN = 5


@dataclass(frozen=True)
class Origin:
    """A data set's name, where to ask for it, and how its folder looks once it is extracted."""

    name: str
    where: str
    layout: str


ORIGINS: dict[str, Origin] = {
    "faceforensics": Origin(
        "FaceForensics++",
        "https://github.com/ondyari/FaceForensics (a form to fill in; the download script fetches one compression)",
        "original_sequences/youtube/c23/, manipulated_sequences/{Deepfakes,Face2Face,FaceSwap,NeuralTextures}/c23/ "
        "(FaceShifter/ too, where it is asked for), and train.json, val.json, test.json in splits/ or beside them",
    ),
    "deepfakedetection": Origin(
        "DeepFakeDetection",
        "https://github.com/ondyari/FaceForensics (-d DeepFakeDetection and DeepFakeDetection_original)",
        "original_sequences/actors/c23/ and manipulated_sequences/DeepFakeDetection/c23/",
    ),
    "celebdf": Origin(
        "Celeb-DF",
        "https://github.com/yuezunli/celeb-deepfakeforensics (a form to fill in)",
        "Celeb-real/, YouTube-real/, Celeb-synthesis/ and List_of_testing_videos.txt",
    ),
    "dfdc": Origin(
        "DFDC",
        "https://ai.meta.com/datasets/dfdc/ (train parts also at kaggle.com/c/deepfake-detection-challenge)",
        "test/labels.csv with the test videos beside it, dfdc_train_part_*/metadata.json with the train videos",
    ),
    "dfdcp": Origin(
        "DFDC preview",
        "https://ai.meta.com/datasets/dfdc/ (the preview release)",
        "dataset.json, original_videos/, method_A/, method_B/",
    ),
    "df40": Origin(
        "DF40",
        "https://github.com/YZY-stack/DF40 (the fakes; their reals come from FaceForensics++ and Celeb-DF-v2)",
        "<method>/{ff,cdf}/frames/<video>/, and <method>/{real,fake}/ for the nine methods with reals of their own",
    ),
    "forensynths": Origin(
        "ForenSynths and the diffusion sets of UniversalFakeDetect",
        "https://github.com/PeterWang512/CNNDetection (sywang/CNNDetection on the Hugging Face hub) and "
        "https://github.com/WisconsinAIVision/UniversalFakeDetect",
        "test/<name>/[<class>/]{0_real,1_fake}/, diffusion_datasets/<name>/{0_real,1_fake}/, train/progan/<class>/",
    ),
    "uadfv": Origin(
        "UADFV",
        "https://github.com/yuezunli/WIFS2018_In_Ictu_Oculi",
        "real/ and fake/ with 49 videos each",
    ),
    "deeperforensics": Origin(
        "DeeperForensics-1.0",
        "https://github.com/EndlessSora/DeeperForensics-1.0 (a form to fill in)",
        "manipulated_videos/<version>/, source_videos/<actor>/ and lists/splits/{train,val,test}.txt",
    ),
    "deepfakebench": Origin(
        "DeepfakeBench's preprocessed data",
        "https://github.com/SCLBD/DeepfakeBench (frames, landmarks and masks by data set, and one JSON for each)",
        "<data set>/.../frames/<video>/000.png with landmarks/ and masks/ beside frames/",
    ),
    "genimage": Origin(
        "GenImage",
        "https://github.com/GenImage-Dataset/GenImage",
        "<generator>/imagenet_*/{train,val}/{ai,nature}/",
    ),
}


def missing(family: str, root: str | os.PathLike[str], problem: str, looked: Sequence[str] = ()) -> DataError:
    """The error of a data set that is absent or incomplete in `root`; `problem` says what was expected and what came.

    The text adds what was looked for, what the folder holds, archives that nobody extracted, the layout and the origin.
    """
    origin = ORIGINS[family]
    parts = [f"{origin.name} in {os.fspath(root)}: {problem}."]
    if looked:
        parts.append(f"Looked for: {examples(looked)}.")
    parts.append(_inventory(root))
    parts.append(f"Expected layout: {origin.layout}. Where to get it: {origin.where}.")
    return DataError(" ".join(p for p in parts if p))


def examples(names: Iterable[str], shown: int = SHOWN) -> str:
    """The first names of many, with the number of those left out."""
    listed = list(names)
    more = f" and {len(listed) - shown} more" if len(listed) > shown else ""
    return ", ".join(listed[:shown]) + more


def _inventory(root: str | os.PathLike[str]) -> str:
    """What a folder holds, in a sentence; packed archives are named apart."""
    try:
        names = sorted(os.listdir(root))
    except OSError as err:
        return f"The folder itself cannot be opened: {err.strerror}."
    packed = [n for n in names if ARCHIVE.search(n)]
    held = f"The folder holds: {examples(names)}." if names else "The folder is empty."
    return f"{held} Not extracted: {examples(packed)}; extract them." if packed else held
