"""The command line: parse, call one workflow, print."""

from dtrain.cli.application import app as app
from dtrain.cli.application import main as main
