"""Neural architecture search with the device in the loop: the work itself."""

__all__: list[str] = []
