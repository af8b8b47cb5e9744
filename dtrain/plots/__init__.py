"""Results to pictures; the only room that imports matplotlib."""

from dtrain.plots.backend import import_matplotlib

import_matplotlib()
