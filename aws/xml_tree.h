/*
 * The XML of AWS's query services as JSON, so that callers read every service alike: an element is an object of its children, one
 * whose children are all called "member" or "item" an array, any other a string ("" for an empty one, which the getters of
 * base/json.h and jansson's loops take for an empty list).
 */
#pragma once

#include "base/error.h"
#include "base/json.h"

/*
 * The content of the answer to operation: what stands in <OPERATIONResult>, else in <OPERATIONResponse>. *out is a new reference,
 * always an object. ERROR_CORRUPT for what is no such document.
 */
int xml_tree_read(json_t **out, const char *text, size_t len, const char *operation,
		  struct error *err);
