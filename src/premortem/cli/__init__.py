"""The command line: typed commands that consume what the pipeline yields."""
