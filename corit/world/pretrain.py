"""Pretrain the tiny ViT on faces and photographs, without any forgery.

Two targets: "semantic", the attributes of faces and the classes of photographs; "pixels", masked patches of the same
pictures.
"""

from __future__ import annotations

import io
import platform
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from corit.errors import DataError
from corit.files import write_bytes
from corit.progress import Progress, no_progress
from corit.seeding import generator, torch_generator
from corit.world import encoder
from corit.world.faces import attributes
from corit.world.masked import MaskedPatchModel, draw_masks
from corit.world.miniature import Miniature, MiniatureSpec

HELD_OUT = 0.03
Target = Literal["semantic", "pixels"]


@dataclass(frozen=True)
class PretrainingData:
    """The pictures to pretrain on.

    Attributes:
        faces: (n, S, S, 3) uint8.
        attributes: of the faces, (n, A) standardised.
        photos: photographs (m, S, S, 3) uint8.
        classes: of the photographs, (m) int64.
        names: of the classes.
    """

    faces: np.ndarray
    attributes: np.ndarray
    photos: np.ndarray
    classes: np.ndarray
    names: tuple[str, ...]

    def held_out(self) -> tuple[int, int]:
        """Return how many faces and photographs, at the end of each array, are held out for evaluation."""
        return int(len(self.faces) * HELD_OUT), int(len(self.photos) * HELD_OUT)


class Student(nn.Module):
    """The encoder with heads for pretraining: attributes, classes, and two contrastive towers."""

    def __init__(self, n_attributes: int, n_classes: int, embedding: int = 64) -> None:
        super().__init__()
        width = encoder.WIDTH
        self.encoder = encoder.build()
        self.read = nn.Linear(width, n_attributes)
        self.classify = nn.Linear(width, max(1, n_classes))
        self.image_tower = nn.Linear(width, embedding, bias=False)
        self.text_tower = nn.Sequential(nn.Linear(n_attributes, 128), nn.GELU(), nn.Linear(128, embedding, bias=False))
        self.temperature = nn.Parameter(torch.tensor(2.3))

    def forward(self, images: Tensor) -> Tensor:
        """Return the class tokens (B, D) of images (B, 3, S, S)."""
        return self.encoder.forward_features(images)[:, 0]  # type: ignore[operator]

    def face_loss(self, tokens: Tensor, target: Tensor) -> Tensor:
        """Return the loss () of class tokens (B, D): regression of attributes, and contrast with their embeddings."""
        a = nn.functional.normalize(self.image_tower(tokens), dim=-1)
        b = nn.functional.normalize(self.text_tower(target), dim=-1)
        similarity = a @ b.T * self.temperature.exp().clamp(max=50)
        match = torch.arange(len(tokens), device=tokens.device)
        contrast = nn.functional.cross_entropy(similarity, match) + nn.functional.cross_entropy(similarity.T, match)
        return nn.functional.mse_loss(self.read(tokens), target) + 0.25 * contrast

    def photo_loss(self, tokens: Tensor, target: Tensor) -> Tensor:
        """Return the classification loss () of class tokens (B, D) and classes (B)."""
        return nn.functional.cross_entropy(self.classify(tokens), target, label_smoothing=0.1)


def face_pool(count: int, seed: int, progress: Progress = no_progress) -> tuple[np.ndarray, np.ndarray]:
    """Draw a face of each of `count` people outside every split, and return their standardised attributes too."""
    world = Miniature(MiniatureSpec(seed=seed))
    pictures, described = np.empty((count, encoder.SIDE, encoder.SIDE, 3), np.uint8), []
    for i in range(count):
        face, look, picture = world.portrait(i, 0)
        pictures[i] = picture.pixels
        described.append(attributes(face, look))
        progress(i + 1, count)
    values = np.stack(described)
    return pictures, (values - values.mean(0)) / (values.std(0) + 1e-6)


def photo_pool(root: Path) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Read photographs in Tiny ImageNet's public layout, root/train/<class>/images/*.JPEG, in a seeded order.

    Returns:
        Pictures (m, S, S, 3) uint8, their classes (m) int64, and the names of the classes.

    Raises:
        DataError: the folder has another layout, or a photograph cannot be decoded.
    """
    folders = sorted(p for p in (root / "train").glob("*") if (p / "images").is_dir())
    if not folders:
        raise DataError(f"expected Tiny ImageNet's layout, train/<class>/images/*.JPEG, under {root}; found none")
    files = [(f, c) for c, folder in enumerate(folders) for f in sorted((folder / "images").iterdir())]
    order = generator("photos").permutation(len(files))
    side = encoder.SIDE
    pictures, classes = np.empty((len(files), side, side, 3), np.uint8), np.empty(len(files), np.int64)
    for slot, i in enumerate(order):
        image = cv2.imread(str(files[i][0]), cv2.IMREAD_COLOR)
        if image is None:
            raise DataError(f"expected a photograph, but {files[i][0]} does not decode; remove it")
        pictures[slot] = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)[..., ::-1]
        classes[slot] = files[i][1]
    return pictures, classes, tuple(f.name for f in folders)


def pretrain(
    out: Path,
    *,
    seed: int = 0,
    target: Target = "semantic",
    steps: int = 600,
    batch: int = 128,
    faces: int = 30_000,
    photos: Path | None = None,
    device: str = "cpu",
    learning_rate: float = 1e-3,
    save_every: int = 500,
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """Pretrain the encoder and write it; an interrupted run resumes from a checkpoint beside `out`.

    Weights are averaged exponentially over steps, and the average is written.

    Args:
        out: the file of the weights.
        seed: of the pictures, the initial weights and the batches.
        target: "semantic" learns attributes and classes, "pixels" fills in masked patches (`corit.world.masked`).
        steps: of the optimiser.
        batch: pictures of a step; half of them photographs, if there are any.
        faces: how many faces to draw.
        photos: the folder of photographs; None for none.
        device: where to train.
        learning_rate: the highest one of the schedule.
        save_every: steps between two checkpoints.
        progress: called with the number of faces drawn, then of steps done.

    Returns:
        The card that is stored with the weights.
    """
    pool = _pool(seed, faces, photos, progress)
    torch_state = torch_generator("pretrain", seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(torch_state.initial_seed())
        student = _student(target, pool).to(device)
    for block in student.encoder.blocks:  # type: ignore[union-attr]
        # In bfloat16 on a CPU the fused attention is 2.5 times slower than the plain one at this size.
        block.attn.fused_attn = device != "cpu"
    average = torch.optim.swa_utils.AveragedModel(
        student, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.995)
    )
    optimiser = torch.optim.AdamW(student.parameters(), lr=learning_rate, weight_decay=0.05, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, learning_rate, total_steps=steps, pct_start=0.08)
    parts = {"student": student, "average": average, "optimiser": optimiser, "schedule": schedule}
    checkpoint = out.with_suffix(".checkpoint")
    first, spent = _resume(checkpoint, parts)
    began = time.monotonic() - spent
    for step in range(first, steps):
        _step(student, average, optimiser, schedule, pool, generator("pretrain", seed, step), batch, device)
        progress(step + 1, steps)
        if (step + 1) % save_every == 0 or step + 1 == steps:
            model: Any = average.module
            card = _card(model, pool, seed, step + 1, steps, batch, time.monotonic() - began, device)
            encoder.save(model.encoder.state_dict(), out, card)
            _checkpoint(checkpoint, parts, step + 1, time.monotonic() - began)
    checkpoint.unlink(missing_ok=True)
    return encoder.load(out)[1]


def _student(target: Target, pool: PretrainingData) -> Student | MaskedPatchModel:
    return MaskedPatchModel() if target == "pixels" else Student(pool.attributes.shape[1], len(pool.names))


def _pool(seed: int, faces: int, photos: Path | None, progress: Progress) -> PretrainingData:
    empty = (np.empty((0, encoder.SIDE, encoder.SIDE, 3), np.uint8), np.empty(0, np.int64), ())
    pictures, classes, names = photo_pool(photos) if photos is not None else empty
    drawn, described = face_pool(faces, seed, progress)
    return PretrainingData(drawn, described, pictures, classes, names)


def _step(
    student: Student | MaskedPatchModel,
    average: torch.optim.swa_utils.AveragedModel,
    optimiser: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    pool: PretrainingData,
    rng: np.random.Generator,
    batch: int,
    device: str,
) -> None:
    held_faces, held_photos = pool.held_out()
    n_faces = batch // 2 if len(pool.photos) else batch
    i = rng.integers(len(pool.faces) - held_faces, size=n_faces)
    images, targets = [augment(pool.faces[i], rng, flip=False)], torch.from_numpy(pool.attributes[i]).to(device)
    if len(pool.photos):
        j = rng.integers(len(pool.photos) - held_photos, size=batch - n_faces)
        images.append(augment(pool.photos[j], rng, flip=True))
    x = as_input(np.concatenate(images)).to(device)
    if isinstance(student, MaskedPatchModel):
        with torch.autocast(x.device.type, torch.bfloat16):
            loss = student(x, *(b.to(device) for b in draw_masks(len(x), rng)))
    else:
        with torch.autocast(x.device.type, torch.bfloat16):
            tokens = student(x)
        tokens = tokens.float()
        loss = student.face_loss(tokens[:n_faces], targets)
        if len(pool.photos):
            loss = loss + 0.5 * student.photo_loss(tokens[n_faces:], torch.from_numpy(pool.classes[j]).to(device))
    optimiser.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(student.parameters(), 1.0)
    optimiser.step()
    schedule.step()
    average.update_parameters(student)


def augment(pictures: np.ndarray, rng: np.random.Generator, flip: bool) -> np.ndarray:
    """Augment pictures (B, S, S, 3) uint8: random crops; flips, and a gain of up to 20 percent, only with `flip`."""
    out = np.empty_like(pictures)
    side = pictures.shape[1]
    for k, picture in enumerate(pictures):
        keep = int(side * rng.uniform(0.8 if flip else 0.94, 1.0))
        y, x = rng.integers(0, side - keep + 1, size=2)
        crop = cv2.resize(picture[y : y + keep, x : x + keep], (side, side), interpolation=cv2.INTER_LINEAR)
        out[k] = crop[:, ::-1] if flip and rng.random() < 0.5 else crop
    gain = rng.uniform(0.8, 1.2, size=(len(out), 1, 1, 1)).astype(np.float32)
    return np.clip(out * (gain if flip else 1), 0, 255).astype(np.uint8)


def as_input(pictures: np.ndarray) -> Tensor:
    """Turn pictures (B, S, S, 3) uint8 into the encoder's input (B, 3, S, S) float32, normalised."""
    x = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255
    return (x - torch.tensor(encoder.MEAN)[:, None, None]) / torch.tensor(encoder.STD)[:, None, None]


def evaluate_encoder(
    student: Student | MaskedPatchModel, pool: PretrainingData, device: str = "cpu"
) -> dict[str, float]:
    """Evaluate on held-out pictures.

    Returns:
        The mean squared error of standardised attributes (1 for knowing nothing) and the top-1 accuracy on photographs;
        of a `MaskedPatchModel`, the mean absolute error of masked patches, and that of the mean colour in their place.
    """
    if isinstance(student, MaskedPatchModel):
        return _evaluate_patches(student, pool, device)
    held_faces, held_photos = pool.held_out()
    student.eval()
    with torch.inference_mode():
        guess = [
            student.read(student(as_input(c).to(device))) for c in np.array_split(pool.faces[-held_faces:], 8) if len(c)
        ]
        error = (torch.cat(guess).cpu() - torch.from_numpy(pool.attributes[-held_faces:])).square().mean()
        measures = {"attribute_mse": float(error)}
        if held_photos:
            logits = [
                student.classify(student(as_input(c).to(device))) for c in np.array_split(pool.photos[-held_photos:], 8)
            ]
            right = torch.cat(logits).argmax(1).cpu() == torch.from_numpy(pool.classes[-held_photos:])
            measures["photo_top1"] = float(right.float().mean())
    student.train()
    return measures


def _evaluate_patches(painter: MaskedPatchModel, pool: PretrainingData, device: str) -> dict[str, float]:
    held_faces, held_photos = pool.held_out()
    shown = np.concatenate([pool.faces[len(pool.faces) - held_faces :], pool.photos[len(pool.photos) - held_photos :]])
    x = as_input(shown[:512] if len(shown) else pool.faces[:8]).to(device)
    masked, silent = (b.to(device) for b in draw_masks(len(x), generator("judge")))
    painter.eval()
    with torch.inference_mode():
        errors = {
            "pixel_error": float(painter(x, masked, silent)),
            "pixel_error_of_mean": painter.mean_colour_error(x, masked),
        }
    painter.train()
    return errors


def _card(
    student: Student | MaskedPatchModel,
    pool: PretrainingData,
    seed: int,
    step: int,
    steps: int,
    batch: int,
    seconds: float,
    device: str,
) -> dict[str, Any]:
    kind = torch.cuda.get_device_name() if device.startswith("cuda") else f"{platform.machine()} CPU"
    return {
        "target": "pixels" if isinstance(student, MaskedPatchModel) else "semantic",
        "seed": seed,
        "steps": step,
        "planned_steps": steps,
        "batch": batch,
        "seconds": round(seconds),
        "machine": f"{kind}, {torch.get_num_threads()} threads",
        "faces": len(pool.faces),
        "photographs": len(pool.photos),
        "photograph_classes": len(pool.names),
        "licence": encoder.LICENCE,
        **evaluate_encoder(student, pool, device),
    }


def _checkpoint(path: Path, parts: dict[str, Any], step: int, seconds: float) -> None:
    held = io.BytesIO()  # torch itself does not say why it cannot write a file
    torch.save({"step": step, "seconds": seconds, **{k: v.state_dict() for k, v in parts.items()}}, held)
    write_bytes(path, held.getvalue())


def _resume(path: Path, parts: dict[str, Any]) -> tuple[int, float]:
    """Load a checkpoint of this script, if there is one: (steps done, seconds spent)."""
    if not path.exists():
        return 0, 0.0
    saved = torch.load(path, weights_only=True)
    for name, part in parts.items():
        part.load_state_dict(saved[name])
    return saved["step"], saved["seconds"]
