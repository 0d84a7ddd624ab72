"""A Flower app: a multi-layer perceptron in NumPy learns to read handwritten digits."""
