"""The Studio: where people ask what could go wrong and rule on what comes of it."""

from premortem.studio.serving import Opened, serve

__all__ = ["Opened", "serve"]
