"""How large data sets are as published, where all that have them agree: what a part of one is measured against."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from corit.data.care.check import Count
from corit.data.sets.forensynths import DIFFUSION

# (data set, split) -> videos of the reals, and of each manipulation.
EACH = {
    **{("FaceForensics++", split): count for split, count in (("train", 720), ("val", 140), ("test", 140))},
    ("UADFV", "test"): 49,
}
# (data set, split) -> videos, or pictures, of both labels; several numbers where a protocol cuts the set.
TOTAL: dict[tuple[str, str], tuple[int, ...]] = {
    ("Celeb-DF-v1", "test"): (100,),
    ("Celeb-DF-v2", "test"): (518,),
    **{
        (f"UniFD/{name}", "test"): (count, min(count, 2000) if count >= 2000 else 200)
        for name, count in (
            *(("progan", 8000), ("cyclegan", 2642), ("biggan", 4000), ("stylegan", 11982), ("gaugan", 10000)),
            *(("stargan", 3998), ("deepfake", 5405), ("sitd", 360), ("san", 438), ("crn", 12764), ("imle", 12764)),
            *((name, 2000) for name in DIFFUSION),
        )
    },
}


def sizes(counts: Iterable[Count]) -> Iterator[tuple[str, str]]:
    """(data set, what differs) for each data set of which another number of videos is there than was published."""
    wrong: dict[str, list[str]] = defaultdict(list)
    totals: dict[tuple[str, str], int] = defaultdict(int)
    for c in counts:
        each = EACH.get((c.dataset, c.split), c.videos)
        totals[c.dataset, c.split] += c.videos
        if c.videos != each:
            wrong[c.dataset].append(f"{c.split} {c.manipulation or 'real'} {c.videos} of {each}")
    for (dataset, split), count in totals.items():
        known = TOTAL.get((dataset, split), (count,))
        if count not in known:
            wrong[dataset].append(f"{split} {count} of {known[0]}")
    return ((dataset, ", ".join(parts)) for dataset, parts in sorted(wrong.items()))
