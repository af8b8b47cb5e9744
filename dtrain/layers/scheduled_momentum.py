"""SGD whose momentum can be scheduled, which Keras's cannot."""

from __future__ import annotations

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("dtrain")
class ScheduledMomentumSGD(keras.optimizers.SGD):  # type: ignore[misc]
    """Keras's SGD with a momentum that can be assigned at every step, which Keras bakes into the compiled step."""

    def build(self, variables: list[keras.Variable]) -> None:
        """Creates the momentum and a velocity for each of `variables`."""
        if self.built:
            return
        super().build(variables)
        self.scheduled_momentum = self.add_variable(
            shape=(), initializer=keras.initializers.Constant(self.momentum), name="scheduled_momentum"
        )

    def update_step(self, gradient: tf.Tensor, variable: keras.Variable, learning_rate: tf.Tensor) -> None:
        """Moves one variable: v <- momentum v - rate g, then w <- w + v, or Nesterov's w + momentum v - rate g."""
        velocity = self.momentums[self._get_variable_index(variable)]
        momentum = tf.convert_to_tensor(self.scheduled_momentum)
        downhill = gradient * tf.cast(learning_rate, gradient.dtype)
        self.assign(velocity, velocity * momentum - downhill)
        self.assign_add(variable, velocity * momentum - downhill if self.nesterov else velocity)
