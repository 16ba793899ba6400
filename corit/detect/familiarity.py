"""How far a picture's features lie from those of the training pictures, and from where on they are unfamiliar."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import ceil, exp, log, sqrt
from typing import Literal, get_args

import numpy as np
import torch
from scipy.stats import t as student
from torch import Tensor

from corit.detect.row import OUTSIDE
from corit.errors import DetectorError, FitError
from corit.heads.rows import Rows, Subset, TensorRows, chunks, fit_standardiser
from corit.seeding import generator

Method = Literal["mahalanobis", "neighbours"]
TAIL = 0.01  # the share of pictures like the training pictures that may be called unfamiliar
DIRECTIONS, HELD = 48, 100_000  # directions, and numbers in all of them: 200 kB in half precision
FITTED, NEIGHBOURS = 2000, 400  # training rows that are read, and that are kept as neighbours


@dataclass(frozen=True)
class Familiarity:
    """The place of the training features, compressed, and the distance up to which features are familiar.

    E of the D numbers of a feature z are compared. They are standardised to x, of mean squared norm 1 on the training
    rows, and x is split into its coordinates c along the training rows' first principal components and the energy
    e = |x|^2 - |c|^2 that is left.

    "mahalanobis" takes sqrt(sum c_j^2 / v_j + e / v_rest) / sqrt(E): v are the variances of the training rows, shrunk
    towards their mean over all directions as by Ledoit and Wolf. "neighbours" takes the distance to the fifth nearest
    of some training rows, sqrt(|c - c_i|^2 + e + e_i): what is left of two pictures is taken as orthogonal.

    Attributes:
        columns: (E) numbers of z that are compared, counted from 0.
        mean: (E) of the training rows.
        scale: (E) by which centred features are multiplied.
        directions: (R, E) principal components in half precision.
        variances: (R + 1) shrunk variances: of each direction, and of one of the others.
        rows: (M, R + 1) c and e of training rows for "neighbours"; (0, R + 1) for "mahalanobis".
        width: D, the width of a feature.
        limit: features farther than this are unfamiliar.
        train: training rows that it was fitted on.
        valid: validation rows that the limit was set on.

    Raises:
        DetectorError: for tensors that do not fit each other.
    """

    columns: Tensor
    mean: Tensor
    scale: Tensor
    directions: Tensor
    variances: Tensor
    rows: Tensor
    width: int
    limit: float
    train: int
    valid: int

    def __post_init__(self) -> None:
        some, places = self.columns.shape[0], self.variances.shape[0]
        expected = {"mean": (some,), "scale": (some,), "directions": (places - 1, some)}
        for name, shape in (expected | {"rows": (len(self.rows), places)}).items():
            if (came := tuple(getattr(self, name).shape)) != shape:
                raise DetectorError(f"familiarity: expected {name} of {shape}, got {came}; train the detector again")

    @property
    def method(self) -> Method:
        """How the distance is measured."""
        return "neighbours" if len(self.rows) else "mahalanobis"

    def distance(self, z: Tensor) -> np.ndarray:
        """Measure how far features lie from the training features.

        Args:
            z: (n, D) raw features.

        Returns:
            Distances (n) float64; those beyond `limit` are unfamiliar.

        Raises:
            DetectorError: for features of another width.
        """
        if z.ndim != 2 or z.shape[1] != self.width:
            raise DetectorError(
                f"familiarity: expected features (n, {self.width}), got {tuple(z.shape)}; the detector's folder mixes "
                "files of two detectors, train it again"
            )
        places = _places(z[:, self.columns.long()], self.mean, self.scale, self.directions)
        if self.method == "neighbours":
            return _to_neighbours(places, self.rows.double().numpy())
        return _weighed(places, self.variances.numpy(), len(self.mean))

    def words(self, distance: float) -> str:
        """Say that features at this distance are unfamiliar; empty if they are not."""
        if distance <= self.limit:
            return ""
        return f"{OUTSIDE}: its {farther(f'({distance / self.limit:.2f} times the limit)')}"

    def widened(self, own: Rows) -> Familiarity:
        """Return it with a limit within which at least 99 % of these rows (n, D) lie; never with a lower one."""
        distances = np.concatenate([self.distance(c) for c in chunks(own)])
        return replace(self, limit=max(self.limit, float(np.quantile(distances, 1 - TAIL, method="higher"))))

    def state(self) -> dict[str, Tensor]:
        """Return the tensors by name, for a safetensors file."""
        tensors = {name: getattr(self, name).contiguous() for name in TENSORS}
        return tensors | {name: torch.tensor(getattr(self, name), dtype=kind) for name, kind in NUMBERS.items()}

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor]) -> Familiarity:
        """Rebuild it from the tensors of `state`.

        Raises:
            DetectorError: when tensors are missing or do not fit each other.
        """
        missing = sorted({*TENSORS, *NUMBERS} - set(state))
        if missing:
            raise DetectorError(f"familiarity: expected {', '.join(missing)}, but they are missing; train it again")
        return cls(*(state[name] for name in TENSORS), *(state[name].item() for name in NUMBERS))  # type: ignore[arg-type]


TENSORS = ("columns", "mean", "scale", "directions", "variances", "rows")
NUMBERS = {"width": torch.int64, "limit": torch.float64, "train": torch.int64, "valid": torch.int64}


def farther(measure: str = "") -> str:
    """Say that features lie beyond the limit, in words that follow "its" or "the"."""
    usual = f"those of {100 * (1 - TAIL):.0f} % of pictures like these"
    return f"features lie farther from the training pictures than {usual} {measure}".strip()


def fit_familiarity(
    train: Rows,
    valid: Rows,
    method: Method = "mahalanobis",
    *,
    columns: np.ndarray | None = None,
    directions: int | None = None,
    tail: float = TAIL,
) -> Familiarity:
    """Fit the distance on training rows, and set its limit on validation rows.

    Another picture of this kind lies beyond the limit with a probability of at most `tail`. Where the validation rows
    are fewer than 1 / tail - 1, the limit is the prediction bound of one more row for logarithms of distances that are
    normal: with few rows it is far out.

    Args:
        train: (n, D) raw features; of more than 2,000 rows, 2,000 that a seed draws are read.
        valid: (n', D) raw features of other pictures of the same kind.
        method: how the distance is measured; see `Familiarity`.
        columns: (E) numbers of a feature that are compared; by default all.
        directions: principal components that are kept, at most half as many as rows or columns; by default 48, or
            fewer, such that they hold 100,000 numbers.
        tail: share of pictures of this kind that may lie beyond the limit.

    Returns:
        The distance with its limit.

    Raises:
        FitError: for features that are not finite, fewer than two rows in a part, or an unknown method.
    """
    if method not in get_args(Method):
        raise FitError(f"expected the method {' or '.join(get_args(Method))}, got {method!r}")
    if min(len(train), len(valid)) < 2:
        raise FitError(f"expected two training and two validation rows, got {len(train)} and {len(valid)}")
    columns = np.arange(train.width) if columns is None else columns
    some, chosen = _drawn(train, FITTED, "fitted"), torch.from_numpy(columns.astype(np.int32))
    picked = torch.cat([c.cpu()[:, chosen.long()] for c in chunks(some)])
    scale = fit_standardiser(TensorRows(picked), "standard")
    mean, factor = scale.mean.float(), scale.scale.float()
    most = min(DIRECTIONS, HELD // len(chosen)) if directions is None else directions
    axes, variances = _components(((picked.double() - mean) * factor).numpy(), most)
    parts = mean, factor, torch.from_numpy(axes)
    kept = _drawn(TensorRows(picked), NEIGHBOURS if method == "neighbours" else 0, "neighbours")
    rows = torch.cat([torch.zeros(0, len(variances)), *(_places(c, *parts).float() for c in chunks(kept))])
    counts = len(some), len(valid)
    known = Familiarity(chosen, *parts, torch.from_numpy(variances), rows, train.width, float("inf"), *counts)
    return replace(known, limit=limit_of(np.concatenate([known.distance(c) for c in chunks(valid)]), tail))


def limit_of(distances: np.ndarray, tail: float) -> float:
    """Return the distance that a share `tail` of pictures exceeds; see `fit_familiarity`."""
    count = len(distances)
    rank = ceil((count + 1) * (1 - tail))  # of the next row, one in 1 / tail ranks above it
    if rank <= count:
        return float(np.sort(distances)[rank - 1])
    logs = np.log(np.maximum(distances, 1e-12))
    bound = float(logs.mean() + student.ppf(1 - tail, count - 1) * logs.std(ddof=1) * sqrt(1 + 1 / count))
    return exp(min(bound, log(1e12)))


def _drawn(rows: Rows, most: int, key: str) -> Rows:
    """At most so many of the rows, in their order."""
    if len(rows) <= most:
        return rows
    return Subset(rows, np.sort(generator("familiarity", key, len(rows)).permutation(len(rows))[:most]))


def _components(x: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Principal components (R, D) float16 of centred rows (n, D), and shrunk variances (R + 1) float64."""
    count, width = x.shape
    gram = x @ x.T
    total = float(np.trace(gram)) / count
    if total == 0:
        raise FitError("expected training rows that differ, got rows that are all the same")
    values, vectors = np.linalg.eigh(gram / count)
    first = np.argsort(-values)[: min(most, count // 2, width // 2)]
    axes = vectors[:, first].T @ x / np.sqrt(count * np.maximum(values[first], 1e-12 * total))[:, None]
    axes *= np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(1)])[:, None]  # else a sign is the solver's choice
    rest = max(total - values[first].sum(), 0.0) / max(width - len(first), 1)
    share, even = _shrinkage(gram, width), total / width
    return axes.astype(np.float16), (1 - share) * np.append(values[first], rest) + share * even


def _shrinkage(gram: np.ndarray, width: int, floor: float = 1e-3) -> float:
    """Ledoit and Wolf's share of the mean variance, from the inner products (n, n) of centred rows of this width."""
    count = len(gram)
    squares = float((gram**2).sum()) / count**2  # of the covariance
    noise = float((np.diag(gram) ** 2).sum()) / count**2 - squares / count
    spread = squares - (float(np.trace(gram)) / count) ** 2 / width
    return float(np.clip(noise / spread, floor, 1.0)) if spread > 0 else 1.0


def _places(z: Tensor, mean: Tensor, scale: Tensor, directions: Tensor) -> Tensor:
    """The coordinates along the directions and the energy that is left, (n, R + 1) float64."""
    x = (z.cpu().double() - mean.double()) * scale.double()
    along = x @ directions.double().T
    left = (x.square().sum(1) - along.square().sum(1)).clamp_min(0)
    return torch.cat([along, left[:, None]], dim=1)


def _weighed(places: Tensor, variances: np.ndarray, width: int) -> np.ndarray:
    values = places.numpy()
    squares = (values[:, :-1] ** 2 / variances[:-1]).sum(1) + values[:, -1] / variances[-1]
    distances: np.ndarray = np.sqrt(squares / width)
    return distances


def _to_neighbours(places: Tensor, rows: np.ndarray, number: int = 5) -> np.ndarray:
    values, rank = places.numpy(), min(number, len(rows)) - 1
    squares = ((values[:, None, :-1] - rows[:, :-1]) ** 2).sum(2) + values[:, None, -1] + rows[:, -1]
    distances: np.ndarray = np.sqrt(np.partition(squares, rank, axis=1)[:, rank])
    return distances
