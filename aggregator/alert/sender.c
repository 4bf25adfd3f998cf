/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/alert/sender.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aggregator/alert/escape.h"
#include "aggregator/alert/mail.h"
#include "common/err.h"

#define ANSWER_SHOWN 100              /* bytes of an answer in an error */
#define ANSWER_MAX ((size_t)64 << 10) /* more is not read */
#define RETRY_AFTER_MAX_MS 3600000    /* nobody may make us wait longer */

/* One sending. */
struct parcel {
	struct parcel *next, **link;
	CURL *curl;
	struct curl_slist *headers, *recipients;
	struct buf body;
	size_t read; /* of the body of a mail */
	bool mail;
	char answer[ANSWER_SHOWN];
	size_t answer_size, answered;
	char why[CURL_ERROR_SIZE];
	struct receiver_secrets secrets;
	sender_on_end *on_end;
	void *arg;
};

struct sender {
	CURLM *multi;
	struct parcel *parcels;
};

/* --- one parcel --- */

static void parcel_free(struct sender *s, struct parcel *p)
{
	if (p->link != NULL) {
		*p->link = p->next;
		if (p->next != NULL)
			p->next->link = p->link;
		curl_multi_remove_handle(s->multi, p->curl);
	}
	curl_easy_cleanup(p->curl);
	curl_slist_free_all(p->headers);
	curl_slist_free_all(p->recipients);
	buf_free(&p->body);
	explicit_bzero(p, sizeof(*p)); /* its secrets */
	free(p);
}

/* Keeps the first bytes, for the error. What goes on without end is cut off. */
static size_t on_answer(char *data, size_t one, size_t size, void *arg)
{
	struct parcel *p = arg;
	size_t n = MIN(one * size, sizeof(p->answer) - p->answer_size);

	memcpy(p->answer + p->answer_size, data, n);
	p->answer_size += n;
	p->answered += one * size;
	return p->answered > ANSWER_MAX ? 0 : one * size;
}

static size_t on_read(char *data, size_t one, size_t size, void *arg)
{
	struct parcel *p = arg;
	size_t n = MIN(one * size, p->body.size - p->read);

	if (n != 0)
		memcpy(data, p->body.data + p->read, n);
	p->read += n;
	return n;
}

static bool add_line(struct curl_slist **list, const char *line)
{
	struct curl_slist *longer = curl_slist_append(*list, line);

	if (longer != NULL)
		*list = longer;
	return longer != NULL;
}

/* --- its options; what fails is looked at once --- */

struct setter {
	CURL *curl;
	CURLcode first; /* the first that was not CURLE_OK */
};

#define SET(s_, option_, value_)                                                                   \
	do {                                                                                       \
		CURLcode code_ = curl_easy_setopt((s_)->curl, option_, value_);                    \
		if ((s_)->first == CURLE_OK)                                                       \
			(s_)->first = code_;                                                       \
	} while (0)

static void set_text(struct setter *s, CURLoption option, const char *text)
{
	if (text[0] != '\0')
		SET(s, option, text);
}

static void set_common(struct setter *s, struct parcel *p, const struct alert_receiver *c,
		       const struct receiver_request *q)
{
	CLEANUP(buf_free) struct buf url = {0};

	buf_put(&url, q->url.data, q->url.size);
	SET(s, CURLOPT_URL, buf_str(&url));
	SET(s, CURLOPT_PRIVATE, (void *)p);
	SET(s, CURLOPT_ERRORBUFFER, p->why);
	SET(s, CURLOPT_NOSIGNAL, 1L);
	SET(s, CURLOPT_FOLLOWLOCATION, 0L);
	SET(s, CURLOPT_TIMEOUT_MS, (long)c->timeout_ms);
	SET(s, CURLOPT_CONNECTTIMEOUT_MS, (long)c->timeout_ms);
	SET(s, CURLOPT_QUICK_EXIT, 1L); /* a name that nobody resolves does not hold up the end */
	SET(s, CURLOPT_WRITEFUNCTION, on_answer);
	SET(s, CURLOPT_WRITEDATA, (void *)p);
	SET(s, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(s, CURLOPT_SSL_VERIFYPEER, c->tls.verify ? 1L : 0L);
	SET(s, CURLOPT_SSL_VERIFYHOST, c->tls.verify ? 2L : 0L);
	set_text(s, CURLOPT_CAINFO, c->tls.ca_file);
	set_text(s, CURLOPT_SSLCERT, c->tls.cert_file);
	set_text(s, CURLOPT_SSLKEY, c->tls.key_file);
	set_text(s, CURLOPT_PROXY, c->proxy);
	set_text(s, CURLOPT_USERNAME, c->user);
	set_text(s, CURLOPT_PASSWORD, p->secrets.password);
}

static void set_http(struct setter *s, struct parcel *p, const struct receiver_request *q)
{
	static const char *const METHODS[] = {
		[ALERT_POST] = "POST", [ALERT_PUT] = "PUT",       [ALERT_PATCH] = "PATCH",
		[ALERT_GET] = "GET",   [ALERT_DELETE] = "DELETE",
	};
	bool ok = add_line(&p->headers, "Expect:");

	for (size_t at = 0; at < q->headers.size; at += strlen(q->headers.data + at) + 1)
		ok = add_line(&p->headers, q->headers.data + at) && ok;
	if (!ok && s->first == CURLE_OK)
		s->first = CURLE_OUT_OF_MEMORY;
	SET(s, CURLOPT_PROTOCOLS_STR, "http,https");
	SET(s, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
	SET(s, CURLOPT_HTTPHEADER, p->headers);
	if (q->method == ALERT_GET)
		return;
	SET(s, CURLOPT_POSTFIELDSIZE, (long)p->body.size);
	SET(s, CURLOPT_POSTFIELDS, p->body.size == 0 ? "" : p->body.data);
	SET(s, CURLOPT_CUSTOMREQUEST, METHODS[q->method]);
}

/* Addresses for the envelope, in brackets. */
static bool add_address(struct curl_slist **list, const char *mailbox)
{
	CLEANUP(buf_free) struct buf address = {0};

	buf_putc(&address, '<');
	mail_address(&address, mailbox);
	buf_putc(&address, '>');
	return add_line(list, buf_str(&address));
}

static void set_mail(struct setter *s, struct parcel *p, const struct alert_receiver *c)
{
	struct curl_slist *from = NULL;
	bool ok = add_address(&from, c->from);

	for (size_t i = 0; i < c->to.count; i++)
		ok = add_address(&p->recipients, c->to.items[i]) && ok;
	if (!ok && s->first == CURLE_OK)
		s->first = CURLE_OUT_OF_MEMORY;
	SET(s, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
	/* Never the kind that goes on in clear where there is no TLS. */
	SET(s, CURLOPT_USE_SSL,
	    c->starttls == ALERT_STARTTLS_NONE ? (long)CURLUSESSL_NONE : (long)CURLUSESSL_ALL);
	if (ok)
		SET(s, CURLOPT_MAIL_FROM, from->data);
	SET(s, CURLOPT_MAIL_RCPT, p->recipients);
	/* One address that is no more does not keep it from the others. */
	SET(s, CURLOPT_MAIL_RCPT_ALLLOWFAILS, 1L);
	SET(s, CURLOPT_UPLOAD, 1L);
	SET(s, CURLOPT_READFUNCTION, on_read);
	SET(s, CURLOPT_READDATA, (void *)p);
	SET(s, CURLOPT_INFILESIZE_LARGE, (curl_off_t)p->body.size);
	curl_slist_free_all(from);
}

int sender_add(struct sender *s, const struct receiver *r, const struct receiver_request *q,
	       const struct receiver_secrets *secrets, sender_on_end *on_end, void *arg)
{
	struct parcel *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return -ENOMEM;
	p->mail = q->mail;
	p->on_end = on_end;
	p->arg = arg;
	p->secrets = *secrets;
	p->curl = curl_easy_init();
	buf_put(&p->body, q->body.data, q->body.size);
	struct setter setter = {p->curl, CURLE_OK};
	if (p->curl == NULL || p->body.err != ERR_OK) {
		parcel_free(s, p);
		return -ENOMEM;
	}
	set_common(&setter, p, receiver_config(r), q);
	if (q->mail)
		set_mail(&setter, p, receiver_config(r));
	else
		set_http(&setter, p, q);
	if (setter.first != CURLE_OK || curl_multi_add_handle(s->multi, p->curl) != CURLM_OK) {
		parcel_free(s, p);
		return setter.first == CURLE_OUT_OF_MEMORY ? -ENOMEM : ERR_MALFORMED;
	}
	p->link = &s->parcels;
	p->next = s->parcels;
	if (p->next != NULL)
		p->next->link = &p->next;
	s->parcels = p;
	return ERR_OK;
}

/* --- what came of it --- */

static enum sender_verdict judge_http(long code)
{
	if (code >= 200 && code < 300)
		return SENDER_CONFIRMED;
	if (code == 408 || code == 429 || code >= 500 || code < 200)
		return SENDER_AGAIN;
	return SENDER_REFUSED; /* redirects as well: a secret goes where the file says only */
}

/* A mail server that wants other credentials may get them; what it says of the mail is final. */
static enum sender_verdict judge_mail(long code)
{
	if (code >= 500 && code != 530 && code != 534 && code != 535 && code != 538)
		return SENDER_REFUSED;
	return SENDER_AGAIN;
}

static enum sender_verdict judge(const struct parcel *p, CURLcode result, long code)
{
	if (result == CURLE_URL_MALFORMAT || result == CURLE_UNSUPPORTED_PROTOCOL)
		return SENDER_REFUSED;
	if (p->mail)
		return result == CURLE_OK ? SENDER_CONFIRMED : judge_mail(code);
	if (result == CURLE_OK || (result == CURLE_WRITE_ERROR && p->answered > ANSWER_MAX))
		return judge_http(code);
	return SENDER_AGAIN;
}

/* Whether the text may be shown: the other side may have sent back what is secret. */
static bool tells_secret(const struct parcel *p, const char *text)
{
	const char *const secrets[] = {p->secrets.url, p->secrets.token, p->secrets.api_key,
				       p->secrets.password};

	for (size_t i = 0; i < ARRAY_LEN(secrets); i++) {
		/* A part of it is as bad, where the answer was cut. */
		char part[9] = "";

		memcpy(part, secrets[i], strnlen(secrets[i], sizeof(part) - 1));
		if (part[0] != '\0' && strstr(text, part) != NULL)
			return true;
	}
	return false;
}

static void tell_why(const struct parcel *p, CURLcode result, struct sender_result *r)
{
	CLEANUP(buf_free) struct buf text = {0};

	if (r->code != 0)
		buf_printf(&text, p->mail ? "SMTP %d" : "HTTP %d", r->code);
	if (r->code >= 300 && r->code < 400 && !p->mail)
		buf_puts(&text, ", a redirect, which is not followed");
	if (result != CURLE_OK)
		buf_printf(&text, "%s%s", text.size != 0 ? ": " : "",
			   p->why[0] != '\0' ? p->why : curl_easy_strerror(result));
	if (p->answer_size != 0 && !p->mail) {
		buf_puts(&text, ": ");
		escape_put(&text, ESCAPE_TEXT, p->answer, p->answer_size);
	}
	const char *whole =
		tells_secret(p, buf_str(&text)) ? "the answer holds a secret" : buf_str(&text);
	size_t size = strlen(whole);
	if (size >= sizeof(r->error)) {
		size = sizeof(r->error) - 1;
		while (((uint8_t)whole[size] & 0xc0) == 0x80)
			size--;
	}
	memcpy(r->error, whole, size);
	r->error[size] = '\0';
}

static void end_parcel(struct sender *s, struct parcel *p, CURLcode result)
{
	struct sender_result r = {.code = 0};
	curl_off_t wait_s = 0;
	long code = 0;

	curl_easy_getinfo(p->curl, CURLINFO_RESPONSE_CODE, &code);
	curl_easy_getinfo(p->curl, CURLINFO_RETRY_AFTER, &wait_s);
	r.code = code > 0 && code < 1000 ? (int)code : 0;
	r.verdict = judge(p, result, code);
	if (wait_s > 0)
		r.retry_after_ms = wait_s < RETRY_AFTER_MAX_MS / 1000 ? (int64_t)wait_s * 1000
								      : RETRY_AFTER_MAX_MS;
	if (r.verdict != SENDER_CONFIRMED)
		tell_why(p, result, &r);
	sender_on_end *on_end = p->on_end;
	void *arg = p->arg;
	parcel_free(s, p);
	on_end(arg, &r);
}

/* --- all of them --- */

static void init_library(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
}

int sender_open(struct sender **ret_s)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct sender *s = calloc(1, sizeof(*s));

	pthread_once(&once, init_library);
	if (s == NULL)
		return -ENOMEM;
	s->multi = curl_multi_init();
	if (s->multi == NULL) {
		free(s);
		return -ENOMEM;
	}
	*ret_s = s;
	return ERR_OK;
}

void sender_close(struct sender **s)
{
	if (*s == NULL)
		return;
	while ((*s)->parcels != NULL)
		parcel_free(*s, (*s)->parcels);
	curl_multi_cleanup((*s)->multi);
	free(*s);
	*s = NULL;
}

void sender_work(struct sender *s, int timeout_ms)
{
	int running = 0;
	int left = 0;
	CURLMsg *message = NULL;

	curl_multi_perform(s->multi, &running);
	curl_multi_poll(s->multi, NULL, 0, timeout_ms, NULL);
	curl_multi_perform(s->multi, &running);
	while ((message = curl_multi_info_read(s->multi, &left)) != NULL) {
		char *p = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		CURLcode result = message->data.result;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &p);
		end_parcel(s, (struct parcel *)p, result);
	}
}

void sender_wake(struct sender *s)
{
	curl_multi_wakeup(s->multi);
}
