"""Whether the tests of this directory leave out an action that the service offers."""

import re
from pathlib import Path

import pytest

from clients.tea import ANSWERED, OUTCOMES

ACTION_LIST = Path(__file__).resolve().parents[4] / "crates/jomae-api/src/actions/mod.rs"
# Modules of the list that belong to this part of the API.
GROUPS = ("keys", "versions", "aliases", "tags", "import", "crypto", "service")
ACTIONS_MIN = 46
# Every account has the service from the beginning.
ALWAYS_REFUSED = {"OpenKmsService"}


def offered():
    """The actions in `for_each_action!`."""
    listed = re.findall(r"^\s+(\w+)::\w+::(\w+),$", ACTION_LIST.read_text(), re.MULTILINE)
    actions = {action for group, action in listed if group in GROUPS}
    assert len(actions) >= ACTIONS_MIN, f"{ACTION_LIST} is not read rightly: {sorted(actions)}"
    return actions


def test_every_action_is_exercised(request):
    """Runs last. Every action was answered, and refused, through the typed method of the SDK where it has one."""
    files = {item.path for item in request.session.items}
    here = Path(__file__).parent
    if request.config.option.keyword or not set(here.glob("test_*.py")) <= files:
        pytest.skip("only a part of the tests was chosen")
    outcomes = {action: OUTCOMES.get(action, set()) for action in offered()}
    assert {action for action, seen in outcomes.items() if ANSWERED not in seen} == ALWAYS_REFUSED
    assert {action for action, seen in outcomes.items() if not seen - {ANSWERED}} == set()
