"""The command line that users and scripts rely on: every command with its options and their defaults."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import get_args

import pytest

from corit import cli
from corit.commands import detect, options

# Capitals are positional arguments, ! marks a required one, and no value is a default of None.
INTERFACE = """
backbones:
calibrate: --aligned=False --batch=8 --by-folder=False --choice=even --detector! --device=cpu --draws=1000 --fake
    --fpr --frames=32 --landmarks --out! --real! --seed=0 --weights --workers=2
data check: --against --contents=True --faces=False --format=table --root= --workers=2 DATA!
data export: --below --compression= --out! --prefix=./ --root= DATA!
data list: --format=table --root
data prepare: --again=True --choice=even --data --format=table --frames=32 --least=0.0 --longest=0 --out!
    --scale=1.3 --side=256 --workers=2 ROOT!
demo: --out=demo-report --people=120 --photographs=True --pictures=5 --seeds=5 --workers=2
detect: --aligned=False --batch=8 --choice=even --detector --device=cpu --domain=auto --format=table --frames=32
    --html --landmarks --out --per=track --stable --twins=1 --video-score=track --weights --workers=0 PATHS!
detectors list: --format=table
detectors make: --backbone= --batch=8 --data! --device=cpu --features --limit=0 --out! --weights= --workers=2 NAME!
detectors path: NAME!
detectors show: --format=markdown NAME!
diagnose: --batch=20 --by=manipulation --demo=False --estimator --groups= --heads=linear,mlp --layers=
    --out=runs/diagnose --people=90 --pictures=4 --rho= --scaling=raw --seeds=5 --steps=0 --workers=2 STORES
evaluate: --batch=8 --choice=even --data! --detector! --device=cpu --draws=1000 --frames=32 --out! --root= --seed=0
    --unifd-head --video-score=track --weights --workers=0
extract: --aligned=False --backbone=clip-vit-l14 --batch=8 --blends=0 --by-folder=False --choice=even --data
    --device=cpu --domain --fake --frames=32 --groups --landmarks --levels=False --model --out! --partial=False
    --real --recipe --root= --weights= --workers=2
findings: --control=False --layers --out=runs/findings --pairs --perceptrons --photos --quick=False --splits --store
    --workers=2
paper: --again=False --backbone= --batch=0 --device=cpu --draws=200 --max=0 --other-weights --out=runs/paper
    --partial=False --people=40 --pictures=3 --root --seeds=5 --unifd-head --weights= --workers=1 --world WHAT!
pretrain: --batch=128 --device=cpu --faces=30000 --out! --photos --seed=0 --steps=6000 --target=semantic
protocol list:
protocol run: --backbone= --batch=0 --best-on-test=False --choice --detector --device=cpu --draws=200 --frames
    --grouping --head=linear --level --max=0 --metrics --out! --partial=False --people=40 --pictures=3 --rho=0.05
    --root --seeds=5 --unifd-head --weights= --workers=1 --world NAME!
replicate: --faces=30000 --out=runs/replication --people=120 --photos --pictures=5 --seeds=5 --steps=0 --workers=2
    --worlds=3
robustness: --batch=8 --choice=even --data! --detector! --device=cpu --draws=1000 --frames=32 --levels --out!
    --perturbations --root= --seed=0 --unifd-head --weights --workers=0
study mechanism: --layers --name=features --out! --quick=False --store
study parts: --backbone=clip-vit-b16 --batch=8 --blended --checked --compared --data! --device=cpu --draws
    --measured --out! --pairs --parts --quick=False --scenes --seeds --weights=auto --workers=2
study real: --ablations --backbone=clip-vit-b16 --batch=8 --blended --composites --data! --device=cpu --draws
    --generated --out! --pairs --parts --photographs --quick=False --seeds --variant-pairs --weights=auto
    --workers=2
train: --aligned=False --backbone=clip-vit-l14 --batch=8 --blends --by-folder=False --choice=even --data
    --device=cpu --domain --epochs=20 --fake --features --fpr=0.05 --frames=32 --groups --head=linear --landmarks
    --learning-rate --model --out! --partial=False --real --recipe --rho=0.05 --root= --scaling=standard --seeds=5
    --weights= --workers=2
update: --aligned=False --batch=8 --by-folder=False --choice=even --detector! --device=cpu --draws=1000 --fake!
    --features --force=False --fpr --frames=32 --landmarks --out! --real! --seeds=5 --weight-new --weights
    --workers=2
weights convert: --backbone= FILE! OUT!
weights fetch: --source=auto NAME!
weights list: --format=table
weights path: NAME!
"""


def commands(app, path=()):
    """Every command below an app: its words and its app."""
    for name in app:
        if not name.startswith("-"):
            command = app[name]
            if command.default_command is not None:
                yield " ".join((*path, name)), command
            yield from commands(command, (*path, name))


COMMANDS = dict(commands(cli.app))


def described(argument):
    """An option with its default, such as --batch=8."""
    default = argument.field_info.default
    shown = default.as_posix() if isinstance(default, Path) else str(default)
    value = "!" if argument.required else "" if default is None else f"={shown}"
    return f"{argument.name.lstrip('-').upper() if argument.index is not None else argument.name}{value}"


def arguments(command):
    """The arguments of a command without the groups that hold them."""
    return [a for a in command.assemble_argument_collection(parse_docstring=True) if not a.children]


def test_every_command_keeps_its_options_and_defaults():
    lines = (f"{name}: {' '.join(sorted(map(described, arguments(command))))}" for name, command in COMMANDS.items())
    wrapped = (textwrap.fill(line, 116, subsequent_indent="    ", break_on_hyphens=False) for line in sorted(lines))
    assert "\n".join(wrapped).splitlines() == INTERFACE.strip().splitlines()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_has_a_help_text(name):
    assert [a.name for a in arguments(COMMANDS[name]) if not a.parameter.help] == []
    assert COMMANDS[name].default_command.__doc__


def test_a_help_text_is_written_once():
    source = " ".join(" ".join(p.read_text() for p in Path(options.__file__).parent.rglob("*.py")).split())
    texts = {" ".join(a.parameter.help.split()) for command in COMMANDS.values() for a in arguments(command)}
    start, end = r'(?:\w: |=")', r'(?: \w+: | """|"\))'  # of a text in a docstring, or of the argument help=
    assert [t for t in texts if len(re.findall(start + re.escape(t) + end, source)) > 1] == []


def test_options_name_the_choices_of_the_library():
    from corit.detect.output import Format
    from corit.detect.video import Per
    from corit.detect.video_score import VideoScoreName
    from corit.heads.head import HeadKind
    from corit.heads.rows import SCALINGS
    from corit.images.frame_choice import Choice

    pairs = (
        (options.FrameChoice, Choice),
        (options.HeadKind, HeadKind),
        (options.Format, Format),
        (options.VideoScoreName, VideoScoreName),
        (detect.Per, Per),
    )
    assert [(get_args(here), get_args(there)) for here, there in pairs if get_args(here) != get_args(there)] == []
    assert get_args(options.ScalingName) == (*SCALINGS, "none")


def test_importing_every_command_loads_nothing_slow():
    slow = ("torch", "numpy", "matplotlib", "pyarrow", "cv2")
    code = "import sys; from corit import cli; cli.app.resolved_commands()"
    code += f"; print([m for m in {slow} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
