"""The catalogue of failure modes as data; `agent.failure_modes` is its door."""
