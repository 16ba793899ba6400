"""`corit demo`: UniFD and CoRIT compared in the offline miniature world."""

from __future__ import annotations

from pathlib import Path

from corit.commands import exit_codes, options


def demo(*, out: Path = Path("demo-report"), comparison: options.Comparison = options.COMPARISON) -> int:
    """Train UniFD and CoRIT in the offline miniature world, and write a report, a table and a detector.

    Args:
        out: folder for report.html, results.json and detector/
    """
    from corit.progress import progress_bar
    from corit.report import text
    from corit.report.demo import write_report
    from corit.studies.demo import compare_models, write_results

    seeds, workers = range(comparison.seeds), comparison.workers
    result = compare_models(out, spec=comparison.spec, seeds=seeds, workers=workers, bars=progress_bar)
    result.outcome.detector.save(out / "detector")
    write_results(result, out / "results.json")
    write_report(result, out / "report.html")
    print(text.comparison_text(result))
    print(f"report {out / 'report.html'}, detector {out / 'detector'}, {result.seconds:.0f} s")
    return exit_codes.DONE
