"""Options of `corit train` and `corit extract` -> the pictures to train on: folders, or data sets by name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cyclopts import Parameter

from corit.commands.options import Crops, Frames, LabelledFolders, Names, Root  # noqa: F401 (the types of inherited fields)
from corit.errors import DataError

if TYPE_CHECKING:
    from corit.train.data import Choices, TrainingData


@Parameter(name="*")
@dataclass(frozen=True)
class TrainingPictures(LabelledFolders):
    """Real and fake pictures and videos to train on: folders, or data sets by name.

    Attributes:
        data: in place of --real and --fake, data sets that `corit data list` names, folders with real/ and fake/, and
            CSV files
        partial: with --data, go on without what a data set lacks; the card says how much was there
        groups: CSV file with the columns path and group, or real and fake; what belongs together stays in one part
    """

    real: Names | None = None  # type: ignore[assignment]
    data: Names | None = None
    root: Root = ""
    partial: bool = False
    groups: Path | None = None

    def divide(self) -> TrainingData:
        """Open the pictures, divided into parts, and report the files that are passed over.

        Raises:
            DataError: both or neither of --real and --data are given, or an option that belongs to the other one.
        """
        from corit.commands.messages import say
        from corit.report.data import print_passed_over

        self._require_one_way()
        opened = self._open_folders() if self.data is None else self._open_data()
        for note in opened.notes:
            say(note)
        for source in opened.folders:
            print_passed_over(source)
        return opened

    def _require_one_way(self) -> None:
        folders = [f"--{n}" for n in ("real", "fake") if getattr(self, n)]
        if bool(folders) == bool(self.data):
            both = f"both {' and '.join(folders)} and --data" if folders else "neither"
            raise DataError(f"expected either --real (and --fake) or --data, got {both}; give one of them")
        if self.data is None and not self.real:
            raise DataError("expected --real with --fake, got --fake alone; give folders of real pictures too")
        wrong = ["--by-folder"] * (self.by_folder and bool(self.data))
        wrong += [n for n, value in (("--root", self.root), ("--partial", self.partial)) if value and not self.data]
        if wrong:
            advice = "write folder:PLACE,by_folder=true" if self.data else "give them with --data, or leave them out"
            raise DataError(f"expected no {' and '.join(wrong)} with {'--data' if self.data else '--real'}; {advice}")

    def _open_folders(self) -> TrainingData:
        from corit.data.folders import FolderSource
        from corit.train.data import open_folders

        real, fake, landmarks = tuple(self.real or ()), tuple(self.fake or ()), self.crops.read_landmarks()
        return open_folders(FolderSource(real, fake, self.by_folder, self.crops.aligned, landmarks), self._choices)

    def _open_data(self) -> TrainingData:
        from corit.train.data import open_data

        return open_data(self.data or (), self.root, self._choices)

    @property
    def _choices(self) -> Choices:
        from corit.train.data import Choices

        landmarks, groups = (str(path or "") for path in (self.crops.landmarks, self.groups))
        return Choices(self.frames.limit, self.frames.choice, self.crops.aligned, landmarks, self.partial, groups)


TRAINING_PICTURES = TrainingPictures()
