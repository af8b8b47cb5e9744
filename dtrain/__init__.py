"""dtrain: which deep-net training technique works on my data, how sure are we, and why?"""

from dtrain.api import compare as compare
from dtrain.api import evaluate as evaluate
from dtrain.api import load as load
from dtrain.api import lr_find as lr_find
from dtrain.api import mc_predict as mc_predict
from dtrain.api import probe as probe
from dtrain.api import resume as resume
from dtrain.api import run as run
from dtrain.api import show as show
from dtrain.api import transfer as transfer
from dtrain.api import validate as validate
from dtrain.ground.errors import ConfigError as ConfigError
from dtrain.ground.errors import DataError as DataError
from dtrain.ground.errors import DivergedError as DivergedError
from dtrain.ground.errors import DtrainError as DtrainError
from dtrain.ground.errors import DtrainWarning as DtrainWarning
from dtrain.ground.errors import EnvironmentProblem as EnvironmentProblem
from dtrain.ground.errors import ModelFileError as ModelFileError
from dtrain.ground.errors import PartialFailure as PartialFailure
from dtrain.ground.errors import ResumeError as ResumeError
from dtrain.ground.errors import RunConflictError as RunConflictError
from dtrain.ground.errors import UsageError as UsageError
from dtrain.ground.version import __version__ as __version__
from dtrain.trials.observer import RunObserver as RunObserver
