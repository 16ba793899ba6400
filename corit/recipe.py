"""Every choice that can change a feature, as frozen dataclasses: read and written as TOML, with a digest.

The paper does not settle what is marked [choice]; docs/reference/recipe.md gives reasons.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import tomllib
import typing
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from corit.errors import RecipeError

RegionName = Literal["foreground", "boundary", "background"]
REGIONS: tuple[RegionName, ...] = get_args(RegionName)


@dataclass(frozen=True)
class BackboneRecipe:
    """The frozen backbone.

    Attributes:
        name: see `corit.backbones.names`.
        weights: the digest of its tensors, filled in when they are loaded.
        precision: of its forward pass.
    """

    name: str = "clip-vit-l14"
    weights: str = ""
    precision: Literal["float32", "bfloat16", "float16"] = "float32"


@dataclass(frozen=True)
class BlendRecipe:
    """Self-blending (SBI). Lengths are in pixels of a 256-px crop and scale with the crop.

    Attributes:
        perturb: [choice] "source" for the proxy, so that the pair is equal outside the mask; "either" is the original
            training recipe, which perturbs source or target with probability one half.
        rgb_shift: the largest shift of a colour channel, of 255.
        rgb_shift_p: the probability of this shift.
        hue_saturation_value: the largest shift in HSV.
        brightness_contrast: the largest change of brightness and of contrast.
        translate_x: the largest horizontal shift, as a share of the side.
        translate_y: the largest vertical shift, as a share of the side.
        scale: the smallest scale; the largest is its inverse.
        elastic_alpha: strength of the mask's elastic deformation.
        elastic_sigma: smoothness of this deformation.
        mask_side: the range of the mask's side before blurring.
        blur: the range of the blur's kernel size.
        second_sigma: the range of the second blur's standard deviation.
        ratios: the blend ratios, each drawn equally often.
    """

    perturb: Literal["source", "either"] = "source"
    rgb_shift: float = 20.0
    rgb_shift_p: float = 0.3
    hue_saturation_value: float = 0.3
    brightness_contrast: float = 0.1
    translate_x: float = 0.03
    translate_y: float = 0.015
    scale: float = 0.95
    elastic_alpha: float = 50.0
    elastic_sigma: float = 7.0
    mask_side: tuple[int, int] = (192, 256)
    blur: tuple[int, int] = (5, 25)
    second_sigma: tuple[int, int] = (5, 45)
    ratios: tuple[float, ...] = (0.25, 0.5, 0.75, 1.0, 1.0, 1.0)


@dataclass(frozen=True)
class ViewsRecipe:
    """How a picture becomes its crop, twin and regions.

    Attributes:
        domain: "face" crops faces, "scene" takes the whole picture.
        crop_side: of a face crop in pixels, before it is resized for the backbone.
        crop_scale: how much more than the face the crop shows.
        min_face: the fewest pixels of a face's side.
        min_side: the fewest pixels of a picture's side.
        scene_fit: how a scene becomes square.
        foreground: how the foreground of a scene is found; see `corit.views.foreground`.
        boundary: width of the boundary region, as a share of the side.
        majority: the smallest share of a patch that its region covers.
        random_regions: how many random regions take the place of the three, 0 for none (the ablation).
        blend: the self-blended twin.
    """

    domain: Literal["face", "scene"] = "face"
    crop_side: int = 256
    crop_scale: float = 1.3
    min_face: int = 32
    min_side: int = 32
    scene_fit: Literal["resize-crop", "squash", "crop"] = "resize-crop"
    foreground: Literal["saliency", "tokens"] = "saliency"
    boundary: float = 0.0625
    majority: float = 0.5
    random_regions: int = 0
    blend: BlendRecipe = field(default_factory=BlendRecipe)


@dataclass(frozen=True)
class ModelRecipe:
    """The paper's Section IV, equations (17)-(25), and its ablations.

    Attributes:
        kind: "corit"; "unifd", the class token of the last layer after the final norm; "unifd-768", its projection;
            "pooled", the mean of that layer's patch tokens; "both", its class token and this mean.
        regions: any non-empty subset of foreground, boundary, background.
        tau: the threshold of equation (20).
        threshold: [choice] "relative" is tau times the mean of s over the region, "absolute" is tau itself, "cosine"
            compares s_i / norm(g_i).
        pooling: of equation (21).
        rsi: off, F_l = C_l.
        rrm: off, m = 1[i in R_k].
        hri: off, z = F_L.
        inject: off, regions are pooled and not injected.
        start: [choice] T at layer 0.
        twin: [choice] x~ carries its "own" region tokens, or "zeros".
        middle: l_m; 0 for 0.75 L.
        layer: the last block that runs, L of every equation; 0 for the backbone's own last block.
        middle_norm: [choice] the backbone's final norm on the middle level too.
        fusion: equation (24) or (25).
        eps: added to denominators.
    """

    kind: Literal["corit", "unifd", "unifd-768", "pooled", "both"] = "corit"
    regions: tuple[RegionName, ...] = REGIONS
    tau: float = 0.1
    threshold: Literal["relative", "absolute", "cosine"] = "relative"
    pooling: Literal["average", "max"] = "average"
    rsi: bool = True
    rrm: bool = True
    hri: bool = True
    inject: bool = True
    start: Literal["mean", "zeros", "class"] = "mean"
    twin: Literal["own", "zeros"] = "own"
    middle: int = 0
    middle_norm: bool = True
    fusion: Literal["concat", "cross-attention"] = "concat"
    eps: float = 1e-6
    layer: int = 0


# Fields younger than the first stores: at their defaults they are in neither the digest nor the TOML, so that both stay
# those of the stores and detectors that were written before.
LATER_FIELDS = {"model": {"layer": 0}}


@dataclass(frozen=True)
class Recipe:
    """All choices that decide a feature. Features of one `digest` may stand in one store.

    Attributes:
        backbone: the frozen backbone.
        views: the preparation of a picture.
        model: what is computed on the backbone's tokens.

    Raises:
        RecipeError: a value out of its range, or choices that exclude each other.
    """

    backbone: BackboneRecipe = field(default_factory=BackboneRecipe)
    views: ViewsRecipe = field(default_factory=ViewsRecipe)
    model: ModelRecipe = field(default_factory=ModelRecipe)

    def __post_init__(self) -> None:
        validate(self)

    @property
    def digest(self) -> str:
        """SHA-256 (64 hex digits) of the canonical JSON of every field; see `LATER_FIELDS`."""
        text = json.dumps(_written(self), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def to_toml(self) -> str:
        """Return the recipe as TOML text, of which `Recipe.from_toml` makes an equal recipe."""
        return "\n".join(_toml(_written(self), ())) + "\n"

    @classmethod
    def from_toml(cls, text: str) -> Recipe:
        """Read a recipe from TOML text; absent fields keep their defaults.

        Raises:
            RecipeError: the text is no TOML, a name is unknown or a value has a wrong type.
        """
        try:
            table = tomllib.loads(text)
        except tomllib.TOMLDecodeError as err:
            raise RecipeError(f"expected a recipe in TOML, but it does not parse: {err}. Mend that line.") from err
        return _build(cls, table, "recipe")

    @classmethod
    def read(cls, path: Path) -> Recipe:
        """Read a recipe from a file; see `from_toml`. Raises RecipeError when it cannot be read."""
        try:
            return cls.from_toml(path.read_text())
        except OSError as err:
            raise RecipeError(f"expected a recipe file at {path}: {err.strerror}. Check the path.") from err

    def replace(self, **changes: Any) -> Recipe:
        """Return a copy with other values: `recipe.replace(**{"model.tau": 0.5})`.

        Args:
            changes: values by the dotted names of fields.

        Raises:
            RecipeError: an unknown field, or a value that `validate` refuses.
        """
        recipe = self
        for dotted, value in changes.items():
            recipe = _replace(recipe, dotted.split("."), value, dotted)
        return recipe


def _written(recipe: Recipe) -> dict[str, Any]:
    """The fields of a recipe by name, without later ones at their defaults."""
    values = dataclasses.asdict(recipe)
    for part, later in LATER_FIELDS.items():
        values[part] = {k: v for k, v in values[part].items() if k not in later or v != later[k]}
    return values


def validate(recipe: Recipe) -> None:
    """Raise RecipeError unless every field has its type, is in its range, and the combination makes sense."""
    for part in ("backbone", "views", "model"):
        _check_types(getattr(recipe, part), part)
    model, views = recipe.model, recipe.views
    _require(len(set(model.regions)) == len(model.regions), "model.regions", "no region twice", model.regions)
    _require(
        bool(model.regions) or model.kind != "corit" or not model.rsi or views.random_regions > 0,
        "model.regions",
        'at least one region, or rsi = false, or kind = "unifd"',
        model.regions,
    )
    _require(model.tau >= 0, "model.tau", "tau >= 0", model.tau)
    _require(model.layer >= 0, "model.layer", "a block number from 1, or 0 for the last", model.layer)
    _require(
        model.layer == 0 or model.kind != "unifd-768",
        "model.layer",
        "0 with unifd-768, whose projection belongs to the last block",
        model.layer,
    )
    _require(model.middle >= 0, "model.middle", "a block number from 1, or 0 for 0.75 L", model.middle)
    _require(model.eps > 0, "model.eps", "eps > 0", model.eps)
    _require(
        model.fusion == "concat" or (model.hri and model.kind == "corit"),
        "model.fusion",
        'fusion = "cross-attention" only with kind = "corit" and hri = true, since (25) joins two levels',
        model.fusion,
    )
    _require(views.random_regions >= 0, "views.random_regions", "a count >= 0", views.random_regions)
    _require(0 < views.majority < 1, "views.majority", "a share between 0 and 1", views.majority)
    _require(0 < views.boundary < 0.5, "views.boundary", "a share of the side between 0 and 0.5", views.boundary)
    _require(views.crop_scale >= 1, "views.crop_scale", "a scale >= 1", views.crop_scale)
    _require(min(views.crop_side, views.min_face, views.min_side) > 0, "views", "sides of at least a pixel", views)


def _require(ok: bool, name: str, expected: str, came: object) -> None:
    if not ok:
        raise RecipeError(f"recipe field {name}: expected {expected}; got {came!r}")


def _check_types(part: Any, path: str) -> None:
    hints = get_type_hints(type(part))
    for f in fields(part):
        value, hint, name = getattr(part, f.name), hints[f.name], f"{path}.{f.name}"
        if dataclasses.is_dataclass(hint):
            _require(isinstance(value, typing.cast(type, hint)), name, f"a {typing.cast(type, hint).__name__}", value)
            _check_types(value, name)
        else:
            _require(_fits(value, hint), name, _describe(hint), value)


def _fits(value: Any, hint: Any) -> bool:
    """Whether a plain value has the annotated type; ints pass as floats, bools never pass as numbers."""
    origin = get_origin(hint)
    if origin is Literal:
        return value in get_args(hint)
    if origin is tuple:
        args = get_args(hint)
        if not isinstance(value, tuple):
            return False
        if args[-1] is Ellipsis:
            return all(_fits(v, args[0]) for v in value)
        return len(value) == len(args) and all(_fits(v, a) for v, a in zip(value, args, strict=True))
    if hint is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool) and value == value
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, hint)


def _describe(hint: Any) -> str:
    if get_origin(hint) is Literal:
        return "one of " + ", ".join(repr(v) for v in get_args(hint))
    return str(hint) if typing.get_origin(hint) else hint.__name__


def _build(cls: Any, table: dict[str, Any], path: str) -> Any:
    hints = get_type_hints(cls)
    unknown = sorted(set(table) - set(hints))
    if unknown:
        raise RecipeError(f"{path}: no such field: {', '.join(unknown)}. Known fields: {', '.join(hints)}")
    values = {}
    for name, value in table.items():
        if dataclasses.is_dataclass(hints[name]):
            if not isinstance(value, dict):
                raise RecipeError(f"{path}.{name}: expected a table, got {value!r}")
            value = _build(hints[name], value, f"{path}.{name}")
        values[name] = _plain(value, hints[name])
    return cls(**values)


def _plain(value: Any, hint: Any) -> Any:
    """TOML lists become tuples, and integers become floats where a float is meant, so that digests agree."""
    if isinstance(value, list):
        inner = get_args(hint)[0] if get_origin(hint) is tuple else None
        return tuple(_plain(v, inner) for v in value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value


def _replace(part: Any, names: list[str], value: Any, dotted: str) -> Any:
    head, *rest = names
    if head not in {f.name for f in fields(part)}:
        raise RecipeError(
            f"no recipe field {dotted!r}; {type(part).__name__} has {', '.join(f.name for f in fields(part))}"
        )
    hint = get_type_hints(type(part))[head]
    if rest and not dataclasses.is_dataclass(hint):
        raise RecipeError(f"no recipe field {dotted!r}; {head} has no fields of its own")
    new = _replace(getattr(part, head), rest, value, dotted) if rest else _plain(value, hint)
    return dataclasses.replace(part, **{head: new})


def _toml(table: dict[str, Any], path: tuple[str, ...]) -> list[str]:
    lines = [f"[{'.'.join(path)}]"] if path else []
    lines += [f"{k} = {_toml_value(v)}" for k, v in table.items() if not isinstance(v, dict)]
    for key, value in table.items():
        if isinstance(value, dict):
            lines += ["", *_toml(value, (*path, key))]
    return lines


def _toml_value(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_toml_value(v) for v in value) + "]"
    return json.dumps(value)  # JSON's strings, numbers and booleans are TOML's
