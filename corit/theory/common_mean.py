"""Why SAM fails on raw features: the common mean of the rows in the ascent of a linear head, in closed form.

A row is x = m + v, with m the common mean and v the rest; c = norm(m)^2 / E norm(x)^2 is the share of the common mean.
The head is p = sigmoid(w'x + b), a mini-batch B has n rows of which n1 are fake, and its imbalance is 2 n1 / n - 1. At
w = 0 all of it is exact; the derivation, its assumptions and its limits are in docs/explanation/theory/collapse.md.

1. `split`: a mini-batch's gradient is (mean residual) * [m, 1] + [rest, 0].
2. `expected_alignment`: so the ascent lies along m, the more the larger c, n and the imbalance.
3. `first_steps`: all logits of the batch move together, by about rho norm(m), and the residuals saturate.
4. `saturated_gradient`: what is left is the mean of one class; the average over batches is the nearest-mean direction.
5. `curvature_share`: the curvature that would turn it into logistic regression's shrinks by sech^2(shift / 2).
6. `early_direction`: so training at radius rho is training at radius 0 for that share of the steps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from corit.errors import FitError
from corit.seeding import torch_generator

HALF = 2 * math.acosh(math.sqrt(2))  # the shift of logits that halves the curvature: sech^2(HALF / 2) = 1/2


@dataclass(frozen=True)
class Split:
    """Gradients of mini-batches (...) by [w, b], split along the common mean m: shared [m, 1] + [rest, 0].

    Attributes:
        shared: (...) mean residual of the batch; at w = 0 it is -imbalance / 2.
        rest: (..., D) mean of residual times v.
        mean: (D) m.
    """

    shared: Tensor
    rest: Tensor
    mean: Tensor

    @property
    def weight(self) -> Tensor:
        """The gradient by w (..., D)."""
        whole: Tensor = self.shared[..., None] * self.mean + self.rest
        return whole

    @property
    def norm(self) -> Tensor:
        """Norm (...) of the gradient by w and b."""
        return (self.weight.square().sum(-1) + self.shared.square()).sqrt()

    @property
    def alignment(self) -> Tensor:
        """Cosine (...) of the gradient, and so of the ascent e = rho g / norm(g), with the common mean."""
        cosine: Tensor = (self.weight @ self.mean) / (self.mean.norm() * self.norm)
        return cosine

    def shift(self, rho: float) -> Tensor:
        """Compute by how much e moves the logit of a row at m (...): rho (norm(m) alignment + shared / norm(g))."""
        moved: Tensor = rho * (self.mean.norm() * self.alignment + self.shared / self.norm)
        return moved


def split(x: Tensor, y: Tensor, mean: Tensor, logits: Tensor | None = None) -> Split:
    """Split the gradients of mini-batches: g = r [m, 1] + [u, 0] with r = mean_i r_i and u = mean_i r_i v_i.

    Args:
        x: (..., n, D) rows of the mini-batches.
        y: (..., n) labels, 0 real and 1 fake.
        mean: (D) m.
        logits: (..., n) of the head; None for w = 0, where the residual of a row is 1/2 - y.
    """
    residual = torch.sigmoid(torch.zeros_like(y) if logits is None else logits) - y
    return Split(residual.mean(-1), (residual[..., None] * (x - mean)).mean(-2), mean)


def expected_imbalance(size: int) -> float:
    """Compute E abs(2 n1 / n - 1) for mini-batches of n rows drawn from equal classes: binom(n, n/2) / 2^n for even n.

    It is about sqrt(2 / (pi n)): .18 for 20 rows.
    """
    each: list[float] = [math.comb(size, k) / 2**size * abs(2 * k / size - 1) for k in range(size + 1)]
    return sum(each)


def expected_alignment(common: float, size: int, imbalance: float) -> float:
    """Compute the cosine of the ascent with the common mean at w = 0, for a mini-batch of a given imbalance.

    abs(imbalance) / sqrt(imbalance^2 + (1 - c) / (c n)): the rest of the gradient has the squared norm
    E norm(v)^2 / (4 n), the shared part imbalance^2 norm(m)^2 / 4. Assumes norm(m) >> 1, and classes that differ by
    little (norm(d)^2 n << 4 E norm(v)^2, d the difference of their means).

    Args:
        common: c.
        size: n.
        imbalance: 2 n1 / n - 1.
    """
    return abs(imbalance) / math.sqrt(imbalance**2 + (1 - common) / (common * size))


def gradient_share(common: float, size: int, separation: float = 0.0) -> float:
    """Compute the share of E norm(g)^2 over mini-batches at w = 0 that lies along the common mean.

    c / (1 + (n - 1) separation / 4): without a difference of the classes it is c whatever the size of the batch, since
    imbalance and noise shrink together; only where the signal rises out of the noise, at n about 4 / separation, it
    falls. Assumes equal classes, norm(m) >> 1, and rows that vary little along m itself.

    Args:
        common: c.
        size: n.
        separation: norm(d)^2 / E norm(x)^2, d the difference of the class means.
    """
    return common / (1 + (size - 1) * separation / 4)


def saturated_gradient(x: Tensor, y: Tensor, shared: Tensor) -> Tensor:
    """Compute the limit for rho -> infinity of SAM's descent gradient by w, g_B(w + e_B), of mini-batches (..., D).

    The ascent turns all of the batch into the class that it holds less of: where the mean residual is negative (more
    fakes than reals, at w = 0) all become real, the residuals are -1 for fakes and 0 for reals, and the gradient is
    minus the sum of the batch's fakes / n; where it is positive, the sum of its reals / n. It does not depend on w. A
    batch with a mean residual of 0 has no shared ascent: half of each, [choice].

    Args:
        x: (..., n, D) rows of the mini-batches.
        y: (..., n) labels.
        shared: (...) mean residual at w.
    """
    side = 0.5 * (1 + torch.sign(shared))[..., None]  # residual of reals at w + e, and 1 + that of fakes
    return ((side - y)[..., None] * x).mean(-2)


def limit_gradient(difference: Tensor, size: int) -> Tensor:
    """Compute the mean of `saturated_gradient` over mini-batches: -(1 + E abs(imbalance)) / 4 (mu1 - mu0).

    Descent moves w along the difference of the class means: the nearest-mean classifier, whatever its speed.

    Args:
        difference: (D) mu1 - mu0.
        size: n, rows of a mini-batch, which are drawn from equal classes.
    """
    return -(1 + expected_imbalance(size)) / 4 * difference


def curvature_share(shift: Tensor) -> Tensor:
    """Compute which share of the curvature at logit 0 is left where logits have moved: sech^2(shift / 2).

    4 p (1 - p) at p = sigmoid(shift); 1/2 at a shift of `HALF` = 1.76, and 4 exp(-shift) for large ones.
    """
    return 1 / torch.cosh(shift / 2).square()


def halving_radius(mean_norm: float, alignment: float = 1.0) -> float:
    """Compute the radius at which a batch's curvature is halved at w = 0: HALF / (norm(m) cosine).

    The radius half-way down to the nearest mean follows it as const / norm(m); the constant grows with the logarithm of
    the number of steps, since the curvature falls exponentially in rho norm(m).
    """
    return HALF / (mean_norm * alignment)


def bound_at_start(difference: Tensor, second_moment: Tensor) -> Tensor:
    """Compute the bound (8) at w = 0 with beta = lambda_max(H): norm(E g) / lambda_max = norm(d) / lambda_max(E zz').

    About norm(d) / norm(m)^2, and so smaller than `halving_radius` by the factor 1.76 norm(m) / norm(d).

    Args:
        difference: (D) d = mu1 - mu0 of equal classes.
        second_moment: (D + 1, D + 1) E zz' of z = [x, 1].
    """
    bound: Tensor = difference.norm() / torch.linalg.eigvalsh(second_moment)[-1]
    return bound


@dataclass(frozen=True)
class FirstSteps:
    """What SAM does to m mini-batches at w = 0, measured on the rows, for R radii.

    Attributes:
        rhos: (R).
        alignment: (m) cosine of the ascent with the common mean.
        shift: (R, m) mean change of the batch's logits by e.
        curvature: (R) share of the curvature that is left at w + e, 4 E p (1 - p) over batches and rows.
        gain: (R) the mean descent gradient by v along that of plain training, over its norm: about 1 + E abs(imbalance)
            tanh(abs(shift) / 2).
        scale: (R, D) root of the mean square of each coordinate of the descent gradient by w, which Adam divides by.
    """

    rhos: Tensor
    alignment: Tensor
    shift: Tensor
    curvature: Tensor
    gain: Tensor
    scale: Tensor


def first_steps(x: Tensor, y: Tensor, batches: Tensor, rhos: Tensor) -> FirstSteps:
    """Measure SAM's first steps over mini-batches.

    Args:
        x: (n, D) rows, float64.
        y: (n) labels.
        batches: (m, B) row indices.
        rhos: (R) radii.

    Raises:
        FitError: when one of the classes is missing.
    """
    _both(y)
    y = y.to(x)
    mean = _midpoint(x, y)
    here, labels = x[batches], y[batches]
    parts = split(here, labels, mean)
    plain = -_difference(x, y) / 4
    unit = parts.weight / parts.norm[:, None]
    moved = torch.einsum("mbd,md->mb", here, unit) + (parts.shared / parts.norm)[:, None]
    shifts, curvatures, gains, scales = [], [], [], []
    for rho in rhos.tolist():
        p = torch.sigmoid(rho * moved)
        descent = torch.einsum("mb,mbd->md", p - labels, here) / labels.shape[1]
        shifts.append(rho * moved.mean(-1))
        curvatures.append(4 * (p * (1 - p)).mean())
        gains.append(torch.einsum("mb,mbd->d", p - labels, here - mean) @ plain / (plain @ plain) / labels.numel())
        scales.append(descent.square().mean(0).sqrt())
    columns = (torch.stack(c) for c in (shifts, curvatures, gains, scales))
    return FirstSteps(rhos, parts.alignment, *columns)


def early_direction(
    x: Tensor,
    y: Tensor,
    time: float,
    curvature: float = 1.0,
    scale: Tensor | None = None,
    start: Tensor | None = None,
) -> Tensor:
    """Compute the head's direction after early training, in closed form and without training.

    Linearised around w = 0, the mean step of SAM is dw/dt = P (d / 4 - k / 4 C w), with d the difference of the class
    means, C = E vv', k the share of the curvature that is left (`FirstSteps.curvature`), and P = 1 for SGD, 1 / scale
    for Adam. Its solution passes each principal direction l of C by (1 - exp(-k t l / 4)) / (k l): for a small k t the
    direction is d, the nearest mean, and for a large one C^-1 d, the linear discriminant; what the head started with
    fades by exp(-k t l / 4). Only the product k t matters: SAM at radius rho is plain training stopped at k t.

    Args:
        x: (n, D) rows, float64.
        y: (n) labels.
        time: t, steps times learning rate, over 1 - momentum.
        curvature: k.
        scale: (D) of Adam, `FirstSteps.scale`; None for SGD.
        start: (D) the first weight; None for 0.

    Returns:
        The weight (D), without the part that is common to all rows.

    Raises:
        FitError: when one of the classes is missing.
    """
    _both(y)
    y = y.to(x)
    v = x - _midpoint(x, y)
    root = torch.ones_like(v[0]) if scale is None else scale.rsqrt()
    values, vectors = torch.linalg.eigh((v * root).T @ (v * root) / len(v))
    rate = values.clamp_min(1e-12 * float(values[-1])) * curvature / 4
    signal = vectors.T @ (root * _difference(x, y) / 4)
    first = torch.zeros_like(signal) if start is None else vectors.T @ (start.to(x) / root)
    there = torch.exp(-rate * time) * first - torch.expm1(-rate * time) / rate * signal
    direction: Tensor = root * (vectors @ there)
    return direction


@dataclass(frozen=True)
class Synthetic:
    """Two Gaussian classes around a common mean, in random axes: x = m + (y - 1/2) d + noise.

    Attributes:
        width: D.
        mean_norm: norm(m).
        common: c; the noise has the squared norm norm(m)^2 (1 - c) / c.
        decay: the k-th variance of the noise falls as k^-decay.
        distance: of the classes, in standard deviations (Mahalanobis): the best AUC is Phi(distance / sqrt 2).
        signal: whether d lies in the quarter of the directions with the lowest variance or with the highest. A low one
            is subtle: the nearest mean misses it, and logistic regression does not.

    Raises:
        FitError: for a value out of its range.
    """

    width: int = 64
    mean_norm: float = 30.0
    common: float = 0.97
    decay: float = 1.0
    distance: float = 3.0
    signal: Literal["low", "high"] = "low"

    def __post_init__(self) -> None:
        if not 0 < self.common <= 1 or self.width < 4 or self.signal not in ("low", "high"):
            raise FitError(
                f"expected a common share in (0, 1], a width of 4 or more and a signal that is low or high, got "
                f"{self.common}, {self.width} and {self.signal!r}"
            )

    @property
    def variances(self) -> Tensor:
        """Variances of the noise (D), falling."""
        falling = torch.arange(1, self.width + 1, dtype=torch.float64) ** -self.decay
        return falling / falling.sum() * self.mean_norm**2 * (1 - self.common) / self.common


def synthetic_features(
    count: int, world: Synthetic = Synthetic(), *, seed: int = 0, part: str = "train"
) -> tuple[Tensor, Tensor]:
    """Draw labelled rows; parts of one seed share the mean, the axes and the signal.

    Args:
        count: n rows, alternately real and fake.
        world: what they are drawn from.
        seed: of the mean, the axes, the signal and the rows.
        part: of the rows alone, such as "train" and "test".

    Returns:
        Rows (n, D) float64, and labels (n) int64, 0 real and 1 fake.
    """
    rng, width = torch_generator("synthetic features", seed), world.width
    axes = torch.linalg.qr(torch.randn(width, width, generator=rng, dtype=torch.float64))[0]
    mean = torch.randn(width, generator=rng, dtype=torch.float64)
    some = torch.randn(width // 4, generator=rng, dtype=torch.float64)
    signal = torch.zeros(width, dtype=torch.float64)
    signal[: width // 4] = some / some.norm() * world.distance
    deviations = world.variances.sqrt()
    signal = signal.flip(0) if world.signal == "low" else signal
    rows = torch_generator("synthetic rows", seed, part)
    noise = torch.randn(count, width, generator=rows, dtype=torch.float64) * deviations
    y = torch.arange(count) % 2
    x = mean / mean.norm() * world.mean_norm + (noise + (y[:, None] - 0.5) * signal * deviations) @ axes.T
    return x, y


def _difference(x: Tensor, y: Tensor) -> Tensor:
    """mu1 - mu0."""
    return x[y == 1].mean(0) - x[y == 0].mean(0)


def _midpoint(x: Tensor, y: Tensor) -> Tensor:
    """The mean of the class means: the common mean of rows of equal classes."""
    return (x[y == 1].mean(0) + x[y == 0].mean(0)) / 2


def _both(y: Tensor) -> None:
    classes = y.unique().tolist()
    if sorted(classes) != [0, 1]:
        raise FitError(f"expected rows of both kinds, labelled 0 (real) and 1 (fake), got labels {classes[:5]}")
