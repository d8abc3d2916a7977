"""The estimators: what a user fits."""
