/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * fields - what templates can say about a message: one table, which README.md repeats. Values come
 * out as plain text; the template escapes them.
 */

#include "aggregator/alert/message.h"
#include "common/conf.h"

enum field_type {
	FIELD_TEXT,
	FIELD_NUMBER, /* empty where it is not known */
	FIELD_FLAG,   /* "true" or "false" */
	FIELD_LIST,   /* a section repeats for each item; it has no value */
};

/* Where it can be said. A field of an incident outside of the list is that of the worst one. */
enum field_place { FIELD_ANYWHERE, FIELD_IN_LIST, FIELD_IN_LABELS };

enum field_list { FIELD_NO_LIST, FIELD_INCIDENTS, FIELD_LABELS };

/* What is being said, and to whom. All is borrowed; incident and label may be NULL. */
struct fields_at {
	const struct message *message;
	const struct message_incident *incident;
	const struct message_label *label;
	size_t index, count;           /* of the list at hand */
	const char *to, *from;         /* of a mail or an SMS, "" for others */
	const char *sms;               /* the text of an SMS, "" for others */
	const struct conf_map *extras; /* may be NULL */
	bool picture;                  /* a mail has one */
};

struct field {
	const char *name;
	enum field_type type;
	enum field_place place;
	enum field_list list; /* of FIELD_LIST: which */
	void (*put)(const struct fields_at *at, struct buf *out);
	const char *help;
};

/* All of them; README.md has the same in the same order. */
const struct field *fields_all(size_t *ret_count);

/* NULL: there is none. */
const struct field *fields_find(const char *name, size_t size);

/* The value of the label, or the extra, of that name; "" if there is none. */
const char *fields_label(const struct fields_at *at, const char *name);
const char *fields_extra(const struct fields_at *at, const char *name);
