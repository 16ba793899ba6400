"""`corit data check`: what is wrong with a data set."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from corit.commands import exit_codes, options

if TYPE_CHECKING:
    from corit.data.sample import Source
    from corit.images.picture import Picture
    from corit.sources import PartOfSet


def check(
    data: options.DataSets,
    *,
    root: options.Root = "",
    against: options.Names | None = None,
    contents: bool = True,
    faces: bool = False,
    workers: int = 2,
    format: options.OutputFormat = "table",
) -> int:
    """Check a data set: counts, missing and unreadable files, duplicates, leaks between splits, surprising labels.

    Several data sets are checked as one. Exit code 3 if problems were found.

    Args:
        against: data sets to test on; pictures that the checked data sets share with them are reported
        contents: decode every picture; --no-contents looks at names only
        faces: also detect faces as a detector of the domain face does, and report pictures without one
        workers: threads that decode pictures
    """
    from corit.data.care.audit import audit_source
    from corit.progress import no_bar, progress_bar
    from corit.report.data import format_findings
    from corit.report.text import print_text

    parts, source = _open(data, root)
    others, other = _open(against, root) if against else ([], None)
    with (progress_bar if contents else no_bar)("pictures") as progress:
        progress(0, sum(len(part.samples) for part in (*parts, *others)))
        results = audit_source(
            source,
            other,
            missing=[name for part in (*parts, *others) for name in part.missing],
            shares=[part.share for part in parts],
            contents=contents,
            workers=workers,
            progress=progress,
            check_picture=_picture_check(faces),
        )
    print_text(format_findings(results, format))
    return exit_codes.DONE if all(r.harmless for r in results) else exit_codes.PROBLEMS_FOUND


def _picture_check(faces: bool) -> Callable[[Picture], object]:
    """What a detector requires of a decoded picture: enough pixels and, in the domain face, a face."""
    from corit.recipe import Recipe
    from corit.views.prepare import Preparer, require_size

    return Preparer.of(Recipe(), side=224, grid=(14, 14), twins=0).crops if faces else require_size


def _open(specs: list[str], root: str) -> tuple[list[PartOfSet], Source]:
    """The data sets without what is missing, and all of them as one. Raises DataError where one has nothing."""
    from corit.data.selected import JoinedSources
    from corit.sources import PartOfSet

    parts = [PartOfSet(spec, root) for spec in specs]
    return parts, parts[0].source if len(parts) == 1 else JoinedSources(tuple(parts))
