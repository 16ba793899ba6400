"""What the library logs becomes a message of the command, and of nothing else."""

from __future__ import annotations

import logging

from corit.commands.messages import say_what_is_logged


def test_commands_print_what_the_package_logs_once(capsys):
    say_what_is_logged()
    say_what_is_logged()
    logging.getLogger("corit.backbones.load").info("downloading %d MB", 78)
    logging.getLogger("corit.backbones.load").debug("a detail")
    logging.getLogger("another").info("of another library")
    assert capsys.readouterr() == ("", "corit: downloading 78 MB\n")
