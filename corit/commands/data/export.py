"""`corit data export`: a data set as a list for DeepfakeBench."""

from __future__ import annotations

import os
from pathlib import Path

from corit.commands import exit_codes, options


def export(
    data: options.DataSets,
    *,
    out: Path,
    root: options.Root = "",
    below: Path | None = None,
    compression: str = "",
    prefix: str = "./",
) -> int:
    """Write a data set's frames as a JSON file of DeepfakeBench.

    Args:
        out: the file, with the benchmark's name of the data set, such as Celeb-DF-v2.json
        below: folder that the file's paths start from; by default the one in which all frames lie, above frames/
        compression: c23, c40 or raw, where the benchmark's readers expect one; by default taken from the file's name
        prefix: start of the file's paths: the way to that folder from the one in which the benchmark runs
    """
    from corit.data.care.export import above_frames, export_json, unnumbered_paths
    from corit.errors import examples
    from corit.report.text import print_text
    from corit.sources import open_source

    samples = open_source(*data, root=root).samples
    base = below or above_frames(os.path.commonpath({os.path.dirname(os.path.abspath(s.path)) for s in samples}))
    export_json(samples, out, base, compression, prefix)
    print_text(f"{out}: {len(samples)} frames below {base}")
    if unnumbered := unnumbered_paths(samples):
        names = examples(unnumbered, 2)
        print_text(f"{len(unnumbered)} file names are no numbers, so that DeepfakeBench cannot sort them: {names}")
    return exit_codes.DONE
