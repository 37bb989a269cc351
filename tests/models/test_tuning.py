"""Fine-tuning without its libraries: it says which to install. With them: tests/quality."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from premortem.domain.trained import Recipe
from premortem.errors import ModelMissing
from premortem.models import Tuner


@pytest.mark.skipif(find_spec("torch") is not None, reason="the extra `train` is installed")
def test_without_the_extra_it_says_what_to_install(tmp_path):
    with pytest.raises(ModelMissing, match=r"pip install 'premortem\[train,llm\]'"):
        Tuner(tmp_path / "model.gguf", Recipe())
