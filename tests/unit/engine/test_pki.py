"""Certificates verify, are for the right names, and are renewed before they run out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509

from sentinel_operator.engine.pki import LEAF_LIFE, covers, is_due, new_authority, new_leaf

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOSTS = ("webhook.ns.svc", "127.0.0.1")


def test_a_leaf_is_signed_by_its_authority_for_its_hosts() -> None:
    authority = new_authority(NOW)
    leaf = new_leaf(authority, HOSTS, NOW)
    x509.load_pem_x509_certificate(leaf.certificate).verify_directly_issued_by(
        x509.load_pem_x509_certificate(authority.certificate)
    )
    assert covers(leaf.certificate, HOSTS)
    assert covers(leaf.certificate, HOSTS[:1])
    assert not covers(leaf.certificate, ("other.ns.svc",))


@pytest.mark.parametrize(("passed", "due"), [(0.0, False), (0.6, False), (0.7, True), (1.1, True)])
def test_a_leaf_is_due_at_two_thirds_of_its_life(passed: float, due: bool) -> None:
    leaf = new_leaf(new_authority(NOW), HOSTS, NOW)
    assert is_due(leaf.certificate, NOW + timedelta(seconds=LEAF_LIFE.total_seconds() * passed)) is due
