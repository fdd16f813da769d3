"""Whose certificates count: AWS_CA_BUNDLE for AWS alone, SSL_CERT_FILE for all."""
import pytest

from helpers.ecs import KEYS


@pytest.fixture
def ask(slipway, registry):
    """Asks AWS at a server with a private CA: it is no AWS, which is learnt once it is trusted."""
    slipway.env.update(KEYS)
    return lambda **env: slipway("cluster", "list", "--endpoint-url", registry.url, env=env)


@pytest.mark.parametrize("name", ["AWS_CA_BUNDLE", "SSL_CERT_FILE"])
def test_a_private_authority_of_aws(ask, registry, name):
    ask().fails("certificate")
    trusted = ask(**{name: str(registry.ca)})
    assert trusted.code == 1 and "certificate" not in trusted.err


def test_the_bundle_for_aws_counts_first(ask, registry):
    ask(AWS_CA_BUNDLE="/nonexistent/ca.pem", SSL_CERT_FILE=str(registry.ca)).fails("/nonexistent/ca.pem")
    trusted = ask(AWS_CA_BUNDLE=str(registry.ca), SSL_CERT_FILE="/nonexistent/ca.pem")
    assert "certificate" not in trusted.err and "nonexistent" not in trusted.err


def test_registries_do_not_read_the_bundle_for_aws(slipway, registry):
    refused = slipway("pull", f"{registry.host}/nothing:1", env={"AWS_CA_BUNDLE": str(registry.ca)})
    refused.fails("certificate", "SSL_CERT_FILE")
