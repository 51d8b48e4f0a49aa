"""syncline: a synchroniser whose every run is a plan that a person can read before, and undo after."""

TYPE_CHECKING = False  # `typing` itself would double what the process that reads a root has to import
if TYPE_CHECKING:
    from syncline.compose import Desk, plan, run

__all__ = ["Desk", "plan", "run"]


def __getattr__(name: str) -> object:
    """Load the public functions when they are first asked for, so that a submodule can be imported alone."""
    if name in __all__:
        from syncline import compose

        return getattr(compose, name)
    raise AttributeError(f"module 'syncline' has no attribute {name!r}")
