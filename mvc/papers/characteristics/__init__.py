"""A protocol: what is read linearly of models (epoch, accuracy, hyperparameters) from representations of weights."""
