"""What a specification says in words, and of editions."""

import json

from premortem.learn import learn_profile, load_spec

SPEC = {
    "openapi": "3.1.0",
    "info": {"title": "Doors", "version": "1"},
    "paths": {
        "/doors/{id}/close": {
            "post": {
                "summary": "Close a door",
                "description": "Closes it.\n  This operation is idempotent.",
                "x-editions": ["pro", "enterprise"],
                "parameters": [{"name": "id", "in": "path", "required": True}],
                "responses": {
                    "200": {"description": "The door"},
                    "409": {"$ref": "#/components/responses/Locked"},
                    "404": {},
                },
            }
        }
    },
    "components": {"responses": {"Locked": {"description": "The door is locked"}}},
}


def test_descriptions_meanings_and_editions_are_kept(tmp_path):
    path = tmp_path / "openapi.json"
    path.write_text(json.dumps(SPEC))
    profile = learn_profile(lambda: iter(()), spec=load_spec(path), now=0.0)
    (close,) = profile.operations
    assert close.description == "Closes it. This operation is idempotent."
    assert close.meaning(409) == "The door is locked"
    assert close.meaning(404) == ""
    assert close.allowed_editions == ("pro", "enterprise")
