"""Files on disk become Sample rows; no pixels here."""
