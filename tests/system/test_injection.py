# SPDX-License-Identifier: Apache-2.0
"""Names that mean to be more than names, from a real broker into every kind of message."""

import collections
import email
import email.policy
import html
import html.parser
import http.server
import json
import re
import threading
import unicodedata
import urllib.parse

from certs import Authority
from test_deliver import Box, mail
from test_incidents import Group, Groups, change, make_aggregator, of_groups, quick_rules
from warren import cluster, wait_for

NAMES = ["crlf\r\nBcc: evil@example.org\r\nX-Evil: 1\r\n\r\n.\r\nMAIL FROM:<evil@example.org>\r\n",
         "quotes \"' \\\" \\ `tick` $(x) ${HOME} {{title}} {{#incidents}} {{/x}} %s%n",
         "<script>alert(1)</script><img src=x onerror=alert(1)>\"'><a href=javascript:x>& &amp;",
         "<!channel> <@U123> <http://evil.example|click> *b* _i_ ~s~ [l](http://evil.example) @all",
         "form&To=%2B1900&Body=x%0d%0aX-Evil:%201 +;=#?",
         "nul \\u0000 \\0 %00 &#x0; \\x00 \x01\x07\x1b[31m\x7f\x85",
         "right \u202eto\u2066 left \u2028next\u2029 \u0645\u062c e\u0301 =?UTF-8?Q?x?= \U0001f389",
         "\U0001f42b\u00fc" * 125]
CLUSTER = "c\"<b>'\u202e & "
EVIL = "\"<i>'\r\nX-Evil: note"
PHONES = ["+4917000000001", "+4917000000002"]
HEADERS = {"host", "user-agent", "accept", "content-type", "content-length", "idempotency-key",
           "authorization"}


def shown(name):
    """How a name stands in a line of text."""
    return "".join(" " if unicodedata.category(c) in ("Cc", "Zl", "Zp") or
                   c in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069" else c
                   for c in name)


class Sink(http.server.ThreadingHTTPServer):
    """Takes all, and keeps headers and body by the first part of the path."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), SinkHandler)
        self.got = collections.defaultdict(list)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def url(self, name):
        return "http://127.0.0.1:%d/%s" % (self.server_port, name)


class SinkHandler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        assert set(map(str.lower, self.headers)) <= HEADERS, self.headers
        body = self.rfile.read(int(self.headers["Content-Length"])).decode("utf-8", "strict")
        self.server.got[self.path.split("/")[1]].append((self.path, body))
        self.send_response(202)
        self.end_headers()

    def log_message(self, *args):
        pass


def receivers(sink, box, dir):
    (dir / "key").write_text("0123456789abcdef0123456789abcdef\n")
    (dir / "password").write_text("sesame\n")
    for file in ("key", "password"):
        (dir / file).chmod(0o600)
    sms = {"from": "+491", "to": PHONES}
    of = {"webhook": {}, "slack": {}, "teams": {}, "burrow_http": {"burrow": {"send_close": True}},
          "pagerduty": {"api_key_file": "key"}, "opsgenie": {"api_key_file": "key"},
          "twilio-sms": sms, "json-sms": sms}
    made = [{"name": kind, "type": kind, "url": sink.url(kind), **more}
            for kind, more in of.items()]
    made += [{"name": body, "type": "webhook", "url": sink.url(body), "body": body}
             for body in ("form", "text")]
    made.append({"name": "alertmanager", "type": "alertmanager",
                 "urls": [sink.url("alertmanager")]})
    made.append(mail(box))
    return made


def strict(pairs):
    assert len(dict(pairs)) == len(pairs), "a member twice: %r" % (pairs,)
    return dict(pairs)


def parse(body):
    return json.loads(body, object_pairs_hook=strict)


class Evil:
    """One aggregator that tells everybody of groups with such names."""

    def __init__(self, dir):
        authority = Authority(dir / "ca")
        self.sink, self.box = Sink(), Box(dir, authority, False)
        self.box.ca = authority.ca
        made = receivers(self.sink, self.box, dir)
        self.names = [r["name"] for r in made]
        self.a = make_aggregator(dir, rules_file=quick_rules(dir, labels={"team": EVIL}), alert={
            "url": "http://warren.example", "receivers": made,
            "route": {"receiver": "", "routes": [
                {"receiver": name, "wait": "0s", "continue": True, "storm_limit": 0,
                 "kind": ["group"], "group_by": ["environment", "cluster", "group"]}
                for name in self.names]}})

    def count(self, receiver):
        if receiver == "alertmanager":  # told of all that lasts with each that is new
            return len({(alert["labels"]["group"], alert["annotations"]["summary"][:5])
                        for alerts in self.bodies(receiver) for alert in alerts})
        return len(self.box.got if receiver == "mail" else self.sink.got[receiver])

    def wait_all_told(self, count):
        """Each receiver has got so many messages, and each of its numbers."""
        def is_told():
            return all(self.count(r) == count * (len(PHONES) if r.endswith("-sms") else 1)
                       for r in self.names)
        wait_for("all to be told", 60, is_told)

    def bodies(self, receiver):
        return [parse(body) for _, body in self.sink.got[receiver]]

    def stop(self):
        self.a.kill()
        self.sink.shutdown()
        self.box.controller.stop()


def test_a_name_is_a_name_in_every_message(own_broker, tmp_path, start_agent):
    evil = Evil(tmp_path)
    try:
        groups = Groups(own_broker.bootstrap, 0)
        groups.list = [Group(own_broker.bootstrap, name) for name in NAMES]
        for group in groups.list:
            group.stuck = True
            group.step()
        start_agent("agent", [evil.a], [cluster(CLUSTER, own_broker.bootstrap, environment=EVIL)])
        groups.until("the incidents", 60, lambda: len(of_groups(evil.a)) == len(NAMES))
        assert {i["group"] for i in of_groups(evil.a)} == set(NAMES)
        evil.wait_all_told(len(NAMES))
        for i in of_groups(evil.a):
            status, answer = change(evil.a, "/api/v1/incidents/%s/resolve" % i["id"],
                                    {"note": EVIL})
            assert status == 200, answer
        evil.wait_all_told(2 * len(NAMES))
        wait_for("nothing to wait or be dead", 60,
                 lambda: evil.a.json("/api/v1/outbox")["messages"] == [])
        check_mails(evil)
        check_bodies(evil)
    finally:
        evil.stop()


def both(names):
    """Each was told of twice: that it opened and that it is over."""
    return sorted(2 * list(names))


def check_mails(evil):
    assert len(evil.box.got) == 2 * len(NAMES)
    subjects = []
    for envelope in evil.box.got:
        assert envelope.mail_from == "warren@example.org"
        assert sorted(envelope.rcpt_tos) == ["night@example.org", "ops@example.org"]
        lines = envelope.content.split(b"\r\n")
        assert not any(b"\r" in line or b"\n" in line or len(line) > 100 for line in lines)
        m = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert [k.lower() for k in m.keys()] == [
            "from", "to", "subject", "date", "message-id", "in-reply-to", "references", "list-id",
            "auto-submitted", "x-auto-response-suppress", "mime-version", "content-type"]
        assert not any(part.defects for part in m.walk())
        assert {part.get_content_type() for part in m.walk()} <= {
            "multipart/alternative", "multipart/related", "text/plain", "text/html", "image/png"}
        subjects.append(m["Subject"])
        name, = [n for n in NAMES if shown(n)[:100] in m["Subject"]]
        check_text(m.get_body(("plain",)).get_content().replace("\r\n", "\n"), name)
        check_html(m.get_body(("html",)).get_content(), name)
    assert len(set(subjects)) == 2 * len(NAMES)
    for subject in subjects:
        assert len(subject) <= 250 and "\ufffd" not in subject
        assert shown(subject) == subject, "one line, and nothing that turns it round"


def check_text(text, name):
    assert shown(name)[:100] in text
    assert not re.search(r"^\s*(X-Evil|Bcc|MAIL FROM)", text, re.MULTILINE)
    assert shown(text.replace("\n", "")) == text.replace("\n", "")


class Tags(html.parser.HTMLParser):
    """The tags of a page with their attributes, and its text."""

    def __init__(self, page):
        super().__init__(convert_charrefs=True)
        self.tags, self.text = [], ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text += data

    def handle_comment(self, data):
        raise AssertionError("a comment: " + data)


def check_html(page, name):
    known = {"html": {"lang"}, "head": set(), "meta": {"charset"}, "title": set(),
             "body": {"style"}, "h1": {"style"}, "h2": {"style"}, "p": {"style"}, "br": set(),
             "a": {"href"}, "img": {"src", "width", "height", "alt"}}
    seen = Tags(page)
    for tag, attributes in seen.tags:
        assert set(attributes) <= known[tag], (tag, attributes)
        assert attributes.get("href", "http://warren.example/").startswith(
            "http://warren.example/")
        assert attributes.get("src", "cid:lag") == "cid:lag"
    assert shown(name) in seen.text


def check_bodies(evil):
    check_webhooks(evil)
    check_chats(evil)
    check_pagers(evil)
    check_sms(evil)


def check_webhooks(evil):
    for receiver in ("webhook", "burrow_http"):
        told = [one for body in evil.bodies(receiver) for one in body["incidents"]]
        assert sorted(one["group"] for one in told) == both(NAMES)
        for one in told:
            assert (one["cluster"], one["environment"]) == (CLUSTER, EVIL)
            assert one["labels"] == {"team": EVIL}
            assert one["note"] in ("", EVIL)
    keys = {"kind", "key", "thread", "at", "title", "text", "total", "status", "worst", "reason",
            "environment", "cluster", "group", "link"}
    forms = [urllib.parse.parse_qs(body, keep_blank_values=True, strict_parsing=True,
                                   errors="strict") for _, body in evil.sink.got["form"]]
    assert all(set(form) == keys and all(len(v) == 1 for v in form.values()) for form in forms)
    assert sorted(form["group"][0] for form in forms) == both(NAMES)
    assert len(evil.sink.got["text"]) == 2 * len(NAMES)
    for _, body in evil.sink.got["text"]:
        name, = [n for n in NAMES if shown(n)[:100] in body]
        check_text(body, name)


def check_chats(evil):
    told = set()
    for body in evil.bodies("slack"):
        texts = [body["text"], body["attachments"][0]["text"], body["attachments"][0]["fallback"]]
        for text in texts:
            assert not re.search(r"[<>]|&(?!(amp|lt|gt);)", text), text
        assert body["mrkdwn"] is False and body["attachments"][0]["mrkdwn_in"] == []
        told |= {n for n in NAMES if shown(n)[:100] in shown(html.unescape(texts[1]))}
    assert told == set(NAMES)
    told = []
    for body in evil.bodies("teams"):
        card = body["attachments"][0]["content"]
        assert {block["type"] for block in card["body"]} == {"RichTextBlock"}
        runs = [run for block in card["body"] for run in block["inlines"]]
        assert {run["type"] for run in runs} == {"TextRun"}
        assert all(action["url"].startswith("http://warren.example/")
                   for action in card["actions"])
        told += [n for n in NAMES if any(n[:200] in run["text"] for run in runs[1:])]
    assert sorted(told) == both(NAMES)


def check_pagers(evil):
    told = []
    for body in evil.bodies("pagerduty"):
        assert re.fullmatch("[0-9a-f]{16}", body["dedup_key"])
        if body["event_action"] == "trigger":
            told.append(body["payload"]["group"])
            assert len(body["payload"]["summary"]) <= 1024
    assert sorted(told) == sorted(NAMES)
    opened = [(path, parse(body)) for path, body in evil.sink.got["opsgenie"]
              if path == "/opsgenie"]
    assert sorted(body["entity"] for _, body in opened) == sorted(NAMES)
    assert all(len(body["message"]) <= 130 for _, body in opened)
    ends = [path for path, _ in evil.sink.got["opsgenie"] if path != "/opsgenie"]
    assert len(ends) == len(NAMES)
    assert all(re.fullmatch("/opsgenie/[0-9a-f]{16}/close\\?identifierType=alias", p)
               for p in ends), ends
    alerts = [alert for body in evil.bodies("alertmanager") for alert in body]
    assert {alert["labels"]["group"] for alert in alerts} == set(NAMES)
    for alert in alerts:
        assert set(alert["labels"]) == {"alertname", "environment", "cluster", "group", "severity",
                                        "team"}
        assert urllib.parse.urlsplit(alert["generatorURL"]).hostname == "warren.example"
        assert re.fullmatch(r"[!-~]+", alert["generatorURL"])


# The basic character set of GSM, and what takes two places in it.
GSM = set("@\u00a3$\u00a5\u00e8\u00e9\u00f9\u00ec\u00f2\u00c7\u00d8\u00f8\u00c5\u00e5_\u00c6\u00e6"
          "\u00df\u00c9 !\"#\u00a4%&'()*+,-./0123456789:;<=>?\u00a1ABCDEFGHIJKLMNOPQRSTUVWXYZ"
          "\u00c4\u00d6\u00d1\u00dc\u00a7\u00bfabcdefghijklmnopqrstuvwxyz\u00e4\u00f6\u00f1\u00fc"
          "\u00e0")
GSM_TWO = set("^{}\\[~]|\u20ac")


def is_sms(text):
    """Whether it fits into one, and holds one line."""
    places = sum(2 if c in GSM_TWO else 1 for c in text)
    fits = places <= 160 if set(text) <= GSM | GSM_TWO else len(text.encode("utf-16-le")) <= 140
    return fits and shown(text) == text


def check_sms(evil):
    forms = [urllib.parse.parse_qs(body, strict_parsing=True) for _, body in
             evil.sink.got["twilio-sms"]]
    for form in forms:
        assert set(form) == {"To", "From", "Body"} and form["From"] == ["+491"]
        assert is_sms(form["Body"][0]), form
    assert sorted(form["To"][0] for form in forms) == sorted(2 * len(NAMES) * PHONES)
    for body in evil.bodies("json-sms"):
        assert set(body) == {"to", "from", "text"} and body["to"] in PHONES
        assert is_sms(body["text"]), body
