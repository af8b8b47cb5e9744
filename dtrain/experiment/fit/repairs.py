"""What puts a finding right: overrides, all of them together, as one types them on the command line."""

from __future__ import annotations

import json
import shlex

from dtrain.experiment.draft import Draft
from dtrain.experiment.techniques.regularizers import Noise
from dtrain.experiment.techniques.schedules import OneCycle, Piecewise

PASSING = "activation=relu initializer=he_normal normalization=batch_norm"
"""What signals and gradients pass unharmed, through however many layers."""
HIGHEST_DROPOUT = 0.5
COMPONENTS = 10_000
"""Of a gradient, that may reach a bound at once."""


def paired_initializer(one: Draft) -> str:
    """Returns what gives the activation the first weights that it is paired with."""
    return f"initializer={one.activation.initializer}"


def highest_rate(one: Draft) -> tuple[str, float]:
    """Returns where the highest rate of the training is written, and what it is."""
    if isinstance(one.schedule, OneCycle) and one.schedule.maximum:
        return "schedule.maximum", one.schedule.maximum
    if isinstance(one.schedule, Piecewise):
        return "schedule.values", max(one.schedule.values)
    return "optimizer.learning_rate", one.optimizer.learning_rate


def at_rate(one: Draft, rate: float) -> str:
    """Returns what makes `rate` the highest of the training."""
    place, highest = highest_rate(one)
    if isinstance(one.schedule, Piecewise):
        return shlex.quote(f"{place}={[float(f'{each * rate / highest:.3g}') for each in one.schedule.values]}")
    return f"{place}={rate:.3g}"


def global_clipping(one: Draft) -> str:
    """Returns what clips the norm of the whole gradient in place of its parts, at about the norm that these allow."""
    value, norm = one.optimizer.clipvalue, one.optimizer.clipnorm
    variables = 2 * (one.network.hidden_layers + 1)
    bound = value * COMPONENTS**0.5 if value else (norm or 1.0) * variables**0.5
    return f"optimizer.{'clipvalue' if value else 'clipnorm'}=null optimizer.global_clipnorm={bound:.2g}"


def plain_dropout(one: Draft) -> str:
    """Returns what gives dropout in place of the first noise, with its rates."""
    place, noise = _noise(one)
    layers = {} if noise.layers == "all" or isinstance(noise.rate, tuple) else {"layers": noise.layers}
    return _fields(place, kind="dropout", rate=noise.rate, **layers)


def gentle_alpha_dropout(one: Draft) -> str:
    """Returns what gives the self-normalising table's alpha dropout: at the rates of dropout it disturbs far more."""
    return _fields(_noise(one)[0], kind="alpha_dropout", rate=0.1, layers="last")


def lower_noise(one: Draft) -> str:
    """Returns what keeps the rates of the first noise within what is useful."""
    place, noise = _noise(one)
    rates = noise.rate if isinstance(noise.rate, tuple) else (noise.rate,)
    lowered = [min(rate, HIGHEST_DROPOUT) for rate in rates]
    return _fields(place, rate=lowered if isinstance(noise.rate, tuple) else lowered[0])


def _noise(one: Draft) -> tuple[int, Noise]:
    return next((place, each) for place, each in enumerate(one.regularizer) if isinstance(each, Noise))


def _fields(place: int, **values: object) -> str:
    texts = {name: one if isinstance(one, str) else json.dumps(one) for name, one in values.items()}
    return shlex.join(f"regularizer.{place}.{name}={text}" for name, text in texts.items())
