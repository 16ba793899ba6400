"""`corit replicate`: the demo's comparison repeated in several worlds."""

from __future__ import annotations

from pathlib import Path

from corit.commands import exit_codes, options


def replicate(
    *,
    out: Path = Path("runs/replication"),
    worlds: int = 3,
    steps: int = 0,
    faces: int = 30_000,
    photos: options.Photos = None,
    comparison: options.Comparison = options.COMPARISON,
) -> int:
    """Repeat the demo's comparison in several worlds, and print medians and ranges over data seeds.

    With --steps, each world also has an encoder of its own, and the ranges are over encoder seeds too.

    Args:
        out: folder for replication.json and each world's results
        worlds: number of worlds, with seeds 0, 1, 2, ...
        steps: pretrain an encoder for each world in this many steps; 0 uses the packaged encoder
        faces: pretrain each encoder on this many faces
    """
    from corit.progress import progress_bar
    from corit.studies.replicate import replicate as run

    result = run(
        out,
        spec=comparison.spec,
        worlds=range(worlds),
        seeds=range(comparison.seeds),
        steps=steps,
        faces=faces,
        photos=photos,
        workers=comparison.workers,
        bars=progress_bar,
    )
    for table in ("in_domain", "leave_one_out"):
        for kind, gain in result["gain"][table].items():
            ends = f"{gain['low']:+.3f} to {gain['high']:+.3f}"
            print(f"{table:14} {kind:4} CoRIT less UniFD {gain['median']:+.3f}, {ends}")
    print(out / "replication.json")
    return exit_codes.DONE
