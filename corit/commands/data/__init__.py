"""`corit data`: the commands about data sets, one file each."""

from __future__ import annotations

from cyclopts import App

from corit.commands.data.check import check
from corit.commands.data.export import export
from corit.commands.data.listing import list_data_sets
from corit.commands.data.prepare import prepare

app = App(name="data", help="List, check, prepare and export data sets.")
app.command(list_data_sets, name="list")
app.command(check)
app.command(prepare)
app.command(export)
