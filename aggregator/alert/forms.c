/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/alert/forms.h"

const char FORMS_SUBJECT[] = "{{title}}";
const char FORMS_TEXT[] = "{{text}}{{#page}}\n{{page}}\n{{/page}}";
const char FORMS_SMS[] = "{{title:90}}{{^resolve}}: {{sentence}}{{/resolve}}";

const char FORMS_HTML[] =
	"<!DOCTYPE html>\n"
	"<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{{title}}</title></head>\n"
	"<body style=\"font-family:sans-serif;font-size:14px;color:#222\">\n"
	"<h1 style=\"font-size:18px\">{{title}}</h1>\n"
	"{{#test}}<p>This is a test. Nothing is wrong.</p>\n{{/test}}"
	"{{#summary}}<p>So much has changed at once that it is told in one "
	"message.</p>\n{{/summary}}"
	"{{#picture}}<p><img src=\"cid:lag\" width=\"480\" height=\"120\" "
	"alt=\"Lag of the last hour\"><br>Lag of the last hour</p>\n{{/picture}}"
	"{{#incidents}}"
	"<h2 style=\"font-size:16px;border-left:6px solid "
	"{{#over}}#2e7d32{{/over}}{{^over}}#c0392b{{/over}};padding-left:8px\">"
	"{{#over}}resolved{{/over}}{{^over}}{{status}}{{/over}} "
	"{{environment}}/{{cluster}}{{#group}}: {{group}}{{/group}}</h2>\n"
	"<p>{{sentence}}</p>\n"
	"<p style=\"line-height:1.5\">\n"
	"{{#reason}}Reason: {{reason}}<br>\n{{/reason}}"
	"{{#topic}}Topic: {{topic}}<br>\n{{/topic}}"
	"{{#bad_partitions}}Partitions in trouble: {{bad_partitions}}<br>\n{{/bad_partitions}}"
	"{{#lag}}Lag: {{lag}}<br>\n{{/lag}}"
	"{{#time_lag}}Time lag: {{time_lag}}<br>\n{{/time_lag}}"
	"{{#lost}}Messages lost: {{lost}}<br>\n{{/lost}}"
	"{{#opened}}Since: {{opened}}<br>\n{{/opened}}"
	"{{#duration}}Lasted: {{duration}}<br>\n{{/duration}}"
	"{{#end}}Ended: {{end}}<br>\n{{/end}}"
	"{{#by}}By: {{by}}<br>\n{{/by}}"
	"{{#note}}Note: {{note}}<br>\n{{/note}}"
	"{{#labels}}{{name}}: {{value}}<br>\n{{/labels}}"
	"</p>\n"
	"{{#link}}<p><a href=\"{{link}}\">Open in Warren</a></p>\n{{/link}}"
	"{{/incidents}}"
	"{{#more}}<p>And {{more}} more.</p>\n{{/more}}"
	"</body></html>\n";

/* --- of HTTP requests --- */

static const char WEBHOOK_JSON[] =
	"{\"version\":1,\"kind\":\"{{kind}}\",\"key\":\"{{key}}\",\"thread\":\"{{thread}}\","
	"\"at\":\"{{at}}\",\"at_ms\":{{at_ms}},\"route\":\"{{route}}\","
	"\"receiver\":\"{{receiver}}\",\"group_by\":\"{{group_by}}\",\"title\":\"{{title}}\","
	"\"text\":\"{{text}}\",\"page\":\"{{page}}\",\"total\":{{total}},\"more\":{{more}},"
	"\"incidents\":[{{#incidents}}{\"id\":\"{{id}}\",\"version\":{{version}},"
	"\"kind\":\"{{about}}\",\"state\":\"{{state}}\",\"status\":\"{{status}}\","
	"\"worst\":\"{{worst}}\",\"severity\":\"{{severity}}\",\"reason\":\"{{reason}}\","
	"\"sentence\":\"{{sentence}}\",\"change\":\"{{change}}\","
	"\"environment\":\"{{environment}}\",\"cluster\":\"{{cluster}}\",\"group\":\"{{group}}\","
	"\"topic\":\"{{topic}}\",\"partition\":{{partition}},"
	"\"bad_partitions\":{{bad_partitions}},\"partitions\":{{partitions}},\"lag\":{{lag}},"
	"\"time_lag_ms\":{{time_lag_ms}},\"margin_ms\":{{margin_ms}},\"lost\":{{lost}},"
	"\"flapping\":{{flapping}},\"opened\":\"{{opened}}\",\"changed\":\"{{changed}}\","
	"\"acknowledged\":\"{{acknowledged}}\",\"resolved\":\"{{resolved}}\",\"end\":\"{{end}}\","
	"\"by\":\"{{by}}\",\"note\":\"{{note}}\",\"link\":\"{{link}}\",\"labels\":{ "
	"{{#labels}}\"{{name}}\":\"{{value}}\"{{^last}},{{/last}}{{/labels}}}}"
	"{{^last}},{{/last}}{{/incidents}}]}";

static const char WEBHOOK_FORM[] =
	"kind={{kind}}&key={{key}}&thread={{thread}}&at={{at}}&title={{title}}&text={{text}}"
	"&total={{total}}&status={{status}}&worst={{worst}}&reason={{reason}}"
	"&environment={{environment}}&cluster={{cluster}}&group={{group}}&link={{link}}";

/* Nothing of it is formatted, neither the line above nor the text below; the colour says the rest.
 */
static const char SLACK[] =
	"{\"text\":\"{{title:500}}\",\"mrkdwn\":false,\"attachments\":[{\"color\":\""
	"{{#resolve}}good{{/resolve}}{{^resolve}}{{#critical}}danger{{/critical}}"
	"{{^critical}}warning{{/critical}}{{/resolve}}\",\"fallback\":\"{{title:500}}\","
	"\"text\":\"{{text:3500}}\",\"mrkdwn_in\":[]}]}";

/* Text runs are shown as they are; in a text block a name could be a link. */
static const char TEAMS[] =
	"{\"type\":\"message\",\"attachments\":[{"
	"\"contentType\":\"application/vnd.microsoft.card.adaptive\",\"contentUrl\":null,"
	"\"content\":{\"$schema\":\"http://adaptivecards.io/schemas/adaptive-card.json\","
	"\"type\":\"AdaptiveCard\",\"version\":\"1.4\",\"body\":["
	"{\"type\":\"RichTextBlock\",\"inlines\":[{\"type\":\"TextRun\",\"weight\":\"bolder\","
	"\"size\":\"medium\",\"text\":\"{{title:500}}\"}]}"
	"{{#incidents}},{\"type\":\"RichTextBlock\",\"inlines\":["
	"{\"type\":\"TextRun\",\"weight\":\"bolder\","
	"\"text\":\"{{environment}}/{{cluster}}: {{group:200}} \"},"
	"{\"type\":\"TextRun\",\"text\":\"{{#over}}resolved{{/over}}{{^over}}{{status}}{{/over}}. "
	"{{sentence}}\"}"
	"{{#labels}},{\"type\":\"TextRun\",\"isSubtle\":true,\"text\":\" {{name}}: {{value}}\"}"
	"{{/labels}}]}{{/incidents}}],"
	"\"actions\":[{{#link}}{\"type\":\"Action.OpenUrl\",\"title\":\"Open in Warren\","
	"\"url\":\"{{link}}\"}{{/link}}]}}]}";

/* The routing key is put in after the first brace. */
static const char PAGERDUTY[] =
	"{\"event_action\":\"trigger\",\"dedup_key\":\"{{thread}}\",\"client\":\"Warren\","
	"{{#page}}\"client_url\":\"{{page}}\",{{/page}}"
	"\"payload\":{\"summary\":\"{{title:1000}}\","
	"\"source\":\"{{#cluster}}{{environment}}/{{cluster}}{{/cluster}}"
	"{{^cluster}}warren{{/cluster}}\","
	"\"severity\":\"{{#test}}info{{/test}}{{^test}}{{severity}}{{/test}}\","
	"\"timestamp\":\"{{at}}\",\"component\":\"{{topic}}\",\"group\":\"{{group}}\","
	"\"class\":\"{{reason}}\",\"custom_details\":{\"text\":\"{{text:10000}}\","
	"\"labels\":{ {{#labels}}\"{{name}}\":\"{{value}}\"{{^last}},{{/last}}{{/labels}}}}},"
	"\"links\":[{{#link}}{\"href\":\"{{link}}\",\"text\":\"Open in Warren\"}{{/link}}]}";

static const char PAGERDUTY_RESOLVE[] =
	"{\"event_action\":\"resolve\",\"dedup_key\":\"{{thread}}\"}";

static const char PAGERDUTY_ACKNOWLEDGE[] =
	"{\"event_action\":\"acknowledge\",\"dedup_key\":\"{{thread}}\"}";

static const char OPSGENIE[] =
	"{\"message\":\"{{title:130}}\",\"alias\":\"{{thread}}\","
	"\"description\":\"{{text:14000}}\",\"source\":\"Warren\",\"entity\":\"{{group:500}}\","
	"\"priority\":\"{{#test}}P5{{/test}}{{^test}}{{#critical}}P1{{/critical}}"
	"{{^critical}}P3{{/critical}}{{/test}}\",\"details\":{\"environment\":\"{{environment}}\","
	"\"cluster\":\"{{cluster}}\",\"reason\":\"{{reason}}\",\"link\":\"{{link}}\""
	"{{#labels}},\"label_{{name}}\":\"{{value}}\"{{/labels}}}}";

/* Of both what closes an alert and what acknowledges it. */
static const char OPSGENIE_NOTE[] = "{\"source\":\"Warren\",{{#by}}\"user\":\"{{by:100}}\",{{/by}}"
				    "\"note\":\"{{title:1000}}{{#note}}. {{note}}{{/note}}\"}";

static const char TWILIO[] = "To={{to}}&From={{from}}&Body={{sms}}";

static const char JSON_SMS[] = "{\"to\":\"{{to}}\",\"from\":\"{{from}}\",\"text\":\"{{sms}}\"}";

struct form forms_http(const struct alert_receiver *r)
{
	static const struct form FORMS[ALERT_TYPES] = {
		[ALERT_SLACK] = {SLACK, NULL, NULL},
		[ALERT_TEAMS] = {TEAMS, NULL, NULL},
		[ALERT_PAGERDUTY] = {PAGERDUTY, PAGERDUTY_RESOLVE, PAGERDUTY_ACKNOWLEDGE},
		[ALERT_OPSGENIE] = {OPSGENIE, OPSGENIE_NOTE, OPSGENIE_NOTE},
		[ALERT_TWILIO_SMS] = {TWILIO, NULL, NULL},
		[ALERT_JSON_SMS] = {JSON_SMS, NULL, NULL},
	};
	static const struct form WEBHOOK[] = {
		[ALERT_JSON] = {WEBHOOK_JSON, NULL, NULL},
		[ALERT_FORM] = {WEBHOOK_FORM, NULL, NULL},
		[ALERT_TEXT] = {FORMS_TEXT, NULL, NULL},
	};

	return FORMS[r->type].open != NULL ? FORMS[r->type] : WEBHOOK[r->body];
}
