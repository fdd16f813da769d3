/* What the operations of the local target's API share. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/base64.h"
#include "local/api_service.h"
#include "local/ecs_name.h"

#define PAGE_MARK "page "

static int status_of(const char *code)
{
	static const struct {
		const char *code;
		int status;
	} rows[] = {
		{"NoSuchEntity", 404},
		{"EntityAlreadyExists", 409},
		{"DeleteConflict", 409},
		{"AccessDenied", 403},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (strcmp(rows[i].code, code) == 0)
			return rows[i].status;
	return 400;
}

int(api_error)(struct api_call *c, const char *code, const char *fmt, ...)
{
	va_list ap;

	free(c->code);
	free(c->message);
	c->code = xstrdup(code);
	c->status = status_of(code);
	va_start(ap, fmt);
	c->message = xstrvfmt(fmt, ap);
	va_end(ap);
	return -1;
}

int(api_failure)(struct api_call *c, const struct error *err)
{
	report_log(c->local->reporter, LOG_WARNING, "%s", err->message);
	api_error(c, c->service->failure, "%s", err->message);
	c->status = 500;
	return -1;
}

int api_put(struct api_call *c, const char *kind, const char *key, json_t *document)
{
	AUTO(error) err = ERROR_INIT;

	if (state_put(c->local->state, kind, key, document, &err) < 0)
		return api_failure(c, &err);
	return 0;
}

int api_remove(struct api_call *c, const char *kind, const char *key)
{
	AUTO(error) err = ERROR_INIT;

	if (state_remove(c->local->state, kind, key, &err) < 0)
		return api_failure(c, &err);
	return 0;
}

static int wrong_type(struct api_call *c, const char *name, const char *wanted)
{
	if (c->service->protocol == API_JSON)
		return api_error(c, "SerializationException", "%s is to be %s", name, wanted);
	return api_error(c, "MalformedInput", "%s is to be %s", name, wanted);
}

int api_text(struct api_call *c, const char *name, const char **out)
{
	const json_t *value = json_object_get(c->input, name);

	*out = NULL;
	if (!value || json_is_null(value))
		return 0;
	if (!json_is_string(value))
		return wrong_type(c, name, "a text");
	if (strlen(json_string_value(value)) != json_string_length(value))
		return wrong_type(c, name, "a text without NUL");
	*out = json_string_value(value);
	return 0;
}

int api_int(struct api_call *c, const char *name, int64_t *out, int64_t fallback)
{
	const json_t *value = json_object_get(c->input, name);
	const char *text = json_string_value(value);
	double real = json_real_value(value);
	char *end;

	*out = fallback;
	if (!value || json_is_null(value))
		return 0;
	if (json_is_integer(value)) {
		*out = json_integer_value(value);
		return 0;
	}
	/* SDKs of languages with one kind of number write 2.0. */
	if (json_is_real(value) && real > -9e15 && real < 9e15 && (double)(int64_t)real == real) {
		*out = (int64_t)real;
		return 0;
	}
	if (c->service->protocol == API_JSON || !text || !*text || strlen(text) > 18)
		return wrong_type(c, name, "a whole number");
	*out = strtoll(text, &end, 10);
	return *end ? wrong_type(c, name, "a whole number") : 0;
}

int api_flag(struct api_call *c, const char *name, bool *out, bool fallback)
{
	const json_t *value = json_object_get(c->input, name);
	const char *text = json_string_value(value);

	*out = fallback;
	if (!value || json_is_null(value))
		return 0;
	if (c->service->protocol == API_JSON
		    ? !json_is_boolean(value)
		    : !text || (strcmp(text, "true") != 0 && strcmp(text, "false") != 0))
		return wrong_type(c, name, "true or false");
	*out = text ? *text == 't' : json_is_true(value);
	return 0;
}

char *api_arn(const struct api_call *c, const char *service, const char *what)
{
	return xstrfmt("arn:aws:%s:%s:%s:%s", service, c->region, c->account, what);
}

json_t *api_now(void)
{
	return json_real(ecs_now());
}

static int bad_token(struct api_call *c)
{
	if (c->service->protocol == API_JSON)
		return api_error(c, "InvalidParameterException", "Invalid token.");
	return api_error(c,
			 c->service->protocol == API_EC2 ? "InvalidNextToken" : "ValidationError",
			 "The token is not valid: it is none that was handed out here.");
}

static int read_token(struct api_call *c, const char *token, size_t *start)
{
	AUTO(strbuf) text = STRBUF_INIT;
	size_t digits;

	if (!base64_decode(&text, token, strlen(token)) || !str_starts(text.buf, PAGE_MARK))
		return bad_token(c);
	digits = strspn(text.buf + strlen(PAGE_MARK), "0123456789");
	if (!digits || digits > 9 || strlen(PAGE_MARK) + digits != text.len)
		return bad_token(c);
	*start = (size_t)strtoul(text.buf + strlen(PAGE_MARK), NULL, 10);
	return 0;
}

/* What is left of array from start on, at most limit of it. */
static void cut(json_t *array, size_t start, size_t limit)
{
	AUTO_JSON *page = json_array();

	for (size_t i = 0; i < limit && start + i < json_array_size(array); i++)
		json_array_append(page, json_array_get(array, start + i));
	json_array_clear(array);
	json_array_extend(array, page);
}

int api_page(struct api_call *c, json_t *array, size_t limit)
{
	const struct api_service *s = c->service;
	size_t start = 0, n = json_array_size(array);
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO(strbuf) token = STRBUF_INIT;
	const char *given;
	int64_t wanted;

	if (api_text(c, s->page_token, &given) < 0 || api_int(c, s->page_size, &wanted, 0) < 0 ||
	    (given && *given && read_token(c, given, &start) < 0))
		return -1;
	if (wanted > 0 && (size_t)wanted < limit)
		limit = (size_t)wanted;
	cut(array, start, limit);
	if (start >= n || n - start <= limit)
		return 0;
	strbuf_printf(&text, PAGE_MARK "%zu", start + limit);
	base64_encode(&token, text.buf, text.len);
	json_object_set_new(c->output, s->page_next, json_text(token.buf));
	return 0;
}
