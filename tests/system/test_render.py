# SPDX-License-Identifier: Apache-2.0
"""Templates and receivers tried by hand: render, notify-test, and the way through a proxy."""

import http.server
import json
import os
import re
import socket
import ssl
import subprocess
import threading
import urllib.parse

import pytest
from aiosmtpd.controller import Controller

from certs import Authority
from warren import AGGREGATOR, ROOT, free_ports


class Sink:
    """An SMTP server that keeps what it gets."""

    def __init__(self):
        self.got = []
        port, = free_ports(1)
        self.url = "smtp://127.0.0.1:%d" % port
        self.controller = Controller(self, hostname="127.0.0.1", port=port)

    async def handle_DATA(self, server, session, envelope):
        self.got.append(envelope)
        return "250 taken"

    def __enter__(self):
        self.controller.start()
        return self

    def __exit__(self, *error):
        self.controller.stop()


class Hook(http.server.ThreadingHTTPServer):
    """Takes whatever is posted."""

    def __init__(self, files=None):
        super().__init__(("127.0.0.1", 0), HookHandler)
        self.got = []
        if files:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(files["cert_file"], files["key_file"])
            self.socket = context.wrap_socket(self.socket, server_side=True)

    def __enter__(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *error):
        self.shutdown()
        self.server_close()


class HookHandler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.path, dict(self.headers), body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *args):
        pass


class Forward(Hook):
    """An HTTP proxy that reaches one port, whatever the name."""

    def __init__(self, port):
        super().__init__()
        self.RequestHandlerClass = ForwardHandler
        self.port, self.asked = port, []
        self.url = "http://127.0.0.1:%d" % self.server_port


class ForwardHandler(HookHandler):
    def do_POST(self):
        self.server.asked.append((self.path, self.headers["Proxy-Authorization"]))
        with socket.create_connection(("127.0.0.1", self.server.port)) as to:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            path = urllib.parse.urlsplit(self.path).path
            to.sendall(("POST %s HTTP/1.1\r\nHost: hook\r\nConnection: close\r\nContent-Length: %d"
                        "\r\n\r\n" % (path, len(body))).encode() + body)
            self.wfile.write(to.makefile("rb").read())
        self.close_connection = True

    def do_CONNECT(self):
        self.server.asked.append((self.path, self.headers["Proxy-Authorization"]))
        with socket.create_connection(("127.0.0.1", self.server.port)) as to:
            self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
            back = threading.Thread(target=self.pump, args=(to, self.connection), daemon=True)
            back.start()
            self.pump(self.connection, to)
            back.join()
        self.close_connection = True

    @staticmethod
    def pump(source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def configure(dir, *receivers):
    link, web = free_ports(2)
    (dir / "data").mkdir(exist_ok=True)
    (dir / "aggregator.yaml").write_text(json.dumps({
        "data_dir": str(dir / "data"), "listen": ["tcp://127.0.0.1:%d" % link],
        "http": {"listen": "127.0.0.1:%d" % web},
        "alert": {"url": "https://warren.example", "receivers": receivers,
                  "route": {"receiver": receivers[0]["name"] if receivers else "",
                            "routes": [{"name": "quiet", "receiver": ""}]}}}))


def run(dir, *arguments, env=None):
    """Exit status and what was said, without what the environment of the tests says of proxies."""
    clean = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    done = subprocess.run([AGGREGATOR, *arguments], cwd=dir, capture_output=True, text=True,
                          timeout=60, env={**clean, **(env or {})})
    return done.returncode, done.stdout + done.stderr


def hook(url, **more):
    return {"name": "hook", "type": "webhook", "url": url, **more}


def test_the_examples_of_the_readme_do_what_they_say(tmp_path):
    with open(os.path.join(ROOT, "README.md")) as f:
        templates = f.read().split("### Templates\n")[1]
    script = re.search(r"```sh\n(.*?)```", templates, re.S).group(1)
    with Sink() as sink:
        configure(tmp_path, {"name": "mail", "type": "mail", "server": sink.url,
                             "starttls": "none", "from": "warren@example.org",
                             "to": ["ops@example.org"]})
        done = subprocess.run(["bash", "-eu", "-c", script], cwd=tmp_path, capture_output=True,
                              text=True, timeout=60,
                              env={**os.environ, "PATH": os.path.dirname(AGGREGATOR) + ":" +
                                   os.environ["PATH"]})
    assert done.returncode == 0, done.stderr
    said = done.stdout
    ticket, end = json.JSONDecoder().raw_decode(said)
    assert ticket["team"] == "shop" and not ticket["done"]
    assert [g["name"] for g in ticket["groups"]] == ["payments", "audit \"<&>\" ä"]
    assert "Subject: [resolved]" in said[end:] or "Subject: =?UTF-8?" in said[end:]
    assert "mail, mail, test: confirmed" in said
    assert len(sink.got) == 1 and b"This is a test." in sink.got[0].content


def test_a_template_that_would_break_is_refused_with_its_place(tmp_path):
    (tmp_path / "bad.json").write_text('{\n "lag": {{lag}},\n "end": {{end}}\n}\n')
    configure(tmp_path, hook("http://127.0.0.1:1/", templates={"body": "bad.json"}))
    status, text = run(tmp_path, "-c", "aggregator.yaml", "--check-config")
    assert status != 0 and re.search(
        r"receiver hook: .*bad\.json:3:8: it makes no JSON: a value is missing", text), text
    assert run(tmp_path, "-c", "aggregator.yaml")[0] != 0, "and it does not start"
    configure(tmp_path)
    status, text = run(tmp_path, "render", "-c", "aggregator.yaml", "--example", "--template",
                       "bad.json", "--as", "json")
    assert status != 0 and "bad.json:3:8: it makes no JSON" in text


@pytest.mark.parametrize("arguments,said", [
    (["render", "--example", "--receiver", "hook"], "-c FILE is missing"),
    (["render", "-c", "aggregator.yaml", "--receiver", "hook"], "either --incident ID or --example"),
    (["render", "-c", "aggregator.yaml", "--example"], "either --template FILE or --receiver NAME"),
    (["render", "-c", "aggregator.yaml", "--example", "--receiver", "hok"],
     "there is no receiver hok; there are hook, chat"),
    (["render", "-c", "aggregator.yaml", "--example", "--receiver", "hook", "--kind", "opened"],
     "--kind opened: there is no such message; there are open, update"),
    (["render", "-c", "aggregator.yaml", "--example", "--template", "x", "--as", "xml"],
     "--as xml: there is no such context; there are text, html"),
    (["render", "-c", "aggregator.yaml", "--example", "--template", "nowhere"],
     "nowhere: cannot be read: No such file or directory"),
    (["render", "-c", "aggregator.yaml", "--incident", "zz", "--receiver", "hook"],
     "an incident's id is 16 hexadecimal digits"),
    (["render", "-c", "nowhere.yaml", "--example", "--receiver", "hook"], "nowhere.yaml"),
    (["render", "-c", "aggregator.yaml", "--exmaple"], "unrecognized option '--exmaple'"),
    (["notify-test", "hook"], "-c FILE is missing"),
    (["notify-test", "-c", "aggregator.yaml"], "it takes the name of one receiver or route"),
    (["notify-test", "-c", "aggregator.yaml", "7.7"],
     "there is no receiver and no route 7.7; there are hook, chat"),
    (["notify-test", "-c", "aggregator.yaml", "quiet"], "route quiet has no receiver"),
    (["notify-test", "-c", "aggregator.yaml", "hook"], "failed: Failed to connect"),
])
def test_mistakes_are_told_in_one_line(tmp_path, arguments, said):
    configure(tmp_path, hook("http://127.0.0.1:1/"),
              {"name": "chat", "type": "slack", "url": "http://127.0.0.1:1/"})
    status, text = run(tmp_path, *arguments)
    assert status == 1
    assert said in text
    assert "unrecognized" in said or text.count("\n") == 1, text


@pytest.mark.parametrize("command", ["render", "notify-test"])
def test_help_says_what_there_is(tmp_path, command):
    status, text = run(tmp_path, command, "--help")
    assert status == 0
    assert text.startswith("usage: warren-aggregator %s -c FILE" % command)
    assert all(len(line) <= 100 for line in text.splitlines())


def test_a_proxy_is_asked_where_the_file_or_the_environment_says(tmp_path):
    # Names that nobody resolves: only the proxy knows the way.
    with Hook() as target, Forward(target.server_port) as proxy:
        def send(url="http://hook.invalid/x", env=None, **more):
            before = len(target.got), len(proxy.asked)
            configure(tmp_path, hook(url, timeout="10s", **more))
            status, text = run(tmp_path, "notify-test", "-c", "aggregator.yaml", "hook", env=env)
            assert (status == 0) == (len(target.got) > before[0]), text
            return status, proxy.asked[before[1]:]

        direct = "http://127.0.0.1:%d/x" % target.server_port
        assert send() == (1, [])
        assert send(proxy=proxy.url) == (0, [("http://hook.invalid/x", None)])
        assert send(env={"http_proxy": proxy.url}) == (0, [("http://hook.invalid/x", None)])
        assert send(env={"all_proxy": proxy.url}) == (0, [("http://hook.invalid/x", None)])
        assert send(direct, env={"http_proxy": proxy.url}) == (0, [(direct, None)])
        assert send(direct, env={"http_proxy": proxy.url, "no_proxy": "127.0.0.1"}) == (0, [])
        assert send(direct, env={"https_proxy": proxy.url}) == (0, [])
        assert send(direct, proxy=proxy.url, env={"no_proxy": "127.0.0.1"}) == (0, [])
        # What the file says goes before, and may hold a password, which is shown nowhere.
        status, asked = send(proxy=proxy.url.replace("//", "//ann:secr3t@"),
                             env={"http_proxy": "http://127.0.0.1:1"})
        assert status == 0 and asked[0][1] == "Basic YW5uOnNlY3IzdA=="
        status, text = run(tmp_path, "-c", "aggregator.yaml", "--print-config")
        assert status == 0 and "secr3t" not in text and "proxy: \"***\"" in text, text


def test_through_a_proxy_tls_goes_to_the_receiver(tmp_path):
    authority = Authority(tmp_path / "ca")
    with Hook(authority.issue("localhost")) as target, Forward(target.server_port) as proxy:
        url = "https://localhost:%d/x" % target.server_port
        for env, more in (({}, {"proxy": proxy.url}), ({"https_proxy": proxy.url}, {})):
            configure(tmp_path, hook(url, tls={"ca_file": authority.ca}, **more))
            status, text = run(tmp_path, "notify-test", "-c", "aggregator.yaml", "hook", env=env)
            assert status == 0, text
        assert [path for path, _ in proxy.asked] == ["localhost:%d" % target.server_port] * 2
        assert len(target.got) == 2
