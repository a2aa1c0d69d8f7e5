"""The Hub's API: one handler for each class of requests."""
