/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* notify_fixture - a configuration of alerts, a store, an outbox and notify, on a clock of the
 * test's own; and what was put into the outbox. After cmocka's headers. */

#include <string.h>

#include "aggregator/alert/alert_config.h"
#include "aggregator/alert/notify.h"
#include "aggregator/alert/outbox_row.h"
#include "aggregator/config.h"
#include "aggregator/store/alert_store.h"
#include "common/err.h"
#include "temp.h"

#define T0 INT64_C(1767600000000) /* Monday, 2026-01-05, 08:00 UTC */
#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)

struct sent {
	uint64_t key, thread;
	int64_t at_ms;
	enum message_kind kind;
	size_t count, total;
	char receiver[64], route[64];
	uint64_t ids[MESSAGE_INCIDENTS_MAX];
	uint8_t states[MESSAGE_INCIDENTS_MAX];
};

struct fixture {
	struct temp temp;
	struct aggregator_config *config;
	struct store *store;
	struct outbox *outbox;
	struct notify *notify;
	struct store_txn t;
	int64_t now_ms;
	struct sent *sent; /* all that was taken from the outbox, in order */
	size_t count;
};

static inline struct aggregator_config *fixture_config(const char *alert)
{
	CLEANUP(buf_free) struct buf text = {0};
	CLEANUP(buf_free) struct buf errors = {0};
	struct aggregator_config *cfg = NULL;

	buf_printf(&text, "data_dir: /tmp/x\nalert:\n%s", alert);
	int err = aggregator_config_parse("a.yaml", text.data, text.size, &cfg, &errors);

	if (err != ERR_OK)
		print_message("%s", buf_str(&errors));
	assert_int_equal(err, ERR_OK);
	return cfg;
}

static inline void fixture_open(struct fixture *f)
{
	const struct outbox_keep keep = {.sent_ms = 7 * 24 * HOUR, .dead_ms = 30 * 24 * HOUR};
	char why[512] = "";

	assert_int_equal(store_open(f->temp.dir, (size_t)512 << 20, why, &f->store), ERR_OK);
	assert_int_equal(outbox_new(&keep, &f->outbox), ERR_OK);
	assert_int_equal(notify_new(&f->config->alert, f->outbox, &f->notify), ERR_OK);
	f->t = store_begin(f->store, true);
	outbox_load(f->outbox, &f->t);
	notify_load(f->notify, &f->t);
}

static inline void fixture_close(struct fixture *f)
{
	notify_free(&f->notify);
	outbox_free(&f->outbox);
	store_close(&f->store);
}

static inline struct fixture fixture_new(const char *alert)
{
	struct fixture f = {.temp = temp_make(), .config = fixture_config(alert), .now_ms = T0};

	fixture_open(&f);
	return f;
}

/* All that was written can be read, and what is cut cannot. */
static inline void fixture_check_rows(struct fixture *f)
{
	const uint8_t *data = NULL;
	size_t size = 0;

	for (uint64_t key = 0; alert_store_next(&f->t, ALERT_OUTBOX, key, &key, &data, &size);
	     key++) {
		assert_true(outbox_row_is_whole(data, size));
		assert_false(outbox_row_is_whole(data, size - 1));
	}
	for (uint64_t key = 0; alert_store_next(&f->t, ALERT_NOTIFY, key, &key, &data, &size);) {
		assert_true(notify_is_whole(data, size));
		assert_false(notify_is_whole(data, 1));
		if (key++ == UINT64_MAX)
			break;
	}
}

static inline void fixture_free(struct fixture *f)
{
	fixture_check_rows(f);
	store_abort(&f->t);
	fixture_close(f);
	aggregator_config_free(&f->config);
	temp_remove(&f->temp);
	free(f->sent);
}

/* Put down what one message says. */
static inline void fixture_note(struct fixture *f, const struct outbox_item *item)
{
	struct message *m = NULL;

	f->sent = realloc(f->sent, (f->count + 1) * sizeof(*f->sent));
	assert_non_null(f->sent);
	assert_int_equal(message_decode(item->message.data, item->message.size, &m), ERR_OK);
	struct sent *s = &f->sent[f->count++];

	memset(s, 0, sizeof(*s));
	s->key = m->key;
	s->thread = m->thread;
	s->kind = m->kind;
	s->at_ms = m->at_ms;
	s->count = m->count;
	s->total = m->total;
	snprintf(s->receiver, sizeof(s->receiver), "%s", m->receiver);
	snprintf(s->route, sizeof(s->route), "%s", m->route);
	for (size_t i = 0; i < m->count; i++) {
		s->ids[i] = m->incidents[i].incident.id;
		s->states[i] = m->incidents[i].incident.state;
	}
	assert_int_equal(item->row.key, m->key);
	message_free(&m);
}

/* Take all that waits and say that it was delivered. */
static inline void fixture_deliver(struct fixture *f)
{
	struct outbox_item items[16];
	size_t count = 0;

	while ((count = outbox_take(f->outbox, f->now_ms, items, ARRAY_LEN(items))) > 0) {
		for (size_t i = 0; i < count; i++) {
			fixture_note(f, &items[i]);
			outbox_done(f->outbox, &items[i], OUTBOX_SENT, f->now_ms, "");
		}
	}
}

/* End the transaction, deliver, begin the next. */
static inline void fixture_commit(struct fixture *f)
{
	assert_int_equal(store_commit(&f->t), ERR_OK);
	outbox_end(f->outbox, true);
	fixture_deliver(f);
	f->t = store_begin(f->store, true);
	outbox_settle(f->outbox, &f->t, f->now_ms);
}

/* Let notify do what is due, and deliver it. To the outbox this looks like a commit, which would
 * take long. */
static inline void fixture_tick(struct fixture *f)
{
	/* What is due is done in one go, or in a few: never for ever. */
	for (int i = 0; notify_next_ms(f->notify) <= f->now_ms; i++) {
		assert_true(i < 8);
		notify_tick(f->notify, &f->t, f->now_ms);
	}
	outbox_end(f->outbox, true);
	fixture_deliver(f);
	outbox_settle(f->outbox, &f->t, f->now_ms);
}

/* Let time pass, waking when notify says so. */
static inline void fixture_pass(struct fixture *f, int64_t ms)
{
	int64_t until_ms = f->now_ms + ms;

	for (;;) {
		fixture_tick(f);
		int64_t next_ms = MAX(notify_next_ms(f->notify), f->now_ms + 1);

		if (next_ms > until_ms)
			break;
		f->now_ms = next_ms;
	}
	f->now_ms = until_ms;
	fixture_tick(f);
}

static inline void fixture_restart(struct fixture *f)
{
	assert_int_equal(store_commit(&f->t), ERR_OK);
	outbox_end(f->outbox, true);
	fixture_close(f);
	fixture_open(f);
}

/* --- incidents --- */

static inline struct incident incident_at(const char *environment, const char *cluster,
					  const char *group, int64_t at_ms)
{
	struct incident i = {.version = 1,
			     .cluster_id = 1,
			     .group_id = 2,
			     .kind = group[0] == '\0' ? INCIDENT_BLIND : INCIDENT_GROUP,
			     .state = INCIDENT_OPEN,
			     .status = STATUS_ERR,
			     .worst = STATUS_ERR,
			     .reason = REASON_NO_COMMITS,
			     .opened_ms = at_ms,
			     .changed_ms = at_ms};

	snprintf(i.environment, sizeof(i.environment), "%s", environment);
	snprintf(i.cluster, sizeof(i.cluster), "%s", cluster);
	snprintf(i.group, sizeof(i.group), "%s", group);
	for (const char *p = group; *p != '\0'; p++)
		i.id = i.id * 31 + (uint64_t)(unsigned char)*p;
	i.id = (i.id + 7) * UINT64_C(0x9e3779b97f4a7c15) + (uint64_t)at_ms;
	return i;
}

static inline void fixture_change(struct fixture *f, struct incident *i,
				  enum incident_change change)
{
	i->version += change != INCIDENT_OPENED;
	i->change = (uint8_t)change;
	i->changed_ms = f->now_ms;
	notify_change(f->notify, &f->t, NULL, i, change, f->now_ms);
}

static inline struct incident fixture_incident(struct fixture *f, const char *group)
{
	struct incident i = incident_at("PROD", "orders", group, f->now_ms);

	fixture_change(f, &i, INCIDENT_OPENED);
	return i;
}

static inline void fixture_resolve(struct fixture *f, struct incident *i)
{
	i->state = INCIDENT_RESOLVED;
	i->end = INCIDENT_RECOVERED;
	i->resolved_ms = f->now_ms;
	fixture_change(f, i, INCIDENT_WAS_RESOLVED);
}

/* What the message at an index is. */
static inline void assert_sent(const struct fixture *f, size_t index, enum message_kind kind,
			       const char *receiver, size_t total)
{
	assert_true(index < f->count);
	assert_int_equal(f->sent[index].kind, kind);
	assert_string_equal(f->sent[index].receiver, receiver);
	assert_int_equal(f->sent[index].total, total);
}
