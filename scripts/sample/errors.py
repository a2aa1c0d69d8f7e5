"""What can be wrong with what was asked for."""


class SampleError(ValueError):
    """The sample that was asked for cannot be made; the message is one line."""
