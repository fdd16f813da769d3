/*
 * JSON through jansson (included only here): getters that name what is missing
 * or of the wrong type, a parser that refuses duplicate keys, trailing bytes
 * and deep nesting (LIMIT_JSON_DEPTH), and a writer with stable bytes.
 * "where" names the document in messages.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/strbuf.h"
#include "base/strlist.h"
#include "base/strmap.h"

static inline void json_t_free(json_t *j)
{
	json_decref(j);
}
static inline void json_scope_decref(json_t **j)
{
	json_decref(*j);
}
#define AUTO_JSON __attribute__((cleanup(json_scope_decref))) json_t

/* ERROR_SYNTAX with where:line:column, never quoting the text, which may hold secrets. *out is a new reference. */
int json_parse(json_t **out, const char *text, size_t len, const char *where, struct error *err);
/* As json_parse, for text of programs: strings may hold \u0000 (json_string_length() counts it). */
int json_parse_with_nul(json_t **out, const char *text, size_t len, const char *where,
			struct error *err);
int json_parse_file(json_t **out, const char *path, size_t limit, struct error *err);
/* Required getters: ERROR_CORRUPT when missing or of another type. Views stay valid as long as obj. */
int json_get_string(const json_t *obj, const char *key, const char **out, const char *where,
		    struct error *err);
int json_get_int(const json_t *obj, const char *key, int64_t *out, const char *where,
		 struct error *err);
int json_get_object(const json_t *obj, const char *key, json_t **out, const char *where,
		    struct error *err);
int json_get_array(const json_t *obj, const char *key, json_t **out, const char *where,
		   struct error *err);
/* Optional: missing or null gives the default (NULL, fallback, empty); another type is ERROR_CORRUPT. */
int json_opt_string(const json_t *obj, const char *key, const char **out, const char *where,
		    struct error *err);
/* A copy (free()); NULL for "" too, which docker writes for what is absent. */
int json_opt_text(const json_t *obj, const char *key, char **out, const char *where,
		  struct error *err);
int json_opt_int(const json_t *obj, const char *key, int64_t *out, int64_t fallback,
		 const char *where, struct error *err);
int json_opt_bool(const json_t *obj, const char *key, bool *out, bool fallback, const char *where,
		  struct error *err);
int json_opt_strlist(const json_t *obj, const char *key, struct strlist *out, const char *where,
		     struct error *err);
int json_opt_strmap(const json_t *obj, const char *key, struct strmap *out, const char *where,
		    struct error *err);
json_t *json_from_strlist(const struct strlist *l); /* new reference */
json_t *json_from_strmap(const struct strmap *m, bool sorted);
/* Strings that are not UTF-8 become U+FFFD where invalid, so that every text can be written. */
json_t *json_text(const char *s);
json_t *json_textn(const char *s, size_t len);
/* Compact, keys in insertion order, no final newline. */
void json_write(const json_t *j, struct strbuf *out);
/* Indented by two spaces, final newline. */
void json_write_pretty(const json_t *j, struct strbuf *out);
