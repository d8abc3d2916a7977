"""Processes that train one model together: how they meet, and what they exchange."""
