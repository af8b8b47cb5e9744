"""Results to pictures; the only room that imports matplotlib."""

from dtrain.plots.backend import import_matplotlib

# before any module of this room imports matplotlib itself
import_matplotlib()
