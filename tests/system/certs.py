# SPDX-License-Identifier: Apache-2.0
"""Certificates for tests: a CA, what it signs, and agent keys; made with openssl."""

import os
import secrets
import subprocess

CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


def run(*command):
    subprocess.run(["openssl", *command], check=True, capture_output=True, timeout=60)


class Authority:
    """A CA with its files in a directory of its own."""

    def __init__(self, dir, name="test-ca"):
        self.dir = str(dir)
        self.name = name
        os.makedirs(self.dir, exist_ok=True)
        self.ca = self.path("ca.pem")
        self.ca_key = self.path("ca.key")
        run("req", "-x509", *CURVE, "-keyout", self.ca_key, "-out", self.ca, "-days", "60",
            "-subj", "/CN=" + name, "-addext", "basicConstraints=critical,CA:TRUE",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign")

    def path(self, name):
        return os.path.join(self.dir, name)

    def issue(self, name, alt="DNS:localhost,IP:127.0.0.1", days=30, file=None, subject=None):
        """A certificate for both sides of TLS with CN=name, or with that subject: the map
        {ca_file, cert_file, key_file} of a configuration. days <= 0: one that has expired."""
        file = file or name
        key, request, cert, ext = [self.path(file + e) for e in (".key", ".csr", ".pem", ".ext")]
        run("req", *CURVE, "-keyout", key, "-out", request, "-subj",
            subject or "/CN=" + name)
        os.chmod(key, 0o600)
        with open(ext, "w") as f:
            f.write("basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n"
                    "extendedKeyUsage=serverAuth,clientAuth\nsubjectAltName=%s\n" % alt)
        if days > 0:
            run("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self.ca_key, "-days",
                str(days), "-sha256", "-extfile", ext, "-out", cert, "-set_serial",
                str(secrets.randbits(63)))
        else:
            self._sign_expired(request, ext, cert)
        return {"ca_file": self.ca, "cert_file": cert, "key_file": key}

    def _sign_expired(self, request, ext, cert):
        """x509 -req has no dates in the past; ca has."""
        base = self.path("expired")
        os.makedirs(base, exist_ok=True)
        for name, text in (("index", ""), ("serial", "%016X\n" % secrets.randbits(62)),
                           ("conf", "[ca]\ndefault_ca=d\n[d]\ndatabase=%s/index\nserial=%s/serial\n"
                                    "new_certs_dir=%s\ndefault_md=sha256\npolicy=p\n"
                                    "[p]\ncommonName=supplied\n" % (base, base, base))):
            with open(os.path.join(base, name), "w") as f:
                f.write(text)
        run("ca", "-batch", "-config", os.path.join(base, "conf"), "-in", request, "-cert", self.ca,
            "-keyfile", self.ca_key, "-extfile", ext, "-out", cert, "-notext",
            "-startdate", "20200101000000Z", "-enddate", "20200102000000Z")


def agent_key(path):
    """A new agent key; returns the path of its file."""
    with open(os.open(str(path), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as f:
        f.write(secrets.token_hex(32) + "\n")
    return str(path)
