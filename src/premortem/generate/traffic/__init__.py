"""The traffic model: trained on recorded requests, writes new ones."""

from premortem.generate.traffic.rooms import Rooms
from premortem.generate.traffic.situations import HELD_OUT_SHARE, held_out
from premortem.generate.traffic.source import TrafficSource
from premortem.generate.traffic.train import train

__all__ = ["HELD_OUT_SHARE", "Rooms", "TrafficSource", "held_out", "train"]
