"""Shares: one work on several machines, each a part of the inputs, and the parts put together."""
