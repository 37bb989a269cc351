"""One file per flow, each a readable recipe: the only place where stages meet."""
