"""The project of tests/pipeline, for tests of the Python API."""

from tests.pipeline.conftest import project

__all__ = ["project"]
