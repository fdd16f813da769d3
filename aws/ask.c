#include "aws/ask.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws/xml_tree.h"
#include "base/alloc.h"

#define WAITING_ATTEMPTS 8
#define DAMAGED_ATTEMPTS 3
#define MAX_PAGES        1000

void aws_reply_release(struct aws_reply *reply)
{
	if (!reply)
		return;
	json_decref(reply->json);
	free(reply->code);
	free(reply->message);
	*reply = (struct aws_reply){0};
}

bool aws_reply_is(const struct aws_reply *reply, const char *code)
{
	return reply->code && strcmp(reply->code, code) == 0;
}

const char *aws_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

int64_t aws_int(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	if (json_is_string(value))
		return strtoll(json_string_value(value), NULL, 10);
	return json_is_integer(value) ? json_integer_value(value) : 0;
}

static void add_field(struct strmap *form, const char *name, const json_t *value)
{
	char number[24];

	switch (json_typeof(value)) {
	case JSON_STRING:
		strmap_set(form, name, json_string_value(value));
		break;
	case JSON_INTEGER:
		snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT,
			 json_integer_value(value));
		strmap_set(form, name, number);
		break;
	case JSON_TRUE:
	case JSON_FALSE:
		strmap_set(form, name, json_is_true(value) ? "true" : "false");
		break;
	case JSON_REAL:
	case JSON_NULL:
	case JSON_OBJECT:
	case JSON_ARRAY:
		break;
	}
}

/* The depth is the caller's own: what it writes is never foreign. */
static void flatten(struct strmap *form, const char *prefix, json_t *value, const char *list)
{
	const char *key;
	json_t *item;
	size_t i;

	if (json_is_object(value)) {
		json_object_foreach (value, key, item) {
			AUTO_FREE char *name = xstrfmt("%s%s%s", prefix, *prefix ? "." : "", key);

			flatten(form, name, item, list);
		}
	} else if (json_is_array(value)) {
		json_array_foreach (value, i, item) {
			AUTO_FREE char *name = xstrfmt("%s%s.%zu", prefix, list, i + 1);

			flatten(form, name, item, list);
		}
	} else {
		add_field(form, prefix, value);
	}
}

static int read_json(const struct aws_question *q, const struct aws_answer *answer, json_t **out,
		     struct error *err)
{
	enum aws_protocol protocol = aws_service_info(q->service)->protocol;
	AUTO_FREE char *where = xstrfmt("the answer of %s %s", aws_service_info(q->service)->name,
					q->operation);
	AUTO_JSON *j = NULL;

	if (protocol != AWS_JSON)
		return xml_tree_read(out, answer->body.buf ? answer->body.buf : "",
				     answer->body.len, q->operation, err);
	if (answer->body.len == 0) {
		*out = json_object();
		return 0;
	}
	/* A line of a log is whatever a program wrote. */
	if (json_parse_with_nul(&j, answer->body.buf, answer->body.len, where, err) < 0)
		return -1;
	if (!json_is_object(j))
		return error_set(err, ERROR_CORRUPT, "%s: an object was expected", where);
	*out = json_incref(j);
	return 0;
}

static bool is_fine(const struct aws_question *q, const char *code)
{
	for (size_t i = 0; code && i < ARRAY_SIZE(q->fine); i++)
		if (q->fine[i] && strcmp(q->fine[i], code) == 0)
			return true;
	return false;
}

static int ask_once(struct aws *a, const struct aws_question *q, const struct strmap *form,
		    struct aws_reply *out, struct error *err)
{
	AUTO(aws_answer) answer = {.body = STRBUF_INIT};
	AUTO(error) local = ERROR_INIT;
	const struct aws_request r = {
		.service = q->service,
		.operation = q->operation,
		.region = q->region,
		.json = q->params,
		.form = form,
		.attempts = q->waiting ? WAITING_ATTEMPTS : 0,
	};

	if (aws_call(a, &r, &answer, &local) < 0) {
		out->code = take_ptr(answer.code);
		out->message = take_ptr(answer.message);
		return is_fine(q, out->code) ? 0 : error_move(err, &local);
	}
	return read_json(q, &answer, &out->json, err);
}

int aws_ask(struct aws *a, const struct aws_question *q, struct aws_reply *out, struct error *err)
{
	enum aws_protocol protocol = aws_service_info(q->service)->protocol;
	AUTO(strmap) form = STRMAP_INIT;

	if (protocol != AWS_JSON && q->params)
		flatten(&form, "", q->params, protocol == AWS_QUERY ? ".member" : "");
	for (int i = 1;; i++) {
		AUTO(error) local = ERROR_INIT;

		aws_reply_release(out);
		if (ask_once(a, q, &form, out, &local) == 0)
			return 0;
		/* An answer that is cut off says nothing about what was asked: another question costs little. */
		if (!q->waiting || local.kind != ERROR_CORRUPT || i == DAMAGED_ATTEMPTS)
			return error_move(err, &local);
	}
}

/* The names of the page's token, in the answer and in the next question. */
static void token_names(enum aws_service s, const char **answer, const char **question)
{
	*answer = *question = "nextToken";
	if (s == AWS_IAM)
		*answer = *question = "Marker";
	else if (s == AWS_ELBV2)
		*answer = "NextMarker", *question = "Marker";
	else if (s == AWS_EC2)
		*question = "NextToken";
	else if (s == AWS_AUTOSCALING || s == AWS_SSM || s == AWS_SECRETSMANAGER)
		*answer = *question = "NextToken";
}

int aws_ask_all(struct aws *a, const struct aws_question *q, const char *key, json_t **out,
		struct error *err)
{
	AUTO_JSON *all = json_array();
	const char *in_answer, *in_question;

	token_names(q->service, &in_answer, &in_question);
	for (int page = 0;; page++) {
		AUTO(aws_reply) reply = {0};
		const char *token;

		if (page >= MAX_PAGES)
			return error_set(err, ERROR_REMOTE, "%s %s: the list does not end",
					 aws_service_info(q->service)->name, q->operation);
		if (aws_ask(a, q, &reply, err) < 0)
			return -1;
		json_array_extend(all, json_object_get(reply.json, key));
		token = aws_text(reply.json, in_answer);
		if (!*token)
			break;
		json_object_set_new(q->params, in_question, json_string(token));
	}
	*out = take_ptr(all);
	return 0;
}
