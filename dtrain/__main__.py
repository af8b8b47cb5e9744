"""`python -m dtrain` is `dtrain`."""

import sys

from dtrain.cli import main

sys.exit(main())
