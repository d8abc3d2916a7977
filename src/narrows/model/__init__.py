"""Models: the composition of parts, its training, and what every model can do."""
