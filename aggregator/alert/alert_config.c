/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/alert/alert_config.h"

#include <string.h>

const char *const ALERT_TYPE_WORDS[ALERT_TYPES + 1] = {
	[ALERT_WEBHOOK] = "webhook",
	[ALERT_MAIL] = "mail",
	[ALERT_SLACK] = "slack",
	[ALERT_TEAMS] = "teams",
	[ALERT_PAGERDUTY] = "pagerduty",
	[ALERT_OPSGENIE] = "opsgenie",
	[ALERT_TWILIO_SMS] = "twilio-sms",
	[ALERT_JSON_SMS] = "json-sms",
	[ALERT_ALERTMANAGER] = "alertmanager",
	[ALERT_BURROW_HTTP] = "burrow_http",
	[ALERT_BURROW_EMAIL] = "burrow_email",
	[ALERT_NULL] = "none",
};

const char *alert_type_str(enum alert_type t)
{
	return ALERT_TYPE_WORDS[t];
}

const struct alert_receiver *alert_config_receiver(const struct alert_config *c, const char *name)
{
	const struct alert_receiver *receivers = c->receivers.items;

	for (size_t i = 0; i < c->receivers.count; i++) {
		if (strcmp(receivers[i].name, name) == 0)
			return &receivers[i];
	}
	return NULL;
}

bool alert_config_is_burrow(const struct alert_receiver *r)
{
	return r->type == ALERT_BURROW_HTTP || r->type == ALERT_BURROW_EMAIL;
}

bool alert_config_is_keyed(const struct alert_receiver *r)
{
	return r->type == ALERT_PAGERDUTY || r->type == ALERT_OPSGENIE;
}

bool alert_config_minutes(const char *text, uint16_t *ret_minutes)
{
	static const char DIGITS[] = "0123456789";

	if (strlen(text) != 5 || strspn(text, DIGITS) != 2 || text[2] != ':' ||
	    strspn(text + 3, DIGITS) != 2)
		return false;
	int hours = (text[0] - '0') * 10 + text[1] - '0';
	int minutes = (text[3] - '0') * 10 + text[4] - '0';

	if (minutes > 59 || hours > 24 || (hours == 24 && minutes > 0))
		return false;
	*ret_minutes = (uint16_t)(hours % 24 * 60 + minutes);
	return true;
}
