"""The exit codes of every command."""

from __future__ import annotations

DONE = 0  # also where the reader of the output has gone, as with `| head`
SOME_FAILED = 1  # `corit paper`: some tables or figures could not be made
WRONG_USAGE = 2  # or input that cannot be used
NOTHING_SCORED = 3
NOTHING_FOUND = 3  # `corit data list`, `corit data prepare` and `corit weights path`
PROBLEMS_FOUND = 3  # `corit data check`
MADE_WORSE = 3  # `corit update`: the new head lost more than it gained, and nothing is written
MACHINE_FAILED = 4  # a full disk, no memory, a killed worker
INTERRUPTED = 130
