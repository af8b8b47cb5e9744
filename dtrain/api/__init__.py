"""The commands as Python functions: plain keywords, quiet unless asked, and what was found is returned."""

from dtrain.api.diagnosis import probe as probe
from dtrain.api.files import load as load
from dtrain.api.files import validate as validate
from dtrain.api.given import DATA_DIR as DATA_DIR
from dtrain.api.results import compare as compare
from dtrain.api.results import evaluate as evaluate
from dtrain.api.results import mc_predict as mc_predict
from dtrain.api.results import show as show
from dtrain.api.training import lr_find as lr_find
from dtrain.api.training import resume as resume
from dtrain.api.training import run as run
from dtrain.api.training import transfer as transfer
