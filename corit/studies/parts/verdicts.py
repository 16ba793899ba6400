"""What holds and what does not, by rules that were written before the numbers.

Each cell of a question is an effect with a 95 % interval (by pair; of GSNR the jackknife's over pairs) against a bar.
No correction is made for the number of comparisons: of forty cells without any effect, one lies above and one below.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from corit.studies.parts.injection import STEPS, Z
from corit.studies.parts.plan import PERTURBS, THRESHOLDS
from corit.studies.real.plan import PAIRED
from corit.studies.real.verdicts import Verdict

ESTIMATE, NONE = 0.3, 0.1  # cosines above which the proxy estimates a gradient, and up to which it does not
CHANCE = 0.5  # share of pictures whose score a random step raises
FILTERS = 0.05  # share of the foreground that the outer layers must keep less
FEW, MOST, FLAT = 0.5, 0.9, 0.1  # the shares of the readings to check
LISTED = 8  # cells that an answer names at most
HOLDS, OPPOSITE, UNTOLD, ABSENT = "holds", "the opposite holds", "cannot be told", "does not hold"

Record = Mapping[str, Any]


def above(effect: Sequence[Any], bar: float = 0.0) -> str:
    """Return whether an effect (value, low, high) is above a bar, below it, or cannot be told from it."""
    _, low, high = effect
    if low is None or high is None:
        return UNTOLD
    return HOLDS if low > bar else OPPOSITE if high < bar else UNTOLD


def estimates(cosine: Sequence[Any]) -> str:
    """Return whether a mean cosine (value, low, high) is that of an estimate."""
    _, low, high = cosine
    if low is None or high is None:
        return UNTOLD
    return HOLDS if low > ESTIMATE else ABSENT if high <= NONE else UNTOLD


def filters(edges: Record) -> str:
    """Return whether the first and the last layers both keep less than those between."""
    answers = {above(edges[k], FILTERS) for k in ("inner less first", "inner less last")}
    return HOLDS if answers == {HOLDS} else UNTOLD if UNTOLD in answers and OPPOSITE not in answers else ABSENT


def verdicts(record: Record) -> list[dict[str, Any]]:
    """Answer every question of the parts that are measured.

    Args:
        record: "proxy", "masks", "tokens" and "injection" of parts.json.
    """
    answers: list[Verdict] = []
    if record["proxy"]:
        answers += [*_proxy(record["proxy"]), *_masks(record["masks"][PAIRED]), *_tokens(record["tokens"]["gsnr"])]
    if record["injection"]:
        answers += _steps(record["injection"])
    return [asdict(a) for a in answers]


def _proxy(record: Record) -> Iterator[Verdict]:
    cosines = record["cosine"]
    yield _verdict(
        "Does the proxy tell of the gradient of its own picture?",
        "cosine of the proxy with the gradient of the head's logit, less that of another pair's proxy, mean over "
        "layers: above 0",
        {f"head of {h}": above(c["mean"]["own less other"]) for h, c in cosines.items()},
    )
    yield _verdict(
        "Is the proxy an estimate of the gradient?",
        f"cosine over all patch tokens, mean over layers: holds above {ESTIMATE:g}, does not hold up to {NONE:g}",
        {f"head of {h}": estimates(c["mean"]["own"]) for h, c in cosines.items()},
    )
    yield _verdict(
        "Does the twin's V~ in place of V raise the score?",
        f"share of pictures whose logit rises: above {CHANCE:g}",
        {
            f"head of {h}, layer {l}": above(r["raised"], CHANCE)
            for h, layers in record["rise"].items()
            for l, r in layers.items()
        },
    )
    yield _verdict(
        "Does the proxy follow the objective of (17), self-blending, more than that of fakes?",
        "cosine with the gradient of the head of self-blends, less that of the head of fakes, mean over layers: above "
        "0",
        {"self-blends less fakes": above(record["blends less fakes"])},
    )


def _masks(record: Record) -> Iterator[Verdict]:
    quiet = record["source"]["silent"]["background"][0]
    yield _verdict(
        "With perturb = source, is the proxy zero outside of the mask at layer 0?",
        f"share of the background's patches with a proxy of zero at the embedding: at least {MOST:g}",
        {"background": HOLDS if quiet >= MOST else ABSENT},
    )
    yield _verdict(
        "Do the outer layers filter most, as the paper says of its Figures 9 to 11?",
        f"share of the foreground that the layers between keep, less that of the first and of the last sixth: both "
        f"above {FILTERS:g}",
        {f"{t} {p}": filters(record[p]["edges"][t]) for p in PERTURBS for t in THRESHOLDS},
    )
    edges = {p: record[p]["edges"] for p in PERTURBS}
    yield _verdict(
        "Does the absolute threshold filter early and hardly late, while the relative one is flat?",
        f"absolute 0.9 keeps at most {FEW:g} of the foreground in the first sixth and at least {MOST:g} in the last; "
        f"relative 0.1 varies by at most {FLAT:g} over layers",
        {
            **{f"absolute, {p}": _early(edges[p]["absolute 0.9"]) for p in PERTURBS},
            **{f"relative, {p}": HOLDS if edges[p]["relative 0.1"]["spread"] <= FLAT else ABSENT for p in PERTURBS},
        },
    )


def _early(edges: Record) -> str:
    return HOLDS if edges["first"][0] <= FEW and edges["last"][0] >= MOST else ABSENT


def _tokens(gsnr: Record) -> Iterator[Verdict]:
    for field, question in (
        ("pooled less patch", "Does averaging a region raise the GSNR over that of its single patches?"),
        ("masked less pooled", "Does the mask raise the GSNR over the whole region's average?"),
    ):
        yield _verdict(
            question,
            "difference of the GSNR at w = 0, centred, clustered by pair: above 0",
            {f"{r}, layer {l}": above(c[field]) for l, regions in gsnr.items() for r, c in regions.items()},
        )


def _steps(record: Record) -> Iterator[Verdict]:
    questions = {
        "injection": "Does injection add to pooling?",
        "mask": "Does the mask add to injection?",
        "regions": "Do masked regions add to the mean of all patches?",
        "CoRIT": "Does CoRIT add to the class token of the last layer of its level?",
    }
    chief = [p for p in record["chief"] if p in record["auc"]]
    for step in STEPS:
        yield _verdict(
            questions[step],
            "paired difference of the out-of-fold AUC at the middle level, the last one and both (z): above 0",
            {
                f"{'z' if p == Z else f'layer {p}'}, {h}": above(heads["steps"][step])
                for p in chief
                for h, heads in record["auc"][p].items()
            },
        )
    for step in ("injection", "mask"):
        yield _verdict(
            f"Does {'injection' if step == 'injection' else 'the mask'} raise the GSNR of all tokens?",
            "difference of the GSNR at w = 0, centred, clustered by pair: above 0",
            {f"layer {l}": above(tokens["all tokens"][step]) for l, tokens in record["gsnr"].items()},
        )


def _verdict(question: str, rule: str, cells: Mapping[str, str]) -> Verdict:
    """The answer says in how many cells each outcome stands, and in which where they are few."""
    parts = []
    for outcome in (HOLDS, ABSENT, OPPOSITE, UNTOLD):
        names = [n for n, o in cells.items() if o == outcome]
        if names:
            listed = f" ({'; '.join(names)})" if len(names) < len(cells) and len(names) <= LISTED else ""
            parts.append(f"{outcome} in {len(names)} of {len(cells)}{listed}")
    text = "; ".join(parts)
    return Verdict(question, f"{rule[0].upper()}{rule[1:]}.", f"{text[:1].upper()}{text[1:]}.", cells)
