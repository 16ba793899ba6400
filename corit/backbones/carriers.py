"""Where weights come from: the hub, its cache, a random seed; what a failed download means."""

from __future__ import annotations

from corit.errors import WeightsError

WEIGHT_FILES = ("model.safetensors", "open_clip_model.safetensors", "pytorch_model.bin", "open_clip_pytorch_model.bin")


def random_seed(weights: str) -> int:
    """The seed of "random:SEED", 0 for any other source of weights."""
    if not weights.startswith("random:"):
        return 0
    try:
        return int(weights.removeprefix("random:"))
    except ValueError:
        raise WeightsError(f'expected "random:SEED" with an integer, got {weights!r}') from None


def hub_error(name: str, timm_name: str, err: Exception) -> WeightsError:
    import timm

    config = timm.get_pretrained_cfg(timm_name)
    repo = getattr(config, "hf_hub_id", None) or timm_name
    return WeightsError(
        f"expected to fetch {name} from the Hugging Face hub ({repo}), but: {type(err).__name__}: "
        f"{str(err).splitlines()[0][:200]}. Download model.safetensors of that repository elsewhere and pass its path "
        "as --weights, or use --weights random:0 for a rehearsal"
    )


def fetched(timm_name: str) -> bool:
    """Whether the hub's weights of a timm model lie in the hub's cache on this machine; nothing is asked of the hub."""
    import timm
    from huggingface_hub import try_to_load_from_cache

    repo = getattr(timm.get_pretrained_cfg(timm_name), "hf_hub_id", None)
    return repo is not None and any(isinstance(try_to_load_from_cache(repo, f), str) for f in WEIGHT_FILES)
