import pytest

from premortem.agent.steps.bindings import Bindings, load_bindings
from premortem.config import Config, RoleConfig, TargetConfig
from premortem.errors import ConfigError


def config(folder, text=None):
    if text is not None:
        (folder / "premortem.bindings.toml").write_text(text)
    return Config(directory=str(folder), roles={"Packer": RoleConfig(), "Buyer": RoleConfig()})


def test_without_a_file_there_are_no_bindings(tmp_path):
    assert load_bindings(config(tmp_path)) == Bindings(directory=str(tmp_path))


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
        ("[editions.lite]\nrole = 'Packer'", "could do nothing"),
        ("[services.bank]\nrequests = ['switch off']", "no request"),
        ("[clock]\nheaders = {}\nformat = 'sundial'", "sundial"),
        ("[clock]\nrequests = ['POST /x']\nrole = 'Pilot'", "Pilot"),
        ("[tokens]\nalgorithm = 'HS256'", "one of `key` and `request`"),
        ("[tokens]\nkey = 'a'\nrequest = 'POST /t'", "one of `key` and `request`"),
        ("[tables]\na = 'b'", "needs a .database."),
        ("[database]\nurl = 'sqlite:///x'\n[tables]\na = 'b; drop'", "no table's name"),
        ("[states.order.shipped]\nsql = ['update x']", "no .database."),
        ("[states.order.shipped]\nread_sql = 'x'\nread = 'GET /x'\nfield = 'a'", "exclude"),
        ("[events.Paid]\nname = 'a'", "exactly one of"),
        ("[events.Paid]\nread = 'GET /x'\nfile = 'a'", "exactly one of"),
        ("[events.Paid]\ntable = 'outbox'", "not under .tables."),
        ("[events.Paid]\nread = 'POST /x'", "must be a GET"),
        ("[events.Paid]\nfile = 'a'\nwithin_ms = -1", "within_ms"),
        ("[phrases.'the edition is {string}']\nsteps = ['the edition is \"x\"']", "reads like"),
        ("[phrases.'it is so']\nsteps = ['so it is']", "no step of the catalogue"),
    ],
)
def test_a_mistake_is_named_with_its_file(tmp_path, text, said):
    with pytest.raises(ConfigError, match=said) as caught:
        load_bindings(config(tmp_path, text))
    assert "premortem.bindings.toml" in str(caught.value)


def test_what_has_no_entry_of_its_own_takes_the_one_for_all(tmp_path):
    bindings = load_bindings(
        config(
            tmp_path,
            """
            [editions.lite]
            headers = { X-Edition = "L" }
            [editions."*"]
            headers = { X-Edition = "${value}" }
            [services."*"]
            command = "switch $PREMORTEM_VALUE"
            [events."*"]
            file = "events.jsonl"
            """,
        )
    )
    assert bindings.edition("lite").headers == {"X-Edition": "L"}
    assert bindings.edition("pro").headers == {"X-Edition": "${value}"}
    assert bindings.service("bank").command == "switch $PREMORTEM_VALUE"
    assert bindings.sink("Paid").file == "events.jsonl"
    assert Bindings().edition("pro") is None


def test_the_edition_header_of_the_target_switches_editions(tmp_path):
    target = TargetConfig(edition_header="X-Edition")
    bindings = load_bindings(Config(directory=str(tmp_path), target=target))
    assert bindings.edition("lite").headers == {"X-Edition": "${value}"}
