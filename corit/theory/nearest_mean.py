"""What GSNR at w = 0 is: the signal-to-noise ratio of the nearest-mean classifier.

At w = 0 every p is 1/2, so that g_i = -(y_i - 1/2) x_i for a linear head without bias. For classes of one size, with
d the difference of their means, S the mean of their covariances and rows centred:

E g = -d / 4, the direction of the nearest-mean classifier, and E norm(g)^2 = (tr S + norm(d)^2 / 4) / 4,
so that tr Cov(g) = tr S / 4 and r = norm(d)^2 / (4 tr S): half the distance of the means squared, over the noise.

The classifier's own score d'x has the ratio D^2 = norm(d)^4 / (d'S d) between the classes, hence
r = D^2 / 4 * (u'S u / tr S) with u = d / norm(d): its ratio times the share of the noise that lies along
the difference of the means. Rows with a common mean m keep E g, and E norm(x)^2 grows by norm(m)^2: r / (1 + r), which
is norm(E g)^2 / E norm(g)^2, is then smaller by the factor 1 - c, c = norm(m)^2 / E norm(x)^2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from corit.errors import FitError


@dataclass(frozen=True)
class NearestMean:
    """The nearest-mean classifier of two classes that count alike.

    Attributes:
        separation: D^2, the squared difference of the classes' mean scores over the variance of the scores within them.
        share: u'S u / tr S, the share of the variance within classes along the difference of the means.
        common: c, the share of the mean squared norm that is the common mean's.
    """

    separation: float
    share: float
    common: float

    @property
    def centred_gsnr(self) -> float:
        """GSNR (4), plain, at w = 0 of the rows less their common mean."""
        return self.separation * self.share / 4

    @property
    def gsnr(self) -> float:
        """GSNR (4), plain, at w = 0 of the rows as they are."""
        part = (1 - self.common) * self.centred_gsnr / (1 + self.centred_gsnr)
        return part / (1 - part)


def nearest_mean(x: np.ndarray, y: np.ndarray) -> NearestMean:
    """Measure the nearest-mean classifier on the rows that it is made of.

    Args:
        x: (n, D) rows.
        y: (n), as many 0 as 1; with other shares E g also holds the common mean, and the identity is another.

    Raises:
        FitError: for classes of different sizes.
    """
    if 2 * int(np.sum(y == 1)) != len(y) or 2 * int(np.sum(y == 0)) != len(y):
        raise FitError(
            f"expected as many reals as fakes, got {int(np.sum(y == 0))} and {int(np.sum(y == 1))}; draw equal numbers"
        )
    real, fake = x[y == 0], x[y == 1]
    mean, difference = x.mean(0), fake.mean(0) - real.mean(0)
    noise = (real.var(0).sum() + fake.var(0).sum()) / 2
    within = ((real @ difference).var() + (fake @ difference).var()) / 2  # d'S d
    square = float(difference @ difference)
    common = float(mean @ mean / np.square(x).sum(1).mean())
    return NearestMean(square**2 / float(within), float(within) / square / float(noise), common)
