"""The command line: register the commands, run one, report how it ends.

Results go to standard output, all else to standard error. Each command is one file in `corit.commands`, imported when
it runs; the help of the program imports them all for their first sentences, and none of them imports torch.
"""

from __future__ import annotations

import sys

from cyclopts import App

from corit import __version__, failures
from corit.commands import exit_codes
from corit.commands.messages import say, say_what_is_logged
from corit.errors import CoritError, NothingScoredError

COMMANDS = {
    "backbones": "corit.commands.backbones:backbones",
    "calibrate": "corit.commands.calibrate:calibrate",
    "data": "corit.commands.data:app",
    "demo": "corit.commands.demo:demo",
    "detect": "corit.commands.detect:detect",
    "detectors": "corit.commands.detectors:app",
    "diagnose": "corit.commands.diagnose:diagnose",
    "evaluate": "corit.commands.evaluate:evaluate",
    "extract": "corit.commands.extract:extract",
    "findings": "corit.commands.findings:findings",
    "paper": "corit.commands.paper:paper",
    "pretrain": "corit.commands.pretrain:pretrain",
    "protocol": "corit.commands.protocol:app",
    "replicate": "corit.commands.replicate:replicate",
    "robustness": "corit.commands.robustness:robustness",
    "study": "corit.commands.study:app",
    "train": "corit.commands.train:train",
    "update": "corit.commands.update:update",
    "weights": "corit.commands.weights:app",
}

app = App(
    name="corit",
    version=__version__,
    help="Tell manipulated and AI-made pictures from real ones (CoRIT).",
    suppress_keyboard_interrupt=False,  # else the parser exits before `main` can say how to resume
)
for name, path in COMMANDS.items():
    app.command(path, name=name)
HELP_FLAGS = tuple(app.help_flags)


def main(argv: list[str] | None = None) -> None:
    """Run a command and exit with one of `corit.commands.exit_codes`.

    Args:
        argv: the words after `corit`; None for those of this process.
    """
    say_what_is_logged()
    code = _run(sys.argv[1:] if argv is None else argv)
    failures.flush_or_discard_output()
    sys.exit(code)


def _run(argv: list[str]) -> int:
    """Run a command, report in one line what ends it early, and return the exit code."""
    try:
        if not argv or argv[0] in HELP_FLAGS:
            app.resolved_commands()  # the overview shows the first sentence of each command's docstring
        code = app(argv, exit_on_error=False, print_error=True, result_action="return_value")
        if sys.stdout is not None:
            sys.stdout.flush()  # here, so that output that cannot be written ends like an error of the command
    except KeyboardInterrupt:
        return _end("interrupted; run the same command with the same --out to resume", exit_codes.INTERRUPTED)
    except (Exception, SystemExit) as err:
        return _fail(err)
    return code if isinstance(code, int) else exit_codes.DONE


def _fail(err: Exception | SystemExit) -> int:
    if _is_reader_gone(err):
        return exit_codes.DONE  # nobody reads the output
    if cause := failures.machine_failure(err):
        own = isinstance(err, CoritError)  # its text also says which work was interrupted
        return _end(str(err) if own else f"{cause}, and run the same command again", exit_codes.MACHINE_FAILED)
    if isinstance(err, NothingScoredError):
        return _end(str(err), exit_codes.NOTHING_SCORED)
    if isinstance(err, CoritError):
        return _end(str(err), exit_codes.WRONG_USAGE)
    if isinstance(err, PermissionError):
        text = f"no permission to use {err.filename} ({err.strerror}); change its permissions"
        return _end(text, exit_codes.WRONG_USAGE)
    if type(err).__module__.startswith("cyclopts"):
        return exit_codes.WRONG_USAGE  # the parser has printed why
    raise err


def _is_reader_gone(err: BaseException) -> bool:
    """Whether a pipe that we write to is closed; the library that draws tables then exits by itself."""
    from_table = isinstance(err, SystemExit) and isinstance(err.__context__, BrokenPipeError)
    return from_table or (isinstance(err, BrokenPipeError) and failures.output_closed())


def _end(text: str, code: int) -> int:
    say(text)
    return code
