"""Why a linear head collapses on raw features, measured: what removes it, and where condition and bound stand."""
