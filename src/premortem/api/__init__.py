"""Premortem from Python: a project, and generated requests as pytest cases.

The package `premortem` offers all of it by name. Nothing is imported here: pytest loads
`api.plugin` in every test run, and most of them need none of the rest.
"""
