"""How like production generated requests are: the eyes that see a difference."""

from premortem.analyse.realism.classifier import Seen, told_apart
from premortem.analyse.realism.judging import Judged, Quality, quality
from premortem.analyse.realism.page import render_quality_html
from premortem.analyse.realism.specimens import Specimen, of_exchanges, of_sequences
from premortem.analyse.realism.variation import shuffled
from premortem.analyse.realism.view import quality_view

__all__ = [
    "Judged",
    "Quality",
    "Seen",
    "Specimen",
    "of_exchanges",
    "of_sequences",
    "quality",
    "quality_view",
    "render_quality_html",
    "shuffled",
    "told_apart",
]
