/*
 * Forms of AWS's query and EC2 protocols as JSON: "A.b=1" becomes {"A": {"b": "1"}}, "A.member.1=x" (query) and "A.1=x" (EC2) {"A": ["x"]}.
 * Without the services' models every scalar is a text, and names are those of the wire: "Filter", not "Filters".
 */
#pragma once

#include <stddef.h>

#include "base/json.h"

/*
 * text: application/x-www-form-urlencoded, of a body or behind '?'. Adds to object. ERROR_SYNTAX, which says what is wrong of which member: bad
 * escapes, bytes that are no UTF-8, a member twice or with and without members of its own, lists with gaps, more or deeper than the limits.
 */
int api_form_read(json_t *object, const char *text, size_t len, struct error *err);
