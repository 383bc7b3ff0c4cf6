"""Errors say what happened and what to do; one place decides whether trying again can help."""

from __future__ import annotations

import inspect

import pytest

from ibcore import errors

TREE = [
    value
    for _, value in inspect.getmembers(errors, inspect.isclass)
    if issubclass(value, errors.IbkeeperError)
]


@pytest.mark.parametrize("error", TREE, ids=lambda error: error.__name__)
def test_the_docstring_is_the_default_message_and_the_tree_is_drawn(error):
    assert str(error()) == error.__doc__.strip()
    assert error.__name__ in (errors.__doc__ or "")


def test_the_remedy_follows_the_message():
    refused = errors.ConfigRefused("Port 4002 is taken.", remedy="Choose another.")
    assert str(refused) == "Port 4002 is taken. Choose another."


def test_what_is_unknown_is_fatal():
    assert not errors.is_retryable(RuntimeError("a bug"))
    assert errors.is_retryable(ConnectionResetError())
    assert errors.is_retryable(errors.GatewayTimeout())
    assert not errors.is_retryable(errors.GatewayTooOld())


def test_exit_codes_are_the_documented_ones():
    codes = {error.__name__: error.exit_code for error in TREE}
    assert codes["ConfigRefused"] == 3
    assert codes["InstanceConflict"] == 4
    assert codes["PortTaken"] == codes["ChildDied"] == 1
