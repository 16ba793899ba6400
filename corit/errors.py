"""The exceptions that corit raises on purpose.

Every message says what was expected, what came, and what to do.
"""

from __future__ import annotations

from collections.abc import Iterable

SHOWN = 5  # names that a message lists


class CoritError(Exception):
    """Base class of all errors that corit raises on purpose; the message is written for the user."""


class RecipeError(CoritError):
    """A recipe has an invalid field, or fields that do not fit together, or its file cannot be read."""


class WeightsError(CoritError):
    """Weights of a backbone or a head are missing, damaged, or of another model."""


class BackboneError(CoritError):
    """A model cannot be run block by block with region tokens."""


class DataError(CoritError):
    """A data set, folder, table or world does not hold what a command needs."""


class MachineError(CoritError):
    """The machine failed, not the input: the disk or the memory is full, or a worker process was killed."""


class NothingScoredError(DataError):
    """Not one row of the data could be scored."""


class StoreError(CoritError):
    """A feature store is missing, damaged, or of another recipe."""


class FitError(CoritError):
    """No head can be trained with these features, labels or settings."""


class DeviceError(CoritError):
    """A processor is not available on this machine or in this installation."""


class ConvergenceError(CoritError):
    """An iteration did not reach the required accuracy within its number of steps."""


class DetectorError(CoritError):
    """A detector file is missing or damaged, or the detector cannot do what is asked of it."""


class MissingLibraryError(CoritError):
    """A call needs an optional library that is not installed."""


class InputError(CoritError):
    """A picture cannot be scored.

    Attributes:
        status: the word that the picture's result row carries instead of a score.
    """

    status = "unreadable"


class UnreadableError(InputError):
    """The bytes are not a picture or video, are damaged or cut short, or would unpack to an unreasonable size."""

    status = "unreadable"


class UnsupportedError(InputError):
    """The file is of a kind that this installation does not read."""

    status = "unsupported"


class TooSmallError(InputError):
    """The picture or the face has too few pixels to be scored."""

    status = "too_small"


class NoFaceError(InputError):
    """No face was found in the picture."""

    status = "no_face"


def examples(names: Iterable[str], shown: int = SHOWN) -> str:
    """Return the first names of many for a message, with the number of those left out.

    Args:
        names: all names, in the order in which to show them.
        shown: how many to list.
    """
    listed = list(names)
    more = f" and {len(listed) - shown} more" if len(listed) > shown else ""
    return ", ".join(listed[:shown]) + more
