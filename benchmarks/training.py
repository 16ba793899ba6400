"""Peak memory of training at the paper's batch of 20: images and twins through the frozen ViT-L/14, and a SAM step."""

from __future__ import annotations

import sys

import torch

from benchmarks import fresh_process

BATCH, RHO, RATE = 20, 0.05, 0.1


def training_memory(backbone: str = "clip-vit-l14", batch: int = BATCH) -> dict[str, float]:
    """Measure `training_gpu_mb` on a GPU (the paper says 2,130 MB on a V100), else `training_cpu_peak_gb`.

    On a GPU it is torch's peak allocation with weights, on a CPU the resident peak of a fresh process.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return fresh_process.run("benchmarks.training", backbone, batch, device)


def measure(name: str, batch: int, device: str) -> dict[str, float]:
    """Train one head for two steps on features computed in each step, without a feature store."""
    from corit.backbones.load import load_backbone
    from corit.heads.sam import sam_gradient
    from corit.model import corit
    from corit.recipe import ModelRecipe
    from corit.seeding import torch_generator

    backbone = load_backbone(name, "random:0").to(device)
    draws = torch_generator("training")
    x, twin = (torch.randn(batch, 3, backbone.side, backbone.side, generator=draws).to(device) for _ in range(2))
    patches = backbone.grid[0] * backbone.grid[1]
    regions = (torch.arange(patches) * 3 // patches == torch.arange(3)[:, None]).expand(batch, -1, -1).to(device)
    recipe = ModelRecipe()
    w, b = torch.zeros(1, corit.width(recipe, backbone.width, 3), device=device), torch.zeros(1, device=device)
    y = (torch.arange(batch) % 2).float().to(device)
    for _ in range(2):
        with torch.inference_mode():
            z = corit.forward(backbone, x, twin, regions, recipe).z
            dw, db = sam_gradient(lambda at: gradient(z, y, *at), [w, b], RHO)  # noqa: B023
            w, b = w - RATE * dw, b - RATE * db
    if device == "cuda":
        return {"training_gpu_mb": torch.cuda.max_memory_allocated() / 1e6}
    return {"training_cpu_peak_gb": fresh_process.peak_gb()}


def gradient(z: torch.Tensor, y: torch.Tensor, w: torch.Tensor, b: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the logistic head's gradient of a mini-batch: rows z (B, D), labels y (B), weight w (1, D), bias b (1)."""
    residual = (torch.sigmoid(z @ w[0] + b) - y) / len(y)
    return (residual @ z)[None], residual.sum()[None]


if __name__ == "__main__":
    fresh_process.print_numbers(measure(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
