"""Initializers of the hidden layers' kernels; the output layer keeps Glorot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import model_validator

from dtrain.experiment.techniques.technique import BARE_NAME, FAMILY, Contradiction, Positive, Technique

if TYPE_CHECKING:
    import keras


class InitializerTechnique(Technique):
    """A rule for a kernel's first values, which are random unless its class says otherwise."""

    is_random: ClassVar[bool] = True

    def build(self, seed: int) -> keras.Initializer:
        """Returns the Keras initializer of the same name, which draws equal values for an equal seed."""
        import keras

        options = self.settings() | ({"seed": seed} if self.is_random else {})
        initializer: keras.Initializer = getattr(keras.initializers, type(self).__name__)(**options)
        return initializer

    def for_kernel(self, inputs: int, units: int) -> InitializerTechnique:
        """Returns the rule for a dense kernel [inputs, units]: the same for every shape, but for the identity's."""
        return self


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


class TruncatedNormal(InitializerTechnique):
    """Normal with one deviation whatever the layer's size, drawn again beyond two deviations."""

    kind: Literal["truncated_normal"] = "truncated_normal"
    mean: float = 0.0
    stddev: Positive = 0.05


class RandomUniform(InitializerTechnique):
    """Uniform between two bounds whatever the layer's size."""

    kind: Literal["random_uniform"] = "random_uniform"
    minval: float = -0.05
    maxval: float = 0.05

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.minval >= self.maxval:
            raise Contradiction(("minval",), f"got {self.minval}; expected less than maxval ({self.maxval})")
        return self


class Orthogonal(InitializerTechnique):
    """A random rotation: every singular value is the gain, so that depth keeps lengths (Saxe et al. 2014)."""

    kind: Literal["orthogonal"] = "orthogonal"
    gain: Positive = 1.0


class Identity(InitializerTechnique):
    """The identity times a gain, for dense layers as wide as their inputs (Le et al. 2015); others get `orthogonal`."""

    is_random: ClassVar[bool] = False
    kind: Literal["identity"] = "identity"
    gain: Positive = 1.0

    def for_kernel(self, inputs: int, units: int) -> InitializerTechnique:
        """Returns the identity for a square kernel, else a rotation, which keeps lengths just as well."""
        return self if inputs == units else Orthogonal(gain=self.gain)


class Constant(InitializerTechnique):
    """One value everywhere, a known-bad example: all units of a layer compute, and learn, the same."""

    is_random: ClassVar[bool] = False
    kind: Literal["constant"] = "constant"
    value: float = 0.01


class Zeros(InitializerTechnique):
    """Zero everywhere, a known-bad example: no gradient reaches any hidden layer."""

    is_random: ClassVar[bool] = False
    kind: Literal["zeros"] = "zeros"


Initializer = Annotated[
    GlorotNormal
    | GlorotUniform
    | HeNormal
    | HeUniform
    | LecunNormal
    | LecunUniform
    | VarianceScaling
    | RandomNormal
    | TruncatedNormal
    | RandomUniform
    | Orthogonal
    | Identity
    | Constant
    | Zeros,
    FAMILY,
    BARE_NAME,
]
