"""The smallest Flower app that learns something: softmax regression in NumPy on points around four centres."""
