"""Which environments ask for care, and what has to be typed for them."""

from __future__ import annotations

from orchestrate_tui.domain.pipeline import Environment, Pipeline, Stage
from orchestrate_tui.domain.protection import confirmation, protected_environments

SHOP = Pipeline(
    name="shop",
    environments=(
        Environment(name="production", protected=True),
        Environment(name="staging"),
        Environment(name="spare", protected=True),
    ),
    stages=tuple(
        Stage(name=name, agent="a", task="t", environment=place)
        for name, place in [
            ("build", None),
            ("try", "staging"),
            ("deploy", "production"),
            ("warm", "production"),
        ]
    ),
)


def test_the_file_and_the_user_protect_what_stages_touch_in_their_order() -> None:
    assert protected_environments(SHOP, ()) == ("production",)
    assert protected_environments(SHOP, ("staging", "elsewhere")) == ("staging", "production")


def test_every_protected_environment_is_typed() -> None:
    assert confirmation(("staging", "production")) == "staging, production"
