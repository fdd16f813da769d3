/* "type=local,dest=out" as docker's --output, --secret take it: comma-separated fields, "double quotes" around a field that holds commas. */
#pragma once

#include "base/error.h"
#include "base/strlist.h"
#include "base/strmap.h"

/* key=value fields into out; a field without '=' gets a NULL value. flag names the option in messages. */
int csv_parse_fields(struct strmap *out, const char *flag, const char *text, struct error *err);
/* A field that is true or false (alone: true); *out stays as it is without one. */
int csv_get_bool(const struct strmap *fields, const char *key, const char *flag, bool *out,
		 struct error *err);
/* ERROR_USAGE when out has a key that is not in known (NULL-terminated). */
int csv_check_keys(const struct strmap *fields, const char *const *known, const char *flag,
		   struct error *err);
