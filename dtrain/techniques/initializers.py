"""Initializers of the hidden layers' kernels; the output layer keeps Glorot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from dtrain.techniques.technique import BARE_NAME, FAMILY, Positive, Technique

if TYPE_CHECKING:
    import keras


class InitializerTechnique(Technique):
    """A rule for a kernel's first values."""

    def build(self, seed: int) -> keras.Initializer:
        """Returns the Keras initializer of the same name, which draws equal values for an equal seed."""
        import keras

        initializer: keras.Initializer = getattr(keras.initializers, type(self).__name__)(**self.settings(), seed=seed)
        return initializer


class GlorotNormal(InitializerTechnique):
    """Truncated normal with variance 1 / fan_avg, for tanh, sigmoid, softmax or none (Glorot & Bengio 2010, eq. 12)."""

    kind: Literal["glorot_normal"] = "glorot_normal"


class GlorotUniform(InitializerTechnique):
    """Uniform within sqrt(3 / fan_avg), the default of Keras (Glorot & Bengio 2010, eq. 16)."""

    kind: Literal["glorot_uniform"] = "glorot_uniform"


class HeNormal(InitializerTechnique):
    """Truncated normal with variance 2 / fan_in, for ReLU and its variants (He et al. 2015, eq. 10)."""

    kind: Literal["he_normal"] = "he_normal"


class HeUniform(InitializerTechnique):
    """Uniform with variance 2 / fan_in, for ReLU and its variants (He et al. 2015, eq. 10)."""

    kind: Literal["he_uniform"] = "he_uniform"


class LecunNormal(InitializerTechnique):
    """Truncated normal with variance 1 / fan_in, for SELU (LeCun et al. 1998, section 4.6)."""

    kind: Literal["lecun_normal"] = "lecun_normal"


class LecunUniform(InitializerTechnique):
    """Uniform with variance 1 / fan_in, for SELU (LeCun et al. 1998, section 4.6)."""

    kind: Literal["lecun_uniform"] = "lecun_uniform"


class VarianceScaling(InitializerTechnique):
    """Variance scale / fan, of which Glorot, He and LeCun are special cases."""

    kind: Literal["variance_scaling"] = "variance_scaling"
    scale: Positive = 1.0
    mode: Literal["fan_in", "fan_out", "fan_avg"] = "fan_in"
    distribution: Literal["truncated_normal", "untruncated_normal", "uniform"] = "truncated_normal"


class RandomNormal(InitializerTechnique):
    """Normal with one deviation whatever the layer's size; stddev 1 with sigmoid is the classic failure."""

    kind: Literal["random_normal"] = "random_normal"
    mean: float = 0.0
    stddev: Positive = 0.05


Initializer = Annotated[
    GlorotNormal | GlorotUniform | HeNormal | HeUniform | LecunNormal | LecunUniform | VarianceScaling | RandomNormal,
    FAMILY,
    BARE_NAME,
]
