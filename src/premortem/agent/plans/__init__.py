"""Plans of scenarios: one function per failure mode, on common ground."""
