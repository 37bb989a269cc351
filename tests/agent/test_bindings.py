import pytest

from premortem.agent.bindings import Bindings, load_bindings
from premortem.config import Config, RoleConfig
from premortem.errors import ConfigError


def config(folder, text=None):
    if text is not None:
        (folder / "premortem.bindings.toml").write_text(text)
    return Config(directory=str(folder), roles={"Packer": RoleConfig(), "Buyer": RoleConfig()})


def test_without_a_file_there_are_no_bindings(tmp_path):
    assert load_bindings(config(tmp_path)) == Bindings()


def test_roles_and_state_hooks_are_read(tmp_path):
    bindings = load_bindings(
        config(
            tmp_path,
            """
            [roles]
            "the packer" = "Packer"

            [states.order.shipped]
            role = "Packer"
            requests = ["POST /orders/${id}/ship", { request = "PUT /x/${id}", role = "Buyer" }]
            read = "GET /orders/${id}"
            field = "/state"
            """,
        )
    )
    hook = bindings.hook("order", "shipped")
    assert bindings.role("the packer") == "Packer"
    assert bindings.role("Buyer") == "Buyer"
    assert [(step.role, step.method, step.path) for step in hook.steps] == [
        ("Packer", "POST", "/orders/${id}/ship"),
        ("Buyer", "PUT", "/x/${id}"),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[roles]\nA = 'Pilot'", "Packer"),
        ("[states.order.shipped]\nrole = 'Packer'", "neither"),
        ("[states.order.shipped]\nread = 'GET /x'", "together"),
        ("[states.order.shipped]\nrequests = ['ship it']", "no request"),
        ("[states.order.shipped]\nrequests = ['POST /x']\nrole = 'Pilot'", "Pilot"),
        ("[states.order.shipped]\nread = 'POST /x'\nfield = 'a'", "GET"),
        ("[states.order.shipped]\nrequests = " + str(["POST /x"] * 21), "at most 20"),
        ("[stats]\na = 1", "stats"),
        ("[roles\n", "TOML"),
    ],
)
def test_a_mistake_is_named_with_its_file(tmp_path, text, said):
    with pytest.raises(ConfigError, match=said) as caught:
        load_bindings(config(tmp_path, text))
    assert "premortem.bindings.toml" in str(caught.value)
