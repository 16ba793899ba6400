"""One pass over test pictures: the proxy against two gradients, what masks keep, and tokens for the GSNR."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from corit.backbones.stepped import Backbone
from corit.data.collections import CollectionSource
from corit.data.sample import Sample
from corit.errors import DataError, InputError
from corit.files import atomic_file
from corit.model.corit import Lockstep, pool, proxy
from corit.model.encode import Encoder
from corit.recipe import ModelRecipe
from corit.studies.parts.kept import share, shares, silent
from corit.studies.parts.plan import BLOCK, CHECKED, PERTURBS, THRESHOLDS, quarters
from corit.studies.real.plan import CORIT
from corit.studies.real.stores import encoder_of
from corit.theory.proxy import Agreement, MaskedForward, Score, cosine, random_direction
from corit.views.prepare import Views

DIGITS = 5
Course = list[tuple[Tensor, Tensor]]  # V and V~ (B, N, D) at the embedding and after each block


@dataclass(frozen=True)
class Prepared:
    """A prepared picture.

    Attributes:
        sample: its row.
        views: by what the twin perturbs, "source" or "either"; image and regions are the same.
    """

    sample: Sample
    views: Mapping[str, Views]


@dataclass(frozen=True)
class Pictures:
    """Pictures of a set with their preparation.

    Attributes:
        source: the set.
        encoders: CoRIT's encoder by what the twin perturbs.
    """

    source: CollectionSource
    encoders: Mapping[str, Encoder]

    @classmethod
    def of(cls, source: CollectionSource, backbone: Backbone, device: str) -> Pictures:
        """Build both preparations of a set."""
        plain = encoder_of(backbone, source.collection.name, CORIT, device)
        encoders = {p: Encoder(backbone, plain.recipe.replace(**{"views.blend.perturb": p}), device) for p in PERTURBS}
        return cls(source, encoders)

    def pairs(self, count: int) -> list[list[Prepared]]:
        """Prepare the first test pairs whose two pictures can be prepared, in blocks of BLOCK pairs.

        Raises:
            DataError: for fewer than one block.
        """
        groups: dict[str, list[Sample]] = {}
        for s in self.source.samples:
            if s.split == "test":
                groups.setdefault(s.group, []).append(s)
        ready: list[list[Prepared]] = []
        for rows in groups.values():
            if len(ready) == count // BLOCK * BLOCK:
                break
            if len(pair := list(self.prepared(rows))) == 2:
                ready.append(pair)
        starts = range(0, len(ready) - BLOCK + 1, BLOCK)
        blocks = [[p for pair in ready[i : i + BLOCK] for p in pair] for i in starts]
        if not blocks:
            raise DataError(
                f"expected at least {BLOCK} test pairs of {self.source.collection.folder} whose pictures can be "
                f"prepared, got {len(ready)}; take more pairs"
            )
        return blocks

    def prepared(self, rows: Sequence[Sample]) -> Iterator[Prepared]:
        """Yield the rows that can be prepared, each with its largest face."""
        preparers = {p: e.preparer() for p, e in self.encoders.items()}
        for sample in rows:
            try:
                crop = preparers[PERTURBS[0]].crops(self.source.load(sample))[0]
            except InputError:
                continue
            yield Prepared(sample, {p: made.views(crop) for p, made in preparers.items()})


def count_masks(pictures: Pictures, block: Sequence[Prepared]) -> dict[str, Any]:
    """Count what masks keep in some pictures.

    Returns:
        Group and label of each picture; by perturb, "kept" by threshold (B, K, L), and "silent" (B, K, L+1).
    """
    return {**_rows(block), "masks": {p: _masks(course_of(pictures, block, p)[0], block) for p in PERTURBS}}


def measure_block(
    pictures: Pictures, block: Sequence[Prepared], scores: Mapping[str, Score], tokens: Path, *, check: bool
) -> dict[str, Any]:
    """Measure the pictures of some pairs, and write their tokens.

    Args:
        pictures: of the set.
        block: B pictures of BLOCK pairs, pair by pair.
        scores: by head, z -> logits.
        tokens: the file for the tokens; see `read_tokens`.
        check: whether to count masks on another threshold's own course too.

    Returns:
        What `count_masks` returns; "checked" (B, K, L) or None; "proxy", by head and layer the fields of `Agreement`
        and more, (B) each.
    """
    encoder = pictures.encoders["source"]
    recipe, regions = encoder.recipe.model, _regions(block)
    courses = {}
    for p in PERTURBS:
        courses[p], masks = course_of(pictures, block, p)
        if p == "source":
            own = masks
    run = MaskedForward(encoder.backbone, recipe, regions, own)
    _write_tokens(tokens, encoder.backbone, courses["source"], regions, own)
    return {
        **_rows(block),
        "masks": {p: _masks(c, block) for p, c in courses.items()},
        "checked": _checked(pictures, block, regions) if check else None,
        "proxy": _agreements(run, _images(encoder, block), courses, scores),
    }


def course_of(
    pictures: Pictures, block: Sequence[Prepared], perturb: str, model: ModelRecipe | None = None
) -> tuple[Course, Tensor]:
    """Return the tokens of pictures and twins at each layer, and the masks (B, L, K, N), of one CoRIT pass."""
    encoder = pictures.encoders[perturb]
    backbone, recipe = encoder.backbone, model or encoder.recipe.model
    twins = backbone.normalise(np.stack([p.views[perturb].twins[0] for p in block]))
    with torch.no_grad():
        lockstep = Lockstep(backbone, _images(encoder, block), twins, _regions(block), recipe)
        course, masks = [_both(lockstep)], []
        for l in range(1, backbone.depth + 1):
            masks.append(lockstep.advance(l))
            course.append(_both(lockstep))
    return course, torch.stack(masks, 1)


def _both(lockstep: Lockstep) -> tuple[Tensor, Tensor]:
    return lockstep.patches().clone(), lockstep.tokens[lockstep.batch :, lockstep.patch_at].clone()


def _rows(block: Sequence[Prepared]) -> dict[str, Any]:
    return {"group": [p.sample.group for p in block], "label": [p.sample.label for p in block]}


def _images(encoder: Encoder, block: Sequence[Prepared]) -> Tensor:
    return encoder.backbone.normalise(np.stack([p.views["source"].image for p in block]))


def _regions(block: Sequence[Prepared]) -> Tensor:
    return torch.from_numpy(np.stack([p.views["source"].regions for p in block]))


def _masks(course: Course, block: Sequence[Prepared]) -> dict[str, Any]:
    regions = _regions(block)
    kept = {name: _numbers(v) for name, v in shares(course[1:], regions).items()}
    return {"kept": kept, "silent": _numbers(silent(course, regions))}


def _checked(pictures: Pictures, block: Sequence[Prepared], regions: Tensor) -> Any:
    """What another threshold keeps when its own masks are injected."""
    threshold, tau = THRESHOLDS[CHECKED]
    recipe = pictures.encoders["source"].recipe.replace(**{"model.threshold": threshold, "model.tau": tau}).model
    _, masks = course_of(pictures, block, "source", recipe)
    return _numbers(torch.stack([share(masks[:, l], regions) for l in range(masks.shape[1])], -1))


def _agreements(
    run: MaskedForward, images: Tensor, courses: Mapping[str, Course], scores: Mapping[str, Score]
) -> dict[str, list[dict[str, Any]]]:
    """By head and layer, the agreement of the proxy with the gradient of the head's score."""
    gradients = run.gradients(images, list(scores.values()))
    depth = len(gradients[0])
    with torch.no_grad():
        before = {h: s(run(images, depth)[0]) for h, s in scores.items()}
    record: dict[str, list[dict[str, Any]]] = {h: [] for h in scores}
    for layer in range(1, depth + 1):
        v, twin = courses["source"][layer]
        g, either = proxy(v, twin), proxy(*courses["either"][layer])
        rises = _rises(run, images, layer, v + g, before, scores) if layer in quarters(depth) else {}
        direction = random_direction(g, 0, layer)
        for head, by_layer in zip(scores, gradients, strict=True):
            gradient = by_layer[layer - 1]
            other, rise = g.roll(len(g) // BLOCK, 0), rises.get(head, torch.full((len(g),), torch.nan))
            a = Agreement.of(g, other, direction, gradient, run.regions[:, 0], rise)
            row = {k: _numbers(getattr(a, k)) for k in Agreement.__annotations__}
            between = cosine(gradient, gradients[1 - list(scores).index(head)][layer - 1])
            record[head].append({**row, "either": _numbers(cosine(either, gradient)), "between": _numbers(between)})
    return record


def _rises(
    run: MaskedForward,
    images: Tensor,
    layer: int,
    patches: Tensor,
    before: Mapping[str, Tensor],
    scores: Mapping[str, Score],
) -> dict[str, Tensor]:
    """By head, how much the score rises (B) when other patch tokens stand in their place."""
    with torch.no_grad():
        z, _ = run(images, layer, patches)
        return {h: s(z) - before[h] for h, s in scores.items()}


def _write_tokens(target: Path, backbone: Backbone, course: Course, regions: Tensor, masks: Tensor) -> None:
    """Write patch, pooled and masked tokens after the final norm, at the layers of `quarters`, and the regions."""
    arrays: dict[str, list[Tensor]] = {"patch": [], "pooled": [], "masked": []}
    for l in quarters(backbone.depth):
        v = course[l][0]
        arrays["patch"].append(backbone.norm(v))
        arrays["pooled"].append(backbone.norm(pool(v, regions, "average", ModelRecipe().eps)))
        arrays["masked"].append(backbone.norm(pool(v, masks[:, l - 1], "average", ModelRecipe().eps)))
    target.parent.mkdir(parents=True, exist_ok=True)
    stored: dict[str, Any] = {k: torch.stack(v, 1).half().numpy() for k, v in arrays.items()}
    with atomic_file(target) as part, open(part, "wb") as file:
        np.savez(file, regions=regions.numpy(), **stored)


def read_tokens(paths: Sequence[Path]) -> dict[str, np.ndarray]:
    """Read the tokens of all blocks.

    Returns:
        "patch" (n, Q, N, D), "pooled" and "masked" (n, Q, K, D), and "regions" (n, K, N).
    """
    parts = []
    for path in paths:
        with np.load(path, allow_pickle=False) as file:
            parts.append(dict(file))
    return {k: np.concatenate([p[k] for p in parts]) for k in parts[0]}


def _numbers(values: Tensor) -> Any:
    return np.round(values.double().numpy(), DIGITS).tolist()
