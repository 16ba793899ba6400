"""Figure 7: the loss over a plane through a trained head, and how sharp the head sits in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from corit.errors import FitError
from corit.heads.head import activate
from corit.seeding import generator, torch_generator
from corit.theory.curvature import lambda_max
from corit.theory.likelihood import Likelihood, Logistic, log_likelihood
from corit.theory.perceptron import Perceptron

CHUNK = 2**22  # numbers that a step over the plane works on


@dataclass(frozen=True)
class Sharpness:
    """max over norm(e) <= rho of L(w+e) - L(w), (1)'s inner problem, for K radii.

    Attributes:
        rhos: (K) radii.
        linear: (..., K) rho norm(g), the rise that the gradient predicts.
        step: (..., K) the rise at (2)'s e.
        ascent: (..., K) the highest rise that ascent within the ball found, never below `step`. It is a lower bound on
            the maximum. Even for a convex loss there may be a higher local maximum that the ascent did not find.
    """

    rhos: tuple[float, ...]
    linear: Tensor
    step: Tensor
    ascent: Tensor


@dataclass(frozen=True)
class Landscape:
    """The loss of heads (...) over the plane w + a u + b v, and figures of it.

    Attributes:
        coordinates: (G) values of a and b, in units of each output row's own norm.
        loss: (..., G, G) in nats, by a, then by b.
        directions: (..., 2, P) u and v.
        radius: of the disc that `rise` and `share` are measured on, in units of the coordinates.
        level: rise of the loss that counts as flat for `share`, in nats.
        curvature: (...) largest e'He / e'e over e in the plane, at its centre.
        relative: (...) curvature times norm(w)^2, which does not change when features are rescaled.
        rise: (...) highest loss within the disc minus the centre's.
        share: (...) part of the disc where the loss is at most `level` above the centre's.
        largest: (...) lambda_max(H) at w, over all directions.
        norm: (...) norm(w).
        sharpness: SAM's sharpness.
    """

    coordinates: np.ndarray
    loss: Tensor
    directions: Tensor
    radius: float
    level: float
    curvature: Tensor
    relative: Tensor
    rise: Tensor
    share: Tensor
    largest: Tensor
    norm: Tensor
    sharpness: Sharpness

    @property
    def centre(self) -> Tensor:
        """L(w) (...)."""
        middle = len(self.coordinates) // 2
        return self.loss[..., middle, middle]


def landscape(
    likelihood: Likelihood,
    *,
    seed: int = 0,
    radius: float = 1.0,
    points: int = 41,
    level: float = 0.1,
    rhos: Sequence[float] = (0.05,),
    tolerance: float = 1e-4,
) -> Landscape:
    """Compute the loss landscape of heads (Figure 7) on one set of rows.

    Args:
        likelihood: heads (...) on n rows.
        seed: of the plane; see `directions`.
        radius: half side of the plane, in units of each output row's own norm.
        points: G, odd, so that the head itself is one of them.
        level: rise of the loss that counts as flat, in nats.
        rhos: radii of SAM's sharpness.
        tolerance: relative residual of lambda_max.

    Returns:
        The loss (..., G, G) and the figures of it.

    Raises:
        FitError: for a plane that cannot be drawn, and heads that are not finite or all zeros.
        ConvergenceError: when lambda_max does not converge to the tolerance.
    """
    if points < 3 or points % 2 == 0 or radius <= 0 or level <= 0:
        raise FitError(
            f"expected an odd number of points from 3, a radius and a level above 0, got {points}, {radius}, {level}"
        )
    axis = np.linspace(-radius, radius, points)
    axes = directions(likelihood, seed)
    grid = torch.from_numpy(np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2))
    loss = plane_loss(likelihood, axes, grid.to(likelihood.point))
    above = loss - loss[..., len(grid) // 2, None]
    disc = (grid.square().sum(-1) <= radius**2 * (1 + 1e-9)).to(loss.device)
    curvature = plane_curvature(likelihood, axes)
    norm = likelihood.point.norm(dim=-1)
    return Landscape(
        axis,
        loss.reshape(*loss.shape[:-1], points, points),
        axes,
        radius,
        level,
        curvature,
        curvature * norm.square(),
        above[..., disc].amax(-1),
        (above[..., disc] <= level).to(loss).mean(-1),
        lambda_max(likelihood.operator(), tolerance=tolerance).value,
        norm,
        sharpness(likelihood, rhos),
    )


def directions(likelihood: Likelihood, seed: int) -> Tensor:
    """Draw two random directions u, v (..., 2, P), filter-normalised: each output row is as long as the head's own row.

    The draws depend on the seed, the row and the place in the row alone, so every head of one shape gets the same
    plane. Of two widths, the shared first coordinates and the biases (a row's last parameter) get the same draws: for
    F_l = [C; T_1..T_K] beside C the class token moves alike. Each direction is then rescaled to its own head.

    Raises:
        FitError: for heads that are not finite or all zeros.
    """
    point, row_of = likelihood.point, likelihood.row_of
    if not torch.isfinite(point).all() or bool((point.norm(dim=-1) == 0).any()):
        raise FitError(
            "expected finite heads that are not all zeros, got one without a scale; train it, or leave it out"
        )
    drawn = torch.stack([_draw(row_of.cpu().numpy(), seed, axis) for axis in (0, 1)]).to(point)  # (2, P)
    rows = row_of.to(point.device)
    return drawn * (_row_norms(point, rows)[..., None, :] / _row_norms(drawn, rows))


def _draw(row_of: np.ndarray, seed: int, axis: int) -> Tensor:
    """(P) standard normal; a row's first draw goes to its last parameter, the bias."""
    out = np.empty(len(row_of))
    for row in np.unique(row_of):
        (place,) = np.nonzero(row_of == row)
        out[place] = np.roll(generator("landscape", seed, axis, int(row)).normal(size=len(place)), -1)
    return torch.from_numpy(out)


def _row_norms(values: Tensor, row_of: Tensor) -> Tensor:
    """(..., P): for each parameter the norm of the output row that it belongs to."""
    squares = values.new_zeros(*values.shape[:-1], int(row_of.max()) + 1).index_add(-1, row_of, values.square())
    return squares.sqrt()[..., row_of]


def plane_loss(likelihood: Likelihood, axes: Tensor, at: Tensor) -> Tensor:
    """Compute L(w + a u + b v) (..., N) for axes (..., 2, P) at N places (a, b) at once, at (N, 2).

    The first layer is linear in w: its outputs on the plane are three products with the rows, whatever N is.
    """
    if isinstance(likelihood, Logistic) and likelihood.design.z.ndim == 2:
        return _logistic_plane(likelihood, axes, at)
    if isinstance(likelihood, Perceptron):
        return _perceptron_plane(likelihood, axes, at)
    point, each = likelihood.point[..., None, :], likelihood.point.numel() * max(1, likelihood.count)
    losses = [likelihood.at(point + c @ axes).loss() for c in _portions(at, each)]
    return torch.cat(losses, -1)


def _portions(at: Tensor, each: int) -> Iterator[Tensor]:
    """The places in portions of which each takes `each` numbers."""
    return iter(at.split(max(1, CHUNK // max(1, each))))


def _logistic_plane(likelihood: Logistic, axes: Tensor, at: Tensor) -> Tensor:
    here, y = likelihood.logits, likelihood.design.y  # (..., n), (n)
    along = likelihood.at(axes).logits  # (..., 2, n)
    losses = [-log_likelihood(here[..., None, :] + c @ along, y).mean(-1) for c in _portions(at, here.numel())]
    return torch.cat(losses, -1)


def _perceptron_plane(likelihood: Perceptron, axes: Tensor, at: Tensor) -> Tensor:
    m, x, y = likelihood.units, likelihood.x, likelihood.y
    corners = torch.cat([likelihood.point[..., None, :], axes], -2)  # (..., 3, P): w, u, v
    weight, bias = corners[..., : m * x.shape[1]].unflatten(-1, (m, -1)), corners[..., -2 * m - 1 : -m - 1]
    hidden = torch.einsum("...md,nd->...nm", weight, x) + bias[..., None, :]  # (..., 3, n, M)
    top = corners[..., -m - 1 :]  # (..., 3, M+1)
    losses = []
    for c in _portions(at, hidden.numel()):
        place = torch.cat([c.new_ones(len(c), 1), c], 1)  # (N, 3)
        z = torch.einsum("kc,...cnm->...knm", place, hidden)
        head = place @ top  # (..., N, M+1)
        logits = (activate(z, likelihood.activation) * head[..., None, :m]).sum(-1) + head[..., m:]
        losses.append(-log_likelihood(logits, y).mean(-1))
    return torch.cat(losses, -1)


def plane_curvature(likelihood: Likelihood, axes: Tensor) -> Tensor:
    """Compute the largest e'He / e'e (...) over e in the plane of axes (..., 2, P): at most lambda_max(H)."""
    images = torch.stack([likelihood.hessian(axes[..., k, :].contiguous()) for k in (0, 1)], -2)
    gram, curved = (axes @ axes.mT).double(), (axes @ images.mT).double()  # (..., 2, 2)
    root = torch.linalg.cholesky(gram)
    half = torch.linalg.solve_triangular(root, (curved + curved.mT) / 2, upper=False)
    whole = torch.linalg.solve_triangular(root, half.mT, upper=False)
    values: Tensor = torch.linalg.eigvalsh((whole + whole.mT) / 2)
    return values[..., -1].to(axes)


def sharpness(likelihood: Likelihood, rhos: Sequence[float], *, steps: int = 20) -> Sharpness:
    """Measure SAM's sharpness of heads (...), by the gradient and by ascent on the sphere from three starts.

    e <- rho g(w+e) / norm(g(w+e)) maximises the loss's linearisation; it begins with (2)'s e and with both signs of
    H's top eigenvector. For a convex loss each step raises the loss; the best e of all steps counts in any case.

    Args:
        likelihood: heads (...) on n rows.
        rhos: K radii.
        steps: of the ascent.

    Returns:
        The rises (..., K) of the loss.

    Raises:
        FitError: for radii that are not above 0.
    """
    if not rhos or min(rhos) <= 0:
        raise FitError(f"expected radii above 0, got {list(rhos)}")
    here, gradient = likelihood.loss(), likelihood.gradient()
    norm = gradient.norm(dim=-1)
    starts = [gradient, *_top(likelihood, gradient)]
    measures = []
    for rho in rhos:
        rises = torch.stack([_climb(likelihood, here, start, rho, steps) for start in starts])
        measures.append((rho * norm, rises[0, 0], rises.flatten(0, 1).amax(0)))
    linear, step, ascent = (torch.stack(parts, -1) for parts in zip(*measures, strict=True))
    return Sharpness(tuple(rhos), linear, step, ascent)


def _top(likelihood: Likelihood, like: Tensor) -> list[Tensor]:
    """Both signs of a vector near H's top eigenvector, by a few power steps from a random one, always the same."""
    rng = torch_generator("sharpness", like.shape[-1])
    v = torch.randn(like.shape[-1], generator=rng, dtype=torch.float64).to(like).expand(like.shape)
    for _ in range(10):
        v = likelihood.hessian(_sphere(v, 1.0))
    return [v, -v]


def _climb(likelihood: Likelihood, here: Tensor, start: Tensor, rho: float, steps: int) -> Tensor:
    """The rises of the loss (steps, ...) on the way up from a direction."""
    rises, direction = [], start
    for _ in range(steps):
        there = likelihood.at(likelihood.point + _sphere(direction, rho))
        rises.append(there.loss() - here)
        direction = there.gradient()
    return torch.stack(rises)


def _sphere(v: Tensor, rho: float) -> Tensor:
    scale: Tensor = rho / v.norm(dim=-1, keepdim=True).clamp_min(torch.finfo(v.dtype).tiny)
    return v * scale
