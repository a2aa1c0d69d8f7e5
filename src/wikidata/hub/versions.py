"""Which versions of huggingface_hub there are: known without importing it."""

SUPPORTED = "0.34 to 2.x"
"""Of huggingface_hub, as a library and as a CLI."""


def installed_version() -> str:
    """The version of the huggingface_hub that this Python has; empty if it has none."""
    from importlib.metadata import PackageNotFoundError, version  # costly, and seldom needed

    try:
        return version("huggingface_hub")
    except PackageNotFoundError:
        return ""
