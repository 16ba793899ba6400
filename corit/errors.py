"""The exception tree: every message says what was expected, what came, and what to do."""

from __future__ import annotations

from collections.abc import Iterable

SHOWN = 5  # names that a message lists


class CoritError(Exception):
    """Anything this package raises on purpose; its text is written for the person at the keyboard."""


class RecipeError(CoritError):
    """A recipe field, a recipe file or a combination of fields that cannot mean anything."""


class WeightsError(CoritError):
    """Backbone or head weights that are missing, damaged, or of another model."""


class BackboneError(CoritError):
    """A model that cannot be stepped block by block with region tokens."""


class DataError(CoritError):
    """A data set, folder, table or world that does not hold what a command needs."""


class MachineError(CoritError):
    """Nothing about the input: the disk or the memory gave out, or a worker process was killed."""


class NothingScoredError(DataError):
    """Data of which not one row could be scored."""


class StoreError(CoritError):
    """A feature store that is damaged, absent, or made by another recipe."""


class FitError(CoritError):
    """Features, labels or settings with which no head can be trained."""


class DeviceError(CoritError):
    """A processor that this machine or this installation does not have."""


class ConvergenceError(CoritError):
    """An iteration that was not as exact as asked within the steps it was given."""


class DetectorError(CoritError):
    """A detector file that is damaged, absent, or does not fit the question asked of it."""


class MissingLibraryError(CoritError):
    """An optional library that this call needs and that is not installed."""


class InputError(CoritError):
    """One picture that cannot be scored; `status` is the word its result row carries instead of a score."""

    status = "unreadable"


class UnreadableError(InputError):
    """The bytes are not a picture, are cut short, or would unpack to an unreasonable size."""

    status = "unreadable"


class UnsupportedError(InputError):
    """The file is of a kind that this installation does not read."""

    status = "unsupported"


class TooSmallError(InputError):
    """The picture or the face has too few pixels to say anything."""

    status = "too_small"


class NoFaceError(InputError):
    """A face detector found no face in the picture."""

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
