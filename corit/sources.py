"""Names -> constructors, as plain tables; nothing is imported or built until a name is asked for."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from corit.bench.protocols import PROTOCOLS as PROTOCOLS
from corit.data.adapters import ADAPTERS
from corit.data.missing import ORIGINS
from corit.data.sample import Source
from corit.data.spec import Kind, Named, source
from corit.detect.named import DETECTORS as DETECTORS
from corit.errors import BackboneError, DataError, WeightsError

if TYPE_CHECKING:
    from corit.backbones.stepped import Backbone


def _timm(name: str, timm_name: str, licence: str, side: int | None = None, projection: int = 0):  # type: ignore[no-untyped-def]
    TIMM[name] = timm_name

    def build(weights: str) -> Backbone:
        from corit.backbones.stepped import create

        return create(name, timm_name, weights, side=side, projection=projection, licence=licence)

    return build


def _miniature(weights: str) -> Backbone:
    from corit.backbones.stepped import random_seed, wrap
    from corit.world import encoder

    model = encoder.build(random_seed(weights))
    source = str(encoder.weights_path()) if weights == "packaged" else weights
    return wrap(model, "miniature", source, encoder.MEAN, encoder.STD, encoder.LICENCE)


TIMM: dict[str, str] = {}  # what timm calls a backbone
# OpenAI published CLIP's weights with its MIT-licensed code; the others are as their cards on the hub say.
BACKBONES: dict[str, Callable[[str], Backbone]] = {
    "clip-vit-l14": _timm("clip-vit-l14", "vit_large_patch14_clip_quickgelu_224.openai", "MIT", projection=768),
    "clip-vit-b16": _timm("clip-vit-b16", "vit_base_patch16_clip_quickgelu_224.openai", "MIT", projection=512),
    "vit-l16-imagenet": _timm("vit-l16-imagenet", "vit_large_patch16_224.augreg_in21k_ft_in1k", "Apache-2.0"),
    "vit-b16-imagenet": _timm("vit-b16-imagenet", "vit_base_patch16_224.augreg_in21k_ft_in1k", "Apache-2.0"),
    "dinov2-vit-b14": _timm("dinov2-vit-b14", "vit_base_patch14_dinov2.lvd142m", "Apache-2.0", side=224),
    "dinov2-vit-b14-reg": _timm("dinov2-vit-b14-reg", "vit_base_patch14_reg4_dinov2.lvd142m", "Apache-2.0", side=224),
    "miniature": _miniature,
}


def default_weights(name: str) -> str:
    """Where a backbone's weights come from when nothing is said."""
    return "packaged" if name == "miniature" else "hub"


def backbone(name: str, weights: str = "") -> Backbone:
    """A frozen backbone by name, or "timm:<name>" for any timm ViT that passes the contract.

    weights: "hub", "packaged" (the miniature's), "random:SEED" or a local file; empty for the name's default. Raises
    BackboneError for an unknown name or family, WeightsError when the weights cannot be had.
    """
    weights = weights or default_weights(name)
    if name == "miniature" and weights == "hub":
        raise WeightsError('the miniature is not on the hub; use weights "packaged", "random:SEED" or a file')
    if name != "miniature" and weights == "packaged":
        raise WeightsError(f'only the miniature\'s weights are packaged; for {name} use "hub", "random:SEED" or a file')
    if name.startswith("timm:"):
        from corit.backbones.stepped import contract

        found = _timm(name, name.removeprefix("timm:"), "")(weights)
        contract(found)
        return found
    require_backbone(name)
    return BACKBONES[name](weights)


def require_backbone(name: str) -> None:
    """Raise BackboneError for a name that is neither in the table nor one of timm's."""
    if name not in BACKBONES and not name.startswith("timm:"):
        raise BackboneError(f"no backbone {name!r}; there are {', '.join(BACKBONES)} and timm:<name>")


def lacking(name: str, weights: str = "") -> str:
    """What has to be fetched before a backbone can be built here, in words; empty for nothing.

    weights: as for `backbone`. Raises BackboneError for a name that there is not, WeightsError for a file that is not
    there and for a seed that is no number.
    """
    require_backbone(name)
    weights = weights or default_weights(name)
    if weights == "hub":
        from corit.backbones.stepped import fetched

        return "" if fetched(TIMM.get(name, name.removeprefix("timm:"))) else f"{name}'s weights"
    if weights.startswith("random:"):
        from corit.backbones.stepped import random_seed

        random_seed(weights)
    elif weights != "packaged" and not os.path.isfile(weights):
        raise WeightsError(f"expected a weights file of {name} at {weights}, but there is none; check the path")
    return ""


Takes = Mapping[str, Kind]
COMPRESSION: Takes = {"compression": "text"}
FOUR: Takes = {"manipulations": "words", **COMPRESSION}
FORTY: Takes = {"names": "words", "faceforensics": "text", "celebdf": "text", **COMPRESSION}
ACTORS: Takes = {"versions": "words", "faceforensics": "text", **COMPRESSION}
SUBSETS: Takes = {"subsets": "words", "classes": "words", "sampling": "text", "key": "number"}
PLAIN: Takes = {"aligned": "flag", "landmarks": "text"}
FOLDERS: Takes = {"root": "text", "real": "texts", "fake": "texts", "by_folder": "flag", **PLAIN}
WORLD: Takes = {"seed": "number", "people": "number", "pictures": "number", "kinds": "words"}


def _videos(adapter: str, family: str, marks: str, takes: Takes | None = None, required: str = "") -> Named:
    """A data set of videos below a root; marks and required are words with spaces between them."""
    origin, needed = ORIGINS[family], ("root", *required.split())
    options: Takes = {"root": "text", **(takes or {})}
    return Named(ADAPTERS[adapter], options, needed, True, tuple(marks.split()), origin.layout, origin.where)


def _pictures(adapter: str, family: str, marks: str, takes: Takes) -> Named:
    """A data set of single pictures below a root."""
    options: Takes = {**takes, "splits": "words", "partial": "flag"}
    return replace(_videos(adapter, family, marks, options), video=False)


def _world(**options: Any) -> Source:
    from corit.world.miniature import SPLITS, Miniature, world_of

    return Miniature(world_of(**options), SPLITS)


DATA: dict[str, Named] = {
    "faceforensics": _videos("faceforensics", "faceforensics", "original_sequences/youtube", FOUR),
    "faceshifter": _videos("faceshifter", "faceforensics", "manipulated_sequences/FaceShifter", COMPRESSION),
    "deepfakedetection": _videos(
        "deepfakedetection", "deepfakedetection", "manipulated_sequences/DeepFakeDetection", COMPRESSION
    ),
    "celeb-df-v1": _videos("celeb-df-v1", "celebdf", "List_of_testing_videos.txt"),
    "celeb-df-v2": _videos("celeb-df-v2", "celebdf", "List_of_testing_videos.txt"),
    "dfdc": _videos("dfdc", "dfdc", "test/labels.csv dfdc_train_part_*/metadata.json train/*/metadata.json"),
    "dfdcp": _videos("dfdcp", "dfdcp", "dataset.json"),
    "df40": _videos("df40", "df40", "*/ff/frames */cdf/frames */ff/*/*.png */cdf/*/*.png", FORTY, "names"),
    "uadfv": _videos("uadfv", "uadfv", "fake/*_fake fake/*_fake.mp4 fake/*/*_fake fake/*/*_fake.mp4"),
    "deeperforensics": _videos("deeperforensics", "deeperforensics", "lists/splits/test.txt", ACTORS),
    "unifd": _pictures("unifd", "forensynths", "test/progan diffusion_datasets train/progan", SUBSETS),
    "genimage": _pictures("genimage", "genimage", "*/val/nature */imagenet*/val/nature", {"generators": "words"}),
    "deepfakebench": replace(
        _videos("deepfakebench", "deepfakebench", ""),
        takes={"json": "text", "root": "texts", **COMPRESSION},
        required=("json",),
    ),
    "folder": Named(
        ADAPTERS["folder"],
        FOLDERS,
        marks=("real", "0_real", "train/real", "train/0_real"),
        needs="real/ and fake/ (or 0_real/ and 1_fake/) with pictures, or both in each of train/, val/ and test/",
    ),
    "csv": Named(
        ADAPTERS["csv"],
        {"file": "text", "root": "text", **PLAIN},
        ("file",),
        needs="a CSV file with a column path and any of label, split, manipulation, dataset, group, video, frame, id",
    ),
    "miniature": Named(_world, WORLD, needs="nothing: its pictures are drawn"),
}


def data(*specs: str, root: str = "", missed: Callable[[str], None] | None = None) -> Source:
    """The source that one text names, or several as one: "celeb-df-v2:/data/celeb,frames=8" (see `named.source`).

    root: the place, for texts that have none. missed: see there. Nothing is read until samples are asked for. Raises
    DataError.
    """
    if not specs:
        raise DataError(f"expected a data set, one of {', '.join(DATA)}; got none")
    found = tuple(source(spec, DATA, root, missed) for spec in specs)
    if len(found) == 1:
        return found[0]
    from corit.data.chosen import Joined

    return Joined(found)
