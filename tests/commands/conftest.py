"""Models and a registry, as the tests of tracking have them."""

from tests.tracking.conftest import empty_store, store, tiny_model, trained  # noqa: F401
