"""A brain: it takes telemetry, proposes plans, and is told what became of them, over gRPC and REST alike.

What it proposes is what it was offered (`Brain.offer`, or a file of plans): it stands in for a program that thinks.
"""

from demo.brain.memory import Memory, Plan
from demo.brain.server import Brain, Tls

__all__ = ["Brain", "Memory", "Plan", "Tls"]
