"""How many faults put into the ledger's handlers by rule are found: ours beside a peer's."""
