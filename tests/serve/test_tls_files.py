"""What is wrong with the gateway's own certificate is said in words."""

from __future__ import annotations

from pathlib import Path

import pytest
import trustme

from meritorder.fleet.gateway import Tls
from meritorder.problems import InputError
from meritorder.serve.listen import tls_context


def files(folder: Path, name: str) -> Tls:
    made = trustme.CA().issue_cert("localhost")
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    made.cert_chain_pems[0].write_to_path(certificate)
    made.private_key_pem.write_to_path(key)
    return Tls(certificate=str(certificate), key=str(key))


def test_a_certificate_with_its_key(tmp_path: Path) -> None:
    assert tls_context(files(tmp_path, "mine")) is not None
    assert tls_context(None) is None


def test_what_can_t_be_used_is_said(tmp_path: Path) -> None:
    mine, other = files(tmp_path, "mine"), files(tmp_path, "other")
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    for certificate, key, told in (
        (mine.certificate, other.key, r"tls\.key: .*other\.key is not the key of the certificate in .*mine\.pem"),
        (str(empty), mine.key, r"tls\.certificate: .*empty\.pem has no .*BEGIN CERTIFICATE"),
        (mine.certificate, mine.certificate, r"tls\.key: .*mine\.pem has no .*BEGIN PRIVATE KEY"),
        (mine.certificate, str(tmp_path / "absent"), r"tls\.key: there is no file .*absent"),
        (str(tmp_path), mine.key, r"tls\.certificate: there is no file"),
    ):
        with pytest.raises(InputError, match=told):
            tls_context(Tls(certificate=certificate, key=key))
