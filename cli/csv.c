#include "cli/csv.h"

#include <string.h>

#include "base/alloc.h"
#include "base/strbuf.h"
#include "cli/options.h"

static void add_field(struct strmap *out, const char *field)
{
	const char *equals = strchr(field, '=');
	AUTO_FREE char *key = equals ? xstrndup(field, (size_t)(equals - field)) : xstrdup(field);

	strmap_set(out, key, equals ? equals + 1 : NULL);
}

int csv_parse_fields(struct strmap *out, const char *flag, const char *text, struct error *err)
{
	AUTO(strbuf) field = STRBUF_INIT;
	bool quoted = false;

	for (const char *p = text; *p; p++) {
		if (*p == '"') {
			if (quoted && p[1] == '"')
				strbuf_putc(&field, *p++);
			else
				quoted = !quoted;
		} else if (*p == ',' && !quoted) {
			add_field(out, field.buf);
			strbuf_reset(&field);
		} else {
			strbuf_putc(&field, *p);
		}
	}
	if (quoted)
		return error_set(err, ERROR_USAGE, "%s %s: a quote is not closed", flag, text);
	if (field.len)
		add_field(out, field.buf);
	return 0;
}

int csv_check_keys(const struct strmap *fields, const char *const *known, const char *flag,
		   struct error *err)
{
	for (size_t i = 0; i < fields->n; i++) {
		const char *key = fields->entries[i].key;
		const char *near;
		size_t k = 0;

		while (known[k] && strcmp(known[k], key) != 0)
			k++;
		if (known[k])
			continue;
		near = options_nearest(key, known);
		return error_set(err, ERROR_USAGE, "%s: unknown field \"%s\"%s%s%s", flag, key,
				 near ? " (did you mean \"" : "", near ? near : "",
				 near ? "\"?)" : "");
	}
	return 0;
}

int csv_get_bool(const struct strmap *fields, const char *key, const char *flag, bool *out,
		 struct error *err)
{
	const char *value = strmap_get(fields, key);

	if (!strmap_has(fields, key))
		return 0;
	if (!value || strcmp(value, "true") == 0 || strcmp(value, "1") == 0)
		*out = true;
	else if (strcmp(value, "false") == 0 || strcmp(value, "0") == 0)
		*out = false;
	else
		return error_set(err, ERROR_USAGE, "%s: %s=%s: true or false", flag, key, value);
	return 0;
}
