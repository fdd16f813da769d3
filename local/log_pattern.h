/*
 * Filter patterns for text (CloudWatch Logs, "Filter pattern syntax", unstructured log events): words that must all be there, "phrases in
 * quotes", -words that must not, ?words of which one must be there. Letters count as they are. As there, ?words mean nothing beside
 * others.
 */
#pragma once

#include "base/error.h"
#include "base/strlist.h"

struct log_pattern {
	struct strlist all, none, any;
};

/*
 * ERROR_SYNTAX for what is no pattern; ERROR_UNSUPPORTED for those that look into JSON, columns or with regular expressions. NULL or "" fits
 * everything. out, which starts zeroed, is released by the caller also after a failure.
 */
int log_pattern_parse(struct log_pattern *out, const char *text, struct error *err);
bool log_pattern_fits(const struct log_pattern *p, const char *text, size_t len);
void log_pattern_release(struct log_pattern *p);

CLEANUP_RELEASE(log_pattern)
