"""The shape of a face in landmarks: the mean face, and whether points outline a face."""

from __future__ import annotations

import numpy as np

from corit.errors import UnreadableError
from corit.images.faces import FIVE_POINTS, five_points

OUTLINE = 60  # points that an outline of a face needs at least
MIN_EXTENT = 4  # pixels of width and height; landmark files of frames without a face hold zeros
# The mean of dlib's 68 points over 684 faces of photographs, each brought to ArcFace's template in a square of side 1
# (`template` with a scale of 1).
MEAN_FACE = (
    *((0.145, 0.510), (0.152, 0.600), (0.167, 0.690), (0.189, 0.778), (0.226, 0.859), (0.284, 0.929)),
    *((0.354, 0.986), (0.433, 1.030), (0.519, 1.040), (0.604, 1.021), (0.678, 0.970), (0.743, 0.907)),
    *((0.793, 0.832), (0.823, 0.747), (0.836, 0.657), (0.842, 0.567), (0.841, 0.476), (0.207, 0.439)),
    *((0.248, 0.396), (0.309, 0.381), (0.373, 0.387), (0.433, 0.408), (0.542, 0.402), (0.601, 0.375)),
    *((0.664, 0.364), (0.727, 0.374), (0.772, 0.412), (0.492, 0.476), (0.495, 0.534), (0.497, 0.591)),
    *((0.500, 0.650), (0.432, 0.697), (0.466, 0.707), (0.503, 0.716), (0.539, 0.703), (0.572, 0.690)),
    *((0.280, 0.497), (0.317, 0.473), (0.362, 0.471), (0.403, 0.499), (0.361, 0.507), (0.316, 0.509)),
    *((0.582, 0.490), (0.622, 0.459), (0.666, 0.456), (0.705, 0.476), (0.670, 0.492), (0.626, 0.495)),
    *((0.369, 0.809), (0.419, 0.785), (0.470, 0.771), (0.506, 0.778), (0.542, 0.768), (0.594, 0.777)),
    *((0.646, 0.795), (0.599, 0.845), (0.550, 0.870), (0.511, 0.876), (0.472, 0.873), (0.421, 0.854)),
    *((0.389, 0.810), (0.471, 0.802), (0.507, 0.804), (0.544, 0.798), (0.625, 0.798), (0.546, 0.824)),
    *((0.509, 0.831), (0.472, 0.828)),
)
# How little of a set of points a rotation, scale and shift of the mean face explains (`misfit`) above which they are no
# face. dlib's landmarks of 1,226 faces, turned heads among them, have 0.40 at most (their five points 0.38), and were a
# head flattened into a line from the side, 0.70. The same points in the order (y, x) or mirrored have 0.97 at least
# (five points 0.89), in the reverse order 0.90 (0.79), with the eyes moved below the mouth 0.91 (0.80).
MISFIT = 0.75


def mean_face(scale: float = 1.3) -> np.ndarray:
    """Return the mean face in an aligned crop of side 1.

    Args:
        scale: how much the template is shrunk about the centre, as for `template`.

    Returns:
        Points (68, 2) float64, as shares of the crop's width and height.
    """
    return (np.array(MEAN_FACE) - 0.5) / scale + 0.5


def misfit(points: np.ndarray) -> float:
    """Measure how far landmarks are from the shape of a face, whichever way it is turned in the picture.

    Args:
        points: (P, 2) x, y of 68 or 81 points, or of another set with known template points (5, 468, 478).

    Returns:
        The root of the share of the mean face's variance that the nearest rotation, scale and shift of the points
        leaves, 0 to 1. A set with no known template points has 0: its order is not known.
    """
    if len(points) in (68, 81):
        likeness = abs(np.vdot(_WHOLE, _unit(points[:68])))
    elif len(points) in FIVE_POINTS:
        likeness = abs(np.vdot(_FIVE, _unit(five_points(points))))
    else:
        return 0.0
    return float(np.sqrt(max(0.0, 1 - likeness**2)))


def _unit(points: np.ndarray) -> np.ndarray:
    """Points (P, 2) as complex numbers (P) of mean 0 and length 1.

    The product of two such sets is the rotation and scale that brings one nearest to the other in least squares.
    """
    z = points[:, 0] + 1j * points[:, 1].astype(np.float64)
    z = z - z.mean()
    return z / (np.sqrt(np.vdot(z, z).real) or 1.0)


_WHOLE, _FIVE = _unit(np.array(MEAN_FACE)), _unit(five_points(np.array(MEAN_FACE)))


def require_face(
    points: np.ndarray, size: tuple[int, ...], where: str, *, advice: str = "", aligned: bool = True
) -> None:
    """Refuse landmarks that do not outline a face of a picture.

    Args:
        points: (P, 2) x and y in pixels.
        size: height and width of the picture in pixels.
        where: the picture or file of the landmarks, for the message.
        advice: what to do, for the message.
        aligned: whether the picture is a face crop, so that the points are not needed to turn it.

    Raises:
        UnreadableError: when there are too few points, or they are not finite, in one place, outside the picture, or
            not in the order of a face.
    """
    height, width = size
    problem = _problem(points, width, height, aligned)
    if problem:
        expected = f"expected at least {OUTLINE} points of a face in {width} x {height} pixels at {where}"
        raise UnreadableError(f"{expected}, got {problem}; {advice or 'correct them'}")


def _problem(points: np.ndarray, width: int, height: int, aligned: bool) -> str:
    """Say what is wrong with landmarks; "" for nothing."""
    if len(points) < OUTLINE:
        return f"{len(points)}"
    if not np.isfinite(points).all():
        return "points that are not finite numbers"
    low, high = points.min(0), points.max(0)
    extent = high - low
    if extent.min() < MIN_EXTENT:
        return f"{len(points)} within {extent[0]:.3g} x {extent[1]:.3g} pixels"
    if low.min() < 0 or high[0] > width or high[1] > height:
        inside = int(((points >= 0) & (points <= (width, height))).all(1).sum())
        if inside < len(points) / 2:
            return f"{len(points)}, {inside} of them inside"
    if not aligned and len(points) not in FIVE_POINTS:
        return f"{len(points)}, a number without known eyes and mouth (known are 68, 81, 468 and 478)"
    if misfit(points) > MISFIT:
        return f"{len(points)} in no order of a face: in the order (y, x), mirrored, or of something else"
    return ""
