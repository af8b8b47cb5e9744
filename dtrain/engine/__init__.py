"""The compiled epoch and what trains with it: objectives, training, evaluation, model, backend."""
