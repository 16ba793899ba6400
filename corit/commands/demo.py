"""`corit demo`: real photographs and their forgeries, then UniFD and CoRIT compared in the offline miniature world."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from corit.commands import exit_codes, options
from corit.commands.messages import say

if TYPE_CHECKING:
    from corit.studies.photograph_demo import PhotographDemo


def demo(
    *, out: Path = Path("demo-report"), photographs: bool = True, comparison: options.Comparison = options.COMPARISON
) -> int:
    """Score real photographs and forged ones, then train UniFD and CoRIT in the offline miniature world.

    The detectors that come with the package score the photographs; where CLIP's weights cannot be had, this part is
    left out. Writes a page, tables and a detector of the miniature world.

    Args:
        out: folder for report.html, pictures/, photographs.json, results.json and detector/
        photographs: score photographs with the packaged detectors, for which CLIP ViT-B/16 is fetched once (78 MB)
    """
    from corit.progress import progress_bar
    from corit.report import text
    from corit.report.demo import write_report
    from corit.studies.demo import compare_models, write_results

    real, left_out = _photographs(out) if photographs else (None, "it was switched off")
    seeds, workers = range(comparison.seeds), comparison.workers
    result = compare_models(out, spec=comparison.spec, seeds=seeds, workers=workers, bars=progress_bar)
    result.outcome.detector.save(out / "detector")
    write_results(result, out / "results.json")
    write_report(result, out / "report.html", real, cards=_cards(real), left_out=left_out)
    print(text.comparison_text(result))
    seconds = result.seconds + (real.seconds if real else 0)
    print(f"report {out / 'report.html'}, detector {out / 'detector'}, {seconds:.0f} s")
    return exit_codes.DONE


def _photographs(out: Path) -> tuple[PhotographDemo | None, str]:
    """Score the photographs and print the scores; or nothing, and why."""
    from corit.errors import WeightsError
    from corit.progress import progress_bar
    from corit.report.photographs import photographs_text
    from corit.studies.photograph_demo import announce, load_packaged, score_photographs, write_photographs

    detectors = load_packaged()
    if not detectors:
        return None, _left_out("this installation comes with no detector")
    for words in announce(detectors):
        say(words)
    try:
        with progress_bar("photographs") as progress:
            result = score_photographs(detectors, out, progress=progress)
    except WeightsError as err:
        return None, _left_out(str(err))
    for note in result.notes:
        say(note)
    write_photographs(result, out / "photographs.json")
    print(photographs_text(result))
    print()
    return result, ""


def _left_out(why: str) -> str:
    say(f"the photographs are left out, and only the miniature world is shown: {why}")
    return why


def _cards(real: PhotographDemo | None) -> dict[str, str]:
    from corit.detect.packaged import card_text

    return {name: card_text(name) for name in real.detectors} if real else {}
